//! `kill -9` of the daemon in the midst of work on content: whatever it was, nothing half is seen afterwards, no byte is
//! unaccounted for, what ran goes on, and the same work done again succeeds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Read;

use serde_json::{Value, json};
use support::content::{BIG, build_body, docker_archive, done, layers, noise, pull, tar_of};
use support::disk::{assert_whole, names};
use support::registry::Registry;
use support::{Agent, busybox_tar_with, eventually, file};

/// An agent with a container that must not notice anything.
struct Patient {
    agent: Agent,
    runs: String,
    pid: Value,
    /// What the files of whole images sum up to.
    sums: [String; 2],
}

impl Patient {
    fn new() -> Self {
        let agent = Agent::bare();
        agent.import(support::IMAGE, &busybox_tar_with(|tar| file(tar, "base", &noise(1, BIG), 0o644)));
        let runs =
            agent.run("head -c 2000000 /dev/urandom > /own; while :; do head -c 512 /dev/zero >> /beats; sleep 0.05; done", json!({}));
        eventually("it runs", || agent.client.get("/slipway/v1/disk")["containers"].as_u64() > Some(2_000_000));
        let pid = agent.inspect(&runs)["State"]["Pid"].clone();
        Self { agent, runs, pid, sums: [sum(&[1]), sum(&[1, 2])] }
    }

    /// A new daemon, which is to die at a step; none when it is empty.
    fn start_to_die_at(&mut self, point: &str) {
        self.agent.kill();
        self.agent.env = vec![("SLIPWAY_FAULT".to_owned(), point.to_owned())];
        self.agent.respawn();
    }

    fn died_at(&self, point: &str) {
        let line = format!("fault injected at {}\n", point.split('@').next().unwrap());
        assert!(self.agent.log().ends_with(&line), "{point} was not reached");
    }

    /// After the death: a new daemon, and a look at everything.
    fn recover(&mut self, when: &str) {
        self.agent.kill();
        self.agent.env.clear();
        self.agent.respawn();
        self.look(when);
    }

    fn look(&self, when: &str) {
        let agent = &self.agent;
        let state = agent.inspect(&self.runs)["State"].clone();
        assert!(state["Pid"] == self.pid && state["Status"] == "running", "{when}: {state}");
        let before = self.beats();
        eventually(&format!("{when}: it goes on"), || self.beats() > before);
        assert_whole(agent, when);
        for image in agent.client.get("/images/json").as_array().unwrap() {
            let id = image["Id"].as_str().unwrap();
            let text = agent.text("cat /base /more 2>/dev/null | busybox md5sum", json!({ "Image": id }));
            assert!(self.sums.contains(&text), "{when}: {id} has {text}");
        }
        let listed = agent.client.get("/volumes")["Volumes"].as_array().map_or(0, Vec::len);
        assert_eq!(names(agent, "volumes").len(), listed, "{when}: {:?}", names(agent, "volumes"));
        let left: Vec<Value> = agent.client.get("/containers/json?all=1").as_array().unwrap().clone();
        for container in left.iter().filter(|container| container["Id"] != self.runs.as_str()) {
            agent.client.request("DELETE", &format!("/containers/{}?force=1", container["Id"].as_str().unwrap()), b"");
        }
    }

    fn beats(&self) -> u64 {
        self.agent.client.request("GET", &format!("/containers/{}/archive?path=/beats", self.runs), b"").body.len() as u64
    }

    /// Back to the one image and no cache, so that the next round does all of the work.
    fn tidy(&self) {
        let agent = &self.agent;
        for image in agent.client.get("/images/json").as_array().unwrap() {
            if image["RepoTags"] != json!([support::IMAGE]) {
                let path = format!("/images/{}?force=1", image["Id"].as_str().unwrap());
                assert_eq!(agent.client.request("DELETE", &path, b"").status, 200);
            }
        }
        for path in ["/build/prune", "/images/prune", "/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D"] {
            assert_eq!(agent.client.request("POST", path, b"").status, 200, "{path}");
        }
        // The records of what was built from what stay; blobs and layers do not.
        let left = agent.client.get("/slipway/v1/disk")["buildCache"].clone();
        assert!(left.as_u64() < Some(100_000), "what was left of the dead is collected, but {left}");
    }
}

/// What `busybox md5sum` says of these noises.
fn sum(seeds: &[u32]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("/bin/busybox")
        .arg("md5sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = seeds.iter().flat_map(|seed| noise(*seed, BIG)).collect();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_daemon_that_dies_in_the_midst_of_a_pull_leaves_nothing_half() {
    let mut patient = Patient::new();
    let registry = Registry::start();
    let name = registry.put("v1", &layers());
    patient.start_to_die_at("");
    registry.hold_at(BIG / 2);
    std::thread::scope(|scope| {
        let (agent, name) = (&patient.agent, &name);
        let pulling = scope.spawn(move || pull(agent, name));
        eventually("the blob has stopped", || registry.holds());
        let pid = rustix::process::Pid::from_raw(agent.pid() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert!(!pulling.join().unwrap());
    });
    registry.hold_at(0);
    let points = ["", "blob.marked", "blob.visible@3", "layer.marked", "layer.visible", "image.recorded", "image.tagged", "image.tagged@2"];
    for point in points {
        if !point.is_empty() {
            patient.start_to_die_at(point);
            assert!(!pull(&patient.agent, &name), "{point}");
            patient.died_at(point);
        }
        patient.recover(&format!("a pull, {point}"));
        assert!(pull(&patient.agent, &name), "{point}: the second pull");
        patient.look(&format!("a second pull, {point}"));
        patient.tidy();
    }
}

#[test]
fn a_daemon_that_dies_in_the_midst_of_a_load_or_import_leaves_nothing_half() {
    let mut patient = Patient::new();
    let (archive, [base, _]) = (docker_archive(), layers());
    for (path, body) in [("/images/load", &archive), ("/images/create?fromSrc=-&repo=imported&tag=1", &base)] {
        for point in ["", "blob.marked", "blob.visible", "layer.marked", "layer.visible", "image.recorded", "image.tagged"] {
            // An import of a layer that is there makes none.
            if path.contains("fromSrc") && point.starts_with("layer") {
                continue;
            }
            patient.start_to_die_at(point);
            if point.is_empty() {
                let _half = patient.agent.client.begin("POST", path, body.len(), &body[..body.len() / 2]);
                eventually("it came in", || !names(&patient.agent, "content/ingest").is_empty());
                patient.agent.kill();
            } else {
                assert!(!done(&patient.agent, "POST", path, body), "{path}, {point}");
                patient.died_at(point);
            }
            patient.recover(&format!("{path}, {point}"));
            assert!(done(&patient.agent, "POST", path, body), "{path}, {point}: once more");
            patient.look(&format!("{path} again, {point}"));
            patient.tidy();
        }
    }
}

/// A commit stops the container while it reads, and must not leave it so.
#[test]
fn a_daemon_that_dies_in_the_midst_of_a_commit_leaves_no_container_paused() {
    let mut patient = Patient::new();
    let path = format!("/commit?container={}&repo=committed&tag=1", patient.runs);
    for point in ["commit.paused", "blob.marked", "blob.visible", "layer.visible", "image.recorded", "image.tagged"] {
        patient.start_to_die_at(point);
        assert!(!done(&patient.agent, "POST", &path, b""), "{point}");
        patient.died_at(point);
        patient.recover(&format!("a commit, {point}"));
        assert!(done(&patient.agent, "POST", &path, b""), "{point}: once more");
        patient.look(&format!("a second commit, {point}"));
        patient.tidy();
    }
    // One that a person paused stays so.
    assert_eq!(patient.agent.client.request("POST", &format!("/containers/{}/pause", patient.runs), b"").status, 204);
    patient.agent.kill();
    patient.agent.respawn();
    assert_eq!(patient.agent.inspect(&patient.runs)["State"]["Paused"], true);
}

#[test]
fn a_daemon_that_dies_in_the_midst_of_making_a_volume_leaves_a_whole_one_or_none() {
    let mut patient = Patient::new();
    for point in ["volume.made", "volume.written", "volume.recorded"] {
        for (path, body) in [
            ("/volumes/create", json!({ "Name": "data" })),
            ("/containers/create?name=mounts", json!({ "Image": support::IMAGE, "Cmd": ["true"], "Volumes": { "/data": {} } })),
        ] {
            patient.start_to_die_at(point);
            assert!(!done(&patient.agent, "POST", path, body.to_string().as_bytes()), "{path}, {point}");
            patient.died_at(point);
            patient.recover(&format!("{path}, {point}"));
            assert!(done(&patient.agent, "POST", path, body.to_string().as_bytes()), "{path}, {point}: once more");
            patient.look(&format!("{path} again, {point}"));
            patient.tidy();
        }
    }
}

#[test]
fn a_build_whose_daemon_died_can_be_done_again() {
    let mut patient = Patient::new();
    for point in [
        "spawner.received",
        "blob.marked",
        "blob.visible",
        "layer.marked",
        "layer.visible",
        "cache.held",
        "cache.aside",
        "image.recorded",
        "image.tagged",
    ] {
        // Its files are collected with everything else at the end of a round.
        let quick = build_body(&patient.agent, "echo built > /made");
        patient.start_to_die_at(point);
        let sent = done(&patient.agent, "POST", "/slipway/v1/builds", &quick);
        // A spawner that dies fails the step and is replaced; the daemon goes on.
        assert!(!sent, "{point}");
        patient.recover(&format!("a build, {point}"));
        assert!(patient.agent.log().contains(&format!("fault injected at {point}\n")), "{point} was not reached");
        assert!(done(&patient.agent, "POST", "/slipway/v1/builds", &quick), "{point}: once more");
        assert_eq!(patient.agent.text("cat /made", json!({ "Image": "built:1" })), "built\n");
        patient.look(&format!("a second build, {point}"));
        patient.tidy();
    }
}

/// Streams that were under way: an exec, a copy in, an export, and the steps of a build.
#[test]
fn a_daemon_that_dies_in_the_midst_of_streams_leaves_the_container_as_it_is() {
    let mut patient = Patient::new();
    let runs = patient.runs.clone();
    let sleeping = support::long_sleep(77);
    let slow = build_body(&patient.agent, &format!("exec sleep {sleeping}"));
    let tar = tar_of(|tar| file(tar, "copied", &noise(3, BIG), 0o644));
    for round in 0..3 {
        let when = format!("streams, round {round}");
        let agent = &patient.agent;
        let exec = agent.client.post(
            &format!("/containers/{runs}/exec"),
            &json!({ "AttachStdout": true, "Cmd": ["sh", "-c", "while :; do echo word; done"] }),
        );
        let exec = exec.json()["Id"].as_str().unwrap().to_owned();
        let mut words = agent.client.hijack(&format!("/exec/{exec}/start"), b"{}");
        words.read_exact(&mut [0; 1_000]).unwrap();
        let _copy = agent.client.begin("PUT", &format!("/containers/{runs}/archive?path=/"), tar.len(), &tar[..tar.len() / 2]);
        let mut export = agent.client.stream(&format!("/containers/{runs}/export"));
        export.read_exact(&mut [0; 100_000]).unwrap();
        let _build = agent.client.begin("POST", "/slipway/v1/builds", slow.len(), &slow);
        eventually(&format!("{when}: the step runs"), || running(&sleeping));
        patient.recover(&when);
        eventually(&format!("{when}: the step is gone"), || !running(&sleeping));
        let agent = &patient.agent;
        assert_eq!(agent.client.request("GET", &format!("/exec/{exec}/json"), b"").status, 404, "{when}");
        assert!(done(agent, "PUT", &format!("/containers/{runs}/archive?path=/"), &tar), "{when}: the copy again");
        let exported = agent.client.request("GET", &format!("/containers/{runs}/export"), b"");
        assert!(exported.status == 200 && exported.body.len() > 2 * BIG, "{when}: {} bytes", exported.body.len());
        assert_eq!(support::networks::exec(agent, &runs, "busybox md5sum < /copied"), sum(&[3]), "{when}");
        patient.look(&format!("{when}, again"));
    }
}

fn running(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let named = |line: Vec<u8>| String::from_utf8_lossy(&line).split('\0').eq(["sleep", argument, ""]);
    processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(named)
}

/// All at once, at moments that nobody chose.
#[test]
fn a_daemon_that_dies_at_any_moment_leaves_nothing_half() {
    let mut patient = Patient::new();
    let registry = Registry::start();
    let name = registry.put("v1", &layers());
    let archive = docker_archive();
    let build = |patient: &Patient| build_body(&patient.agent, "echo built > /made");
    let commit = format!("/commit?container={}&repo=committed&tag=1", patient.runs);
    for round in 0..6u64 {
        let (agent, build) = (&patient.agent, build(&patient));
        std::thread::scope(|scope| {
            scope.spawn(|| pull(agent, &name));
            scope.spawn(|| done(agent, "POST", "/images/load", &archive));
            scope.spawn(|| done(agent, "POST", "/slipway/v1/builds", &build));
            scope.spawn(|| done(agent, "POST", &commit, b""));
            scope.spawn(|| done(agent, "POST", "/volumes/create", b"{}"));
            std::thread::sleep(std::time::Duration::from_millis(10 + round * 47));
            let pid = rustix::process::Pid::from_raw(agent.pid() as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        patient.recover(&format!("round {round}"));
        patient.tidy();
    }
    let (agent, build) = (&patient.agent, build(&patient));
    assert!(pull(agent, &name) && done(agent, "POST", "/images/load", &archive) && done(agent, "POST", "/slipway/v1/builds", &build));
    patient.look("all of it, done again");
}
