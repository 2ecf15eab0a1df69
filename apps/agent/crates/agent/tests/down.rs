//! What an agent leaves that nobody takes down, and how it is taken away.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::{Command, Output};

use serde_json::json;
use support::{Agent, eventually, leftovers};

fn down(agent: &Agent) -> Output {
    let data = agent.root.path().join("data");
    Command::new(env!("CARGO_BIN_EXE_slipway-agent")).args(["down", "--data-root"]).arg(data).output().unwrap()
}

#[test]
fn a_killed_agent_is_cleaned_up_after_and_comes_back() {
    let mut agent = Agent::start();
    let instance = agent.instance();
    let host = json!({ "HostConfig": { "PortBindings": { "80/tcp": [{}] }, "RestartPolicy": { "Name": "unless-stopped" } } });
    let id = agent.run("echo run; sleep 1000", host);
    let alias = std::fs::read_to_string(format!("/sys/class/net/sw-{instance}/ifalias")).unwrap();
    assert_eq!(alias.trim_end(), agent.root.path().join("data").canonicalize().unwrap().to_str().unwrap(), "the bridge tells whose it is");
    let refused = down(&agent);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("already uses"), "{refused:?}");
    agent.kill();
    assert!(leftovers(&instance, agent.root.path()).len() > 3, "bridge, rules, groups and the container live on");
    let done = down(&agent);
    assert!(done.status.success(), "{done:?}");
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
    assert!(down(&agent).status.success(), "once more does nothing");
    agent.respawn();
    eventually("it runs again", || agent.output(&id) == "run\nrun\n");
}

#[test]
fn a_data_root_that_was_deleted_is_no_obstacle() {
    let mut agent = Agent::start();
    let instance = agent.instance();
    agent.run("sleep 1000", json!({}));
    agent.kill();
    std::fs::remove_dir_all(agent.root.path().join("data")).unwrap();
    let done = down(&agent);
    assert!(done.status.success(), "{done:?}");
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
}

/// What a killed run of these tests leaves: the same program again, which starts an agent and dies.
#[test]
fn a_killed_test_leaves_nothing() {
    if let Ok(path) = std::env::var("SLIPWAY_TEST_DIES") {
        let agent = Agent::start();
        agent.run("sleep 1000", json!({}));
        std::fs::write(path, format!("{}\n{}", agent.instance(), agent.root.path().display())).unwrap();
        loop {
            std::thread::park();
        }
    }
    let told = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_test_leaves_nothing"])
        .env("SLIPWAY_TEST_DIES", told.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    eventually("it has an agent with a container", || {
        text = std::fs::read_to_string(told.path()).unwrap();
        text.contains('\n')
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let (instance, root) = text.split_once('\n').unwrap();
    eventually("nothing is left", || leftovers(instance, root.as_ref()).is_empty() && !std::path::Path::new(root).exists());
}
