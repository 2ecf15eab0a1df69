//! What the host's operator says of builds.
use std::time::Duration;

use crate::cache_records::Selection;
use crate::contexts::ContextLimits;
use crate::error::{BuildError, ErrorCode, Result};
use crate::plan::{BuildPlan, Op, OtherNetwork};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, Copy)]
pub struct BuilderOptions {
    /// Bytes of disk that only the build cache keeps: layers, and what cache mounts hold.
    pub cache_bytes: u64,
    /// What was used within this time stays, even above the limit.
    pub cache_keep: Duration,
    /// What was not used for this long goes, even below the limit; zero: nothing goes for its age.
    pub cache_unused: Duration,
    /// Bytes of the disk that builds leave free; `None`: by its size.
    pub reserve_bytes: Option<u64>,
    /// What one step may write at most, whatever its build allows.
    pub step_disk_bytes: Option<u64>,
    /// Of what clients upload.
    pub contexts: ContextLimits,
    /// RUN --network=host.
    pub allow_host_network: bool,
    /// RUN --security=insecure.
    pub allow_insecure: bool,
}

impl BuilderOptions {
    /// Before anything of the plan runs: what leaves the sandbox is for the host to allow, never for a Dockerfile
    /// (CVE-2024-23653).
    pub(crate) fn check(self, plan: &BuildPlan) -> Result<()> {
        for vertex in &plan.vertices {
            let Op::Exec(op) = &vertex.op else { continue };
            let denied = match op {
                op if op.insecure && !self.allow_insecure => ("--security=insecure", "allowInsecure"),
                op if op.network == Some(OtherNetwork::Host) && !self.allow_host_network => ("--network=host", "allowHostNetwork"),
                _ => continue,
            };
            let (flag, setting) = denied;
            let message = format!(
                "`RUN {flag}` (line {}) is not allowed on this build host; leave it out, or ask its operator to set build.{setting}.",
                vertex.line
            );
            return Err(BuildError::new(ErrorCode::NotAllowed, message).at(&vertex.id));
        }
        Ok(())
    }

    /// What the policy takes, in the order of being taken: what was not used for long, then what is above the limit.
    pub(crate) fn outside(self) -> Vec<Selection> {
        let old = Selection { unused_for: self.cache_unused, ..Selection::default() };
        let large = Selection { keep_bytes: self.cache_bytes, unused_for: self.cache_keep, ..Selection::default() };
        if self.cache_unused.is_zero() { vec![large] } else { vec![old, large] }
    }

    /// The smaller of the host's word on a step's disk and the build's own.
    pub(crate) fn step_disk(self, asked: Option<u64>) -> Option<u64> {
        self.step_disk_bytes.into_iter().chain(asked).min()
    }
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 20 << 30,
            cache_keep: Duration::ZERO,
            cache_unused: 60 * DAY,
            reserve_bytes: None,
            step_disk_bytes: None,
            contexts: ContextLimits::default(),
            allow_host_network: false,
            allow_insecure: false,
        }
    }
}
