//! After a shutdown nothing is left on the host; the next start brings everything back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::{Agent, eventually, leftovers};

#[test]
fn nothing_is_left_and_everything_comes_back() {
    let mut agent = Agent::start();
    let instance = agent.instance();
    let kept = agent.run("echo run; sleep 1000", json!({ "HostConfig": { "Init": true, "PortBindings": { "80/tcp": [{}] } } }));
    let stopped = agent.run("sleep 1000", json!({ "HostConfig": { "Init": true, "RestartPolicy": { "Name": "unless-stopped" } } }));
    assert_eq!(agent.client.request("POST", &format!("/containers/{stopped}/stop?t=0"), b"").status, 204);
    agent.shut_down();
    // The kernel takes network namespaces apart in the background.
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
    agent.respawn();
    eventually("it runs again", || agent.inspect(&kept)["State"]["Running"] == true);
    eventually("its second run has begun", || agent.output(&kept) == "run\nrun\n");
    assert_eq!(agent.inspect(&stopped)["State"]["Running"], false);
    assert_eq!(agent.instance(), instance);
    agent.shut_down();
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
}

#[test]
fn removed_containers_leave_no_files() {
    let agent = Agent::start();
    let entries = |dir: &str| std::fs::read_dir(agent.root.path().join("data").join(dir)).map_or(0, Iterator::count);
    let before = (entries("containers"), entries("snapshots"), entries("volumes"));
    for _ in 0..5 {
        let id = agent.run("touch /x", json!({ "Volumes": { "/data": {} } }));
        agent.wait(&id);
        assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?v=1"), b"").status, 204);
    }
    assert_eq!((entries("containers"), entries("snapshots"), entries("volumes")), before);
}
