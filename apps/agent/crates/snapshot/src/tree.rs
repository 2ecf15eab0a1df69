//! Work on whole directory trees whose content is hostile: nothing follows a symlink.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::{Error, Result, Usage};

pub(crate) fn chmod(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::io(path))
}

/// Deletes a tree; fine when it is not there. The standard library's version opens by descriptor and follows no symlink.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
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
