//! The container runtime: from a complete [`spec::LaunchSpec`] to running processes, and back to an exit record.
//!
//! Four kinds of process take part. The **daemon** ([`Runtime`]) has many threads and never forks. The **spawner**
//! ([`spawner_main`]) has one, and clones a **shim** for each container; the shim clones the container's **init**,
//! which sets up the inside and becomes the user's program.
pub mod caps;
pub mod clock;
mod daemon;
pub mod error;
mod init;
pub mod inside;
mod say;
pub mod seccomp;
mod shim;
mod spawner;
pub mod spec;
mod users;
pub mod view;
pub mod wire;

pub use daemon::{
    ExecStreams, LaunchFds, LogPosition, Oneshot, OneshotEnd, RunningExec, Runtime, Shim, UserNamespace, attach_after_log, filter_fd,
    read_exit,
};
pub use error::Error;
pub use shim::log::numbered as rotated_log;
pub use shim::peer_is_gone;
pub use slipway_sys::fault;
pub use spawner::main as spawner_main;
pub use wire::ExitRecord;

/// True when `name` is a limit that `--ulimit` may set.
pub fn is_rlimit(name: &str) -> bool {
    init::process::resource(name).is_some()
}
