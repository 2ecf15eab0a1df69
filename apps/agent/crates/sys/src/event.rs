//! Descriptors under tokio.
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor that never blocks (`O_NONBLOCK`) with the current tokio runtime.
pub fn async_fd(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the AsyncFd owns the descriptor, which so stays open, and the same one, until it is deregistered.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}
