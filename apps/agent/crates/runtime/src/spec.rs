//! What a container is, complete: the daemon resolves images, names, addresses and policy, and hands this over. Below
//! this point nothing knows of images or of HTTP. Names follow the OCI runtime spec where it has the concept.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slipway_cgroups::Join;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchSpec {
    pub id: String,
    /// Exists, mode 0700. Holds `shim.sock` and `exit.json`. The root file system is mounted in the container's own
    /// mount namespace only.
    pub dir: PathBuf,
    /// Counts starts; written into the exit record so that an old record is never taken for a new one.
    pub run: u64,
    /// A build step: no socket, no log, no exit record; killed when the control connection closes.
    pub ephemeral: bool,
    pub rootfs: Rootfs,
    pub readonly_root: bool,
    pub process: Process,
    pub hostname: String,
    #[serde(default)]
    pub domainname: String,
    pub namespaces: Namespaces,
    pub cgroup: Join,
    pub mounts: Vec<Mount>,
    pub masked_paths: Vec<String>,
    pub readonly_paths: Vec<String>,
    pub sysctls: BTreeMap<String, String>,
    /// Nodes to be made, beyond those that every container has.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Bytes of `/dev/shm`; 0: none is mounted.
    pub shm_size: u64,
    /// Host devices in `/dev`, `/sys` and cgroups writable.
    pub privileged: bool,
    /// Run a minimal init as pid 1 that forwards signals and reaps.
    pub init: bool,
    pub stdin: Stdin,
    pub log: Option<LogSettings>,
    /// A user namespace of its own, whose descriptor comes with the launch request; absent: the host's users.
    #[serde(default)]
    pub users: Option<Users>,
}

/// Who a container's users are to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    pub ids: IdRange,
    /// The folder above all layers of the root file system, on one file system with them.
    pub store: PathBuf,
}

/// The ids of the host that stand for a container's, which count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    pub uid: u32,
    pub gid: u32,
    pub count: u32,
}

impl IdRange {
    pub fn host_uid(self, id: u32) -> Option<u32> {
        (id < self.count).then(|| self.uid + id)
    }

    pub fn host_gid(self, id: u32) -> Option<u32> {
        (id < self.count).then(|| self.gid + id)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Rootfs {
    /// `lower` topmost first, as overlayfs takes them; absolute, or relative to `base`: the kernel takes one page of options.
    Overlay {
        base: PathBuf,
        lower: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        /// An existing directory to mount at, in the container's own mount namespace; many containers may share it. None:
        /// `rootfs` in the container's directory, made when missing.
        #[serde(default)]
        at: Option<PathBuf>,
    },
    Directory(PathBuf),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Process {
    /// Program and arguments; the program is looked for in the PATH of `env`.
    pub args: Vec<String>,
    pub env: Vec<String>,
    /// Absolute; created when missing. Empty is `/`.
    pub cwd: String,
    /// `` | uid | name | uid:gid | name:group, resolved in the container's own files.
    pub user: String,
    /// Further groups, names or numbers.
    pub groups: Vec<String>,
    /// Bit n = capability n.
    pub capabilities: u64,
    pub no_new_privileges: bool,
    pub tty: bool,
    /// Rows and columns of the terminal from the first moment on.
    #[serde(default)]
    pub size: Option<[u16; 2]>,
    pub rlimits: Vec<Rlimit>,
    pub oom_score_adj: Option<i32>,
}

/// A device node. Whether it may be used is the control group's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Absolute path in the container.
    pub path: String,
    pub block: bool,
    pub major: u32,
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// `name` as in Docker's ulimits: `nofile`, `core`, ….
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rlimit {
    pub name: String,
    pub soft: u64,
    pub hard: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Namespaces {
    pub network: Network,
    pub pid_host: bool,
    /// Another container's; its descriptor comes with the launch request.
    #[serde(default)]
    pub pid_given: bool,
    pub ipc_host: bool,
    /// Another container's, and its `/dev/shm`; the descriptors come with the launch request.
    #[serde(default)]
    pub ipc_given: bool,
    pub uts_host: bool,
    pub cgroup_host: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// A namespace made ready by the daemon; its descriptor comes with the launch request.
    Given,
    /// A new one with nothing but the loopback.
    Loopback,
    Host,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path in the container; missing parents are made beneath its root.
    pub target: String,
    pub kind: MountKind,
    pub readonly: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum MountKind {
    /// `populate`: an empty source is first filled with what the image has at the target.
    Bind {
        source: PathBuf,
        recursive: bool,
        propagation: Propagation,
        populate: bool,
        /// Of `source` only this is mounted; symlinks lead nowhere else than beneath `source`.
        #[serde(default)]
        subpath: String,
        /// Mounts beneath stay as they are when this one is read-only.
        #[serde(default)]
        only_top_readonly: bool,
        /// The container's own, like its root: its users own in it what they own on disk, whoever they are to the host.
        #[serde(default)]
        own: bool,
    },
    /// What is at `subpath` of merged layers, topmost first; symlinks lead nowhere else than beneath their root.
    Layers { lower: Vec<PathBuf>, upper: PathBuf, work: PathBuf, subpath: String },
    /// A file in memory. `executable`: it may be a program.
    File { data: Vec<u8>, mode: u32, uid: u32, gid: u32, executable: bool },
    Tmpfs {
        size: Option<u64>,
        mode: u32,
        exec: bool,
        /// Further options that the kernel knows: `uid`, `gid`, `nr_inodes`, ….
        #[serde(default)]
        options: Vec<(String, String)>,
        #[serde(default)]
        suid: bool,
        #[serde(default)]
        devices: bool,
    },
}

impl MountKind {
    /// Just the file or folder itself, of the engine's making.
    pub fn bind(source: PathBuf) -> Self {
        Self::bind_part(source, String::new())
    }

    /// Just what is at `subpath` of the folder.
    pub fn bind_part(source: PathBuf, subpath: String) -> Self {
        Self::Bind {
            source,
            recursive: false,
            propagation: Propagation::Private,
            populate: false,
            subpath,
            only_top_readonly: false,
            own: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    Private,
    Slave,
    Shared,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    Null,
    /// Stays open when an attached client leaves.
    Open,
    /// Closed when the first attached client closes its side.
    Once,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogSettings {
    pub path: PathBuf,
    /// Bytes after which a file is rotated; `None`: never.
    pub max_size: Option<u64>,
    /// Files kept, the current one included; at least 1.
    pub max_files: u32,
}

impl LaunchSpec {
    /// Docker's list of paths in `/proc` and `/sys` that no container may read.
    pub fn default_masked_paths() -> Vec<String> {
        [
            "/proc/asound",
            "/proc/acpi",
            "/proc/interrupts",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ]
        .map(String::from)
        .to_vec()
    }

    /// Docker's list of paths in `/proc` that no container may write.
    pub fn default_readonly_paths() -> Vec<String> {
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"].map(String::from).to_vec()
    }
}
