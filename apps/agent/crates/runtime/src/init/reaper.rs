//! `--init`: a minimal pid 1 for programs that do not reap. It forwards every signal and ends as its child ends.
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use slipway_sys::process::exit_now;

/// What the init waits for. Blocked before its child is made: a signal that came before would be lost, the child's end among
/// them, and pid 1 would wait for ever.
pub(super) fn block() -> nix::Result<SigSet> {
    let mut all = SigSet::all();
    // Faults of this very process must not be waited for.
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT, Signal::SIGTRAP] {
        all.remove(signal);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None)?;
    Ok(all)
}

/// In the child, which is to become the user's program.
pub(super) fn unblock() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Never returns: pid 1's end is the container's end. `all` is what is blocked.
pub(super) fn run(child: Pid, all: &SigSet) -> ! {
    loop {
        match all.wait() {
            Ok(Signal::SIGCHLD) => reap(child),
            Ok(signal) => {
                let _ = kill(child, signal); // it may be ending right now
            }
            Err(Errno::EINTR) => {}
            Err(_) => exit_now(125),
        }
    }
}

fn reap(child: Pid) {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => exit_now(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => exit_now(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
