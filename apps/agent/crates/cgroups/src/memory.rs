//! Memory and swap.
use std::path::Path;

use crate::error::Result;
use crate::file::write;
use crate::{Limits, file};

pub(crate) fn apply(dir: &Path, v2: bool, limits: &Limits) -> Result<()> {
    total(dir, v2, limits)?;
    if let Some(bytes) = limits.memory_reservation {
        write(&dir.join(if v2 { "memory.low" } else { "memory.soft_limit_in_bytes" }), &bytes.to_string())?;
    }
    if let (Some(percent), false) = (limits.memory_swappiness, v2) {
        write(&dir.join("memory.swappiness"), &percent.to_string())?;
    }
    if limits.oom_kill_disable && !v2 {
        write(&dir.join("memory.oom_control"), "1")?;
    }
    Ok(())
}

fn total(dir: &Path, v2: bool, limits: &Limits) -> Result<()> {
    let Some(memory) = limits.memory else { return Ok(()) };
    let total = match limits.memory_swap {
        None | Some(0) => Some(memory.saturating_mul(2)),
        Some(-1) => None,
        Some(total) => Some(u64::try_from(total).unwrap_or(0).max(memory)),
    };
    if v2 {
        write(&dir.join("memory.max"), &memory.to_string())?;
        let swap = total.map_or("max".into(), |total| (total - memory).to_string());
        return ignore_missing_swap(write(&dir.join("memory.swap.max"), &swap));
    }
    // The kernel refuses memory > memory+swap at any moment, so an existing group is widened from the outside in.
    let limit = dir.join("memory.limit_in_bytes");
    let memsw = dir.join("memory.memsw.limit_in_bytes");
    let total = total.map_or("-1".into(), |total| total.to_string());
    if write(&limit, &memory.to_string()).is_ok() {
        return ignore_missing_swap(write(&memsw, &total));
    }
    ignore_missing_swap(write(&memsw, &total))?;
    write(&limit, &memory.to_string())
}

/// Kernels without swap accounting lack the file; the memory limit itself still holds.
fn ignore_missing_swap(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(crate::Error::Write { ref source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// How often the kernel killed a process of this group for lack of memory.
pub(crate) fn oom_kills(dir: &Path, v2: bool) -> u64 {
    let name = if v2 { "memory.events" } else { "memory.oom_control" };
    file::read_keyed(&dir.join(name), "oom_kill").unwrap_or(0)
}
