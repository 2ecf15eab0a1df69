//! Hooks of the OCI mode: all six, in order, where they belong, and what becomes of failures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/bundle.rs"]
mod bundle;

use bundle::Bundle;
use serde_json::{Value, json};

const KINDS: [&str; 6] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

fn hook(script: &str) -> Value {
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"] })
}

#[test]
fn all_six_run_in_order_with_the_state() {
    let shared = tempfile::tempdir().unwrap();
    let log = shared.path().join("log");
    let path = log.to_str().unwrap().to_owned();
    let bundle = Bundle::new("sleep 1000", |config| {
        let say = |kind: &str, path: &str| hook(&format!("echo \"{kind} $(cat) $(readlink /proc/self/ns/uts)\" >> {path}"));
        for kind in KINDS {
            // The last one before the program sees the container's files only.
            let path = if kind == "startContainer" { "/shared/log" } else { &path };
            config["hooks"][kind] = json!([say(kind, path)]);
        }
        config["mounts"].as_array_mut().unwrap().push(json!({
            "destination": "/shared", "source": shared.path(), "options": ["rbind", "rw"],
        }));
    });
    let lines = || -> Vec<String> { std::fs::read_to_string(&log).unwrap_or_default().lines().map(String::from).collect() };
    bundle.create();
    let pid = bundle.state()["pid"].clone();
    assert_eq!(lines().len(), 3, "{:?}", lines());
    bundle.start();
    assert_eq!(lines().len(), 5, "{:?}", lines());
    bundle.call("kill", &["KILL"]).unwrap();
    bundle.wait_stopped();
    bundle.call("delete", &[]).unwrap();
    let lines = lines();
    let host = std::fs::read_link("/proc/self/ns/uts").unwrap().to_str().unwrap().to_owned();
    let expected = [("creating", true), ("creating", true), ("creating", false), ("created", false), ("running", true), ("stopped", true)];
    assert_eq!(lines.len(), 6, "{lines:?}");
    for ((line, kind), (status, on_host)) in lines.iter().zip(KINDS).zip(expected) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (state, namespace) = rest.rsplit_once(' ').unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        assert_eq!((name, state["status"].as_str()), (kind, Some(status)), "{line}");
        assert_eq!(state["id"], bundle.id.as_str());
        assert_eq!(state["pid"], if status == "stopped" { json!(0) } else { pid.clone() }, "{line}");
        assert_eq!(namespace == host, on_host, "{line}");
    }
}

#[test]
fn a_failure_before_the_start_undoes_it_all() {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let marks = tempfile::tempdir().unwrap();
        let bundle = Bundle::new("true", |config| {
            config["hooks"][kind] = json!([hook("echo broken >&2; exit 3")]);
            config["hooks"]["poststop"] = json!([hook(&format!("touch {}/stopped", marks.path().display()))]);
        });
        let told = bundle.create_with(&[]).unwrap_err();
        assert!(told.contains(&format!("error running {kind} hook #0")) && told.contains("broken"), "{told}");
        bundle.assert_gone();
        assert!(marks.path().join("stopped").exists(), "{kind}");
    }
}

#[test]
fn a_failure_at_the_start_is_told_and_stops_it() {
    let bundle = Bundle::new("echo never", |config| config["hooks"]["startContainer"] = json!([hook("exit 1")]));
    bundle.create();
    assert!(bundle.call("start", &[]).unwrap_err().contains("startContainer hook #0"));
    bundle.wait_stopped();
    assert_eq!(bundle.text("out"), "");
}

#[test]
fn failures_afterwards_are_warnings() {
    let marks = tempfile::tempdir().unwrap();
    let bundle = Bundle::new("true", |config| {
        for kind in ["poststart", "poststop"] {
            config["hooks"][kind] = json!([hook("exit 1"), hook(&format!("touch {}/{kind}", marks.path().display()))]);
        }
    });
    bundle.run();
    bundle.call("delete", &[]).unwrap();
    assert!(marks.path().join("poststart").exists() && marks.path().join("poststop").exists());
}

#[test]
fn a_hook_that_takes_too_long_is_ended() {
    let bundle = Bundle::new("true", |config| {
        let mut slow = hook("exec sleep 1000");
        slow["timeout"] = json!(1);
        config["hooks"]["prestart"] = json!([slow]);
    });
    assert!(bundle.create_with(&[]).unwrap_err().contains("ran past specified timeout of 1.0s"));
    bundle.assert_gone();
}

#[test]
fn a_hook_may_ask_about_its_container() {
    let marks = tempfile::tempdir().unwrap();
    let bundle = Bundle::new("sleep 1000", |_| {});
    let call = format!("{} oci --root {}", env!("CARGO_BIN_EXE_slipway-agent"), bundle.file("state").display());
    let mut config = bundle.config.clone();
    let ask = format!("{call} state {} > {}/state", bundle.id, marks.path().display());
    let kill = format!("{call} kill {} KILL", bundle.id);
    config["hooks"] = json!({ "createRuntime": [hook(&ask)], "poststart": [hook(&kill)] });
    std::fs::write(bundle.path().join("config.json"), config.to_string()).unwrap();
    bundle.create();
    let state: Value = serde_json::from_str(&std::fs::read_to_string(marks.path().join("state")).unwrap()).unwrap();
    assert_eq!(state["status"], "creating");
    bundle.start();
    bundle.wait_stopped();
}
