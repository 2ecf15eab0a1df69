//! A created container waits here to be started, for as long as it takes.
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use slipway_runtime::inside::{Stage, Step};
use slipway_sys as sys;

use crate::wire::{self, Message};

/// The connection of who starts it. A call that dies before it has said so changes nothing, and neither does one that only
/// looks whether we are here.
///
/// A first process of a pid namespace is not ended by signals it has no handler for; a created container shall be.
pub fn for_start(listener: &OwnedFd) -> Step<OwnedFd> {
    let stage = "wait to be started";
    let mut mask = SigSet::all();
    mask.remove(nix::sys::signal::Signal::SIGCHLD);
    mask.thread_block().stage(stage)?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC).stage(stage)?;
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.stage(stage)?,
        };
        let (called, signalled) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if signalled && let Some(info) = signals.read_signal().stage(stage)? {
            end_by(info.ssi_signo as i32);
        }
        if !called {
            continue;
        }
        let caller = rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC).stage(stage)?;
        match wire::receive(&caller, Some(wire::PATIENCE)) {
            Ok(Some((Message::Go(_), _))) => {
                drop(signals);
                sys::signal::reset_all().stage(stage)?;
                sys::signal::ignore(libc::SIGPIPE);
                return Ok(caller);
            }
            _ => drop(caller),
        }
    }
}

/// Signals that end no ordinary process end us neither.
fn end_by(signal: i32) {
    let harmless = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    if !harmless.contains(&signal) {
        sys::process::exit_now(128 + signal);
    }
}
