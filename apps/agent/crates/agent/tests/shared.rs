//! Namespaces that containers share with each other or with the host, read back from inside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{Agent, eventually};

fn host(more: Value) -> Value {
    json!({ "HostConfig": more })
}

/// The namespace links of a running container's first process, as the host sees them.
fn namespace(agent: &Agent, id: &str, name: &str) -> String {
    let pid = agent.inspect(id)["State"]["Pid"].as_i64().unwrap();
    std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().display().to_string()
}

fn refused(agent: &Agent, body: Value, status: u16, why: &str) {
    let mut request = json!({ "Image": support::IMAGE, "Cmd": ["true"] });
    support::merge(&mut request, body);
    let answer = agent.client.post("/containers/create", &request);
    assert!(answer.status == status && answer.text().contains(why), "{request}: {} {}", answer.status, answer.text());
}

#[test]
fn a_network_is_shared_with_its_names() {
    let agent = Agent::start();
    let owner = agent.create("hostname; sleep 600", json!({ "Hostname": "owner", "HostConfig": { "ExtraHosts": ["other:10.9.8.7"] } }));
    let guest = agent
        .create("hostname; grep -c 10.9.8.7 /etc/hosts; sleep 600", host(json!({ "NetworkMode": format!("container:{}", &owner[..12]) })));
    assert_eq!(agent.inspect(&guest)["HostConfig"]["NetworkMode"], format!("container:{owner}"));
    let answer = agent.client.request("POST", &format!("/containers/{guest}/start"), b"");
    assert!(answer.status == 409 && answer.text().contains("cannot join network of a non running container"), "{}", answer.text());
    agent.begin(&owner);
    agent.begin(&guest);
    eventually("the guest's names", || agent.output(&guest) == "owner\n1\n");
    assert_eq!(namespace(&agent, &guest, "net"), namespace(&agent, &owner, "net"));
    assert_ne!(namespace(&agent, &guest, "uts"), namespace(&agent, &owner, "uts"));
    let connect = agent.client.post("/networks/none/connect", &json!({ "Container": guest }));
    assert!(connect.status == 400 && connect.text().contains("container sharing network namespace"), "{}", connect.text());
    // The owner's next run has another; the guest's next run joins that.
    let before = namespace(&agent, &guest, "net");
    assert_eq!(agent.client.request("POST", &format!("/containers/{owner}/restart?t=0"), b"").status, 204);
    assert_eq!(namespace(&agent, &guest, "net"), before);
    assert_eq!(agent.client.request("POST", &format!("/containers/{guest}/restart?t=0"), b"").status, 204);
    assert_eq!(namespace(&agent, &guest, "net"), namespace(&agent, &owner, "net"));
}

#[test]
fn processes_and_memory_are_shared_when_asked() {
    let agent = Agent::start();
    let sleeper = support::long_sleep(1);
    let owner = agent.run(&format!("echo kept > /dev/shm/file; exec sleep {sleeper}"), host(json!({ "IpcMode": "shareable" })));
    eventually("the owner's file", || !agent.client.get(&format!("/containers/{owner}/json"))["State"]["Pid"].is_null());
    let shared = format!("container:{owner}");
    let script = format!(
        "until cat /dev/shm/file 2>/dev/null; do sleep 0.05; done; until ps | grep -q '[s]leep {sleeper}'; do sleep 0.05; done; echo seen"
    );
    let guest = agent.run(&format!("{script}; sleep 600"), host(json!({ "PidMode": shared, "IpcMode": shared })));
    eventually("what the guest sees", || agent.output(&guest) == "kept\nseen\n");
    for name in ["pid", "ipc"] {
        assert_eq!(namespace(&agent, &guest, name), namespace(&agent, &owner, name), "{name}");
    }
    // A further process is where the guest is.
    let body = json!({ "Cmd": ["sh", "-c", format!("ps | grep -q '[s]leep {sleeper}' && [ -f /dev/shm/file ]")], "AttachStdout": true });
    let exec = agent.client.post(&format!("/containers/{guest}/exec"), &body).json()["Id"].as_str().unwrap().to_owned();
    agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true }));
    eventually("the exec's end", || agent.client.get(&format!("/exec/{exec}/json"))["Running"] == false);
    assert_eq!(agent.client.get(&format!("/exec/{exec}/json"))["ExitCode"], 0);
    // With its first process all of a pid namespace ends.
    assert_eq!(agent.client.request("POST", &format!("/containers/{owner}/kill"), b"").status, 204);
    assert_eq!(agent.wait(&guest), 137);
}

#[test]
fn private_memory_is_not_joined() {
    let agent = Agent::start();
    let owner = agent.run("sleep 600", json!({}));
    let guest = agent.create("true", host(json!({ "IpcMode": format!("container:{owner}") })));
    let answer = agent.client.request("POST", &format!("/containers/{guest}/start"), b"");
    assert!(answer.status == 400 && answer.text().contains("non-shareable IPC"), "{} {}", answer.status, answer.text());
    assert_eq!(
        agent.text("grep -c ' /dev/shm ' /proc/mounts; [ -e /dev/shm ] || echo absent", host(json!({ "IpcMode": "none" }))),
        "0\nabsent\n"
    );
    assert_eq!(agent.text("grep -c ' /dev/shm ' /proc/mounts", host(json!({ "IpcMode": "private", "ShmSize": 1 << 20 }))), "1\n");
    let own = std::fs::read_link("/proc/self/ns/ipc").unwrap().display().to_string();
    assert_eq!(agent.text("readlink /proc/self/ns/ipc", host(json!({ "IpcMode": "host" }))).trim(), own);
    let own = std::fs::read_link("/proc/self/ns/cgroup").unwrap().display().to_string();
    assert_eq!(agent.text("readlink /proc/self/ns/cgroup", host(json!({ "CgroupnsMode": "host" }))).trim(), own);
    assert_ne!(agent.text("readlink /proc/self/ns/cgroup", json!({})).trim(), own);
}

#[test]
fn contradictions_are_refused() {
    let agent = Agent::start();
    let owner = agent.create("true", json!({}));
    let shares = format!("container:{owner}");
    let with = |more: Value| {
        let mut body = json!({ "HostConfig": { "NetworkMode": shares } });
        support::merge(&mut body, more);
        body
    };
    refused(&agent, with(json!({ "Hostname": "x" })), 400, "conflicting options: hostname and the network mode");
    refused(&agent, with(json!({ "HostConfig": { "Dns": ["10.0.0.1"] } })), 400, "conflicting options: dns and the network mode");
    refused(&agent, with(json!({ "HostConfig": { "ExtraHosts": ["a:10.0.0.1"] } })), 400, "custom host-to-IP mapping");
    refused(&agent, with(json!({ "HostConfig": { "PublishAllPorts": true } })), 400, "port publishing and the container type network mode");
    refused(&agent, with(json!({ "ExposedPorts": { "80/tcp": {} } })), 400, "port exposing and the container type network mode");
    refused(&agent, json!({ "Hostname": "x", "HostConfig": { "UTSMode": "host" } }), 400, "conflicting options: hostname and the UTS mode");
    refused(&agent, host(json!({ "NetworkMode": "container:" })), 400, "invalid container format container:<name|id>");
    refused(&agent, host(json!({ "NetworkMode": "container:nobody" })), 400, "No such container: nobody");
    refused(&agent, host(json!({ "PidMode": "odd" })), 400, "Invalid PID mode: odd");
    refused(&agent, host(json!({ "IpcMode": "odd" })), 400, "Invalid IPC mode: odd");
}
