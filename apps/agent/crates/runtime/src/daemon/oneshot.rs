//! A container for one command whose output somebody waits for: a build step. It leaves nothing behind, and dies with
//! the future that runs it.
use std::os::fd::OwnedFd;
use std::time::Duration;

use slipway_cgroups::{Groups, Limits};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::{LaunchFds, Runtime};
use crate::error::{Error, Result};
use crate::spec::LaunchSpec;

/// Everything but the cgroup, which is made here and named by `spec.id`.
pub struct Oneshot {
    pub spec: LaunchSpec,
    pub limits: Limits,
    pub seccomp: Option<std::sync::Arc<OwnedFd>>,
    pub netns: Option<OwnedFd>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneshotEnd {
    pub exit_code: i32,
    pub oom_killed: bool,
    /// Bytes, the highest seen.
    pub peak_memory: u64,
    /// Nanoseconds.
    pub cpu_time: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    Stdout,
    Stderr,
}

/// Kills and removes the group however the run ends, also when its future is dropped.
struct Guard(slipway_cgroups::Group);

impl Drop for Guard {
    fn drop(&mut self) {
        let group = self.0.clone();
        // Killing is immediate; waiting for the dying to leave is not, and a drop may run on an async thread.
        group.kill_once();
        std::thread::spawn(move || {
            group.kill();
            if let Err(error) = group.remove(Duration::from_secs(5)) {
                tracing::warn!(%error, "a build step left its control group behind");
            }
        });
    }
}

impl Runtime {
    /// Runs to the end, giving output to `sink` as it comes. Dropping the future kills everything within milliseconds.
    pub async fn oneshot<S>(&self, groups: &Groups, mut run: Oneshot, mut sink: S) -> Result<OneshotEnd>
    where
        S: AsyncFnMut(OutputStream, &[u8]),
    {
        let group = groups.create(&run.spec.id, &run.limits).map_err(|error| Error::Launch(std::io::Error::other(error)))?;
        let guard = Guard(group);
        run.spec.cgroup = guard.0.join();
        run.spec.ephemeral = true;
        run.spec.log = None;
        let (ours, theirs) = UnixStream::pair().map_err(Error::Launch)?;
        let theirs = theirs.into_std().map_err(Error::Launch)?;
        let fds = LaunchFds { seccomp: run.seccomp, netns: run.netns, attach: vec![theirs.into()] };
        let shim = self.launch(&run.spec, fds).await?;
        let (record, copied) = tokio::join!(shim.wait(), copy(ours, &mut sink));
        copied.map_err(Error::Launch)?;
        let record = record.ok_or(Error::ShimGone)?;
        if let Some(message) = record.error {
            return Err(Error::NotStarted { stage: "exec".into(), message, exit_code: record.exit_code });
        }
        let stats = guard.0.stats();
        Ok(OneshotEnd { exit_code: record.exit_code, oom_killed: record.oom_killed, peak_memory: stats.memory_peak, cpu_time: stats.cpu_total })
    }
}

/// Takes the frames apart: one byte of stream, three of padding, four of length.
async fn copy<S>(mut socket: UnixStream, sink: &mut S) -> std::io::Result<()>
where
    S: AsyncFnMut(OutputStream, &[u8]),
{
    let mut data = Vec::new();
    loop {
        let mut header = [0; 8];
        match socket.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        data.resize(length, 0);
        socket.read_exact(&mut data).await?;
        sink(if header[0] == 2 { OutputStream::Stderr } else { OutputStream::Stdout }, &data).await;
    }
}
