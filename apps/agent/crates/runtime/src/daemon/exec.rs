//! Running a further process in a container.
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use super::link::{Link, memfd};
use crate::error::{Error, Result};
use crate::shim::ExecSpec;
use crate::spec::Process;
use crate::wire::{Event, Request, SHIM_SOCKET};

/// Where the process's streams go.
pub enum ExecStreams {
    /// Descriptors for its standard input, output and error.
    Pipes([OwnedFd; 3]),
    Terminal,
}

/// An exec under way, on a connection of its own.
pub struct RunningExec {
    link: Link,
    pub pid: i32,
    /// The terminal's master, when it has one.
    pub terminal: Option<OwnedFd>,
}

const START_DEADLINE: u64 = 30;

impl RunningExec {
    /// Starts `process` in the container served from `dir`; returns once the program runs.
    pub async fn start(dir: &Path, process: Process, seccomp: Option<&OwnedFd>, streams: ExecStreams) -> Result<Self> {
        let link = Link::connect(dir, SHIM_SOCKET).map_err(|_| Error::ShimGone)?;
        let spec = memfd(&serde_json::to_vec(&ExecSpec { process })?).map_err(Error::Launch)?;
        let mut fds = vec![spec.as_fd()];
        fds.extend(seccomp.map(AsFd::as_fd));
        if let ExecStreams::Pipes(pipes) = &streams {
            fds.extend(pipes.iter().map(AsFd::as_fd));
        }
        link.send(&Request::Exec { seccomp: seccomp.is_some() }, &fds).await?;
        drop(streams);
        let started = async {
            loop {
                match link.receive().await? {
                    Some((Event::ExecStarted { pid }, fds)) => return Ok((pid, fds.into_iter().next())),
                    Some((Event::Failed { stage, message, exit_code }, _)) => return Err(Error::NotStarted { stage, message, exit_code }),
                    Some((Event::Refused { message }, _)) => return Err(Error::Refused(message)),
                    Some(_) => {}
                    None => return Err(Error::ShimGone),
                }
            }
        };
        let started =
            tokio::time::timeout(Duration::from_secs(START_DEADLINE), started).await.map_err(|_| Error::Timeout(START_DEADLINE))?;
        let (pid, terminal) = started?;
        Ok(Self { link, pid, terminal })
    }

    /// Kills the program, not what it has started.
    pub async fn kill(&self) -> Result<()> {
        self.link.send(&Request::KillExec, &[]).await
    }

    /// The exit code; `None` when the container ended first.
    pub async fn wait(&self) -> Option<i32> {
        loop {
            match self.link.receive().await {
                Ok(Some((Event::ExecExited { exit_code }, _))) => return Some(exit_code),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}
