//! Containers without a mount namespace of their own: what is mounted for them is mounted on the host, and must go with them.
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags};

use crate::error::{During, Result};
use crate::state::Record;

/// The number of the mount that is uppermost at `path`.
pub fn id_at(path: &Path) -> Result<u64> {
    let what = format!("look at the mount of {}", path.display());
    Ok(rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).during(&what)?.stx_mnt_id)
}

/// Takes away the root that was laid over the bundle's, and all that is mounted in it; nothing when there is none.
pub fn remove(record: &Record) -> Result<()> {
    let Some(below) = record.mount_below else { return Ok(()) };
    // A bundle that is gone has no mounts.
    let Ok(now) = id_at(&record.rootfs) else { return Ok(()) };
    if now == below {
        return Ok(());
    }
    nix::mount::umount2(&record.rootfs, nix::mount::MntFlags::MNT_DETACH).during("unmount the root")
}
