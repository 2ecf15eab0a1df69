//! Writes a context's files. Every entry is created beneath one directory with
//! `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`: none is ever written through a link of an earlier one.
//!
//! An entry that comes without a time (0) gets the time of the build: web servers make ETags of size and time, and files
//! that changed must not look like the old ones.
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, fchmod, futimens, openat, openat2, utimensat};
use rustix::io::Errno;
use tar::EntryType;

use crate::context::{RootName, context_path, is_file};
use crate::error::{BuildError, Result};
use crate::tarstream::{self, Member};
use crate::tree::{Tree, times};

const BUFFER: usize = 256 << 10;

/// Writes one context of the stream into `dir`, which is empty. The stream has been checked before.
///
/// # Errors
/// `DISK_FULL`, `INTERNAL`.
pub fn unpack(reader: impl Read, root: &RootName, dir: &Path) -> Result<Tree> {
    let tree = Tree::open(dir).map_err(|error| BuildError::io("opening the build's directory", &error))?;
    let mut writer = Writer { tree: &tree, dirs: Vec::new(), parent: None, buffer: vec![0; BUFFER] };
    let now = (i64::try_from(crate::event::now_ms() / 1000).unwrap_or(0), 0);
    let outcome = tarstream::each(reader, |member, content| {
        let mut member = member;
        if member.mtime == (0, 0) {
            member.mtime = now;
        }
        let path = context_path(&member.path).map_err(io::Error::other)?;
        match path {
            Some((name, path)) if name == *root => writer.take(path, &member, content),
            _ => Ok(()),
        }
    });
    outcome.and_then(|()| writer.finish()).map_err(|error| BuildError::io("writing the build context", &error))?;
    Ok(tree)
}

struct Writer<'a> {
    tree: &'a Tree,
    /// Set at the end, because writing into a directory changes its time.
    dirs: Vec<(PathBuf, u32, (i64, i64))>,
    /// The directory written to last: entries come grouped by directory.
    parent: Option<(PathBuf, OwnedFd)>,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn take(&mut self, path: PathBuf, member: &Member, content: &mut dyn Read) -> io::Result<()> {
        match member.kind {
            kind if is_file(kind) => self.file(&path, member, content),
            EntryType::Directory => self.directory(path, member),
            EntryType::Symlink => self.symlink(&path, member),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn file(&mut self, path: &Path, member: &Member, content: &mut dyn Read) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = std::fs::File::from(openat(parent, name, flags, Mode::from_raw_mode(0o600))?);
        loop {
            let count = content.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&self.buffer[..count])?;
        }
        fchmod(&file, Mode::from_raw_mode(member.mode))?;
        Ok(futimens(&file, &times(member.mtime.0, member.mtime.1))?)
    }

    fn directory(&mut self, path: PathBuf, member: &Member) -> io::Result<()> {
        if !path.as_os_str().is_empty() {
            let (parent, name) = self.parent_of(&path)?;
            match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                // Made before for an entry beneath it.
                Err(Errno::EXIST) => drop(open_dir(parent, Path::new(name))?),
                other => other?,
            }
        }
        self.dirs.push((path, member.mode, member.mtime));
        Ok(())
    }

    fn symlink(&mut self, path: &Path, member: &Member) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        rustix::fs::symlinkat(member.link.as_deref().unwrap_or(OsStr::new("")), parent, name)?;
        Ok(utimensat(parent, name, &times(member.mtime.0, member.mtime.1), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Opens the directory of `path`, making what is missing.
    fn parent_of<'a, 'p>(&'a mut self, path: &'p Path) -> io::Result<(&'a OwnedFd, &'p OsStr)> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let dir = path.parent().unwrap_or(Path::new(""));
        if self.parent.as_ref().is_none_or(|(open, _)| open != dir) {
            let fd = match open_dir(self.tree.root(), dir) {
                Err(Errno::NOENT) => self.make_parents(dir)?,
                other => other?,
            };
            self.parent = Some((dir.to_path_buf(), fd));
        }
        let (_, fd) = self.parent.as_ref().ok_or(Errno::INVAL)?;
        Ok((fd, name))
    }

    fn make_parents(&self, dir: &Path) -> io::Result<OwnedFd> {
        let mut at = open_dir(self.tree.root(), Path::new(""))?;
        for component in dir.components() {
            let name = Path::new(component.as_os_str());
            at = match open_dir(&at, name) {
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755))?;
                    open_dir(&at, name)?
                }
                other => other?,
            };
        }
        Ok(at)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.parent = None;
        for (path, mode, mtime) in self.dirs.iter().rev() {
            let fd = openat(open_dir(self.tree.root(), path)?, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            fchmod(&fd, Mode::from_raw_mode(*mode))?;
            futimens(&fd, &times(mtime.0, mtime.1))?;
        }
        Ok(())
    }
}

fn open_dir(at: impl AsFd, path: &Path) -> std::result::Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(at, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
}
