//! Deleting a volume's files and nothing else: what is mounted beneath belongs to somebody, and is never entered.
use std::cell::Cell;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Open directories at a time. Containers may have nested them without end.
const DEEPEST: usize = 64;

/// Deletes the folder `root` with all its files. Follows no link, and stops before it would enter another mount.
pub fn remove(root: &Path) -> io::Result<()> {
    let top = rustix::fs::openat2(CWD, root, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let work = Work { top, moved: Cell::new(0) };
    loop {
        let gone = work.empty(&work.top, 0)?;
        match rustix::fs::unlinkat(CWD, root, AtFlags::REMOVEDIR) {
            // Something was moved up, or the file system's list of names changed while they went.
            Err(Errno::NOTEMPTY) if gone > 0 => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

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
        remove(&root).unwrap();
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(outside.path().join("kept")).unwrap(), "x");
    }
}
