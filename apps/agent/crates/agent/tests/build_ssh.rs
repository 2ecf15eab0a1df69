//! RUN --mount=type=ssh with OpenSSH's own clients in the step.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::builds::{Plan, build_asking, build_with, clean, last, log, minute, status};
use support::{Agent, IMAGE, busybox_tar_with, eventually, file};

fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program} of openssh-client: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// OpenSSH's own agent with keys of its own, as on somebody's laptop.
struct SshAgent {
    dir: tempfile::TempDir,
    child: Child,
    /// Lines of `ssh-add -L`.
    public: String,
}

impl SshAgent {
    fn start(kinds: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        eventually("ssh-agent listens", || socket.exists());
        let mut agent = Self { dir, child, public: String::new() };
        for kind in kinds {
            let path = agent.dir.path().join(kind);
            run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "deploy key", "-f", path.to_str().unwrap()]);
            agent.add(&["-q", path.to_str().unwrap()]);
        }
        agent.public = agent.add(&["-L"]);
        agent
    }

    fn add(&self, args: &[&str]) -> String {
        let output = Command::new("ssh-add").args(args).env("SSH_AUTH_SOCK", self.dir.path().join("agent")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says to one message.
    fn ask(&self, message: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.dir.path().join("agent")).unwrap();
        stream.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(message).unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).unwrap();
        answer
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
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

/// Signs with each key that it sees, and tries what is not its to do.
const SIGN: &str = "ssh-add -L; stat -c '%a %u %g' $SSH_AUTH_SOCK; echo message > /m; \
    ssh-add -L | while read line; do echo \"$line\" > /key.pub; rm -f /m.sig; ssh-keygen -q -Y sign -f /key.pub -n test /m; \
      ssh-keygen -Y check-novalidate -n test -s /m.sig < /m > /dev/null && echo good; done; \
    ssh-keygen -q -t ed25519 -N '' -f /mine; \
    ssh-add -D && exit 1; ssh-add /mine && exit 1; ssh-add -d /key.pub && exit 1; (echo x; echo x) | ssh-add -x && exit 1; \
    test -S $SSH_AUTH_SOCK";

#[test]
fn a_step_signs_with_keys_that_never_came() {
    let agent = agent();
    let laptop = SshAgent::start(&["ed25519", "rsa", "ecdsa"]);
    let plan = Plan::new(&agent).run_with(SIGN, &ssh(&json!({ "required": true }))).run("env; ls /run; true");
    let (mut kinds, mut traces) = (Vec::new(), Vec::new());
    let events = build_asking(&agent, &plan.request("b1", minute()), &["default"], |id, message| {
        assert_eq!(id, "default");
        kinds.push(message[0]);
        let answer = laptop.ask(message);
        if message[0] == 13 {
            traces.push(answer[answer.len() - 40..].to_vec());
        }
        Some(answer)
    });
    assert_eq!(last(&events)["type"], "result", "{events:#?}");
    let told = log(&events);
    assert!(told.starts_with(&format!("{}600 0 0\n", laptop.public)) && laptop.public.lines().count() == 3, "{told}");
    assert_eq!(told.matches("good\n").count(), 3, "{told}");
    let (_, second) = told.rsplit_once("good").unwrap();
    assert!(!second.contains("SSH_AUTH_SOCK=") && !second.contains("buildkit"), "of that step only, and no part of the layer: {told}");
    kinds.sort_unstable();
    assert_eq!((kinds.first(), kinds.last(), traces.len()), (Some(&11), Some(&13), 3), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| ![11, 13].contains(*kind)).count(), 0);
    assert_eq!(laptop.add(&["-L"]), laptop.public, "nothing was added, removed or locked there");
    let logged = agent.log();
    assert!(traces.iter().all(|trace| !logged.contains(&hex::encode(trace))), "{logged}");
    let again = build_asking(&agent, &plan.request("b2", minute()), &["default"], |_, _| None);
    assert_eq!(status(&again, "v1"), "cached", "who answers is no part of the cache key");
    let again = build_asking(&agent, &plan.request("b3", minute()), &[], |_, _| None);
    assert_eq!(status(&again, "v1"), "cached");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn who_has_no_agent_gets_no_socket_and_owners_are_kept() {
    let agent = agent();
    let laptop = SshAgent::start(&["ed25519"]);
    let none = "test -z \"$SSH_AUTH_SOCK\"; test ! -e /run/buildkit; echo without";
    let events = build_with(&agent, &Plan::new(&agent).run_with(none, &ssh(&json!({}))).request("b1", minute()), &[("default", "x")], &[]);
    assert_eq!(log(&events), "without\n", "a secret of that name is no agent: {events:#?}");
    let asking =
        |id: &str, plan: Plan, ids: &[&str]| build_asking(&agent, &plan.request(id, minute()), ids, |_, message| Some(laptop.ask(message)));
    let events = asking("b2", Plan::new(&agent).run_with(none, &ssh(&json!({ "required": true }))), &["other"]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING");
    assert!(last(&events)["message"].as_str().unwrap().contains("SSH key `default`"), "{events:#?}");
    let secret = json!({ "mounts": [{ "type": "secret", "id": "default", "target": "/k", "env": null, "required": true, "mode": 0o400, "uid": 0, "gid": 0 }] });
    let events = asking("b3", Plan::new(&agent).run_with("cat /k", &secret), &["default"]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING", "an agent cannot be mounted as a file");
    let events = build_with(&agent, &Plan::new(&agent).run("true").request("b4", minute()), &[("ssh/default", "a key")], &[]);
    assert!(last(&events)["message"].as_str().unwrap().contains("keys are not taken"), "{events:#?}");

    let mount = json!({ "id": "git", "target": "/a/agent.sock", "mode": 0o660, "uid": 1000, "gid": 50 });
    let mut op = ssh(&mount);
    op["user"] = json!("web");
    op["env"] = json!(["PATH=/bin:/usr/bin", "SSH_AUTH_SOCK=/elsewhere"]);
    let script = "echo $SSH_AUTH_SOCK; stat -c '%a %u %g' /a/agent.sock; SSH_AUTH_SOCK=/a/agent.sock ssh-add -l | tail -c 10";
    let events = asking("b5", Plan::new(&agent).run_with(script, &op), &["git"]);
    assert_eq!(log(&events), "/elsewhere\n660 1000 50\n(ED25519)\n", "{events:#?}");
    let mut op = ssh(&json!({ "id": "git" }));
    op["user"] = json!("web");
    let events = asking("b6", Plan::new(&agent).run_with("ssh-add -l 2>&1 || echo refused", &op), &["git"]);
    assert!(log(&events).ends_with("refused\n"), "root's alone unless it says otherwise: {events:#?}");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn a_client_that_refuses_or_says_nothing_holds_nothing_up() {
    let agent = agent();
    let script = "ssh-add -l 2>&1 || echo status $?";
    let plan = Plan::new(&agent).run_with(script, &ssh(&json!({})));
    let events = build_asking(&agent, &plan.request("b1", minute()), &["default"], |_, _| Some(vec![5]));
    assert!(log(&events).contains("status 1"), "{events:#?}");
    for id in ["/slipway/v1/builds/none/ssh/0", "/slipway/v1/builds/b1/ssh/0"] {
        assert_eq!(agent.client.request("POST", id, &[5]).status, 404);
    }
    assert_eq!(agent.client.request("POST", "/slipway/v1/builds/b1/ssh/0", &vec![0; 300 << 10]).status, 400);
    let plan = Plan::new(&agent).run_with("ssh-add -l || echo unheard", &ssh(&json!({})));
    let started = std::time::Instant::now();
    let events = build_asking(&agent, &plan.request("b2", minute()), &["default"], |_, _| {
        agent.client.request("DELETE", "/slipway/v1/builds/b2", b"");
        None
    });
    assert_eq!(last(&events)["code"], "CANCELED", "{events:#?}");
    assert!(started.elapsed().as_secs() < 10 && !log(&events).contains("unheard"));
    eventually("everything of the builds is gone", || clean(&agent));
}
