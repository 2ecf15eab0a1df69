//! File operations beneath one root that is never left: every path is resolved by the kernel with
//! `openat2(RESOLVE_IN_ROOT)`, so `..` and symlinks end at the root as they would in a container.
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, openat2, readlinkat};
use rustix::io::Errno;

/// A directory that serves as `/`.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
}

/// As the kernel: more links than this on one path are a loop.
const MAX_LINKS: usize = 40;

impl Tree {
    pub fn new(root: OwnedFd) -> Self {
        Self { root }
    }

    /// # Errors
    /// When `path` is not a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty())? })
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a path; symlinks are followed inside the root.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open_at(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        // EAGAIN: the kernel saw a rename on the way and could not be sure; asking again is what it wants.
        for _ in 0..64 {
            match openat2(
                &self.root,
                relative(path),
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            ) {
                Err(Errno::AGAIN) => {}
                other => return Ok(other?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// # Errors
    /// What the kernel says; `NotFound` also for a dangling link.
    pub fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// Status without following the last component; the parents are resolved inside the root. `None`: not there.
    ///
    /// # Errors
    /// What the kernel says, but for "not there".
    pub fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => Ok(Some(rustix::fs::fstat(fd)?)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Like [`Tree::stat`], following the last component.
    ///
    /// # Errors
    /// As [`Tree::stat`].
    pub fn stat_followed(&self, path: &Path) -> io::Result<Option<Stat>> {
        match self.open_at(path, OFlags::PATH) {
            Ok(fd) => Ok(Some(rustix::fs::fstat(fd)?)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// See [`resolve_links`].
    ///
    /// # Errors
    /// As there.
    pub fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        resolve_links(path, |path| self.read_link(path))
    }

    /// The target of a symlink; `None` when the path is not there or not a symlink.
    fn read_link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) == FileType::Symlink => {
                let target = readlinkat(&fd, "", Vec::new())?;
                Ok(Some(PathBuf::from(OsStr::from_bytes(target.as_bytes()))))
            }
            Ok(_) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a directory and its missing parents, each with `mode` and `owner`; what exists stays as it is. Symlinks on
    /// the way are followed inside the root. Gives the directory and whether anything was made.
    ///
    /// # Errors
    /// `NotADirectory` when a file is in the way.
    pub fn make_dirs(&self, path: &Path, mode: u32, owner: (u32, u32)) -> io::Result<(OwnedFd, bool)> {
        let real = self.real_path(path)?;
        match self.dir(&real) {
            Ok(fd) => return Ok((fd, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut at = self.open_at(Path::new("/"), OFlags::PATH | OFlags::DIRECTORY)?;
        for name in components(&real) {
            at = match open_child_dir(&at, &name) {
                Ok(next) => next,
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(&at, &name, Mode::from_raw_mode(0o700))?;
                    let next = open_child_dir(&at, &name)?;
                    own(&at, &name, owner)?;
                    rustix::fs::chmodat(&at, &name, Mode::from_raw_mode(mode), AtFlags::empty())?;
                    next
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok((at, true))
    }

    /// The contents of a small text file; empty when it is not there, not regular, or larger than `limit`.
    ///
    /// # Errors
    /// What the kernel says to a read.
    pub fn read_small(&self, path: &Path, limit: u64) -> io::Result<String> {
        let fd = match self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(error) if is_absent(&error) || error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => return Ok(String::new()),
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || u64::try_from(stat.st_size).unwrap_or(0) > limit {
            return Ok(String::new());
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut std::fs::File::from(fd), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The path with every symlink in it resolved inside the root, the last component too. Components that do not exist are
/// kept as they are: a dangling link leads to where its target would be. `read_link` gives a link's target, or `None`
/// for what is not there or no link.
///
/// # Errors
/// `ELOOP` for more than 40 links, and what `read_link` returns.
pub fn resolve_links(path: &Path, read_link: impl Fn(&Path) -> io::Result<Option<PathBuf>>) -> io::Result<PathBuf> {
    let mut pending: Vec<OsString> = components(path).into_iter().rev().collect();
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        match read_link(&next)? {
            Some(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                if target.is_absolute() {
                    real = PathBuf::from("/");
                }
                pending.extend(components(&target).into_iter().rev());
            }
            None => real = next,
        }
    }
    Ok(real)
}

pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn relative(path: &Path) -> &Path {
    let relative = path.strip_prefix("/").unwrap_or(path);
    if relative.as_os_str().is_empty() { Path::new(".") } else { relative }
}

/// Normal components and `..`, in order.
fn components(path: &Path) -> Vec<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}

fn open_child_dir(at: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(at, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Sets the owner of a directory entry, never of what it points to.
///
/// # Errors
/// What the kernel says.
pub fn own(at: impl AsFd, name: &OsStr, (uid, gid): (u32, u32)) -> Result<(), Errno> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    rustix::fs::chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

pub fn times(seconds: i64, nanos: i64) -> Timestamps {
    let at = Timespec { tv_sec: seconds, tv_nsec: nanos };
    Timestamps { last_access: at, last_modification: at }
}

/// Removes a directory entry and everything beneath it, without following links. Not being there is fine.
///
/// # Errors
/// What the kernel says.
pub fn remove_all(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match slipway_sys::remove::remove_entry(at, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The names in a directory, sorted by bytes.
///
/// # Errors
/// What the kernel says.
pub fn list(dir: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_os_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        symlink("/in", dir.path().join("absolute")).unwrap();
        symlink("../../../../in", dir.path().join("upward")).unwrap();
        symlink("/gone/below", dir.path().join("dangling")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        assert_eq!(tree.real_path(Path::new("/absolute/x")).unwrap(), Path::new("/in/x"));
        assert_eq!(tree.real_path(Path::new("upward/../..")).unwrap(), Path::new("/"));
        assert_eq!(tree.real_path(Path::new("/dangling/x")).unwrap(), Path::new("/gone/below/x"));
        assert!(tree.real_path(Path::new("/loop")).is_err());
        let (_, made) = tree.make_dirs(Path::new("/dangling/deep/"), 0o755, (0, 0)).unwrap();
        assert!(made && dir.path().join("gone/below/deep").is_dir());
        let (_, made) = tree.make_dirs(Path::new("/absolute/"), 0o755, (0, 0)).unwrap();
        assert!(!made);
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert!(tree.make_dirs(Path::new("/file/x"), 0o755, (0, 0)).is_err());
        assert_eq!(tree.read_small(Path::new("/file"), 10).unwrap(), "x");
        assert_eq!(tree.read_small(Path::new("/none"), 10).unwrap(), "");
    }
}
