//! An OCI bundle with a state directory and a control group of its own; everything is taken down when it goes out of scope.
#![allow(dead_code)] // each test file uses its part

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const TOOLS: [&str; 24] = [
    "sh", "cat", "echo", "sleep", "true", "false", "touch", "ls", "id", "hostname", "stat", "mount", "kill", "tty", "grep", "readlink",
    "env", "pwd", "test", "mkdir", "head", "wc", "trap", "umask",
];

pub struct Bundle {
    pub dir: tempfile::TempDir,
    pub id: String,
    pub config: Value,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Waits for what will become true, on however slow a machine.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Bundle {
    /// The script is the program's; `change` may alter the rest of the config.
    pub fn new(script: &str, change: impl FnOnce(&mut Value)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bundle/rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        TOOLS.iter().for_each(|tool| symlink("busybox", bin.join(tool)).unwrap());
        for name in ["proc", "dev", "sys", "tmp"] {
            fs::create_dir(dir.path().join("bundle/rootfs").join(name)).unwrap();
        }
        let id = format!("oci-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let namespaces: Vec<Value> = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind })).to_vec();
        let all = json!(["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"]);
        let mut config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "cwd": "/", "args": ["sh", "-c", script], "env": ["PATH=/bin"],
                "capabilities": { "bounding": all, "effective": all, "permitted": all },
            },
            "root": { "path": "rootfs" },
            "hostname": "bundle",
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"] },
            ],
            "linux": { "namespaces": namespaces, "cgroupsPath": format!("/{id}/deep/er") },
        });
        change(&mut config);
        let bundle = Self { dir, id, config };
        fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
        bundle
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway-agent"));
        command.args(["oci", "--root"]).arg(self.file("state")).args(args).stdin(Stdio::null());
        command
    }

    /// What the program says goes to the file `out`. Pipes would stay open as long as the container lives.
    pub fn create_with(&self, args: &[&str]) -> Result<(), String> {
        let file = |name: &str| File::create(self.file(name)).unwrap();
        let mut command = self.command(&["create", "--bundle"]);
        command.arg(self.path()).args(args).arg(&self.id);
        let status = command.stdout(file("out")).stderr(file("err")).status().unwrap();
        if status.success() { Ok(()) } else { Err(self.text("err")) }
    }

    pub fn create(&self) {
        self.create_with(&[]).unwrap();
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output, or standard error when it failed.
    pub fn oci(&self, args: &[&str]) -> Result<String, String> {
        let output = self.output(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// A command about this container.
    pub fn call(&self, command: &str, more: &[&str]) -> Result<String, String> {
        let mut args = vec![command];
        args.push(&self.id);
        args.extend(more);
        self.oci(&args)
    }

    pub fn start(&self) {
        self.call("start", &[]).unwrap();
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&self.call("state", &[]).unwrap()).unwrap()
    }

    pub fn status(&self) -> String {
        self.state()["status"].as_str().unwrap().to_owned()
    }

    pub fn wait_stopped(&self) {
        eventually("the container stops", || self.status() == "stopped");
    }

    /// Runs to the end and gives what the program said.
    pub fn run(&self) -> String {
        self.create();
        self.start();
        self.wait_stopped();
        self.text("out")
    }

    /// Its directories in the hierarchies, the first part of the path.
    pub fn groups(&self) -> Vec<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let points = mounts.lines().filter(|line| line.split(' ').nth(2).is_some_and(|kind| kind.starts_with("cgroup")));
        points.map(|line| Path::new(line.split(' ').nth(1).unwrap()).join(&self.id)).filter(|dir| dir.exists()).collect()
    }

    /// Deleted, and nothing of it is left.
    pub fn assert_gone(&self) {
        assert!(self.call("state", &[]).unwrap_err().contains("container does not exist"));
        assert_eq!(self.groups(), Vec::<PathBuf>::new());
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(self.dir.path().to_str().unwrap()), "{mounts}");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.call("delete", &["--force"]);
    }
}
