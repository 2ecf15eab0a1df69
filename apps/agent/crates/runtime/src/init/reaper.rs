//! `--init`: a minimal pid 1 for programs that do not reap. It forwards every signal and ends as its child ends.
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use slipway_sys::process::exit_now;

/// Never returns: pid 1's end is the container's end.
pub(super) fn run(child: Pid) -> ! {
    let mut all = SigSet::all();
    // Faults of this very process must not be waited for.
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT, Signal::SIGTRAP] {
        all.remove(signal);
    }
    if sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None).is_err() {
        exit_now(125);
    }
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
