//! Signal dispositions of freshly cloned processes.
use crate::{Result, check};

/// Sets every signal to its default action and unblocks all: what a program expects at its start.
pub fn reset_all() -> Result<()> {
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP || signal == 32 || signal == 33 {
            continue;
        }
        // SAFETY: SIG_DFL has no handler code; 32 and 33 belong to the C library and are left alone.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set lives on this stack.
    unsafe {
        let mut empty: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut empty);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut()) as libc::c_long).map(drop)
    }
}

/// Ignores `signal`. For SIGCHLD this makes the kernel reap children by itself.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN has no handler code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Back to the default action.
pub fn default(signal: i32) {
    // SAFETY: SIG_DFL has no handler code.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
