//! `docker diff`: what a container changed, told from its upper directory alone.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::extract::{OPAQUE_XATTR, is_whiteout};
use crate::walk::{DIRECTORY, has_xattr, is_mount_point};
use crate::{Error, Result, Snapshots};

/// As the Engine API numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Absolute in the container.
    pub path: String,
    pub kind: ChangeKind,
}

/// A directory on the way.
struct Level {
    fd: OwnedFd,
    path: PathBuf,
    names: std::vec::IntoIter<OsString>,
    /// Its own place in the list; nothing after it says that nothing below it changed.
    at: usize,
    /// `None`: as it was, so it is told only with what changed below.
    own: Option<ChangeKind>,
    /// The engine made a mount point in it, which explains its time.
    touched: bool,
}

impl Snapshots {
    /// What the snapshot's upper directory changes in the layers below, a directory before what is in it. The mount points
    /// that the engine itself makes are left out.
    pub fn changes(&self, id: &str) -> Result<Vec<Change>> {
        let dirs = self.dirs(id)?;
        let open = |dir: &PathBuf| rustix::fs::open(dir, DIRECTORY, Mode::empty()).map_err(Error::io(dir));
        let lower = dirs.lower.iter().map(open).collect::<Result<Vec<_>>>()?;
        let mut found = Vec::new();
        let mut levels = vec![level(open(&dirs.upper)?, PathBuf::new(), 0, None)?];
        while let Some(top) = levels.last_mut() {
            let Some(name) = top.names.next() else {
                finish(&mut levels, &mut found);
                continue;
            };
            let path = top.path.join(&name);
            let stat = match rustix::fs::statat(&top.fd, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                other => other.map_err(Error::io(&path))?,
            };
            if is_whiteout(&stat) {
                found.push(change(&path, ChangeKind::Deleted));
                continue;
            }
            let before = below(&lower, &path);
            if before.is_none() && is_mount_point(&path, &stat) {
                top.touched = true;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    continue;
                }
            }
            let own = match before {
                None => Some(ChangeKind::Added),
                Some(before) if same_directory(&before, &stat) => None,
                Some(_) => Some(ChangeKind::Modified),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => match rustix::fs::openat(&top.fd, &name, DIRECTORY, Mode::empty()) {
                    Ok(fd) => {
                        let mut deeper = level(fd, path.clone(), found.len(), own)?;
                        deeper.touched = own == Some(ChangeKind::Added) && is_mount_point(&path, &stat);
                        found.push(change(&path, own.unwrap_or(ChangeKind::Modified)));
                        levels.push(deeper);
                    }
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(error) => return Err(Error::io(&path)(error)),
                },
                FileType::Socket => {}
                _ => found.push(change(&path, own.unwrap_or(ChangeKind::Modified))),
            }
        }
        Ok(found)
    }
}

/// A directory is told when it changed itself, or something below did.
fn finish(levels: &mut Vec<Level>, found: &mut Vec<Change>) {
    let Some(done) = levels.pop() else { return };
    if done.path.as_os_str().is_empty() || found.len() > done.at + 1 {
        return;
    }
    let explained = done.touched && done.own != Some(ChangeKind::Deleted);
    if done.own.is_none() || explained {
        found.pop();
        if let Some(parent) = levels.last_mut() {
            parent.touched |= explained;
        }
    }
}

fn change(path: &Path, kind: ChangeKind) -> Change {
    Change { path: format!("/{}", path.display()), kind }
}

fn level(fd: OwnedFd, path: PathBuf, at: usize, own: Option<ChangeKind>) -> Result<Level> {
    let mut names: Vec<OsString> = Vec::new();
    for entry in Dir::read_from(&fd).map_err(Error::io(&path))? {
        let name = entry.map_err(Error::io(&path))?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort_unstable();
    Ok(Level { fd, path, names: names.into_iter(), at, own, touched: false })
}

/// Overlayfs copies a directory up, times included, when something below it changes.
fn same_directory(before: &Stat, now: &Stat) -> bool {
    let is_dir = FileType::from_raw_mode(before.st_mode) == FileType::Directory;
    let told = |s: &Stat| (s.st_mode, s.st_uid, s.st_gid, s.st_mtime, s.st_mtime_nsec);
    is_dir && told(before) == told(now)
}

/// What the layers (topmost first) have at a path, whiteouts and opaque directories heeded.
fn below(lower: &[OwnedFd], path: &Path) -> Option<Stat> {
    for layer in lower {
        let mut prefix = PathBuf::new();
        let mut hidden = false;
        let mut parts = path.iter().peekable();
        while let Some(part) = parts.next() {
            prefix.push(part);
            let Some((fd, stat)) = look(layer, &prefix) else { break };
            let last = parts.peek().is_none();
            let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_whiteout(&stat) || (!last && !directory) {
                return None;
            }
            if last {
                return Some(stat);
            }
            hidden |= opaque(&fd);
        }
        if hidden {
            return None;
        }
    }
    None
}

fn look(layer: &OwnedFd, path: &Path) -> Option<(OwnedFd, Stat)> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A symlink as the last part is opened itself; one on the way is no directory, so nothing is below it.
    let fd = match rustix::fs::openat2(layer, path, flags, Mode::empty(), resolve) {
        Err(Errno::LOOP) => {
            let parent = path.parent().unwrap_or(Path::new(""));
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            let dir = rustix::fs::openat2(layer, parent, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
            rustix::fs::openat(&dir, path.file_name()?, flags, Mode::empty()).ok()?
        }
        other => other.ok()?,
    };
    let stat = rustix::fs::fstat(&fd).ok()?;
    Some((fd, stat))
}

fn opaque(fd: &OwnedFd) -> bool {
    use std::os::fd::AsRawFd as _;
    // No xattr is read through an `O_PATH` descriptor; the layer is nobody's to change.
    let itself = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::openat(CWD, OsStr::from_bytes(itself.as_bytes()), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .is_ok_and(|dir| has_xattr(&dir, OPAQUE_XATTR))
}
