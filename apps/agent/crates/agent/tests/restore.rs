//! Live restore: whatever becomes of the daemon, containers, their logs, exit codes and restart decisions live on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::client::Client;
use support::{Agent, eventually, leftovers};

const KILLS: usize = 100;
/// Containers that the load makes at most: each is waited for in the end.
const MOST: usize = 60;

fn numbers(text: &str) -> Vec<u32> {
    text.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("a torn line: {line:?}"))).collect()
}

fn assert_complete(text: &str, least: usize) {
    let lines = numbers(text);
    let gap = lines.iter().zip(1..).find(|(line, expected)| **line != *expected);
    assert!(gap.is_none(), "after a line is missing or doubled: {gap:?}");
    assert!(lines.len() >= least, "only {} lines", lines.len());
}

/// Creates and starts containers that end by themselves until told to stop, whether there is a daemon or not. Gives
/// those whose start was acknowledged, with the number they say and exit with.
fn churn(socket: &Path, stop: &AtomicBool) -> Vec<(String, u32)> {
    let client = Client::new(socket);
    let mut started = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) && started.len() < MOST {
        number += 1;
        let script = format!("echo said {number}; sleep 0.{}; exit {}", number % 5, number % 100);
        let body = json!({ "Image": support::IMAGE, "Cmd": ["sh", "-c", script] }).to_string();
        let created = client.try_request("POST", "/containers/create", body.as_bytes()).filter(|answer| answer.status == 201);
        let id = created.and_then(|answer| answer.json()["Id"].as_str().map(String::from));
        let begun = id.filter(|id| client.try_request("POST", &format!("/containers/{id}/start"), b"").is_some_and(|a| a.status == 204));
        match begun {
            Some(id) => started.push((id, number)),
            None => std::thread::sleep(Duration::from_millis(5)), // the daemon is dead at this moment
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    started
}

/// Reads to the end; how it ends does not matter, that it does.
fn drain(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            panic!("the session hangs after its daemon died")
        }
        _ => bytes,
    }
}

fn exec(agent: &Agent, id: &str, script: &str) -> impl Read + use<> {
    let body = json!({ "Cmd": ["sh", "-c", script], "AttachStdout": true, "AttachStderr": true });
    let made = agent.client.post(&format!("/containers/{id}/exec"), &body).json()["Id"].as_str().unwrap().to_owned();
    agent.client.hijack(&format!("/exec/{made}/start"), br#"{"Detach":false}"#)
}

/// Two builds of the agent, and the path it is started from: an upgrade puts another file there, and what runs keeps
/// the one it was started from.
struct Builds([PathBuf; 2], PathBuf);

impl Builds {
    fn new(agent: &mut Agent) -> Self {
        let root = agent.root.path();
        let builds = ["older", "newer"].map(|name| root.join(name));
        for build in &builds {
            std::fs::copy(&agent.program, build).unwrap();
        }
        // What follows the sections of a program is nobody's business; the file is another one.
        std::fs::OpenOptions::new().append(true).open(&builds[1]).unwrap().write_all(b"newer").unwrap();
        let installed = root.join("installed");
        agent.program.clone_from(&installed);
        Self(builds, installed)
    }

    /// As a package manager does it: under another name, then in one step over the one in use.
    fn install(&self, number: usize) {
        let fresh = self.1.with_extension("fresh");
        std::fs::hard_link(&self.0[number % 2], &fresh).unwrap();
        std::fs::rename(&fresh, &self.1).unwrap();
    }

    fn assert_running(&self, agent: &Agent, number: usize) {
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        let running = inode(Path::new(&format!("/proc/{}/exe", agent.pid())));
        assert_eq!(running, inode(&self.0[number % 2]), "not the build that was installed");
    }
}

/// Each time the next daemon is of another build than the one before.
#[test]
fn a_hundred_kills_and_replacements_under_load_lose_nothing() {
    let mut agent = Agent::start();
    let builds = Builds::new(&mut agent);
    let shared = tempfile::tempdir().unwrap();
    let counters: Vec<String> = (0..3)
        .map(|number| agent.run(&format!("i=0; while :; do i=$((i+1)); echo $i; sleep 0.0{}; done", number + 1), json!({})))
        .collect();
    let bind = format!("{}:/shared", shared.path().display());
    let policy = |name: &str, count: u32| json!({ "HostConfig": { "Binds": [bind], "RestartPolicy": { "Name": name, "MaximumRetryCount": count } } });
    let failing = agent.run("echo x >> /shared/failing; echo run; exit 3", policy("on-failure", 4));
    let always = agent.run("sleep 0.2; exit 0", policy("always", 0));
    let terminal = agent.run("i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done", json!({ "Tty": true }));
    let pids: Vec<Value> = counters.iter().chain([&terminal]).map(|id| agent.inspect(id)["State"]["Pid"].clone()).collect();
    let (stop, socket) = (AtomicBool::new(false), agent.socket.clone());
    let started = std::thread::scope(|scope| {
        let load = scope.spawn(|| churn(&socket, &stop));
        for round in 0..KILLS {
            let sessions = (round % 10 == 0).then(|| {
                let attached = agent.client.hijack(&format!("/containers/{}/attach?stream=1&stdout=1", counters[0]), b"");
                (attached, exec(&agent, &counters[1], "echo in; sleep 1000"))
            });
            builds.install(round);
            if round % 5 == 4 {
                agent.signal(Signal::TERM); // as a service manager does it
                agent.reap();
            } else {
                agent.kill();
            }
            if let Some((attached, exec)) = sessions {
                drain(attached);
                drain(exec);
            }
            agent.respawn();
            builds.assert_running(&agent, round);
            std::thread::sleep(Duration::from_millis(u64::try_from(round % 10 * 20).unwrap())); // to die in the midst of other things
        }
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert!(started.len() >= 20, "hardly any load: {}", started.len());
    let after: Vec<Value> = counters.iter().chain([&terminal]).map(|id| agent.inspect(id)["State"]["Pid"].clone()).collect();
    assert_eq!(after, pids, "they must be the same processes");
    for id in &counters {
        assert_complete(&agent.output(id), 100);
    }
    let raw = agent.client.request("GET", &format!("/containers/{terminal}/logs?stdout=1"), b"").text();
    assert_complete(&raw.replace("\r\n", "\n"), 100);
    for (id, number) in &started {
        assert_eq!(agent.wait(id), i64::from(number % 100), "container {number}");
        assert_eq!(agent.output(id), format!("said {number}\n"));
        let state = agent.inspect(id)["State"].clone();
        assert_eq!((state["Status"].as_str(), state["ExitCode"].as_i64()), (Some("exited"), Some(i64::from(number % 100))));
    }
    // The policy's count is neither lost nor begun anew by any of the kills.
    eventually("the policy gives up", || agent.inspect(&failing)["State"]["Status"] == "exited");
    assert_eq!(agent.inspect(&failing)["RestartCount"], 4);
    let runs = std::fs::read_to_string(shared.path().join("failing")).unwrap().lines().count();
    assert!((2..=5).contains(&runs), "one run and four restarts, but it ran {runs} times");
    let restarts = || agent.inspect(&always)["RestartCount"].as_i64().unwrap();
    let before = restarts();
    eventually("it is restarted still", || restarts() > before);
    // Sessions are possible again, and everything is under control.
    assert!(String::from_utf8_lossy(&drain(exec(&agent, &counters[1], "echo again"))).contains("again"));
    assert_eq!(agent.client.request("POST", &format!("/containers/{}/stop?t=0", counters[0]), b"").status, 204);
    assert_eq!(agent.inspect(&counters[0])["State"]["ExitCode"], 137);
    let instance = agent.instance();
    for container in agent.client.get("/containers/json?all=1").as_array().unwrap() {
        let id = container["Id"].as_str().unwrap();
        assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status, 204);
    }
    let entries = |dir: &str| std::fs::read_dir(agent.root.path().join("data").join(dir)).map_or(0, Iterator::count);
    assert_eq!((entries("containers"), entries("snapshots"), entries("volumes")), (0, 0, 0), "files are left");
    agent.shut_down();
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
}

#[test]
fn a_newer_binary_takes_over() {
    let mut agent = Agent::start();
    let id = agent.run("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done", json!({}));
    let pid = agent.inspect(&id)["State"]["Pid"].clone();
    let newer = agent.root.path().join("slipway-agent-newer");
    std::fs::copy(&agent.program, &newer).unwrap();
    for signal in [Signal::KILL, Signal::TERM] {
        agent.signal(signal);
        agent.reap();
        agent.program.clone_from(&newer);
        agent.respawn();
        assert_eq!(std::fs::read_link(format!("/proc/{}/exe", agent.pid())).unwrap(), newer);
        assert_eq!(agent.inspect(&id)["State"]["Pid"], pid, "the container must be the same process");
        assert!(String::from_utf8_lossy(&drain(exec(&agent, &id, "echo inside"))).contains("inside"), "its shim is of the older version");
        assert_eq!(agent.text("echo new", json!({})), "new\n");
    }
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/stop?t=0"), b"").status, 204);
    assert_complete(&agent.output(&id), 1);
    agent.begin(&id);
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}

/// A pipe holds 64 KiB: a container whose output nobody takes stands still after that.
#[test]
fn a_flood_while_the_daemon_is_dead_is_never_blocked() {
    let mut agent = Agent::start();
    let shared = tempfile::tempdir().unwrap();
    let count = || std::fs::read_to_string(shared.path().join("count")).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    let host = json!({ "HostConfig": {
        "Binds": [format!("{}:/shared", shared.path().display())],
        "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m", "max-file": "2" } },
    } });
    // Every count stands for 100 lines, 10 KiB.
    let script = "line=$(printf '%0100d' 0); i=0; while :; do i=$((i+1)); n=0; while [ $n -lt 100 ]; do n=$((n+1)); echo $line; done; \
                  echo $i > /shared/count; done";
    let id = agent.run(script, host);
    // A client that follows, and never reads, dies with the daemon as well.
    let _following = agent.client.stream(&format!("/containers/{id}/logs?stdout=1&follow=1"));
    eventually("it floods", || count() > 5);
    agent.kill();
    let before = count();
    eventually("it goes on without a daemon", || count() > before + 100);
    agent.respawn();
    let before = count();
    eventually("it goes on with the next", || count() > before + 20);
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}
