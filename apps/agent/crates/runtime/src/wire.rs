//! Everything daemon, spawner and shim say to each other. All sockets but attach streams are `SOCK_SEQPACKET`: one
//! message, one datagram of JSON, descriptors attached. Shims outlive upgrades of the daemon, so fields are only added.
use serde::{Deserialize, Serialize};

use crate::spec::IdRange;

/// Largest datagram. What can be longer (specs with large environments) travels in a memfd.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The control socket of a shim, in the container's directory.
pub const SHIM_SOCKET: &str = "shim.sock";
/// The exit record, in the container's directory.
pub const EXIT_FILE: &str = "exit.json";

/// Daemon → spawner, which is started by this very program.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToSpawner {
    Launch(Launch),
    /// One descriptor: the socket for the answer.
    MakeUsers(IdRange),
    /// Two descriptors: the socket for the answer, and the user namespace that a network namespace is to belong to.
    MakeNetwork,
}

/// Descriptors in this order: spec (memfd), control socket, then those told here.
#[derive(Debug, Serialize, Deserialize)]
pub struct Launch {
    pub seccomp: bool,
    pub netns: bool,
    #[serde(default)]
    pub pidns: bool,
    /// Two: an IPC namespace, and the mount namespace whose `/dev/shm` belongs to it.
    #[serde(default)]
    pub ipc: bool,
    /// A user namespace.
    #[serde(default)]
    pub users: bool,
    /// Standard input, output and error given from outside, instead of the shim's own pipes.
    #[serde(default)]
    pub stdio: bool,
    /// Stream sockets of clients attached before the start.
    pub attach: usize,
}

/// Daemon → shim.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Request {
    /// To the container's first process, which the shim has not yet reaped: never hits another process.
    Kill { signal: i32 },
    /// Terminal size.
    Resize { rows: u16, columns: u16 },
    /// One descriptor: a stream socket. Out: 8-byte framed output (raw with a terminal). In: standard input.
    Attach {
        /// Answer with `Attached`, and begin with the lines whose end is not written yet.
        #[serde(default)]
        answer: bool,
        /// The container's output waits for this client, as for the reader of a pipe.
        #[serde(default)]
        paces: bool,
    },
    /// Descriptors: spec (memfd), then seccomp filter if told, then stdin, stdout, stderr unless it has a terminal.
    Exec { seccomp: bool },
    /// SIGKILL for the execs started over this connection.
    KillExec,
}

/// Shim → daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// First message on every accepted connection.
    Hello {
        pid: i32,
        shim_pid: i32,
        run: u64,
        started_at: i64,
    },
    /// The user's program runs.
    Started {
        pid: i32,
        shim_pid: i32,
        started_at: i64,
    },
    /// It never ran. `exit_code` is 127 (not found), 126 (not executable) or 125.
    Failed {
        stage: String,
        message: String,
        exit_code: i32,
    },
    Exited(ExitRecord),
    /// With a terminal its master descriptor is attached.
    ExecStarted {
        pid: i32,
    },
    ExecExited {
        exit_code: i32,
    },
    /// The client's stream goes on where the log ends here: file (inode number) and bytes of it.
    Attached {
        inode: u64,
        length: u64,
    },
    Refused {
        message: String,
    },
    /// To `MakeUsers`, with two descriptors: a user namespace, and a network namespace that belongs to it. To `MakeNetwork`
    /// with the latter alone.
    Made,
}

/// How a run of a container ended; also the content of `exit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    pub run: u64,
    /// 128 + signal when a signal ended it.
    pub exit_code: i32,
    pub oom_killed: bool,
    /// Nanoseconds since the epoch.
    pub started_at: i64,
    pub finished_at: i64,
    /// Nanoseconds that it ran, whatever the wall clock did meanwhile; `None` when it never did, or from an older shim.
    #[serde(default)]
    pub ran: Option<u64>,
    /// Bytes that its processes read from disks and wrote to files there; `None` where the kernel does not count them.
    #[serde(default)]
    pub disk: Option<(u64, u64)>,
    /// Set when the program never ran.
    #[serde(default)]
    pub error: Option<String>,
}
