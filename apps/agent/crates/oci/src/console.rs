//! Terminals: handing one over, and sitting at one.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::error::{During, Result};

/// Sends the master through the console socket, as runc does: one message with its name.
pub fn hand_over(console: &OwnedFd, master: BorrowedFd<'_>) -> Result<()> {
    slipway_sys::fdpass::send(console.as_fd(), b"/dev/ptmx", &[master]).during("send the terminal to the console socket")
}

/// Our own terminal, raw while this lives; back as it was afterwards.
struct Raw(Option<Termios>);

impl Raw {
    fn new() -> Self {
        let stdin = std::io::stdin();
        // Not a terminal: nothing to change, the program's own terminal does it all.
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        raw.make_raw();
        match tcsetattr(&stdin, OptionalActions::Now, &raw) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before); // the terminal may be gone
        }
    }
}

/// Waits for the program in the foreground: signals to us are for it, and with a terminal our streams are connected to it.
pub fn sit(pid: i32, master: Option<OwnedFd>) -> Result<WaitStatus> {
    let what = "wait for the program";
    let mut mask = SigSet::all();
    // Faults of this very process are its own.
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP] {
        mask.remove(signal);
    }
    mask.thread_block().during(what)?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).during(what)?;
    let _raw = master.is_some().then(Raw::new);
    master.as_ref().into_iter().for_each(resize);
    let mut input_open = true;
    let mut output_open = master.is_some();
    // It may have ended before the signals were watched.
    if let Some(status) = ended(pid, what)? {
        drain(master.as_ref());
        return Ok(status);
    }
    loop {
        let stdin = std::io::stdin();
        let mut fds = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        if let Some(master) = &master {
            // A closed stream is watched for nothing.
            fds.push(PollFd::new(master, if output_open { PollFlags::IN } else { PollFlags::empty() }));
            fds.push(PollFd::new(&stdin, if input_open { PollFlags::IN } else { PollFlags::empty() }));
        }
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.during(what)?,
        };
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if let Some(master) = &master {
            if ready[1] && output_open {
                output_open = copy(master.as_fd(), std::io::stdout().as_fd());
            }
            if ready[2] && input_open {
                input_open = copy(stdin.as_fd(), master.as_fd());
            }
        }
        while let Ok(Some(info)) = signals.read_signal() {
            match info.ssi_signo as i32 {
                libc::SIGCHLD => {}
                libc::SIGWINCH => master.as_ref().into_iter().for_each(resize),
                // Ours to have ignored: they come from our own writing and reading.
                libc::SIGPIPE | libc::SIGTTIN | libc::SIGTTOU | libc::SIGURG => {}
                signal => {
                    let _ = Signal::try_from(signal).map(|signal| nix::sys::signal::kill(Pid::from_raw(pid), signal)); // our child
                }
            }
        }
        if let Some(status) = ended(pid, what)? {
            drain(master.as_ref());
            return Ok(status);
        }
        // A terminal that hung up would be reported again and again; its program's end is all that is left to come.
        if master.is_some() && !output_open {
            return crate::launch::reap(Pid::from_raw(pid)).during(what);
        }
    }
}

fn ended(pid: i32, what: &str) -> Result<Option<WaitStatus>> {
    match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).during(what)? {
        status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => Ok(Some(status)),
        _ => Ok(None),
    }
}

/// False when one of them is closed.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0u8; 32 * 1024];
    let Ok(length @ 1..) = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut buffer)) else { return false };
    let mut left = &buffer[..length];
    while !left.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(to, left)) {
            Ok(written) => left = &left[written..],
            Err(_) => return false,
        }
    }
    true
}

/// What the program wrote before it ended.
fn drain(master: Option<&OwnedFd>) {
    let Some(master) = master else { return };
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        let mut fds = [PollFd::new(master, PollFlags::IN)];
        let readable = poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::IN);
        if !readable || !copy(master.as_fd(), std::io::stdout().as_fd()) {
            return;
        }
    }
}

fn resize(master: &OwnedFd) {
    if let Ok(size) = tcgetwinsize(std::io::stdin()) {
        let _ = tcsetwinsize(master, size); // the terminal may have hung up
    }
}
