//! Moving a process between v1 groups first waits for an RCU grace period (5 to 20 ms), unless another move ended a moment
//! ago: the kernel keeps its lock in "writer mode" a little longer. Who knows that a container is about to start can take
//! that wait ahead, while the client is still talking: writing a process into the group it is in already moves nothing but
//! takes the lock. Processes of v2 groups are born inside and never moved. This is for hosts where `favor.rs` has no effect:
//! it helps only whoever creates a container some time before starting it.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::file;
use crate::layout::Layout;

/// Shorter than the time the kernel stays in writer mode, one grace period.
const PERIOD: Duration = Duration::from_millis(4);

#[derive(Debug)]
pub(crate) struct Warmer {
    /// `cgroup.procs` of the group this process is in.
    own: Option<PathBuf>,
    begun: Instant,
    /// Until when, in microseconds since `begun`; 0: nobody is at it.
    until: AtomicU64,
}

impl Warmer {
    pub fn new(layout: &Layout) -> Self {
        Self { own: own_procs(layout), begun: Instant::now(), until: AtomicU64::new(0) }
    }

    /// Keeps moves fast for `time` from now. Blocks for that long, unless another call is at it already.
    pub fn keep_warm(&self, time: Duration) {
        let Some(own) = &self.own else { return };
        let end = u64::try_from((self.begun.elapsed() + time).as_micros()).unwrap_or(u64::MAX);
        if self.until.fetch_max(end, Ordering::Relaxed) != 0 {
            return;
        }
        let pid = std::process::id().to_string();
        while self.begun.elapsed() < Duration::from_micros(self.until.load(Ordering::Relaxed)) {
            if let Err(error) = file::write(own, &pid) {
                tracing::debug!(%error, "container starts cannot be prepared for");
                break;
            }
            std::thread::sleep(PERIOD);
        }
        self.until.store(0, Ordering::Relaxed);
    }
}

fn own_procs(layout: &Layout) -> Option<PathBuf> {
    let Layout::V1(_) = layout else { return None };
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.split_once(":pids:").map(|(_, path)| path.trim_start_matches('/').to_owned()))?;
    Some(layout.dir("pids", path.as_ref())?.join("cgroup.procs")).filter(|path| path.exists())
}
