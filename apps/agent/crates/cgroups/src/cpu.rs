//! CPU bandwidth and weight.
use std::path::Path;

use crate::Limits;
use crate::error::Result;
use crate::file::write;

pub(crate) fn apply(dir: &Path, v2: bool, limits: &Limits) -> Result<()> {
    let period = limits.cpu_period.unwrap_or(100_000);
    if v2 {
        if let Some(shares) = limits.cpu_shares {
            write(&dir.join("cpu.weight"), &weight(shares).to_string())?;
        }
        if let Some(quota) = limits.cpu_quota {
            write(&dir.join("cpu.max"), &format!("{quota} {period}"))?;
        }
        return Ok(());
    }
    if let Some(shares) = limits.cpu_shares {
        write(&dir.join("cpu.shares"), &shares.clamp(2, 262_144).to_string())?;
    }
    if limits.cpu_quota.is_some() || limits.cpu_period.is_some() {
        write(&dir.join("cpu.cfs_period_us"), &period.to_string())?;
    }
    if let Some(quota) = limits.cpu_quota {
        write(&dir.join("cpu.cfs_quota_us"), &quota.to_string())?;
    }
    Ok(())
}

/// v1 shares (2..262144) to v2 weight (1..10000), the mapping every runtime uses.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    #[test]
    fn weights_span_the_range() {
        assert_eq!(super::weight(2), 1);
        assert_eq!(super::weight(1_024), 39);
        assert_eq!(super::weight(262_144), 10_000);
    }
}
