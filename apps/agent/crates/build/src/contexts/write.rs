//! Writes a context's files for a build: files of the usual mode are further names of what is kept, others are copies.
//!
//! Nobody writes through those names: steps see them read-only or beneath an overlay, and COPY makes files of its own. Every
//! file has the time at which its content came first, so files that differ never have the same time.
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use slipway_store::Digest;

use super::object::Kind;
use super::walk::walk;
use super::{ContextError, Scope};

/// Of everything kept.
pub const BLOB_MODE: u32 = 0o644;

/// No name can lead out of `dir`: none has a slash, none is `..`, and none of a link's own directory comes twice, so nothing
/// lies beneath a link.
///
/// # Errors
/// As `walk`, and what the file system says.
pub fn write(scope: &Scope, root: &Digest, dir: &Path) -> Result<(), ContextError> {
    let mut dirs: Vec<(PathBuf, u32)> = Vec::new();
    walk(scope, root, &mut |path, kind, _| {
        let path = dir.join(path);
        match kind {
            Kind::Dir { mode, .. } => {
                fs::create_dir(&path)?;
                // At the end: one without write permission must be filled first.
                dirs.push((path, *mode));
            }
            Kind::File { mode, digest, .. } => file(&scope.blob(digest), &path, *mode)?,
            Kind::Link { target } => symlink(target, &path)?,
        }
        Ok(())
    })?;
    for (path, mode) in dirs.into_iter().rev() {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn file(blob: &Path, path: &Path, mode: u32) -> io::Result<()> {
    if mode == BLOB_MODE {
        match fs::hard_link(blob, path) {
            // One inode has only so many names.
            Err(error) if error.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {}
            other => return other,
        }
    }
    let time = fs::metadata(blob)?.modified()?;
    fs::copy(blob, path)?;
    fs::File::options().write(true).open(path)?.set_modified(time)?;
    // Last: it may take the right to write away.
    fs::set_permissions(path, Permissions::from_mode(mode))
}
