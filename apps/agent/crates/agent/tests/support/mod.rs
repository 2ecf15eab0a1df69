//! A real agent with its own data root, and a client for it. Everything is taken down when it goes out of scope, also
//! when the test fails.
#![allow(dead_code)] // each test file uses its part

pub mod builds;
pub mod client;
pub mod content;
pub mod disk;
pub mod networks;
pub mod pack;
pub mod registry;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};

pub const IMAGE: &str = "bb:1";

pub struct Agent {
    pub root: tempfile::TempDir,
    pub socket: PathBuf,
    pub client: Client,
    /// What the next `respawn` starts; another copy of it stands for a newer version.
    pub program: PathBuf,
    /// Variables for the next `respawn`.
    pub env: Vec<(String, String)>,
    child: Child,
    keeper: Keeper,
}

/// Cleans up after a test that cannot do it itself any more, because it was killed: a process of its own group that
/// waits for the end of its standard input. Its command line must not name the folder, which tests look for.
struct Keeper(Child);

const KEEP: &str = r#"
root=$PWD
read -r _ && exit
pid=$(cat pid) && grep -qsF "$root" "/proc/$pid/cmdline" && kill -9 "$pid"
while ! "$1" down --data-root "$root/data" && [ "${tries:=0}" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
cd / && rm -rf "$root"
"#;

impl Keeper {
    fn start(root: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", KEEP, "keeper", env!("CARGO_BIN_EXE_slipway-agent")]).current_dir(root).process_group(0);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// `clean`: there is nothing left to do for it.
    fn end(&mut self, clean: bool) {
        if let (Some(mut stdin), true) = (self.0.stdin.take(), clean) {
            let _ = stdin.write_all(b"\n"); // if it is gone there is nobody to tell
        }
        let _ = self.0.wait();
    }
}

fn log_file(root: &Path) -> Stdio {
    std::fs::File::options().append(true).create(true).open(root.join("log")).unwrap().into()
}

fn spawn(program: &Path, env: &[(String, String)], root: &Path, socket: &Path, log: Stdio) -> Child {
    let settings = root.join("settings.json");
    let config: Vec<&std::ffi::OsStr> = if settings.exists() { vec!["--config".as_ref(), settings.as_os_str()] } else { Vec::new() };
    let child = Command::new(program)
        .envs(env.iter().map(|(key, value)| (key, value)))
        .args(["daemon", "--data-root"])
        .arg(root.join("data"))
        .arg("--socket")
        .arg(socket)
        .args(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    std::fs::write(root.join("pid"), child.id().to_string()).unwrap();
    child
}

/// The tests of `remapped.rs` are those of other files, with a user namespace for every container.
pub fn is_remapped() -> bool {
    std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().starts_with("remapped-")
}

impl Agent {
    /// An agent without images.
    pub fn bare() -> Self {
        Self::with_settings(None)
    }

    /// An agent without images and with a settings file.
    pub fn with_settings(settings: Option<Value>) -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests make containers and need root");
        let root = tempfile::Builder::new().prefix("slipway-test-").tempdir_in("/var/tmp").unwrap();
        let socket = root.path().join("agent.sock");
        if let Some(settings) = settings.or_else(|| is_remapped().then(|| json!({ "usernsRemap": "default" }))) {
            std::fs::write(root.path().join("settings.json"), settings.to_string()).unwrap();
        }
        let keeper = Keeper::start(root.path());
        let program = PathBuf::from(env!("CARGO_BIN_EXE_slipway-agent"));
        let child = spawn(&program, &[], root.path(), &socket, log_file(root.path()));
        let agent = Self { client: Client::new(&socket), program, env: Vec::new(), root, socket, child, keeper };
        agent.await_ready();
        agent
    }

    /// An agent with the image `bb:1`: a static busybox.
    pub fn start() -> Self {
        let agent = Self::bare();
        agent.import(IMAGE, &busybox_tar());
        agent
    }

    pub fn import(&self, name: &str, tar: &[u8]) {
        let (repo, tag) = name.split_once(':').unwrap();
        let answer = self.client.request("POST", &format!("/images/create?fromSrc=-&repo={repo}&tag={tag}"), tar);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn await_ready(&self) {
        let end = Instant::now() + PATIENCE;
        while self.client.try_request("GET", "/slipway/v1/health", b"").is_none_or(|answer| answer.status != 200) {
            assert!(Instant::now() < end, "the agent did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn instance(&self) -> String {
        self.client.get("/slipway/v1/health")["instance"].as_str().unwrap().to_owned()
    }

    /// SIGKILL: the agent gets no chance to do anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of a process that was signalled by the test.
    pub fn reap(&mut self) {
        self.child.wait().unwrap();
    }

    pub fn respawn(&mut self) {
        self.child = spawn(&self.program, &self.env, self.root.path(), &self.socket, log_file(self.root.path()));
        self.await_ready();
    }

    /// With a log whose reader is gone.
    pub fn respawn_unheard(&mut self) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.child = spawn(&self.program, &self.env, self.root.path(), &self.socket, writer.into());
        self.await_ready();
    }

    /// Asks for a full shutdown and waits for the end of the process.
    pub fn shut_down(&mut self) {
        assert_eq!(self.client.request("POST", "/slipway/v1/shutdown", b"").status, 202);
        let end = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return assert!(status.success(), "{status}: {}", self.log()),
                None => assert!(Instant::now() < end, "the agent does not end: {}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Creates a container from `bb:1` running `sh -c script`; `more` is merged into the request.
    pub fn create(&self, script: &str, more: Value) -> String {
        let mut body = json!({ "Image": IMAGE, "Cmd": ["sh", "-c", script] });
        merge(&mut body, more);
        let answer = self.client.post("/containers/create", &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["Id"].as_str().unwrap().to_owned()
    }

    pub fn begin(&self, id: &str) {
        let answer = self.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    pub fn run(&self, script: &str, more: Value) -> String {
        let id = self.create(script, more);
        self.begin(&id);
        id
    }

    /// The exit code, once it has ended.
    pub fn wait(&self, id: &str) -> i64 {
        self.client.request("POST", &format!("/containers/{id}/wait"), b"").json()["StatusCode"].as_i64().unwrap()
    }

    pub fn inspect(&self, id: &str) -> Value {
        self.client.get(&format!("/containers/{id}/json"))
    }

    /// What it has written so far, without frames.
    pub fn output(&self, id: &str) -> String {
        self.logs(id, "stdout=1&stderr=1")
    }

    pub fn logs(&self, id: &str, query: &str) -> String {
        let answer = self.client.request("GET", &format!("/containers/{id}/logs?{query}"), b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        unframe(&answer.body)
    }

    /// Runs to the end: exit code and output.
    pub fn outcome(&self, script: &str, more: Value) -> (i64, String) {
        let id = self.run(script, more);
        let code = self.wait(&id);
        (code, self.output(&id))
    }

    /// Runs a script that must succeed.
    pub fn text(&self, script: &str, more: Value) -> String {
        let (code, output) = self.outcome(script, more);
        assert_eq!(code, 0, "{script}: {output}");
        output
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the agent's log\n{}", self.log());
        }
        let clean = self.end();
        if !clean {
            let _ = self.child.kill(); // an agent that does not end is no reason to leave something behind
            let _ = self.child.wait();
        }
        self.keeper.end(clean);
    }
}

impl Agent {
    /// Takes the agent down; false when it is not there to do it, or does not.
    fn end(&mut self) -> bool {
        // Containers are removed first, so that none takes its time to stop.
        let Some(containers) = self.client.try_request("GET", "/containers/json?all=1", b"") else { return false };
        for container in containers.json().as_array().into_iter().flatten() {
            let id = container["Id"].as_str().unwrap_or_default();
            let _ = self.client.try_request("DELETE", &format!("/containers/{id}?force=1"), b""); // it may be going already
        }
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::INT);
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(status)) => return status.success(),
                Err(_) => return false,
            }
        }
        false
    }
}

pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Payloads of Docker's 8-byte frames.
pub fn unframe(mut bytes: &[u8]) -> String {
    let mut out = Vec::new();
    while bytes.len() >= 8 {
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        out.extend_from_slice(&bytes[8..8 + length]);
        bytes = &bytes[8 + length..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How long anything may take that must happen: only a failing test waits for it, so it suits the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `check` holds.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An argument for `sleep` that is on no other command line of this machine: ten minutes, and decimals of this process.
pub fn long_sleep(which: u32) -> String {
    format!("600.{which:02}{:07}", std::process::id())
}

/// What an instance has on this host outside of its data root.
pub fn leftovers(instance: &str, root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let root = root.to_str().unwrap();
    for entry in std::fs::read_dir("/sys/class/net").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.contains(instance) {
            found.push(name);
        }
    }
    let tables = Command::new("nft").args(["list", "tables"]).output().unwrap();
    found.extend(String::from_utf8_lossy(&tables.stdout).lines().filter(|line| line.contains(instance)).map(String::from));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(root)).map(String::from));
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        for dir in [hierarchy.path(), "/sys/fs/cgroup".into()] {
            let group = dir.join(format!("slipway-{instance}"));
            if group.exists() {
                found.push(group.display().to_string());
            }
        }
    }
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&command).into_owned();
        if line.contains(root) {
            found.push(line);
        }
        let cgroup = std::fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        if cgroup.contains(instance) {
            found.push(format!("{}: {cgroup}", process.path().display()));
        }
    }
    found
}

const APPLETS: [&str; 35] = [
    "awk", "cat", "chmod", "dd", "df", "echo", "env", "false", "grep", "head", "hostname", "httpd", "id", "ip", "kill", "ls", "mkdir",
    "mknod", "mount", "nc", "nslookup", "ps", "readlink", "seq", "sh", "sleep", "stat", "stty", "tail", "touch", "tr", "true", "tty",
    "wget", "yes",
];

/// A root file system of a static busybox, as a tar; `more` adds to it.
pub fn busybox_tar_with(more: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let busybox = std::fs::read("/bin/busybox").expect("these tests need busybox-static");
    let mut tar = tar::Builder::new(Vec::new());
    file(&mut tar, "bin/busybox", &busybox, 0o755);
    for applet in APPLETS {
        link(&mut tar, &format!("bin/{applet}"), "busybox");
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n";
    file(&mut tar, "etc/passwd", passwd.as_bytes(), 0o644);
    file(&mut tar, "etc/group", b"root:x:0:\nweb:x:1000:\nstaff:x:50:web\n", 0o644);
    more(&mut tar);
    tar.into_inner().unwrap()
}

pub fn busybox_tar() -> Vec<u8> {
    busybox_tar_with(|_| {})
}

pub fn file(tar: &mut tar::Builder<Vec<u8>>, path: &str, data: &[u8], mode: u32) {
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(mode);
    tar.append_data(&mut header, path, data).unwrap();
}

pub fn link(tar: &mut tar::Builder<Vec<u8>>, path: &str, target: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    tar.append_link(&mut header, path, target).unwrap();
}
