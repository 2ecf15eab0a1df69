//! Images and requests made to do harm: each is refused with a reason, or does no harm.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{Agent, busybox_tar, busybox_tar_with, eventually, file};

fn refused(agent: &Agent, more: Value, reason: &str) {
    let mut body = json!({ "Image": support::IMAGE, "Cmd": ["true"] });
    support::merge(&mut body, more);
    let answer = agent.client.post("/containers/create", &body);
    assert!(answer.status == 400 && answer.text().contains(reason), "{reason}: {} {}", answer.status, answer.text());
}

fn entries(agent: &Agent, dir: &str) -> usize {
    std::fs::read_dir(agent.root.path().join("data").join(dir)).map_or(0, Iterator::count)
}

#[test]
fn requests_that_no_container_could_be_made_of() {
    let agent = Agent::start();
    let before = ["containers", "snapshots", "volumes"].map(|dir| entries(&agent, dir));
    refused(&agent, json!({ "Env": ["A=b\0c"] }), "zero byte");
    refused(&agent, json!({ "Cmd": ["ec\0ho"] }), "zero byte");
    refused(&agent, json!({ "User": "we\0b" }), "zero byte");
    refused(&agent, json!({ "Hostname": "a\nb" }), "host name");
    refused(&agent, json!({ "Hostname": "a".repeat(65) }), "host name");
    let volumes: serde_json::Map<String, Value> = (0..300).map(|n| (format!("/v{n}"), json!({}))).collect();
    refused(&agent, json!({ "Volumes": volumes }), "256");
    let ports: serde_json::Map<String, Value> = (1..5_000).map(|n| (format!("{n}/tcp"), json!({}))).collect();
    refused(&agent, json!({ "ExposedPorts": ports, "HostConfig": { "PublishAllPorts": true } }), "4096");
    // What was made before the refusal is gone again.
    refused(&agent, json!({ "Volumes": { "/data": {} }, "HostConfig": { "Memory": 1 } }), "memory");
    assert_eq!(["containers", "snapshots", "volumes"].map(|dir| entries(&agent, dir)), before);
    let lines = agent.text("printf '%s' \"$A\" | wc -l", json!({ "Env": ["A=one\ntwo\nthree"] }));
    assert_eq!(lines.trim(), "2", "a newline in a variable is a newline");
}

/// To the kernel an id of all ones means "leave it as it is", which is root.
#[test]
fn no_id_is_too_large_to_be_anyone() {
    let agent = Agent::start();
    let passwd = b"evil:x:4294967295:4294967295::/:/bin/sh\n";
    agent.import("evil:1", &busybox_tar_with(|tar| file(tar, "etc/passwd", passwd, 0o644)));
    for (image, user) in
        [(support::IMAGE, "4294967295"), (support::IMAGE, "0:4294967295"), (support::IMAGE, "2147483648"), ("evil:1", "evil")]
    {
        let body = json!({ "Image": image, "Cmd": ["id"], "User": user });
        let id = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert!(answer.status == 400 && answer.text().contains("2147483647"), "{user}: {} {}", answer.status, answer.text());
    }
    assert!(agent.text("id", json!({ "User": "2147483647" })).contains("uid=2147483647"));
}

#[test]
fn megabytes_of_labels_are_not_remembered_with_every_event() {
    let agent = Agent::start();
    let labels: serde_json::Map<String, Value> = (0..100).map(|n| (format!("l{n}"), json!("x".repeat(10_000)))).collect();
    let id = agent.create("true", json!({ "Labels": labels }));
    assert_eq!(agent.inspect(&id)["Config"]["Labels"]["l7"].as_str().unwrap().len(), 10_000);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let events = agent.client.request("GET", &format!("/events?since=1&until={now}.999"), b"");
    assert_eq!(events.status, 200);
    let event =
        events.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|event| event["Actor"]["ID"] == id.as_str());
    let attributes = event.unwrap()["Actor"]["Attributes"].clone();
    assert_eq!((attributes["image"].as_str(), &attributes["l7"]), (Some(support::IMAGE), &Value::Null));
}

#[test]
fn a_name_as_long_as_a_program_can_have_is_told_in_short() {
    let agent = Agent::start();
    let id =
        agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["x".repeat(300_000)] })).json()["Id"].clone();
    let answer = agent.client.request("POST", &format!("/containers/{}/start", id.as_str().unwrap()), b"");
    assert!(answer.status == 400 && answer.text().len() < 10_000, "{} {}", answer.status, answer.text().len());
}

#[test]
fn a_check_that_hangs_is_killed_each_time() {
    let agent = Agent::start();
    let long = support::long_sleep(50);
    let check = json!({ "Healthcheck": { "Test": ["CMD", "sleep", long], "Interval": 1_000_000, "Timeout": 200_000_000, "Retries": 2 } });
    let id = agent.run("sleep 100", check);
    let health = || agent.inspect(&id)["State"]["Health"].clone();
    eventually("it has timed out often", || health()["FailingStreak"].as_i64() >= Some(5));
    assert!(health()["Log"][0]["Output"].as_str().unwrap().contains("exceeded timeout"), "{}", health());
    let running = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.starts_with(b"sleep\0") && String::from_utf8_lossy(&line).contains(&long)
    });
    assert!(running.count() <= 2, "the last check, and maybe the one before");
}

/// Between the check of a mount's source and the mount, a container that has the folder above may put a link there.
#[test]
fn a_source_that_became_a_link_is_not_followed() {
    let agent = Agent::start();
    let shared = tempfile::tempdir().unwrap();
    std::fs::create_dir(shared.path().join("own")).unwrap();
    let bind = format!("{}:/host", shared.path().join("own").display());
    let id = agent.create("ls /host", json!({ "HostConfig": { "Binds": [bind] } }));
    agent
        .text("rmdir /s/own; ln -s /etc /s/own", json!({ "HostConfig": { "Binds": [format!("{}:/s", shared.path().display())] } }).clone());
    let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
    assert!(answer.status == 500 && answer.text().contains("symbolic links"), "{} {}", answer.status, answer.text());
}

#[test]
fn many_clients_wait_for_one_start() {
    use std::io::Read;
    let agent = Agent::start();
    let id = agent.create("echo hello", json!({}));
    let attach = || agent.client.hijack(&format!("/containers/{id}/attach?stream=1&stdout=1"), b"");
    (0..30).for_each(|_| drop(attach()));
    let mut streams: Vec<_> = (0..20).map(|_| attach()).collect();
    agent.begin(&id);
    for stream in &mut streams {
        let mut output = Vec::new();
        stream.read_to_end(&mut output).unwrap(); // those connected after the start may have missed what was said before
    }
    assert_eq!((agent.wait(&id), agent.output(&id).as_str()), (0, "hello\n"));
}

#[test]
fn execs_ask_the_policy_too() {
    let agent = Agent::with_settings(Some(json!({ "policy": { "allowPrivileged": false } })));
    agent.import(support::IMAGE, &busybox_tar());
    let id = agent.run("sleep 100", json!({}));
    let exec = |privileged: bool| {
        let body = json!({ "Cmd": ["true"], "Privileged": privileged });
        let made = agent.client.post(&format!("/containers/{id}/exec"), &body).json()["Id"].as_str().unwrap().to_owned();
        agent.client.post(&format!("/exec/{made}/start"), &json!({ "Detach": true }))
    };
    let answer = exec(true);
    assert!(answer.status == 403 && answer.text().contains("privileged"), "{} {}", answer.status, answer.text());
    assert_eq!(exec(false).status, 200);
}

#[test]
fn the_agents_own_folder_is_a_path_like_any_other() {
    let allowed = tempfile::tempdir().unwrap();
    let agent = Agent::with_settings(Some(json!({ "policy": { "bindSources": [allowed.path()] } })));
    agent.import(support::IMAGE, &busybox_tar());
    let data = agent.root.path().join("data/containers");
    let body = json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": { "Binds": [format!("{}:/x", data.display())] } });
    assert_eq!(agent.client.post("/containers/create", &body).status, 403);
    assert_eq!(agent.text("echo fine", json!({ "HostConfig": { "Binds": ["volume:/y"] } })), "fine\n");
}
