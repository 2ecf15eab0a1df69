//! Sudden death of daemon, shim, spawner and init at every step, and disks that fail. See `slipway_runtime::fault`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Agent, busybox_tar, eventually, leftovers, merge};

const POINTS: [&str; 28] = [
    "create.volumes",
    "create.snapshot",
    "create.recorded",
    "start.attached",
    "start.published",
    "start.grouped",
    "start.mounted",
    "launch.sent",
    "start.launched",
    "spawner.received",
    "spawner.cloned",
    "shim.prepared",
    "init.entered",
    "init.mounted",
    "shim.cloned",
    "shim.started",
    "shim.ended",
    "shim.recorded",
    "shim.told",
    "stop.marked",
    "stop.signalled",
    "exit.noticed",
    "exit.released",
    "exit.settled",
    "remove.marked",
    "remove.snapshot",
    "remove.volumes",
    "remove.files",
];

const SCRIPT: &str = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";

fn request() -> Value {
    json!({
        "Image": support::IMAGE,
        "Cmd": ["sh", "-c", SCRIPT],
        "Volumes": { "/data": {} },
        "HostConfig": { "PortBindings": { "80/tcp": [{}] } },
    })
}

/// The whole life of a container, as far as there is somebody to ask.
fn live(agent: &Agent, more: Value) {
    let mut body = request();
    merge(&mut body, more);
    let ask = |method: &str, path: &str, body: &[u8]| agent.client.try_request(method, path, body);
    ask("POST", "/containers/create?name=victim", body.to_string().as_bytes());
    ask("POST", "/containers/victim/start", b"");
    ask("POST", "/containers/victim/stop?t=5", b"");
    ask("DELETE", "/containers/victim?v=1&force=1", b"");
}

fn entries(agent: &Agent) -> [usize; 3] {
    ["containers", "snapshots", "volumes"].map(|dir| std::fs::read_dir(agent.root.path().join("data").join(dir)).map_or(0, Iterator::count))
}

fn groups(agent: &Agent) -> usize {
    let name = format!("slipway-{}", agent.instance());
    let ours = |dir: std::path::PathBuf| std::fs::read_dir(dir.join(&name)).into_iter().flatten().flatten();
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let named = |entry: &std::fs::DirEntry| entry.file_name().len() == 64;
    hierarchies.chain([Path::new("/sys/fs/cgroup").to_owned()]).flat_map(ours).filter(named).count()
}

/// Processes that have a file of this data root open, by their names.
fn holders(root: &Path) -> Vec<String> {
    let holds = |process: &Path| {
        let fds = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target.starts_with(root.join("data")))
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(|process| holds(process));
    processes.map(|process| std::fs::read_to_string(process.join("comm")).unwrap_or_default()).collect()
}

/// Whatever is left of it can be used, or removed, and then nothing is left.
fn assert_sane(agent: &Agent, point: &str, before: [usize; 3]) {
    let settled = || {
        let all = agent.client.get("/containers/json?all=1");
        all.as_array().unwrap().iter().all(|container| !["removing", "restarting"].contains(&container["State"].as_str().unwrap()))
    };
    eventually(&format!("{point}: nothing is under way"), settled);
    let all = agent.client.get("/containers/json?all=1").as_array().unwrap().clone();
    assert!(all.len() <= 1, "{point}: {all:?}");
    for container in &all {
        let id = container["Id"].as_str().unwrap();
        assert_eq!(container["Names"][0], "/victim", "{point}");
        // Only after it has said so does it listen to SIGTERM.
        let ups = || agent.output(id).matches("up\n").count();
        let mut said = 0;
        if container["State"] != "running" {
            said = ups();
            let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
            assert_eq!(answer.status, 204, "{point}: {}", answer.text());
        }
        eventually(&format!("{point}: it speaks"), || ups() > said);
        let answer = agent.client.request("POST", &format!("/containers/{id}/stop?t=60"), b"");
        assert_eq!(answer.status, 204, "{point}: {}", answer.text());
        assert_eq!(agent.inspect(id)["State"]["ExitCode"], 7, "{point}");
        let answer = agent.client.request("DELETE", &format!("/containers/{id}?v=1"), b"");
        assert_eq!(answer.status, 204, "{point}: {}", answer.text());
    }
    eventually(&format!("{point}: its control group is gone"), || groups(agent) == 0);
    assert_eq!(entries(agent), before, "{point}: files are left");
}

#[test]
fn death_at_every_step_leaves_a_sane_container_and_nothing_else() {
    let mut agent = Agent::start();
    let (instance, before) = (agent.instance(), entries(&agent));
    for point in POINTS {
        agent.kill();
        agent.env = vec![("SLIPWAY_FAULT".to_owned(), point.to_owned())];
        agent.respawn();
        live(&agent, json!({}));
        assert!(agent.log().contains(&format!("fault injected at {point}\n")), "{point} was not reached");
        agent.kill();
        agent.env.clear();
        agent.respawn();
        assert_sane(&agent, point, before);
    }
    agent.shut_down();
    eventually("nothing is left on the host", || leftovers(&instance, agent.root.path()).is_empty());
    eventually("no shim is left", || holders(agent.root.path()).is_empty());
}

#[test]
fn a_container_that_removes_itself_is_removed_whenever_its_daemon_died() {
    let mut agent = Agent::start();
    let before = entries(&agent);
    for point in ["exit.noticed", "exit.released", "exit.settled", "remove.marked", "remove.snapshot", "remove.volumes"] {
        agent.kill();
        agent.env = vec![("SLIPWAY_FAULT".to_owned(), point.to_owned())];
        agent.respawn();
        live(&agent, json!({ "HostConfig": { "AutoRemove": true } }));
        agent.kill();
        agent.env.clear();
        agent.respawn();
        eventually(&format!("{point}: it is gone"), || agent.client.get("/containers/json?all=1") == json!([]));
        assert_eq!(entries(&agent), before, "{point}: files are left");
    }
}

/// The host was restarted: nothing of before runs, and what is written down of it is out of date.
#[test]
fn a_reboot_starts_what_ran_and_cleans_up_what_did_not() {
    let mut agent = Agent::start();
    let policy = |name: &str| json!({ "HostConfig": { "RestartPolicy": { "Name": name } } });
    let always = agent.run("echo run; sleep 1000", policy("always"));
    let ended = agent.run("exit 3", json!({}));
    assert_eq!(agent.wait(&ended), 3);
    let stopped = agent.run("sleep 1000", policy("unless-stopped"));
    assert_eq!(agent.client.request("POST", &format!("/containers/{stopped}/stop?t=0"), b"").status, 204);
    let killed: Vec<i64> = [&always].map(|id| agent.inspect(id)["State"]["Pid"].as_i64().unwrap()).to_vec();
    agent.kill();
    for pid in killed {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let dir = agent.root.path().join("data/containers").join(&always);
    eventually("its shim has ended", || !dir.join("shim.sock").exists());
    // A power cut: the shim recorded nothing, and the state is of another boot.
    std::fs::remove_file(dir.join("exit.json")).unwrap();
    let mut state: Value = serde_json::from_slice(&std::fs::read(dir.join("state.json")).unwrap()).unwrap();
    assert_ne!(state["boot"], "");
    state["boot"] = json!("00000000-0000-0000-0000-000000000000");
    std::fs::write(dir.join("state.json"), state.to_string()).unwrap();
    agent.respawn();
    eventually("it runs again", || agent.output(&always) == "run\nrun\n");
    assert_eq!(agent.inspect(&ended)["State"]["ExitCode"], 3);
    assert_eq!(agent.inspect(&stopped)["State"]["Running"], false);
}

#[test]
fn ten_thousand_dangling_folders_are_cleaned_up() {
    let mut agent = Agent::start();
    let kept = agent.run("sleep 1000", json!({}));
    let before = entries(&agent);
    agent.kill();
    let data = agent.root.path().join("data");
    for number in 0..10_000 {
        let dir = data.join("containers").join(format!("{number:064x}"));
        std::fs::create_dir(&dir).unwrap();
        if number % 100 == 0 {
            std::fs::write(dir.join("state.json"), "{\"status\":\"running\"").unwrap();
            std::fs::create_dir_all(data.join("snapshots").join(format!("{number:064x}")).join("upper")).unwrap();
        }
    }
    agent.respawn();
    assert_eq!(agent.inspect(&kept)["State"]["Running"], true);
    eventually("they are gone", || entries(&agent) == before);
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
}

/// A data root on a small disk of its own, unmounted when the test is over.
struct SmallDisk(std::path::PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH); // the test tells why it failed
    }
}

#[test]
fn a_full_disk_stops_no_container_and_is_told() {
    let mut agent = Agent::start();
    agent.shut_down();
    let data = agent.root.path().join("data");
    rustix::mount::mount("tmpfs", &data, "tmpfs", rustix::mount::MountFlags::empty(), Some(c"size=24m")).unwrap();
    let _disk = SmallDisk(data.clone());
    agent.respawn();
    agent.import(support::IMAGE, &busybox_tar());
    let shared = tempfile::tempdir().unwrap();
    let host = json!({ "HostConfig": { "Binds": [format!("{}:/shared", shared.path().display())] } });
    let id = agent.run("i=0; while :; do i=$((i+1)); echo line $i; echo $i > /shared/count; sleep 0.01; done", host);
    let count = || std::fs::read_to_string(shared.path().join("count")).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    eventually("it counts", || count() > 5);
    // Fills the disk to its last byte.
    let mut filler = std::fs::File::create(data.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    let before = count();
    eventually("it is not blocked", || count() > before + 50);
    let answer = agent.client.post("/containers/create", &request());
    assert!(answer.status == 507 && answer.text().contains("full"), "{} {}", answer.status, answer.text());
    let answer = agent.client.request("POST", "/images/create?fromSrc=-&repo=big&tag=1", &busybox_tar());
    assert!(answer.status == 507 || answer.text().contains("full"), "{} {}", answer.status, answer.text());
    agent.kill();
    std::fs::remove_file(data.join("filler")).unwrap();
    drop(filler);
    agent.respawn();
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
    eventually("the log says what it lost", || agent.output(&id).contains("entries were lost"));
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status, 204);
    let instance = agent.instance();
    agent.shut_down();
    eventually("nothing is left", || leftovers(&instance, &agent.root.path().join("data/containers")).is_empty());
}

/// What is asked of a log by a clock that was wrong, or is.
#[test]
fn logs_asked_for_by_times_of_another_clock_end() {
    let agent = Agent::start();
    let id = agent.run("echo one; echo two", json!({}));
    agent.wait(&id);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (query, expected) in [
        (format!("since={}", now + 1_000_000), ""),
        ("since=0".to_owned(), "one\ntwo\n"),
        ("until=1".to_owned(), ""),
        (format!("since={}&until=1", now + 1_000_000), ""),
        (format!("since={}&follow=1", now + 1_000_000), ""),
    ] {
        assert_eq!(agent.logs(&id, &format!("stdout=1&{query}")), expected, "{query}");
    }
    // A log written before the clock was set back a year: order is that of the lines, and nothing is lost.
    let path = agent.root.path().join("data/containers").join(&id).join("container.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let (first, second) = text.split_once('\n').unwrap();
    let at = first.find("\"time\":\"").unwrap() + 8;
    let future = format!("{}2999{}", &first[..at], &first[at + 4..]);
    std::fs::write(&path, format!("{future}\n{second}")).unwrap();
    assert_eq!(agent.logs(&id, "stdout=1"), "one\ntwo\n");
    assert_eq!(agent.logs(&id, "stdout=1&tail=1"), "two\n");
    agent.logs(&id, &format!("stdout=1&since={}", now + 1_000)); // what is after a time that is not in order is anyone's guess
}
