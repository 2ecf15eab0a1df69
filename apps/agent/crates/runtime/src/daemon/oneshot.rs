//! A container for one command that somebody waits for: a build step. It leaves nothing behind, and dies with the
//! future that runs it, because its shim holds on to the launching connection.
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use slipway_cgroups::Group;

use super::{LaunchFds, Runtime};
use crate::error::{Error, Result};
use crate::spec::LaunchSpec;

/// What is killed ends at once, unless it is stuck in the kernel.
const KILL_DEADLINE: u64 = 30;

pub struct Oneshot {
    /// `cgroup`, `ephemeral` and `log` are set here.
    pub spec: LaunchSpec,
    /// Exists; removing it is the caller's.
    pub group: Group,
    pub seccomp: Option<Arc<OwnedFd>>,
    pub netns: Option<OwnedFd>,
    /// Standard input, output and error. No copy is kept.
    pub stdio: [OwnedFd; 3],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneshotEnd {
    pub exit_code: i32,
    pub oom_killed: bool,
    /// Killed because `cancel` fired.
    pub canceled: bool,
    /// Bytes, the highest seen in the group.
    pub peak_memory: u64,
    /// Nanoseconds, of the group.
    pub cpu_time: u64,
    /// Bytes that were read from disks and written to files there; `None` where the kernel does not count them.
    pub disk: Option<(u64, u64)>,
}

impl Runtime {
    /// Runs the command to its end, or kills it (and everything it started) when `cancel` completes. Returns after the
    /// last process is gone. Dropping the future kills too.
    pub async fn oneshot(&self, mut run: Oneshot, cancel: impl Future<Output = ()>) -> Result<OneshotEnd> {
        run.spec.cgroup = run.group.join();
        run.spec.ephemeral = true;
        run.spec.log = None;
        let oom_before = run.group.oom_kills();
        let fds = LaunchFds { seccomp: run.seccomp, netns: run.netns, stdio: Some(run.stdio), ..LaunchFds::default() };
        let shim = self.launch(&run.spec, fds).await?;
        let (record, canceled) = tokio::select! {
            record = shim.wait() => (record, false),
            () = cancel => {
                shim.kill(libc::SIGKILL).await?;
                let ended = tokio::time::timeout(Duration::from_secs(KILL_DEADLINE), shim.wait());
                (ended.await.map_err(|_| Error::Timeout(KILL_DEADLINE))?, true)
            }
        };
        let record = record.ok_or(Error::ShimGone)?;
        let stats = run.group.stats();
        Ok(OneshotEnd {
            exit_code: record.exit_code,
            oom_killed: stats.oom_kills > oom_before,
            canceled,
            peak_memory: stats.memory_peak,
            cpu_time: stats.cpu_total,
            disk: record.disk,
        })
    }
}
