//! Writes the entries of a layer's tar below a directory, whiteouts and opaque marks in overlayfs's form.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::beneath::{Root, clean};
use crate::tar::{Entry, EntryKind, TarReader};
use crate::{Error, Limits, Owners, Result};

pub(crate) const OPAQUE_XATTR: &str = "trusted.overlay.opaque";
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const AUFS: &[u8] = b".wh..wh.";

/// What an extraction wrote.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extracted {
    pub entries: u64,
    /// Sum of the apparent file sizes.
    pub bytes: u64,
}

/// What an archive that is no layer may do to the files that are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Where it goes below the root; clean.
    pub base: PathBuf,
    /// A directory is never replaced by something else, nor something else by a directory.
    pub keep_kinds: bool,
    /// Who owns everything in it, whatever it says itself.
    pub owner: Option<(u32, u32)>,
    /// It may bring device nodes.
    pub devices: bool,
    /// How owners are to be seen.
    pub owners: Option<Owners>,
}

/// Extracts a layer below `root`, an empty directory, and reads the source to its end.
pub(crate) fn extract(source: impl BufRead, root: &Path, limits: Limits) -> Result<Extracted> {
    run(source, Root::open(root)?, None, limits)
}

/// Extracts an archive among the files below `root`, and reads the source to its end. Names that are whiteouts in a layer
/// are plain names here.
pub(crate) fn extract_among(source: impl BufRead, root: Root, rules: Rules, limits: Limits) -> Result<Extracted> {
    run(source, root, Some(rules), limits)
}

fn run(source: impl BufRead, root: Root, rules: Option<Rules>, limits: Limits) -> Result<Extracted> {
    let mut tar = TarReader::new(source);
    let mut extractor = Extractor { root, rules, directory_times: Vec::new(), paths: 0, done: Extracted::default(), limits };
    while let Some(mut entry) = tar.next_entry()? {
        if let Some(owner) = extractor.rules.as_ref().and_then(|rules| rules.owner) {
            (entry.uid, entry.gid) = owner;
        }
        if let Some(owners) = extractor.rules.as_ref().and_then(|rules| rules.owners)
            && !owners.show(&mut entry)
        {
            let why = format!("the container has no user {} or no group {}", entry.uid, entry.gid);
            return Err(refused(&entry, &why));
        }
        extractor.entry(&entry, &mut tar)?;
    }
    extractor.set_directory_times();
    tar.drain()?;
    Ok(extractor.done)
}

struct Extractor {
    root: Root,
    /// `None`: it is a layer.
    rules: Option<Rules>,
    /// Set at the end: every child changes its directory's time.
    directory_times: Vec<(PathBuf, (i64, u32))>,
    /// Bytes of their paths.
    paths: u64,
    done: Extracted,
    limits: Limits,
}

impl Extractor {
    fn entry<R: BufRead>(&mut self, entry: &Entry, tar: &mut TarReader<R>) -> Result<()> {
        self.count(entry)?;
        let Some((mut parent, name)) = clean(&entry.path)? else {
            if entry.kind == EntryKind::Directory && self.rules.is_none() {
                let fd = self.root.fd();
                self.directory_attributes(&fd, Path::new(""), entry).map_err(at(entry))?;
            }
            return Ok(());
        };
        if let Some(rules) = &self.rules {
            parent = rules.base.join(parent);
        }
        let dir = self.root.parent(&parent)?;
        match &self.rules {
            Some(rules) => rules.check(&dir, &parent, &name, entry)?,
            None if name.as_bytes().starts_with(WHITEOUT) => return self.whiteout(&dir, name.as_bytes(), entry),
            None => {}
        }
        match entry.kind {
            EntryKind::Directory => self.directory(&dir, &parent, &name, entry),
            EntryKind::File => self.file(&dir, &name, entry, tar),
            EntryKind::HardLink => self.hard_link(&dir, &name, entry),
            EntryKind::Symlink => self.symlink(&dir, &name, entry),
            EntryKind::Char | EntryKind::Block | EntryKind::Fifo => self.node(&dir, &name, entry),
        }
    }

    fn count(&mut self, entry: &Entry) -> Result<()> {
        self.done.entries += 1;
        if self.done.entries > self.limits.entries {
            return Err(Error::OverLimit { what: "entries", limit: self.limits.entries });
        }
        if entry.kind == EntryKind::File {
            self.done.bytes = self.done.bytes.saturating_add(entry.size);
        }
        if self.done.bytes > self.limits.bytes {
            return Err(Error::OverLimit { what: "bytes of files", limit: self.limits.bytes });
        }
        Ok(())
    }

    fn directory(&mut self, dir: &OwnedFd, parent: &Path, name: &OsStr, entry: &Entry) -> Result<()> {
        let mode = Mode::from_raw_mode(0o700);
        match rustix::fs::mkdirat(dir, name, mode) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let there = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at(entry))?;
                if FileType::from_raw_mode(there.st_mode) != FileType::Directory {
                    self.root.remove(dir, name).map_err(at(entry))?;
                    rustix::fs::mkdirat(dir, name, mode).map_err(at(entry))?;
                    if self.rules.is_none() && is_whiteout(&there) {
                        // The layer deletes the name and makes it anew: what lies below must not shine through.
                        let fd = open_directory(dir, name).map_err(at(entry))?;
                        rustix::fs::fsetxattr(&fd, OPAQUE_XATTR, b"y", XattrFlags::empty()).map_err(at(entry))?;
                    }
                }
            }
            Err(error) => return Err(at(entry)(error)),
        }
        let fd = Arc::new(open_directory(dir, name).map_err(at(entry))?);
        let path = parent.join(name);
        self.paths += path.as_os_str().len() as u64;
        if self.paths > self.limits.directory_paths {
            return Err(Error::OverLimit { what: "bytes of directory names", limit: self.limits.directory_paths });
        }
        self.directory_attributes(&fd, &path, entry).map_err(at(entry))
    }

    fn directory_attributes(&mut self, fd: &OwnedFd, path: &Path, entry: &Entry) -> rustix::io::Result<()> {
        self.directory_times.push((path.to_path_buf(), entry.mtime));
        rustix::fs::fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
        rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
        set_xattrs(entry, |name, value| rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()))
    }

    fn file<R: BufRead>(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry, tar: &mut TarReader<R>) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Nobody sees a layer before it is whole; a file among others is its owner's alone until it is.
        let first_mode = if self.rules.is_none() { entry.mode & 0o777 } else { 0o600 };
        let create = || rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(first_mode));
        let fd = self.making_room(dir, name, create).map_err(at(entry))?;
        let mut file = File::from(fd);
        let dense = [(0, entry.size)];
        for (offset, length) in entry.sparse.as_deref().unwrap_or(&dense) {
            if entry.sparse.is_some() {
                rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(*offset)).map_err(at(entry))?;
            }
            let mut left = *length;
            while left > 0 {
                let piece = tar.fill_data(left)?;
                let n = piece.len();
                file.write_all(piece).map_err(at(entry))?;
                tar.consume(n);
                left -= n as u64;
            }
        }
        if entry.sparse.is_some() {
            rustix::fs::ftruncate(&file, entry.size).map_err(at(entry))?;
        }
        // Most files are root's and of an everyday mode: a look is cheaper than setting what is so already.
        let made = rustix::fs::fstat(&file).map_err(at(entry))?;
        let owned = (made.st_uid, made.st_gid) == (entry.uid, entry.gid);
        // The owner first: changing it clears setuid and file capabilities.
        if !owned {
            rustix::fs::fchown(&file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid))).map_err(at(entry))?;
        }
        if !owned || made.st_mode & 0o7777 != entry.mode & 0o7777 {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(at(entry))?;
        }
        set_xattrs(entry, |name, value| rustix::fs::fsetxattr(&file, name, value, XattrFlags::empty())).map_err(at(entry))?;
        rustix::fs::futimens(&file, &times(entry.mtime)).map_err(at(entry))
    }

    fn hard_link(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<()> {
        let Some((target_parent, target_name)) = clean(&entry.link)? else {
            return Err(refused(entry, "it links to the root"));
        };
        let target_parent = self.rules.as_ref().map_or(target_parent.clone(), |rules| rules.base.join(target_parent));
        let missing = |e: Errno| match e {
            Errno::NOENT | Errno::NOTDIR => refused(entry, "the file it links to is not there"),
            Errno::PERM => refused(entry, "it links to a directory"),
            other => at(entry)(other),
        };
        let target_dir = self.root.open_dir(&target_parent).map_err(missing)?;
        let link = || rustix::fs::linkat(&target_dir, &target_name, dir, name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {}
            other => return other.map_err(missing),
        }
        let stat = |d: &OwnedFd, n: &OsStr| rustix::fs::statat(d, n, AtFlags::SYMLINK_NOFOLLOW);
        let (there, target) = (stat(dir, name).map_err(at(entry))?, stat(&target_dir, &target_name).map_err(missing)?);
        if (there.st_dev, there.st_ino) == (target.st_dev, target.st_ino) {
            return Ok(());
        }
        self.root.remove(dir, name).map_err(at(entry))?;
        link().map_err(missing)
    }

    fn symlink(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<()> {
        if entry.link.is_empty() || entry.link.len() > 4095 || entry.link.contains(&0) {
            return Err(refused(entry, "its target is empty, too long or contains a NUL"));
        }
        // The target is only text here; whoever follows it does so in the container.
        let target = OsStr::from_bytes(&entry.link);
        self.making_room(dir, name, || rustix::fs::symlinkat(target, dir, name)).map_err(at(entry))?;
        self.owner_and_time(dir, name, entry).map_err(at(entry))
    }

    fn node(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<()> {
        let kind = match entry.kind {
            EntryKind::Char => FileType::CharacterDevice,
            EntryKind::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let device = if kind == FileType::Fifo { 0 } else { rustix::fs::makedev(entry.device.0, entry.device.1) };
        let make = || rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode(0o600), device);
        self.making_room(dir, name, make).map_err(at(entry))?;
        self.owner_and_time(dir, name, entry).map_err(at(entry))?;
        // Pinned first: where a container has its hands on it, the name may be a link by now, and `chmod` follows links.
        let pinned = rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(at(entry))?;
        let itself = format!("/proc/self/fd/{}", pinned.as_raw_fd());
        match rustix::fs::chmodat(rustix::fs::CWD, itself, Mode::from_raw_mode(entry.mode), AtFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(at(entry)(error)),
        }
    }

    /// For what cannot be opened: symlinks and nodes.
    fn owner_and_time(&self, dir: &OwnedFd, name: &OsStr, entry: &Entry) -> rustix::io::Result<()> {
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        // No call sets an xattr by descriptor and name; the magic link names the directory that is open, wherever it is.
        let path: PathBuf = [OsString::from(format!("/proc/self/fd/{}", dir.as_raw_fd())), name.to_os_string()].iter().collect();
        set_xattrs(entry, |key, value| rustix::fs::lsetxattr(&path, key, value, XattrFlags::empty()))?;
        rustix::fs::utimensat(dir, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// OCI image-spec, layer.md "Whiteouts": a marker hides what lower layers have, never what this layer brings.
    fn whiteout(&mut self, dir: &OwnedFd, marker: &[u8], entry: &Entry) -> Result<()> {
        if marker == OPAQUE {
            return rustix::fs::fsetxattr(dir, OPAQUE_XATTR, b"y", XattrFlags::empty()).map_err(at(entry));
        }
        if marker.starts_with(AUFS) {
            return Ok(());
        }
        let name = OsStr::from_bytes(&marker[WHITEOUT.len()..]);
        if name.is_empty() || name == "." || name == ".." {
            return Err(refused(entry, "it deletes a name that is none"));
        }
        match rustix::fs::mknodat(dir, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let there = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at(entry))?;
                if FileType::from_raw_mode(there.st_mode) == FileType::Directory {
                    let fd = open_directory(dir, name).map_err(at(entry))?;
                    rustix::fs::fsetxattr(&fd, OPAQUE_XATTR, b"y", XattrFlags::empty()).map_err(at(entry))?;
                }
                Ok(())
            }
            Err(error) => Err(at(entry)(error)),
        }
    }

    /// Runs `make`; when something has the name, removes it and runs `make` once more.
    fn making_room<T>(&mut self, dir: &OwnedFd, name: &OsStr, make: impl Fn() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        match make() {
            Err(Errno::EXIST) => {
                self.root.remove(dir, name)?;
                make()
            }
            other => other,
        }
    }

    fn set_directory_times(&self) {
        for (path, mtime) in &self.directory_times {
            // A later entry may have replaced the directory; then there is no time to set.
            if let Ok(fd) = self.root.open_dir(path) {
                let _ = rustix::fs::futimens(&fd, &times(*mtime));
            }
        }
    }
}

impl Rules {
    /// As dockerd, word for word.
    fn check(&self, dir: &OwnedFd, parent: &Path, name: &OsStr, entry: &Entry) -> Result<()> {
        if matches!(entry.kind, EntryKind::Char | EntryKind::Block) && !self.devices {
            return Err(refused(entry, "this host's policy lets nobody copy device nodes into containers"));
        }
        if !self.keep_kinds {
            return Ok(());
        }
        let is_dir = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => FileType::from_raw_mode(there.st_mode) == FileType::Directory,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(at(entry)(error)),
        };
        let (path, base) = (Path::new("/").join(parent).join(name), Path::new("/").join(&self.base));
        match (is_dir, entry.kind == EntryKind::Directory) {
            (true, false) => Err(Error::Kept(format!("cannot overwrite directory {path:?} with non-directory {base:?}"))),
            (false, true) => Err(Error::Kept(format!("cannot overwrite non-directory {path:?} with directory {base:?}"))),
            _ => Ok(()),
        }
    }
}

fn open_directory(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, name, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

pub(crate) fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Overlayfs's own xattrs would let a layer redirect into other directories; they never come from a tar. What the file
/// system does not support, or reserves for its security module, is left out, as the other engines do.
fn set_xattrs(entry: &Entry, set: impl Fn(&OsStr, &[u8]) -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    for (name, value) in &entry.xattrs {
        if name.contains(&0) || name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        match set(OsStr::from_bytes(name), value) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM | Errno::INVAL) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    Timestamps { last_access: time, last_modification: time }
}

fn shown(entry: &Entry) -> String {
    String::from_utf8_lossy(&entry.path).chars().take(300).collect()
}

fn at<E: Into<std::io::Error>>(entry: &Entry) -> impl FnOnce(E) -> Error + '_ {
    move |error| Error::io(shown(entry))(error)
}

fn refused(entry: &Entry, reason: &str) -> Error {
    Error::HostileEntry { path: shown(entry), reason: reason.to_string() }
}
