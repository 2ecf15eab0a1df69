//! Work on whole directory trees whose content is hostile: nothing follows a symlink.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::{Error, Result, Usage};

pub(crate) fn chmod(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io(path))
}

/// Tells ext4 that the directories below `path` have nothing to do with each other, as `chattr +T` does: each is then placed
/// among other free inodes than the last one. Without it a new layer is put where the one before was deleted, and ext4
/// without a journal tries every inode that was in use within the last minutes before it takes a fresh one: nine times the
/// kernel's time for 7,500 files. A hint only; other file systems do not know it.
pub(crate) fn spread(path: &Path) -> Result<()> {
    let dir = fs::File::open(path).map_err(Error::io(path))?;
    let hinted = ioctl_getflags(&dir).and_then(|flags| ioctl_setflags(&dir, flags | IFlags::TOPDIR));
    if let Err(error) = hinted {
        tracing::debug!(%error, path = %path.display(), "this file system takes no hints on where to place files");
    }
    Ok(())
}

/// Deletes a tree; fine when it is not there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match slipway_sys::remove::remove_tree(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(e)),
        _ => Ok(()),
    }
}

/// Allocated bytes and inodes below and including `root`.
pub(crate) fn usage(root: &Path) -> Result<Usage> {
    let mut usage = Usage::default();
    let mut linked = HashSet::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        let meta = match fs::symlink_metadata(&path) {
            // A running container deletes files while we count.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(Error::io(&path))?,
        };
        if meta.is_dir() {
            match fs::read_dir(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                entries => open.extend(entries.map_err(Error::io(&path))?.flatten().map(|e| e.path())),
            }
        } else if meta.nlink() > 1 && !linked.insert((meta.dev(), meta.ino())) {
            continue;
        }
        if !meta.is_dir() {
            usage.files += meta.len();
        }
        usage.bytes += meta.blocks() * 512;
        usage.inodes += 1;
    }
    Ok(usage)
}
