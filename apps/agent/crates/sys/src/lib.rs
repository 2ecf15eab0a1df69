//! The only crate of the agent with `unsafe`: system calls that neither `rustix` nor `nix` offers safely.
//!
//! Everything here is a thin, safe wrapper; each `unsafe` block says why it is sound.
pub mod bpf;
pub mod caps;
pub mod event;
pub mod fault;
pub mod fdpass;
pub mod mount;
pub mod process;
pub mod remove;
pub mod seccomp;
pub mod signal;

pub use nix::errno::Errno;
pub type Result<T> = std::result::Result<T, Errno>;

/// Turns a raw system call result into a `Result`.
pub(crate) fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value < 0 { Err(Errno::last()) } else { Ok(value) }
}
