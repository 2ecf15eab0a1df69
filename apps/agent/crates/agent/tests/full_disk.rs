//! A disk that is full in the midst of work: the work fails with a clear error, its space comes back, and it succeeds once
//! there is room.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::builds::{Plan, body, build, last, minute};
use support::content::{docker_archive, done, layers};
use support::disk::assert_whole;
use support::registry::Registry;
use support::{Agent, eventually};

/// A file system of its own for the data root, taken away when the test is over.
struct Disk {
    mounted: PathBuf,
    image: PathBuf,
}

impl Disk {
    fn new(agent: &Agent, megabytes: u64) -> Self {
        let (mounted, image) = (agent.root.path().join("data"), agent.root.path().join("disk.img"));
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        run("mkfs.ext4", &["-q", "-m", "0", "-E", "lazy_itable_init=1"], &[&image]);
        run("mount", &["-o", "loop"], &[&image, &mounted]);
        Self { mounted, image }
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.mounted).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Leaves so many bytes free.
    fn fill(&self, leave: u64) {
        let filler = std::fs::File::create(self.mounted.join("filler")).unwrap();
        rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, self.free() - leave).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.mounted.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.mounted, rustix::mount::UnmountFlags::DETACH); // the test tells why it failed
        let _ = std::fs::remove_file(&self.image);
    }
}

fn run(program: &str, args: &[&str], paths: &[&Path]) {
    let output = Command::new(program).args(args).args(paths).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the answer says went wrong, be it its whole or its last line.
fn failure(agent: &Agent, path: &str, body: &[u8]) -> String {
    let answer = agent.client.request("POST", path, body);
    let last: Value = serde_json::from_str(answer.text().trim().lines().last().unwrap()).unwrap();
    assert!(answer.status == 507 || last["error"].is_string() || last["type"] == "error", "{path}: {} {}", answer.status, answer.text());
    last.to_string()
}

/// The least that was free while something ran.
struct Least {
    watcher: std::thread::JoinHandle<u64>,
    over: Arc<AtomicBool>,
}

impl Least {
    fn watch(mounted: &Path) -> Self {
        let (over, mounted) = (Arc::new(AtomicBool::new(false)), mounted.to_owned());
        let ends = over.clone();
        let watcher = std::thread::spawn(move || {
            let mut least = u64::MAX;
            while !ends.load(Ordering::Relaxed) {
                let stat = rustix::fs::statvfs(&mounted).unwrap();
                least = least.min(stat.f_bavail * stat.f_frsize);
                std::thread::sleep(Duration::from_micros(500));
            }
            least
        });
        Self { watcher, over }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap()
    }
}

/// The host's own program, which makes the system call, with its libraries.
fn with_fallocate() -> Vec<u8> {
    support::busybox_tar_with(|tar| {
        let told = Command::new("ldd").arg("/usr/bin/fallocate").output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let libraries = told.split_whitespace().filter(|word| word.starts_with('/'));
        for path in libraries.chain(["/usr/bin/fallocate"]) {
            support::file(tar, path.trim_start_matches('/'), &std::fs::read(path).unwrap(), 0o755);
        }
    })
}

#[test]
fn a_step_cannot_reserve_what_it_does_not_write() {
    let mut agent = Agent::bare();
    agent.shut_down();
    let disk = Disk::new(&agent, 768);
    agent.respawn();
    agent.import(support::IMAGE, &with_fallocate());
    let reserve = agent.client.get("/slipway/v1/build-cache")["disk"]["reserve"].as_u64().unwrap();
    assert!(reserve > 100 << 20 && disk.free() > 3 * reserve, "{reserve}, {}", disk.free());
    let one = Plan::new(&agent).run("/usr/bin/fallocate -l 500M /all");
    let many =
        Plan::new(&agent).run("i=0; while [ $i -lt 200 ]; do : > /f$i; /usr/bin/fallocate -n -l 100M /f$i; i=$((i+1)); done; exit 3");
    let cached = json!({ "mounts": [{ "type": "cache", "id": "c", "target": "/c", "sharing": "shared", "from": null, "source": ".",
        "mode": 0o755, "uid": 0, "gid": 0 }] });
    let beside = Plan::new(&agent).run_with(": > /c/all; /usr/bin/fallocate -z -l 500M /c/all", &cached);
    for (id, plan) in [("one", one), ("many", many), ("beside", beside)] {
        let least = Least::watch(&disk.mounted);
        let built = build(&agent, &plan.request(id, minute()), &[]);
        let least = least.end();
        assert_eq!(last(&built)["code"], "EXEC_FAILED", "{built:?}");
        assert!(built.iter().any(|event| event["data"].as_str().is_some_and(|text| text.contains("supported"))), "{built:?}");
        assert!(least > reserve, "{id}: {least} were free, {reserve} shall be");
    }
    // The C library writes what it cannot reserve, and room may be given back.
    let script = "busybox fallocate -l 20000000 /part && [ $(busybox stat -c %s /part) = 20000000 ] && before=$(busybox du -k /part | busybox cut -f1) && \
        [ $before -gt 19000 ] && /usr/bin/fallocate -p -o 0 -l 16M /part && [ $(busybox du -k /part | busybox cut -f1) -lt 4000 ]";
    let fits = Plan::new(&agent).run(script);
    let built = build(&agent, &fits.request("fits", minute()), &[]);
    assert_eq!(last(&built)["type"], "result", "{built:?}");
    // As much as that writes, and many at once: they end before the disk does.
    let whole = Plan::new(&agent).run("busybox fallocate -l 2000000000 /whole");
    let eight = "for i in 1 2 3 4 5 6 7 8; do head -c 500000000 /dev/zero > /f$i & done; wait; exit 3";
    let eight = Plan::new(&agent).run(eight);
    for (id, plan) in [("whole", whole), ("eight", eight)] {
        let least = Least::watch(&disk.mounted);
        let built = build(&agent, &plan.request(id, minute()), &[]);
        let least = least.end();
        assert_eq!(last(&built)["code"], "DISK_FULL", "{built:?}");
        assert!(least > 0, "{id}");
        println!("{id}: {least} of {reserve} bytes were free");
        eventually("its files are gone", || disk.free() > 2 * reserve);
    }
    agent.shut_down();
}

#[test]
fn a_disk_that_is_full_in_the_midst_of_work_costs_only_that_work() {
    let mut agent = Agent::bare();
    agent.shut_down();
    let disk = Disk::new(&agent, 96);
    agent.respawn();
    let registry = Registry::start();
    let name = registry.put("v1", &layers());
    agent.import(support::IMAGE, &support::busybox_tar());
    let runs = agent.run("head -c 4000000 /dev/urandom > /own; echo ready; while :; do sleep 0.05; done", json!({}));
    eventually("it has written", || agent.output(&runs) == "ready\n");
    let pid = agent.inspect(&runs)["State"]["Pid"].clone();
    let archive = docker_archive();
    let build = body(&Plan::new(&agent).run("head -c 3000000 /dev/urandom > /made").request("b1", minute()));
    let layer = &layers()[1];
    for (path, body) in [
        (format!("/images/create?fromImage={name}"), &b""[..]),
        ("/images/load".to_owned(), &archive),
        ("/images/create?fromSrc=-&repo=imported&tag=1".to_owned(), layer),
        (format!("/commit?container={runs}&repo=committed&tag=1"), b""),
        ("/slipway/v1/builds".to_owned(), &build),
    ] {
        let before = disk.free();
        // Full early, in the midst of a blob or a layer, and late.
        for leave in [100_000, 2_000_000, 5_000_000] {
            disk.fill(leave);
            let told = failure(&agent, &path, body);
            assert!(
                told.contains("disk is full") || told.contains("disk of the host is full") || told.contains("DISK_FULL"),
                "{path}: {told}"
            );
            assert!(!told.contains("/var/") && told.len() < 600, "{path}: {told}");
            assert_whole(&agent, &format!("{path} with {leave} bytes"));
            disk.make_room();
        }
        assert_eq!(agent.client.request("POST", "/images/prune", b"").status, 200);
        assert_eq!(agent.client.request("POST", "/build/prune", b"").status, 200);
        assert_eq!(agent.client.get("/images/json").as_array().unwrap().len(), 1, "{path}: no image of what failed");
        eventually(&format!("{path}: its space comes back: {before} bytes before, {} now", disk.free()), || disk.free() + 300_000 > before);
        assert!(done(&agent, "POST", &path, body), "{path}: once there is room");
        let made = agent.client.get("/images/json");
        for image in made.as_array().unwrap().iter().filter(|image| image["RepoTags"] != json!([support::IMAGE])) {
            assert_eq!(agent.client.request("DELETE", &format!("/images/{}?force=1", image["Id"].as_str().unwrap()), b"").status, 200);
        }
        assert_eq!(agent.client.request("POST", "/build/prune", b"").status, 200);
    }
    let state = agent.inspect(&runs)["State"].clone();
    assert!(state["Pid"] == pid && state["Status"] == "running", "{state}");
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{runs}?force=1"), b"").status, 204);
    agent.shut_down();
}
