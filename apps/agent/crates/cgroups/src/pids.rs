//! Number of processes.
use std::path::Path;

use crate::Limits;
use crate::error::Result;
use crate::file::write;

pub(crate) fn apply(dir: &Path, limits: &Limits) -> Result<()> {
    match limits.pids {
        Some(u64::MAX) => write(&dir.join("pids.max"), "max"),
        Some(pids) => write(&dir.join("pids.max"), &pids.to_string()),
        None => Ok(()),
    }
}
