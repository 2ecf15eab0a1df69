//! Names in a tar are hostile. A path is first cleaned by its text, then its parent directory is opened with openat2 and
//! `RESOLVE_IN_ROOT`, so that neither `..` nor a symlink that the tar itself put there leads out of the layer; the last
//! component is only ever used with the parent's descriptor and without following it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// A path inside the layer: parent and plain last component. The layer's root itself is `None`.
pub(crate) type Cleaned = Option<(PathBuf, OsString)>;

/// Cleans a name by its text: leading slashes, `.` and inner `..` go; one that climbs out of the root is refused.
pub(crate) fn clean(name: &[u8]) -> Result<Cleaned> {
    let refuse =
        |reason: &str| Error::HostileEntry { path: String::from_utf8_lossy(name).chars().take(300).collect(), reason: reason.into() };
    if name.contains(&0) {
        return Err(refuse("its name contains a NUL"));
    }
    if name.len() > 4095 {
        return Err(refuse("its name is longer than the kernel takes"));
    }
    let mut components: Vec<&[u8]> = Vec::new();
    for component in name.split(|b| *b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                components.pop().ok_or_else(|| refuse("it points outside of where it goes"))?;
            }
            plain => components.push(plain),
        }
    }
    let Some(last) = components.pop() else { return Ok(None) };
    let parent = components.iter().map(|c| OsStr::from_bytes(c)).collect();
    Ok(Some((parent, OsStr::from_bytes(last).to_os_string())))
}

/// The root of a tree that nothing may leave.
pub(crate) struct Root {
    fd: Arc<OwnedFd>,
    /// Entries come directory by directory: the last parent is kept open. Forgotten whenever something is removed.
    last: Option<(PathBuf, Arc<OwnedFd>)>,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

impl Root {
    pub fn open(path: &Path) -> Result<Root> {
        let fd = rustix::fs::open(path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(Error::io(path))?;
        Ok(Root { fd: Arc::new(fd), last: None })
    }

    /// Below a directory that is open already.
    pub fn of(fd: OwnedFd) -> Root {
        Root { fd: Arc::new(fd), last: None }
    }

    pub fn fd(&self) -> Arc<OwnedFd> {
        self.fd.clone()
    }

    /// Opens a directory below the root, following symlinks inside it only.
    pub fn open_dir(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        if path.as_os_str().is_empty() {
            return rustix::fs::openat(&self.fd, ".", DIRECTORY, Mode::empty());
        }
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.fd, path, DIRECTORY, Mode::empty(), resolve) {
                // The kernel saw a rename elsewhere while it resolved `..`.
                Err(Errno::AGAIN) => continue,
                other => return other,
            }
        }
    }

    /// Opens a regular file for reading, following symlinks inside the root only; `None` when it is something else.
    pub fn open_file(&self, path: &Path) -> rustix::io::Result<Option<OwnedFd>> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.fd, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => continue,
                pinned => return open_pinned(&pinned?),
            }
        }
    }

    /// Opens the directory an entry goes into; makes what is missing, mode 0755 of root, as Docker does.
    pub fn parent(&mut self, path: &Path) -> Result<Arc<OwnedFd>> {
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(fd.clone());
        }
        let fd = Arc::new(self.make_dirs(path).map_err(Error::io(path))?);
        self.last = Some((path.to_path_buf(), fd.clone()));
        Ok(fd)
    }

    fn make_dirs(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        // Loops over prefixes instead of recursing: a hostile path has thousands of components.
        let mut missing = Vec::new();
        let mut prefix = path;
        let mut fd = loop {
            match self.open_dir(prefix) {
                Ok(fd) => break fd,
                Err(Errno::NOENT) => match (prefix.parent(), prefix.file_name()) {
                    (Some(parent), Some(name)) => {
                        missing.push(name);
                        prefix = parent;
                    }
                    _ => return Err(Errno::NOENT),
                },
                Err(error) => return Err(error),
            }
        };
        for name in missing.into_iter().rev() {
            rustix::fs::mkdirat(&fd, name, Mode::from_raw_mode(0o755))?;
            fd = rustix::fs::openat(&fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
            // By the descriptor: the name may be a link by now, where a container has its hands on it.
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o755))?;
        }
        Ok(fd)
    }

    /// Makes room for an entry: removes whatever has the name, directories with all they contain.
    pub fn remove(&mut self, dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
        self.last = None;
        remove_at(dir, name)
    }
}

/// Opens what an `O_PATH` descriptor holds for reading once it is sure to be a regular file: opening a device node that
/// was put in its place may already do something.
pub(crate) fn open_pinned(pinned: &OwnedFd) -> rustix::io::Result<Option<OwnedFd>> {
    if FileType::from_raw_mode(rustix::fs::fstat(pinned)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    // The magic link of our own descriptor, in the host's /proc: it leads to what is pinned and nowhere else.
    let itself = format!("/proc/self/fd/{}", pinned.as_raw_fd());
    rustix::fs::openat(CWD, itself, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map(Some)
}

/// Removes a name below an open directory, following nothing.
fn remove_at(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    // An explicit stack of open directories, for the depth of hostile trees.
    let mut stack = vec![(open_plain(dir, name)?, name.to_os_string())];
    while let Some((open, _)) = stack.last() {
        let mut deeper = None;
        let names: Vec<(OsString, FileType)> = rustix::fs::Dir::read_from(open)?
            .filter_map(|e| e.ok())
            .map(|e| (OsStr::from_bytes(e.file_name().to_bytes()).to_os_string(), e.file_type()))
            .filter(|(n, _)| n != "." && n != "..")
            .collect();
        for (child, kind) in names {
            if kind == FileType::Directory {
                deeper = Some(child);
                break;
            }
            rustix::fs::unlinkat(open, &child, AtFlags::empty())?;
        }
        if let Some(child) = deeper {
            stack.push((open_plain(open, &child)?, child));
            continue;
        }
        let Some((_, name)) = stack.pop() else { break };
        let parent = stack.last().map_or_else(|| dir.as_fd(), |(fd, _)| fd.as_fd());
        rustix::fs::unlinkat(parent, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

fn open_plain(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}
