//! RUN --mount=type=ssh with OpenSSH's own clients in the step.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::builds::{Plan, build_with, clean, last, log, minute, processes, status};
use support::{Agent, IMAGE, busybox_tar_with, eventually, file, long_sleep};

/// A key of `ssh-keygen`, and its bytes in every form that could be found somewhere.
struct Key {
    private: String,
    public: String,
    traces: Vec<Vec<u8>>,
}

fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program} of openssh-client: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn keygen(kind: &str, passphrase: &str) -> Key {
    let dir = tempfile::tempdir().unwrap();
    let (path, body) = (dir.path().join("key"), dir.path().join("body"));
    run("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", "deploy key", "-f", path.to_str().unwrap()]);
    let private = std::fs::read_to_string(&path).unwrap();
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    let lines: Vec<&str> = private.lines().filter(|line| !line.starts_with('-')).collect();
    // The last lines are the private half; the first ones are the same in all keys.
    let mut traces: Vec<Vec<u8>> =
        lines[lines.len() / 2..].iter().filter(|line| line.len() > 30).map(|line| line.as_bytes().to_vec()).collect();
    std::fs::write(&body, lines.concat()).unwrap();
    let blob = run("base64", &["-d", body.to_str().unwrap()]);
    if kind == "ed25519" && passphrase.is_empty() {
        // `pub` … `pub` `seed ‖ pub`: the seed is between the second and the third.
        let pattern = [0, 0, 0, 64];
        let at = blob.windows(4).rposition(|window| window == pattern).unwrap() + 4;
        traces.push(blob[at..at + 32].to_vec());
    }
    Key { private, public, traces }
}

/// Of files beneath `root`.
fn holding(root: &Path, traces: &[Vec<u8>]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(path) = open.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if meta.is_file()
            && let Ok(bytes) = std::fs::read(&path)
            && traces.iter().any(|trace| bytes.windows(trace.len()).any(|part| part == &trace[..]))
        {
            found.push(path);
        }
    }
    found
}

/// Environments and arguments of all processes of this machine.
fn in_processes(traces: &[Vec<u8>]) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let texts = entries.flat_map(|entry| ["environ", "cmdline"].map(|name| std::fs::read(entry.path().join(name)).unwrap_or_default()));
    texts.filter(|text| traces.iter().any(|trace| text.windows(trace.len()).any(|part| part == &trace[..]))).count()
}

/// With `ssh-add` and `ssh-keygen` of this machine, and what they are linked with.
fn agent() -> Agent {
    let agent = Agent::bare();
    let tar = busybox_tar_with(|tar| {
        let mut files = vec!["/usr/bin/ssh-add".to_owned(), "/usr/bin/ssh-keygen".to_owned()];
        for program in files.clone() {
            let linked = String::from_utf8(run("ldd", &[&program])).unwrap();
            files.extend(linked.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
        }
        files.sort();
        files.dedup();
        for path in files {
            file(tar, path.trim_start_matches('/'), &std::fs::read(&path).unwrap(), 0o755);
        }
    });
    agent.import(IMAGE, &tar);
    agent
}

fn ssh(more: &Value) -> Value {
    let mut mount = json!({ "type": "ssh", "id": "default", "target": "/run/buildkit/ssh_agent.0", "required": false, "mode": 0o600,
        "uid": 0, "gid": 0 });
    for (key, value) in more.as_object().unwrap() {
        mount[key] = value.clone();
    }
    json!({ "mounts": [mount], "env": ["PATH=/bin:/usr/bin"] })
}

#[test]
fn a_step_signs_with_a_key_that_is_nowhere() {
    let agent = agent();
    let key = keygen("ed25519", "");
    let long = long_sleep(12);
    let script = format!(
        "ssh-add -L; stat -c '%a %u %g' $SSH_AUTH_SOCK; echo message > /m; ssh-add -L > /tmp.pub; ssh-keygen -q -Y sign -f /tmp.pub -n test /m; \
         ssh-keygen -Y check-novalidate -n test -s /m.sig < /m | cut -c 1-4; ssh-add -D && exit 1; ssh-add -x < /m && exit 1; \
         test -S $SSH_AUTH_SOCK; sleep {long}"
    );
    let script = script.replace("| cut -c 1-4", "> /dev/null && echo good");
    let plan = Plan::new(&agent).run_with(&script, &ssh(&json!({ "required": true }))).run("env; ls /run");
    let request = plan.request("b1", minute());
    let given = [("ssh/default", key.private.as_str()), ("token", "another secret")];
    std::thread::scope(|scope| {
        let building = scope.spawn(|| build_with(&agent, &request, &given, &[]));
        eventually("the step has signed", || processes(&long) >= 1);
        assert_eq!(holding(agent.root.path(), &key.traces), Vec::<PathBuf>::new(), "while the step runs");
        assert_eq!(in_processes(&key.traces), 0);
        agent.client.request("DELETE", "/slipway/v1/builds/b1", b"");
        let log = log(&building.join().unwrap());
        assert!(log.starts_with(&format!("{}600 0 0\n", key.public)), "{log}");
        assert!(log.contains("good\n"), "{log}");
    });
    let plan = Plan::new(&agent).run_with(&script.replace(&format!("sleep {long}"), "true"), &ssh(&json!({}))).run("env; ls /run; true");
    let events = build_with(&agent, &plan.request("b2", minute()), &given, &[]);
    assert_eq!(last(&events)["type"], "result", "{events:#?}");
    let told = log(&events);
    let (_, second) = told.split_once("good").unwrap();
    assert!(!second.contains("SSH_AUTH_SOCK=") && !second.contains("buildkit"), "of that step only, and no part of the layer: {told}");
    assert_eq!(holding(agent.root.path(), &key.traces), Vec::<PathBuf>::new(), "after the build");
    let other = keygen("ed25519", "");
    let again = build_with(&agent, &plan.request("b3", minute()), &[("ssh/default", &other.private)], &[]);
    assert_eq!(status(&again, "v1"), "cached", "the key is no part of the cache key");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn who_has_no_key_gets_no_socket_and_owners_are_kept() {
    let agent = agent();
    let key = keygen("ed25519", "");
    let none = "test -z \"$SSH_AUTH_SOCK\"; test ! -e /run/buildkit; echo without";
    let built = |id: &str, plan: Plan, keys: &[(&str, &str)]| build_with(&agent, &plan.request(id, minute()), keys, &[]);
    let events = built("b1", Plan::new(&agent).run_with(none, &ssh(&json!({}))), &[("default", &key.private)]);
    assert_eq!(log(&events), "without\n", "a secret of that name is no key: {events:#?}");
    let events = built("b2", Plan::new(&agent).run_with(none, &ssh(&json!({ "required": true }))), &[("ssh/other", &key.private)]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING");
    assert!(last(&events)["message"].as_str().unwrap().contains("SSH key `default`"), "{events:#?}");
    let secret = json!({ "mounts": [{ "type": "secret", "id": "default", "target": "/k", "env": null, "required": true, "mode": 0o400, "uid": 0, "gid": 0 }] });
    let events = built("b3", Plan::new(&agent).run_with("cat /k", &secret), &[("ssh/default", &key.private)]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING", "a key cannot be mounted as a file");

    let keys = [("ssh/git", key.private.as_str())];
    let mount = json!({ "id": "git", "target": "/a/agent.sock", "mode": 0o660, "uid": 1000, "gid": 50 });
    let mut op = ssh(&mount);
    op["user"] = json!("web");
    op["env"] = json!(["PATH=/bin:/usr/bin", "SSH_AUTH_SOCK=/elsewhere"]);
    let script = "echo $SSH_AUTH_SOCK; stat -c '%a %u %g' /a/agent.sock; SSH_AUTH_SOCK=/a/agent.sock ssh-add -l | tail -c 10";
    let events = built("b4", Plan::new(&agent).run_with(script, &op), &keys);
    assert_eq!(log(&events), "/elsewhere\n660 1000 50\n(ED25519)\n", "{events:#?}");
    let mut op = ssh(&json!({ "id": "git" }));
    op["user"] = json!("web");
    let events = built("b5", Plan::new(&agent).run_with("ssh-add -l 2>&1 || echo refused", &op), &keys);
    assert!(log(&events).ends_with("refused\n"), "root's alone unless it says otherwise: {events:#?}");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn what_is_no_usable_key_is_told_without_it() {
    let agent = agent();
    for (key, told) in [
        (keygen("ed25519", "open sesame"), "passphrase"),
        (keygen("ecdsa", ""), "Ed25519"),
        (Key { private: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n".into(), public: String::new(), traces: Vec::new() }, "Ed25519"),
    ] {
        let events = build_with(&agent, &Plan::new(&agent).run("true").request("b1", minute()), &[("ssh/default", &key.private)], &[]);
        let message = last(&events)["message"].as_str().unwrap();
        assert!(last(&events)["code"] == "BAD_PLAN" && message.contains(told), "{events:#?}");
        assert!(!key.private.lines().any(|line| line.len() > 30 && message.contains(line)));
    }
}
