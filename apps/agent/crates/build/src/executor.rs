//! The seam between the solver and the container runtime: how one RUN is executed.
//!
//! The solver prepares everything that has to do with files (layers, a writable upper directory, pipes for the
//! output) and knows nothing of namespaces, cgroups or networks. The runtime gets an [`ExecRequest`], runs it and says
//! how it ended. Life of a request:
//!
//! 1. The solver makes an upper and a work directory beside the input's unpacked layers, and two pipes.
//! 2. [`Executor::run`] mounts the overlay in the new container's mount namespace, puts the process into the build's
//!    cgroup (made on the build's first RUN, with the limits of the request), and waits for it.
//! 3. When the first process ends, everything else it started is killed before `run` returns: nothing may write into
//!    the upper directory or the pipes any more.
//! 4. The solver reads the upper directory, makes a layer of it, and calls [`Executor::finish`] once, at the build's end.
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::secrets::Secret;
use crate::ssh_agent::Relay;

/// Runs one process in a fresh container.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs the request to its end. A non-zero exit status is an outcome, not an error.
    ///
    /// When `cancel` fires, every process of the request is killed (SIGKILL to the whole group, within milliseconds)
    /// and `ExecError::Canceled` is returned after the last one is gone. Dropping the future must kill as well.
    /// A program that does not exist or may not be executed is an outcome with exit code 127 or 126, after one line
    /// about it on `stderr`.
    async fn run(&self, request: ExecRequest, cancel: CancellationToken) -> Result<ExecOutcome, ExecError>;

    /// Stops the processes of a build where they stand, those that start meanwhile too. Blocks until they do; one that ends
    /// meanwhile is fine.
    fn pause(&self, build_id: &str);

    /// Lets them go on. Blocks for a moment.
    fn resume(&self, build_id: &str);

    /// Kills what is left of a build and removes its cgroup. Called once for each build, also after failures; a build
    /// that ran nothing is fine.
    async fn finish(&self, build_id: &str) -> Result<(), ExecError>;
}

/// One RUN. All paths are absolute paths of the host.
#[derive(Debug)]
pub struct ExecRequest {
    /// Names the build's cgroup; `[A-Za-z0-9_-]`, at most 64 characters.
    pub build_id: String,
    /// `v12`; unique in its build. Several vertices of a build may run at once and share the build's limits.
    pub vertex_id: String,
    pub rootfs: OverlayDirs,
    /// The final argv, never empty. `args[0]` without a slash is looked up in the PATH of `env`, inside the rootfs.
    pub args: Vec<String>,
    /// `KEY=value`, complete but for what every container gets (HOME of the user, HOSTNAME, a PATH when it has none).
    pub env: Vec<String>,
    /// Absolute path inside the rootfs; created (0755, root) when it is missing.
    pub cwd: String,
    pub user: ExecUser,
    /// Limits of the whole build, the same in each of its requests.
    pub limits: ExecLimits,
    pub network: ExecNetwork,
    /// Everything a privileged container may; the solver has asked whether the host allows it.
    pub insecure: bool,
    /// What the machine is called; `None`: as the executor calls it.
    pub hostname: Option<String>,
    /// In the order in which they are to be mounted.
    pub mounts: Vec<ExecMount>,
    /// Write ends of pipes; the process gets them as its fd 1 and 2, fd 0 is /dev/null. The executor keeps no copy
    /// after `run` returns, so that the solver sees the end of the output. The pipe blocks when the client is slow.
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// What `mount -t overlay` needs. The directories stay as they are while the request runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayDirs {
    /// Topmost layer first, as in `lowerdir=`; never empty, no directory twice.
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// Something mounted for one RUN. Nothing of it may become visible outside of the step's mount namespace.
#[derive(Debug)]
pub struct ExecMount {
    /// Absolute path inside the rootfs; made when missing, and then no part of the layer.
    pub target: String,
    pub readonly: bool,
    pub source: ExecSource,
}

#[derive(Debug)]
pub enum ExecSource {
    /// What is at `subpath` of a directory, resolved within it at the moment of the mount and held by a descriptor from
    /// then on: who writes there meanwhile cannot make it lead elsewhere (CVE-2024-23651).
    Directory {
        dir: PathBuf,
        subpath: String,
    },
    /// The same, of merged layers. The upper directory is thrown away.
    Layers {
        dirs: OverlayDirs,
        subpath: String,
    },
    Tmpfs {
        size: Option<u64>,
    },
    /// A file in memory.
    File {
        data: Secret,
        mode: u32,
        uid: u32,
        gid: u32,
        executable: bool,
    },
    /// The socket of an agent that asks the build's client while the request runs.
    SshAgent {
        relay: Relay,
        mode: u32,
        uid: u32,
        gid: u32,
    },
}

/// Already resolved in the rootfs's own /etc/passwd and /etc/group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecUser {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// Home directory as in /etc/passwd (`/` when the user is not in it): the value of HOME.
    pub home: String,
}

/// `None`: no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecLimits {
    pub memory_bytes: Option<u64>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u64>,
    pub pids: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecNetwork {
    /// The default bridge, with NAT and DNS.
    Bridge,
    /// Loopback only.
    None,
    /// The host's own.
    Host,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecOutcome {
    /// Exit status; 128 + signal when a signal ended it.
    pub exit_code: i32,
    /// The kernel's out-of-memory killer took a process of the build's cgroup while this request ran.
    pub oom_killed: bool,
    /// Peak memory in bytes, when the cgroup tells it.
    pub peak_memory_bytes: Option<u64>,
    /// CPU time used, when the cgroup tells it.
    pub cpu: Option<Duration>,
    /// Bytes read from disks and written to files there, when the kernel tells them; what the page cache had is not read.
    pub disk: Option<(u64, u64)>,
}

#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("the build was canceled")]
    Canceled,
    /// The container could not be set up. `message` is for the log and for the user's error line.
    #[error("could not start the step's container: {message}")]
    Setup { message: String },
}
