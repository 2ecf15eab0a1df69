//! A process that is not our child, told apart from a later one with the same number by its start time.
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::error::{During, Error, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks since boot.
    pub started: u64,
}

impl Process {
    /// None when there is no such process (any more).
    pub fn of(pid: i32) -> Option<Self> {
        stat(pid).map(|(_, started)| Self { pid, started })
    }

    /// A zombie is dead: what it was has ended.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'))
    }

    /// A descriptor of this very process.
    pub fn open(&self) -> Result<OwnedFd> {
        let pid = Pid::from_raw(self.pid).ok_or(Error::NotRunning)?;
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|_| Error::NotRunning)?;
        // Looked at after opening: the descriptor can be of no later process now.
        if self.is_alive() { Ok(fd) } else { Err(Error::NotRunning) }
    }

    pub fn signal(&self, signal: i32) -> Result<()> {
        match slipway_sys::process::pidfd_signal(self.open()?.as_fd(), signal) {
            Err(slipway_sys::Errno::ESRCH) => Err(Error::NotRunning),
            other => other.during("send the signal"),
        }
    }
}

/// State and start time.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also parentheses and spaces.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_start_time_is_another_process() {
        let own = Process::of(std::process::id() as i32).unwrap();
        assert!(own.is_alive());
        own.signal(0).unwrap();
        let earlier = Process { started: own.started - 1, ..own };
        assert!(!earlier.is_alive() && earlier.open().is_err());
    }
}
