//! Deleting a directory tree whose content is hostile: however deep it is, wherever its links lead, whatever is mounted in it.
use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Open directories at a time. Containers and builds may have nested them without end, for which the standard library's
/// `remove_dir_all` takes a descriptor and a piece of the stack each.
const DEEPEST: usize = 64;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Deletes the directory `root` with all its files. Follows no link in it, and stops before it would enter another mount.
///
/// # Errors
/// `NotFound`; `ResourceBusy` naming the place when something is mounted there; what the kernel says.
pub fn remove_tree(root: &Path) -> io::Result<()> {
    let name = CString::new(root.as_os_str().as_bytes())?;
    remove_at(CWD, &name)
}

/// As [`remove_tree`], of the entry `name` of `dir`; anything but a directory is deleted as it is.
///
/// # Errors
/// As of [`remove_tree`].
pub fn remove_entry(dir: impl AsFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => remove_at(dir, &CString::new(name.as_bytes())?),
        other => Ok(other?),
    }
}

fn remove_at(dir: impl AsFd, name: &CStr) -> io::Result<()> {
    let top = rustix::fs::openat(&dir, name, DIRECTORY, Mode::empty())?;
    let work = Work { top, moved: Cell::new(0) };
    loop {
        let gone = work.empty(&work.top, 0)?;
        match rustix::fs::unlinkat(&dir, name, AtFlags::REMOVEDIR) {
            // Something was moved up, or the file system's list of names changed while they went.
            Err(Errno::NOTEMPTY) if gone > 0 => {}
            other => return other.map_err(|error| explain(name, error.into())),
        }
    }
}

struct Work {
    top: OwnedFd,
    /// Directories that were too deep, and are beneath the top now.
    moved: Cell<u64>,
}

impl Work {
    /// Empties `dir`; how many entries went.
    fn empty(&self, dir: &OwnedFd, depth: usize) -> io::Result<u64> {
        let mut gone = 0;
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                self.one(dir, name, depth).map_err(|error| explain(name, error))?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn one(&self, dir: &OwnedFd, name: &CStr, depth: usize) -> io::Result<()> {
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {}
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let below = rustix::fs::openat2(dir, name, DIRECTORY, Mode::empty(), ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS)?;
        if depth == DEEPEST {
            self.moved.set(self.moved.get() + 1);
            return Ok(rustix::fs::renameat(dir, name, &self.top, format!(".slipway-removed-{}", self.moved.get()))?);
        }
        self.empty(&below, depth + 1)?;
        match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
            // The next round takes what is left.
            Err(Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
            other => other.map_err(io::Error::from),
        }
    }
}

fn explain(name: &CStr, error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::XDEV | Errno::BUSY) => {
            let text = format!("something is mounted at {}; unmount it first", name.to_string_lossy());
            io::Error::new(io::ErrorKind::ResourceBusy, text)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn however_deep_it_is_and_wherever_its_links_lead() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("volume");
        fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("link")).unwrap();
        // Deeper than a path can be long.
        let mut at = rustix::fs::open(&root, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3_000 {
            rustix::fs::mkdirat(&at, "dd", Mode::from_raw_mode(0o700)).unwrap();
            rustix::fs::openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600)).unwrap();
            at = rustix::fs::openat(&at, "dd", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        }
        remove_tree(&root).unwrap();
        assert_eq!(remove_tree(&root).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(outside.path().join("kept")).unwrap(), "x");
    }
}
