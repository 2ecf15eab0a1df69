//! Block I/O. On v1 it is kept only where the hierarchy is joined, which groups of containers are not.
use std::path::Path;

use crate::error::Result;
use crate::file::write;
use crate::{IoKind, Limits};

pub(crate) fn wanted(limits: &Limits) -> bool {
    limits.io_weight.is_some() || !limits.io_limits.is_empty()
}

pub(crate) fn apply(dir: &Path, v2: bool, limits: &Limits) -> Result<()> {
    if let Some(weight) = limits.io_weight {
        // The scheduler that keeps weights (BFQ) names its file after itself. Docker's scale is v1's; v2's goes to 10,000.
        let names: &[&str] = if v2 { &["io.bfq.weight", "io.weight"] } else { &["blkio.bfq.weight", "blkio.weight"] };
        let name = names.iter().find(|name| dir.join(name).exists()).unwrap_or(&names[1]);
        let value = if *name == "io.weight" { 1 + (weight.clamp(10, 1_000) - 10) * 9_999 / 990 } else { weight };
        write(&dir.join(name), &value.to_string())?;
    }
    for limit in &limits.io_limits {
        let (v1_name, key) = match limit.kind {
            IoKind::ReadBytes => ("blkio.throttle.read_bps_device", "rbps"),
            IoKind::WriteBytes => ("blkio.throttle.write_bps_device", "wbps"),
            IoKind::ReadOperations => ("blkio.throttle.read_iops_device", "riops"),
            IoKind::WriteOperations => ("blkio.throttle.write_iops_device", "wiops"),
        };
        let device = format!("{}:{}", limit.major, limit.minor);
        match v2 {
            true => write(&dir.join("io.max"), &format!("{device} {key}={}", limit.rate))?,
            false => write(&dir.join(v1_name), &format!("{device} {}", limit.rate))?,
        }
    }
    Ok(())
}

/// Whether this host can give weights to groups: its I/O scheduler may not.
pub(crate) fn has_weight(root: &Path, v2: bool) -> bool {
    let names = if v2 { ["io.weight", "io.bfq.weight"] } else { ["blkio.weight", "blkio.bfq.weight"] };
    names.iter().any(|name| root.join(name).exists())
}
