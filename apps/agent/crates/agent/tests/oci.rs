//! The OCI mode: a bundle's life from `create` to `delete`, and what is told when a call makes no sense.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, eventually};
use serde_json::json;

#[test]
fn lives_from_create_to_delete() {
    let bundle = Bundle::new("hostname; echo started > /tmp/started; sleep 1000", |config| {
        config["annotations"] = json!({ "who": "me" });
    });
    let pid_file = bundle.file("pid");
    bundle.create_with(&["--pid-file", pid_file.to_str().unwrap()]).unwrap();
    let state = bundle.state();
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    assert_eq!((state["status"].as_str(), state["pid"].to_string()), (Some("created"), pid));
    assert_eq!(state["annotations"]["who"], "me");
    assert!(!bundle.path().join("rootfs/tmp/started").exists() && !bundle.groups().is_empty());
    bundle.start();
    eventually("the program runs", || bundle.path().join("rootfs/tmp/started").exists());
    assert_eq!((bundle.status().as_str(), bundle.text("out").as_str()), ("running", "bundle\n"));
    let refused = bundle.call("delete", &[]).unwrap_err();
    assert!(refused.contains("that is not stopped: running"), "{refused}");
    assert!(bundle.call("start", &[]).unwrap_err().contains("already running"));
    assert!(bundle.oci(&["list", "--quiet"]).unwrap().contains(&bundle.id));
    bundle.call("kill", &["KILL"]).unwrap();
    bundle.wait_stopped();
    assert_eq!(bundle.state()["pid"], 0);
    assert!(bundle.call("kill", &["KILL"]).unwrap_err().contains("container not running"));
    assert!(bundle.call("start", &[]).unwrap_err().contains("has stopped"));
    bundle.call("delete", &[]).unwrap();
    bundle.assert_gone();
    assert!(bundle.call("delete", &[]).unwrap_err().contains("container does not exist"));
    bundle.call("delete", &["--force"]).unwrap();
}

#[test]
fn a_created_container_is_ended_by_signals_and_deleted_by_force() {
    let bundle = Bundle::new("true", |_| {});
    bundle.create();
    assert!(bundle.call("delete", &[]).unwrap_err().contains("not stopped: created"));
    assert_eq!(bundle.status(), "created");
    bundle.call("kill", &["TERM"]).unwrap();
    bundle.wait_stopped();
    bundle.call("delete", &[]).unwrap();
    bundle.create();
    bundle.call("delete", &["--force"]).unwrap();
    bundle.assert_gone();
}

#[test]
fn errors_are_told_and_leave_nothing() {
    let bundle = Bundle::new("true", |_| {});
    bundle.create();
    assert!(bundle.create_with(&[]).unwrap_err().contains("container with given ID already exists"));
    assert_eq!(bundle.status(), "created");
    type Spoil = fn(&mut serde_json::Value);
    let cases: [(&str, Spoil); 8] = [
        ("executable file not found in $PATH", |config| config["process"]["args"] = json!(["no-such-program"])),
        ("no such file or directory", |config| config["process"]["args"] = json!(["/no/such/program"])),
        ("console socket", |config| config["process"]["terminal"] = json!(true)),
        ("invalid rlimit type", |config| config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOPE", "soft": 1, "hard": 1 }])),
        ("not in a separate kernel namespace", |config| config["linux"]["sysctl"] = json!({ "kernel.core_pattern": "x" })),
        ("apparmor", |config| config["process"]["apparmorProfile"] = json!("mine")),
        ("not a valid action", |config| config["linux"]["seccomp"] = json!({ "defaultAction": "NOPE" })),
        ("/no/such/source", |config| {
            config["mounts"] = json!([{ "destination": "/x", "source": "/no/such/source", "options": ["bind"] }]);
        }),
    ];
    for (words, change) in cases {
        let bundle = Bundle::new("true", change);
        let told = bundle.create_with(&[]).unwrap_err();
        assert!(told.contains(words), "{words}: {told}");
        bundle.assert_gone();
    }
    assert!(bundle.oci(&["create", "a/b"]).unwrap_err().contains("invalid container ID format"));
    assert!(bundle.oci(&["--systemd-cgroup", "list"]).unwrap_err().contains("systemd"));
}

#[test]
fn the_log_file_speaks_json() {
    let bundle = Bundle::new("true", |_| {});
    let log = bundle.file("log.json");
    let log = log.to_str().unwrap();
    bundle.oci(&["--log", log, "--log-format", "json", "start", "nobody"]).unwrap_err();
    let line: serde_json::Value = serde_json::from_str(&bundle.text("log.json")).unwrap();
    assert_eq!((line["level"].as_str(), line["msg"].as_str()), (Some("error"), Some("container does not exist")));
}

#[test]
fn a_call_that_is_killed_can_be_cleaned_up_after() {
    // Nobody ends the hook, so it ends itself.
    let mark = tempfile::NamedTempFile::new().unwrap();
    let script = format!("while test -e {}; do sleep 0.1; done", mark.path().display());
    let bundle = Bundle::new("true", |config| {
        config["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"] }] });
    });
    let mut create = bundle.command(&["create", "--bundle"]).arg(bundle.path()).arg(&bundle.id).spawn().unwrap();
    eventually("the hook runs", || bundle.call("state", &[]).is_ok() && bundle.state()["pid"] != 0);
    assert_eq!(bundle.status(), "creating");
    create.kill().unwrap();
    create.wait().unwrap();
    eventually("its init ends", || bundle.status() == "stopped");
    bundle.call("delete", &[]).unwrap();
    bundle.assert_gone();
}

#[test]
fn sudden_death_at_every_step_leaves_nothing_for_long() {
    let fails = |bundle: &Bundle, step: &str, args: &[&str]| {
        // No pipe: an init that waits to be started would hold it open.
        let file = std::fs::File::create(bundle.file("told")).unwrap();
        let mut command = bundle.command(args);
        let status = command.env("SLIPWAY_FAULT", step).stdout(std::process::Stdio::null()).stderr(file).status().unwrap();
        let told = bundle.text("told");
        assert!(!status.success() && told.contains(step), "{step}: {told}");
    };
    for step in ["empty", "written", "grouped", "born", "mounted", "ready"] {
        let bundle = Bundle::new("sleep 1000", |_| {});
        let path = bundle.path();
        fails(&bundle, &format!("oci.create.{step}"), &["create", "--bundle", path.to_str().unwrap(), &bundle.id]);
        // Until its init has noticed, it may still count as being created.
        eventually(step, || bundle.call("state", &[]).is_err() || bundle.status() == "stopped");
        bundle.call("delete", &["--force"]).unwrap();
        bundle.assert_gone();
    }
    let bundle = Bundle::new("sleep 1000", |_| {});
    bundle.create();
    fails(&bundle, "oci.start.connected", &["start", &bundle.id]);
    assert_eq!(bundle.status(), "created");
    fails(&bundle, "oci.start.told", &["start", &bundle.id]);
    eventually("it runs all the same", || bundle.status() == "running");
    bundle.call("kill", &["KILL"]).unwrap();
    bundle.wait_stopped();
    for step in ["begun", "ungrouped", "removed"] {
        fails(&bundle, &format!("oci.delete.{step}"), &["delete", &bundle.id]);
    }
    bundle.assert_gone();
}

#[test]
fn what_it_can_is_told_in_json() {
    let bundle = Bundle::new("true", |_| {});
    let features: serde_json::Value = serde_json::from_str(&bundle.oci(&["features"]).unwrap()).unwrap();
    assert_eq!(features["hooks"].as_array().unwrap().len(), 6);
    assert!(features["linux"]["seccomp"]["actions"].as_array().unwrap().contains(&json!("SCMP_ACT_ERRNO")));
    assert!(features["mountOptions"].as_array().unwrap().contains(&json!("rro")));
    bundle.create();
    let list: serde_json::Value = serde_json::from_str(&bundle.oci(&["list", "--format", "json"]).unwrap()).unwrap();
    assert_eq!((list[0]["id"].as_str(), list[0]["status"].as_str()), (Some(bundle.id.as_str()), Some("created")));
    assert!(bundle.oci(&["list"]).unwrap().starts_with("ID"));
}

#[test]
fn kill_all_reaches_what_the_first_process_left() {
    // Without a process namespace the others outlive the first.
    let bundle = Bundle::new("sleep 1000 & sleep 1000 & echo ready", |config| {
        config["linux"]["namespaces"] = json!([{ "type": "mount" }, { "type": "uts" }]);
    });
    bundle.create();
    bundle.start();
    bundle.wait_stopped();
    let members = || -> usize {
        let dirs = bundle.groups();
        let own = dirs.iter().find(|dir| dir.starts_with("/sys/fs/cgroup/pids")).or(dirs.first()).unwrap();
        std::fs::read_to_string(own.join("deep/er/cgroup.procs")).unwrap().lines().count()
    };
    assert_eq!(members(), 2);
    bundle.call("kill", &["KILL", "--all"]).unwrap();
    eventually("all end", || members() == 0);
    bundle.call("delete", &[]).unwrap();
    bundle.assert_gone();
}

#[test]
fn groups_that_others_made_stay() {
    let first = Bundle::new("true", |_| {});
    first.create();
    let shared = format!("/{}/deep/second", first.id);
    let second = Bundle::new("true", |config| config["linux"]["cgroupsPath"] = json!(shared));
    second.create();
    second.call("delete", &["--force"]).unwrap();
    assert!(!first.groups().is_empty() && first.status() == "created");
    first.call("delete", &["--force"]).unwrap();
    first.assert_gone();
}
