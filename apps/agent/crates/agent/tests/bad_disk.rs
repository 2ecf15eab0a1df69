//! A disk that fails for real: a block device whose end is gone under the file system, so that the kernel answers EIO.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::Agent;
use support::content::{done, layers, pull};
use support::registry::Registry;

/// A file system on a loop device of its own.
struct Disk {
    device: String,
    mounted: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// With `sync` a write fails when it is made, and not when it reaches the device.
    fn new(agent: &Agent, below: &str, options: &str) -> Self {
        let (mounted, image) = (agent.root.path().join("data").join(below), agent.root.path().join("disk.img"));
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        // Without a journal only what is read or written fails, not the file system as a whole.
        run("mkfs.ext4", &["-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=0"], &[&image]);
        let device = run("losetup", &["--find", "--show"], &[&image]).trim().to_owned();
        run("mount", &["-o", options, &device], &[&mounted]);
        Self { device, mounted, image }
    }

    /// From now on everything behind its first blocks is gone; what the kernel remembers of these files is forgotten.
    fn fail(&self, files: &[PathBuf]) {
        run("sync", &["-f"], &[&self.mounted]);
        for path in files {
            let file = std::fs::File::open(path).unwrap();
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
        std::fs::File::options().write(true).open(&self.image).unwrap().set_len(1 << 20).unwrap();
        run("losetup", &["--set-capacity", &self.device], &[]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Best effort each: the test tells why it failed.
        let _ = rustix::mount::unmount(&self.mounted, rustix::mount::UnmountFlags::DETACH);
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
        let _ = std::fs::remove_file(&self.image);
    }
}

fn run(program: &str, args: &[&str], paths: &[&Path]) -> String {
    let output = Command::new(program).args(args).args(paths).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_blob_that_the_disk_cannot_read_is_set_aside_and_fetched_again() {
    let mut agent = Agent::bare();
    agent.shut_down();
    let disk = Disk::new(&agent, "content", "rw");
    agent.respawn();
    let registry = Registry::start();
    let name = registry.put("v1", &layers());
    assert!(pull(&agent, &name));
    let blobs = std::fs::read_dir(disk.mounted.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let big: Vec<PathBuf> = blobs.filter(|path| path.metadata().unwrap().len() > 1_000_000).collect();
    assert_eq!(big.len(), 2);
    disk.fail(&big);
    let unreadable = std::fs::read(&big[0]).unwrap_err();
    assert_eq!(unreadable.raw_os_error(), Some(5), "the disk has failed: {unreadable}");
    let saved = agent.client.try_request("GET", &format!("/images/{name}/get"), b"");
    assert!(saved.is_none_or(|answer| answer.status == 500), "half an archive is not taken for a whole one");
    assert!(agent.log().contains("the disk cannot read a blob"), "it is in the log");
    assert!(pull(&agent, &name), "fetched again");
    assert_eq!(agent.text("busybox md5sum < /more | head -c 4", json!({ "Image": name })).len(), 4, "what is unpacked was never hurt");
    agent.shut_down();
}

#[test]
fn a_container_whose_record_cannot_be_written_is_refused_and_the_others_go_on() {
    let mut agent = Agent::start();
    agent.shut_down();
    let disk = Disk::new(&agent, "containers", "sync");
    agent.respawn();
    let runs = agent.run("while :; do sleep 0.05; done", json!({}));
    disk.fail(&[]);
    let body = json!({ "Image": support::IMAGE, "Cmd": ["true"] });
    let answer = agent.client.post("/containers/create", &body);
    assert!(answer.status == 500 && answer.text().contains("Input/output error"), "{} {}", answer.status, answer.text());
    assert!(!answer.text().contains("/var/"), "{}", answer.text());
    assert_eq!(agent.client.get("/containers/json?all=1").as_array().unwrap().len(), 1, "nothing half is listed");
    assert_eq!(agent.inspect(&runs)["State"]["Running"], true);
    assert!(done(&agent, "POST", &format!("/containers/{runs}/stop?t=0"), b""), "it can be stopped");
    assert_eq!(agent.inspect(&runs)["State"]["Running"], false);
    assert!(agent.log().contains("Input/output error"), "that its state was not written is in the log");
    let told = agent.inspect(&runs)["State"]["Error"].as_str().unwrap().to_owned();
    assert!(told.contains("could not be written to disk (Input/output error"), "and inspect says so: {told}");
    agent.shut_down();
}
