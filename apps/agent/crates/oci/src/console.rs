//! Terminals: handing one over, and sitting at one.
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::error::{During, Result};

/// Sends the master through the console socket, as runc does: one message with its name.
pub fn hand_over(console: &OwnedFd, master: BorrowedFd<'_>) -> Result<()> {
    slipway_sys::fdpass::send(std::os::fd::AsFd::as_fd(console), b"/dev/ptmx", &[master]).during("send the terminal to the console socket")
}

/// Waits for the program in the foreground: signals to us are for it, and with a terminal our own is connected to it.
pub fn sit(pid: i32, master: Option<OwnedFd>) -> Result<nix::sys::wait::WaitStatus> {
    let _ = master;
    crate::launch::reap(nix::unistd::Pid::from_raw(pid)).during("wait for the program")
}
