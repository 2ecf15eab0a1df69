//! Limits and restart policy of containers that exist; renaming; the list of processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::Agent;

/// The value of a control file of the container's group, wherever this host has it.
fn control(agent: &Agent, id: &str, v1: &str, v2: &str) -> String {
    let (instance, (controller, file)) = (agent.instance(), v1.split_once('/').unwrap());
    let paths = [
        format!("/sys/fs/cgroup/{controller}/slipway-{instance}/confined/{id}/{file}"),
        format!("/sys/fs/cgroup/slipway-{instance}/confined/{id}/{v2}"),
    ];
    paths.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap().trim().to_owned()
}

fn update(agent: &Agent, id: &str, body: Value) -> (u16, Value) {
    let answer = agent.client.post(&format!("/containers/{id}/update"), &body);
    (answer.status, answer.json())
}

#[test]
fn limits_change_under_a_running_container_and_stay() {
    let mut agent = Agent::start();
    let id = agent.run("sleep 1000", json!({ "HostConfig": { "Memory": 64 << 20, "PidsLimit": 50 } }));
    let wanted = json!({
        "Memory": 128 << 20, "MemorySwap": 256 << 20, "NanoCpus": 250_000_000, "CpuShares": 512, "CpusetCpus": "0", "PidsLimit": 77,
        "BlkioWeight": 300, "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
    });
    let (status, answer) = update(&agent, &id, wanted);
    assert_eq!(status, 200, "{answer}");
    assert!(answer["Warnings"][0].as_str().unwrap().contains("BlkioWeight") && answer["Warnings"][1].is_null(), "{answer}");
    assert_eq!(control(&agent, &id, "memory/memory.limit_in_bytes", "memory.max"), (128 << 20).to_string());
    assert_eq!(control(&agent, &id, "pids/pids.max", "pids.max"), "77");
    assert!(control(&agent, &id, "cpu/cpu.cfs_quota_us", "cpu.max").starts_with("25000"));
    assert_eq!(control(&agent, &id, "cpuset/cpuset.cpus", "cpuset.cpus"), "0");
    // Lower again: on v1 memory and swap have to be narrowed in the right order.
    assert_eq!(update(&agent, &id, json!({ "Memory": 32 << 20, "MemorySwap": 32 << 20, "PidsLimit": -1 })).0, 200);
    assert_eq!(control(&agent, &id, "memory/memory.limit_in_bytes", "memory.max"), (32 << 20).to_string());
    assert_eq!(control(&agent, &id, "pids/pids.max", "pids.max"), "max");
    agent.kill();
    agent.respawn();
    let host = agent.inspect(&id)["HostConfig"].clone();
    assert_eq!((&host["Memory"], &host["CpuShares"], &host["PidsLimit"]), (&json!(32 << 20), &json!(512), &json!(-1)));
    assert_eq!(host["RestartPolicy"], json!({ "Name": "on-failure", "MaximumRetryCount": 3 }));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let agent = Agent::start();
    let fill = "head -c 40000000 /dev/zero | tail -c 39999999 > /dev/shm/fill; echo full; sleep 1000";
    let id = agent.run(fill, json!({ "HostConfig": { "Memory": 256 << 20, "MemorySwap": 256 << 20 } }));
    support::eventually("it has filled its memory", || agent.output(&id).contains("full"));
    let (status, answer) = update(&agent, &id, json!({ "Memory": 8 << 20, "MemorySwap": 8 << 20 }));
    assert!(status == 409 && answer["message"].as_str().unwrap().contains("bytes now"), "{answer}");
    for bad in [
        json!({ "Memory": 1_000 }),
        json!({ "Memory": 512 << 20 }),
        json!({ "RestartPolicy": { "Name": "sometimes" } }),
        json!({ "RestartPolicy": { "Name": "always", "MaximumRetryCount": 3 } }),
    ] {
        assert_eq!(update(&agent, &id, bad.clone()).0, 400, "{bad}");
    }
    assert_eq!(update(&agent, &id, json!({ "CpusetCpus": "4000" })).0, 400);
    assert_eq!(agent.inspect(&id)["HostConfig"]["Memory"], 256 << 20);
    assert_eq!(control(&agent, &id, "memory/memory.limit_in_bytes", "memory.max"), (256 << 20).to_string());
    assert_eq!(update(&agent, "none", json!({})).0, 404);
    let gone = agent.create("true", json!({ "HostConfig": { "AutoRemove": true } }));
    assert_eq!(update(&agent, &gone, json!({ "RestartPolicy": { "Name": "always" } })).0, 400);
}

#[test]
fn a_new_policy_holds_from_the_next_end_on() {
    let agent = Agent::start();
    let id = agent.run("sleep 0.5; exit 3", json!({}));
    assert_eq!(update(&agent, &id, json!({ "RestartPolicy": { "Name": "always" } })).0, 200);
    support::eventually("it comes back", || agent.inspect(&id)["RestartCount"].as_i64() > Some(0));
}

#[test]
fn names_change_at_once_and_for_good() {
    let mut agent = Agent::start();
    let [one, two] = [agent.create("true", json!({})), agent.create("true", json!({}))];
    let rename = |agent: &Agent, id: &str, name: &str| agent.client.request("POST", &format!("/containers/{id}/rename?name={name}"), b"");
    let old = agent.inspect(&one)["Name"].as_str().unwrap().to_owned();
    assert_eq!(rename(&agent, &one, "first").status, 204);
    let taken = rename(&agent, &two, "first");
    assert!(taken.status == 409 && taken.text().contains("already in use by container"), "{}", taken.text());
    assert_eq!(rename(&agent, &two, "-x").status, 400);
    assert_eq!(agent.client.request("GET", &format!("/containers{old}/json"), b"").status, 404);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let filter = "%7B%22event%22%3A%5B%22rename%22%5D%7D";
    let events = agent.client.request("GET", &format!("/events?since=1&until={now}.999&filters={filter}"), b"").text();
    let event: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!((&event["Actor"]["Attributes"]["name"], &event["Actor"]["Attributes"]["oldName"]), (&json!("first"), &json!(old)));
    agent.kill();
    agent.respawn();
    assert_eq!(agent.inspect("first")["Id"], json!(one));
}

#[test]
fn processes_are_shown_as_ps_shows_them() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000; true", json!({}));
    support::eventually("its child runs", || agent.client.get(&format!("/containers/{id}/top"))["Processes"][1].is_array());
    let top = agent.client.get(&format!("/containers/{id}/top"));
    assert_eq!(top["Titles"], json!(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]));
    assert_eq!(top["Processes"][0][1], json!(agent.inspect(&id)["State"]["Pid"].to_string()));
    assert_eq!(top["Processes"][1][7], "sleep 1000");
    let aux = agent.client.get(&format!("/containers/{id}/top?ps_args=aux"));
    assert!(aux["Titles"][3] == "%MEM" && aux["Processes"].as_array().unwrap().len() == 2, "{aux}");
    for bad in ["-o%20ppid%3DPID", "-o%20comm", "--no-such-flag", "%3B%20touch%20/tmp/x"] {
        assert_eq!(agent.client.request("GET", &format!("/containers/{id}/top?ps_args={bad}"), b"").status, 400, "{bad}");
    }
}
