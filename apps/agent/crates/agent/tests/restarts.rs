//! What runs again after the daemon, or the host, was restarted; and a start among much rubbish.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::{Agent, eventually};

fn policy(name: &str) -> Value {
    json!({ "HostConfig": { "RestartPolicy": { "Name": name } } })
}

fn stop(agent: &Agent, id: &str) {
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/stop?t=0"), b"").status, 204);
}

fn status(agent: &Agent, id: &str) -> String {
    agent.inspect(id)["State"]["Status"].as_str().unwrap().to_owned()
}

fn runs(agent: &Agent, id: &str) -> bool {
    status(agent, id) == "running"
}

fn dir(agent: &Agent, id: &str) -> PathBuf {
    agent.root.path().join("data/containers").join(id)
}

fn kill(pid: i64) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL); // the other's end may have ended it
}

/// As a host that lost its power: no daemon, no shim, no container, and another boot after it.
fn lose_power(agent: &mut Agent, ids: &[&str]) {
    let pids: Vec<i64> = ids.iter().map(|id| agent.inspect(id)["State"]["Pid"].as_i64().unwrap()).collect();
    agent.kill();
    for (id, pid) in ids.iter().zip(pids) {
        let path = dir(agent, id).join("state.json");
        let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if pid > 0 {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let shim: i64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
            kill(shim);
            kill(pid);
        }
        state["boot"] = json!("the boot before");
        std::fs::write(&path, state.to_string()).unwrap();
    }
}

#[test]
fn after_a_reboot_runs_what_is_to_run() {
    let mut agent = Agent::start();
    let always = agent.run("sleep 1000", policy("always"));
    let unless = agent.run("sleep 1000", policy("unless-stopped"));
    let failing = agent.run("sleep 1000", policy("on-failure"));
    let none = agent.run("sleep 1000", json!({}));
    let gone = agent.run("sleep 1000", json!({ "HostConfig": { "AutoRemove": true } }));
    let stopped = agent.run("sleep 1000", policy("unless-stopped"));
    stop(&agent, &stopped);
    lose_power(&mut agent, &[&always, &unless, &failing, &none, &gone, &stopped]);
    agent.respawn();
    eventually("the desired ones run", || [&always, &unless, &failing].iter().all(|id| runs(&agent, id)));
    assert_eq!((status(&agent, &none).as_str(), status(&agent, &stopped).as_str()), ("exited", "exited"));
    assert_eq!(agent.inspect(&none)["State"]["ExitCode"], 255);
    eventually("what was to vanish has vanished", || agent.client.request("GET", &format!("/containers/{gone}/json"), b"").status == 404);
    assert_eq!(agent.text("echo usable", json!({})), "usable\n");
}

#[test]
fn a_new_daemon_starts_what_always_runs() {
    let mut agent = Agent::start();
    let always = agent.run("sleep 1000", policy("always"));
    let unless = agent.run("sleep 1000", policy("unless-stopped"));
    let never = agent.create("sleep 1000", policy("always"));
    stop(&agent, &always);
    stop(&agent, &unless);
    agent.kill();
    agent.respawn();
    eventually("what was stopped and always runs is started", || runs(&agent, &always));
    assert_eq!((status(&agent, &unless).as_str(), status(&agent, &never).as_str()), ("exited", "created"));
}

#[test]
fn rubbish_is_swept_and_does_not_stop_the_start() {
    let mut agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    agent.kill();
    let data = agent.root.path().join("data");
    for number in 0..10_000 {
        let name = format!("{number:064x}");
        std::fs::create_dir(data.join("containers").join(&name)).unwrap();
        if number % 10 == 0 {
            std::fs::write(data.join("containers").join(&name).join("state.json"), "{}").unwrap();
            std::fs::create_dir_all(data.join("snapshots").join(&name).join("fs")).unwrap();
        }
    }
    agent.respawn();
    assert!(runs(&agent, &id));
    let entries = |dir: &str| std::fs::read_dir(data.join(dir)).unwrap().count();
    eventually("the rubbish is gone", || entries("containers") == 1 && entries("snapshots") == 1);
    assert_eq!(agent.text("echo usable", json!({})), "usable\n");
}
