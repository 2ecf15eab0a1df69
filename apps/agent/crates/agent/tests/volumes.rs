//! Volumes: named, anonymous, filled from the image, removed only when nobody uses them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::{Agent, busybox_tar_with, file, link};

#[test]
fn a_named_volume_is_filled_once_and_outlives_containers() {
    let agent = Agent::bare();
    agent.import(
        support::IMAGE,
        &busybox_tar_with(|tar| {
            file(tar, "data/seed", b"from the image", 0o640);
            link(tar, "data/out", "/etc/passwd");
        }),
    );
    let mount = json!({ "HostConfig": { "Mounts": [{ "Type": "volume", "Source": "keep", "Target": "/data" }] } });
    let output =
        agent.text("cat /data/seed; stat -c %a /data/seed; readlink /data/out; echo mine > /data/seed; rm_() { :; }", mount.clone());
    assert_eq!(output, "from the image640\n/etc/passwd\n");
    assert_eq!(agent.text("cat /data/seed", mount.clone()), "mine\n");
    let empty = json!({ "HostConfig": { "Mounts": [{ "Type": "volume", "Source": "empty", "Target": "/data", "VolumeOptions": { "NoCopy": false } }] } });
    assert_eq!(agent.text("cat /data/seed", empty), "from the image");
    let user = agent.create("true", mount);
    assert_eq!(agent.client.request("DELETE", "/volumes/keep", b"").status, 409);
    for container in agent.client.get("/containers/json?all=1").as_array().unwrap() {
        agent.client.request("DELETE", &format!("/containers/{}?v=1", container["Id"].as_str().unwrap()), b"");
    }
    assert!(agent.client.get(&format!("/containers/{user}/json"))["message"].is_string());
    let names: Vec<_> = agent.client.get("/volumes")["Volumes"].as_array().unwrap().iter().map(|volume| volume["Name"].clone()).collect();
    assert_eq!(names, ["empty", "keep"], "named volumes stay");
    assert_eq!(agent.client.request("DELETE", "/volumes/keep", b"").status, 204);
}

#[test]
fn events_tell_the_story() {
    let agent = Agent::start();
    let (code, _) = agent.outcome("exit 3", json!({ "Labels": { "story": "1" } }));
    assert_eq!(code, 3);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let filters = r#"%7B%22label%22%3A%5B%22story%3D1%22%5D%7D"#;
    let answer = agent.client.request("GET", &format!("/events?since=1&until={now}.999&filters={filters}"), b"");
    let actions: Vec<String> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["Action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["create", "start", "die"]);
}
