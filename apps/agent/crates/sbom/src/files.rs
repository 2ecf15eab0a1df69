//! The image's files: opened beneath its root by the kernel, read up to a limit.
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

pub(crate) struct Files {
    root: OwnedFd,
    /// Topmost first.
    layers: Vec<OwnedFd>,
}

impl Files {
    /// `layers`: the directories of the layers, lowest first.
    pub fn new(root: OwnedFd, layers: &[PathBuf]) -> io::Result<Files> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let layers = layers.iter().rev().map(|dir| openat(CWD, dir, flags, Mode::empty())).collect::<Result<_, _>>()?;
        Ok(Files { root, layers })
    }

    pub fn root(&self) -> io::Result<OwnedFd> {
        Ok(openat(&self.root, ".", OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// A regular file; `None` for anything else and for nothing. Links are followed inside the root.
    pub fn open(&self, path: &str) -> Option<File> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // EAGAIN: the kernel saw a rename elsewhere while it resolved `..`.
        let pinned = (0..64).find_map(|_| match openat2(&self.root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => None,
            other => Some(other.ok()),
        })??;
        open_pinned(&pinned).ok().flatten()
    }

    /// A file's bytes; `None` when there is no regular file, or it is larger than `limit`.
    pub fn read(&self, path: &str, limit: u64) -> Option<Vec<u8>> {
        read(self.open(path)?, limit)
    }

    /// Text as far as it is UTF-8.
    pub fn text(&self, path: &str, limit: u64) -> Option<String> {
        self.read(path, limit).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The layer that a file comes from, counted from the lowest: the topmost that has the path without following any link.
    pub fn layer_of(&self, path: &str) -> Option<usize> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let from_top = self.layers.iter().position(|layer| openat2(layer, path, flags, Mode::empty(), resolve).is_ok())?;
        Some(self.layers.len() - 1 - from_top)
    }

    pub fn exists(&self, path: &str) -> bool {
        self.open(path).is_some()
    }
}

pub(crate) fn read(file: File, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let taken = file.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (taken as u64 <= limit).then_some(bytes)
}

/// Opens a name of a directory that is open, following nothing.
pub(crate) fn open_plain(dir: &OwnedFd, name: &Path) -> Option<File> {
    let pinned = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
    open_pinned(&pinned).ok().flatten()
}

/// Only a file that is sure to be regular is opened for reading: opening a device may already do something.
fn open_pinned(pinned: &OwnedFd) -> io::Result<Option<File>> {
    if FileType::from_raw_mode(rustix::fs::fstat(pinned)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    // The magic link of our own descriptor, in the host's /proc: it leads to what is pinned and nowhere else.
    let itself = format!("/proc/self/fd/{}", pinned.as_raw_fd());
    Ok(Some(openat(CWD, itself, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into()))
}
