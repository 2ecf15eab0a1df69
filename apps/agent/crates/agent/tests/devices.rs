//! Devices of the host in containers: exactly those that were asked for, with exactly those rights.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::Agent;

/// Tries to open a node for reading and for writing, and says what could be done. (The kernel's log wants CAP_SYSLOG.)
const TRY: &str = "try() { out=; ( : < $1 ) 2>/dev/null && out=r; ( : > $1 ) 2>/dev/null && out=${out}w; echo $2:$out; }";

#[test]
fn rights_are_those_asked_for() {
    let agent = Agent::start();
    let device =
        |host: &str, inside: &str, rights: &str| json!({ "PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": rights });
    // 1:11 is the kernel's log, which no container may open by itself; the zero device is everybody's.
    let script = format!(
        "{TRY}; mknod /tmp/own c 1 11; try /tmp/own own; try /dev/given given; ls -l /opt/nodes/z | cut -c 1; stat -c %t:%T /dev/null"
    );
    let script = script
        .replace("ls -l /opt/nodes/z | cut -c 1", "[ -c /opt/nodes/z ] && echo c")
        .replace("mknod /tmp/own", "mkdir -p /tmp; mknod /tmp/own");
    let run = |devices: serde_json::Value, rules: serde_json::Value| {
        agent.text(&script, json!({ "HostConfig": { "Devices": devices, "DeviceCgroupRules": rules, "CapAdd": ["SYSLOG"] } }))
    };
    let elsewhere = device("/dev/zero", "/opt/nodes/z", "r");
    let replaced = device("/dev/zero", "/dev/null", "rw");
    assert_eq!(run(json!([device("/dev/kmsg", "/dev/given", "r"), elsewhere]), json!([])), "own:r\ngiven:r\nc\n1:3\n");
    assert_eq!(run(json!([device("/dev/kmsg", "/dev/given", "w"), elsewhere, replaced]), json!([])), "own:w\ngiven:w\nc\n1:5\n");
    assert_eq!(run(json!([device("/dev/zero", "/dev/given", ""), elsewhere]), json!(["c 1:* r"])), "own:r\ngiven:rw\nc\n1:3\n");
    // Without any, the node can be made and not be used.
    let plain = agent.text(
        &format!("{TRY}; mkdir -p /tmp; mknod /tmp/own c 1 11; try /tmp/own own; ls /dev/kmsg 2>/dev/null; true"),
        json!({ "HostConfig": { "CapAdd": ["SYSLOG"] } }),
    );
    assert_eq!(plain, "own:\n");
}

#[test]
fn folders_bring_their_nodes_and_execs_have_the_same() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let node = folder.path().join("below/log");
    let made = std::process::Command::new("mknod").arg(&node).args(["c", "1", "11"]).status().unwrap();
    assert!(made.success());
    std::fs::write(folder.path().join("file"), "no device").unwrap();
    let devices = json!([{ "PathOnHost": folder.path(), "PathInContainer": "/dev/all", "CgroupPermissions": "r" }]);
    let id = agent
        .run("[ -c /dev/all/below/log ] && ls /dev/all; sleep 600", json!({ "HostConfig": { "Devices": devices, "CapAdd": ["SYSLOG"] } }));
    support::eventually("the folder's nodes", || agent.output(&id) == "below\n");
    let exec = agent.client.post(
        &format!("/containers/{id}/exec"),
        &json!({ "Cmd": ["sh", "-c", "( : < /dev/all/below/log ) && ! ( : > /dev/all/below/log )"], "AttachStdout": true }),
    );
    let exec = exec.json()["Id"].as_str().unwrap().to_owned();
    agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true }));
    support::eventually("the exec's end", || agent.client.get(&format!("/exec/{exec}/json"))["Running"] == false);
    assert_eq!(agent.client.get(&format!("/exec/{exec}/json"))["ExitCode"], 0);
    let limits = agent.client.post(&format!("/containers/{id}/update"), &json!({ "PidsLimit": 50 }));
    assert_eq!(limits.status, 200, "{}", limits.text());
    assert_eq!(agent.inspect(&id)["HostConfig"]["Devices"], devices);
}

#[test]
fn what_is_no_device_is_refused() {
    let agent = Agent::start();
    for (host, why) in [
        (
            json!({ "Devices": [{ "PathOnHost": "/dev/not-there", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm" }] }),
            "error gathering device information while adding custom device \"/dev/not-there\": no such file or directory",
        ),
        (
            json!({ "Devices": [{ "PathOnHost": "/etc/passwd", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm" }] }),
            "not a device node",
        ),
        (
            json!({ "Devices": [{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rwx" }] }),
            "invalid device mode: rwx",
        ),
        (json!({ "DeviceCgroupRules": ["c 1:3"] }), "invalid device cgroup rule format: 'c 1:3'"),
    ] {
        let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
        assert!(answer.status == 400 && answer.text().replace("\\\"", "\"").contains(why), "{host}: {} {}", answer.status, answer.text());
    }
}
