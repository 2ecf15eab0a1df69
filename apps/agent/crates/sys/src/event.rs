//! Descriptors under tokio.
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor that never blocks (`O_NONBLOCK`) with the current tokio runtime.
pub fn async_fd(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    async_fd_for(fd, Interest::READABLE | Interest::WRITABLE)
}

/// As [`async_fd`], to wait for `interest` only.
pub fn async_fd_for(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the AsyncFd owns the descriptor, which so stays open, and the same one, until it is deregistered.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
