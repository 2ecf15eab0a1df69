//! Writes directory trees whose content is hostile, and may change meanwhile, as the entries of a tar.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::beneath::open_pinned;
use crate::compress::write_error;
use crate::extract::OPAQUE_XATTR;
use crate::tar::{Entry, EntryKind, TarWriter};
use crate::{Error, Owners, Result, Stopped};

pub(crate) const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// No path that a program can name has more; and each level keeps its whole path.
const MAX_DEPTH: usize = 2048;

/// What a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An upper directory of overlayfs, to become a layer.
    Layer,
    /// The same of a container, which may be in use and has mount points that the engine made.
    Container,
    /// Files as their container sees them.
    Files,
}

impl Form {
    fn is_layer(self) -> bool {
        self != Form::Files
    }
}

pub(crate) struct Walk<W: Write> {
    pub tar: TarWriter<W>,
    form: Form,
    /// The first name of each file that has several.
    links: HashMap<(u64, u64), Vec<u8>>,
    mtime: Option<i64>,
    /// Who is meant by the owners that are seen.
    pub owners: Option<Owners>,
    buffer: Vec<u8>,
    /// Of one file's xattrs at a time: making room for them anew took longer than asking for them.
    names: Vec<u8>,
    pub entries: u64,
    /// Sum of the file sizes.
    pub bytes: u64,
    /// A sparse file takes no room, and may be as long as it likes.
    pub most_bytes: u64,
    pub stopped: Option<Stopped>,
}

/// A directory being walked: its descriptor, its path in the archive with a slash at the end, and the names still to come.
pub(crate) type Level = (OwnedFd, Vec<u8>, std::vec::IntoIter<OsString>);

impl<W: Write> Walk<W> {
    /// `mtime`: of every entry, instead of its own (seconds since 1970).
    pub fn new(tar: TarWriter<W>, form: Form, mtime: Option<i64>) -> Walk<W> {
        Walk {
            tar,
            form,
            links: HashMap::new(),
            mtime,
            owners: None,
            buffer: vec![0; 256 << 10],
            names: vec![0; 64 << 10],
            entries: 0,
            bytes: 0,
            most_bytes: u64::MAX,
            stopped: None,
        }
    }

    /// Everything below `root`, named `<prefix>…`; the root itself has no entry.
    ///
    /// By descriptors and without recursion: what a container made may be deep.
    pub fn tree(&mut self, root: OwnedFd, prefix: Vec<u8>) -> Result<()> {
        if self.form.is_layer() && has_xattr(&root, OPAQUE_XATTR) {
            self.marker([prefix.as_slice(), b".wh..wh..opq"].concat())?;
        }
        self.levels(level(root, prefix)?)
    }

    /// What is in a directory, as [`Walk::one`] gave it, and everything below.
    pub fn levels(&mut self, first: Level) -> Result<()> {
        let mut levels = vec![first];
        while let Some((dir, prefix, names)) = levels.last_mut() {
            let Some(name) = names.next() else {
                levels.pop();
                continue;
            };
            let path = [prefix.as_slice(), name.as_bytes()].concat();
            let deeper = self.one(dir, &name, path)?;
            if deeper.is_some() && levels.len() == MAX_DEPTH {
                return Err(Error::OverLimit { what: "directories in each other", limit: MAX_DEPTH as u64 });
            }
            levels.extend(deeper);
        }
        Ok(())
    }

    /// One entry; gives the level below a directory. What was removed or replaced meanwhile is left out.
    pub fn one(&mut self, dir: &OwnedFd, name: &OsStr, path: Vec<u8>) -> Result<Option<Level>> {
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.map_err(at(&path))?,
        };
        if self.form == Form::Container && is_mount_point(Path::new(OsStr::from_bytes(&path)), &stat) {
            return Ok(None);
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 && self.form.is_layer() => {
                let parent = path.len() - name.len();
                self.marker([&path[..parent], b".wh.", name.as_bytes()].concat())?;
            }
            FileType::Directory => match rustix::fs::openat(dir, name, DIRECTORY, Mode::empty()) {
                Ok(fd) => return self.directory(fd, path).map(Some),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(at(&path)(error)),
            },
            FileType::RegularFile => {
                let opened = if self.form == Form::Layer { open_quiet(dir, name) } else { open_regular(dir, name) };
                if let Some(fd) = opened.map_err(at(&path))? {
                    self.file(fd, path)?;
                }
            }
            // A socket means nothing without the process that listens.
            FileType::Socket => {}
            FileType::Symlink => match rustix::fs::readlinkat(dir, name, Vec::new()) {
                Ok(link) => self.plain(&stat, FileType::Symlink, path, link.into_bytes())?,
                Err(Errno::NOENT | Errno::INVAL) => {}
                Err(error) => return Err(at(&path)(error)),
            },
            kind => self.plain(&stat, kind, path, Vec::new())?,
        }
        Ok(None)
    }

    /// Writes a directory's own entry, `path/`, and gives what is in it.
    pub fn directory(&mut self, fd: OwnedFd, path: Vec<u8>) -> Result<Level> {
        let stat = rustix::fs::fstat(&fd).map_err(at(&path))?;
        let layer = self.form.is_layer();
        let inside = [path.as_slice(), b"/"].concat();
        let mut entry = self.described(&stat, EntryKind::Directory, inside.clone());
        let names = xattr_names(&fd, &mut self.names).map_err(at(&path))?;
        for mark in ["trusted.overlay.redirect", METACOPY] {
            if layer && has(names, mark) {
                return Err(Error::NotDiffable(format!("{} has {mark}; mount overlays with it off", String::from_utf8_lossy(&path))));
            }
        }
        let opaque = layer && has(names, OPAQUE_XATTR);
        entry.xattrs = xattrs(&fd, names).map_err(at(&path))?;
        self.write(&entry)?;
        if opaque {
            self.marker([inside.as_slice(), b".wh..wh..opq"].concat())?;
        }
        if !layer && of_the_kernel(&fd) {
            return Ok((fd, inside, Vec::new().into_iter()));
        }
        level(fd, inside)
    }

    fn file(&mut self, fd: OwnedFd, path: Vec<u8>) -> Result<()> {
        let stat = rustix::fs::fstat(&fd).map_err(at(&path))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let mut entry = self.described(&stat, EntryKind::File, path.clone());
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                entry.kind = EntryKind::HardLink;
                entry.link = first.clone();
                return self.write(&entry);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        let names = xattr_names(&fd, &mut self.names).map_err(at(&path))?;
        if self.form.is_layer() && has(names, METACOPY) {
            return Err(Error::NotDiffable(format!("{} is a metacopy; mount overlays with it off", String::from_utf8_lossy(&path))));
        }
        entry.xattrs = xattrs(&fd, names).map_err(at(&path))?;
        entry.size = u64::try_from(stat.st_size).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.bytes > self.most_bytes {
            return Err(Error::OverLimit { what: "bytes of its files together, holes included", limit: self.most_bytes });
        }
        self.write(&entry)?;
        let mut file = File::from(fd).take(entry.size);
        let mut left = entry.size;
        while left > 0 {
            if self.stopped.as_ref().is_some_and(|Stopped(stopped)| stopped()) {
                return Err(Error::NotDiffable("it was given up".into()));
            }
            let mut n = file.read(&mut self.buffer).map_err(at(&path))?;
            if n == 0 {
                if self.form == Form::Layer {
                    return Err(Error::NotDiffable(format!("{} shrank while it was read", String::from_utf8_lossy(&path))));
                }
                // Its size is told already. Zeros are what other tars put there.
                n = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                self.buffer[..n].fill(0);
            }
            self.tar.data(&self.buffer[..n]).map_err(write_error)?;
            left -= n as u64;
        }
        self.tar.end_data(entry.size).map_err(write_error)
    }

    /// Symlinks, fifos and devices.
    fn plain(&mut self, stat: &Stat, kind: FileType, path: Vec<u8>, link: Vec<u8>) -> Result<()> {
        let kind = match kind {
            FileType::Symlink => EntryKind::Symlink,
            FileType::Fifo => EntryKind::Fifo,
            FileType::BlockDevice => EntryKind::Block,
            FileType::CharacterDevice => EntryKind::Char,
            other => return Err(Error::NotDiffable(format!("{} is a {other:?}", String::from_utf8_lossy(&path)))),
        };
        let mut entry = self.described(stat, kind, path);
        entry.link = link;
        if matches!(kind, EntryKind::Block | EntryKind::Char) {
            entry.device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        }
        self.write(&entry)
    }

    /// A whiteout or opaque mark: an empty file without owner or time, the same wherever it was made.
    fn marker(&mut self, path: Vec<u8>) -> Result<()> {
        let mtime = (0, 0);
        let (kind, link) = (EntryKind::File, Vec::new());
        self.write(&Entry { path, link, kind, mode: 0, uid: 0, gid: 0, size: 0, mtime, device: (0, 0), xattrs: Vec::new(), sparse: None })
    }

    fn described(&self, stat: &Stat, kind: EntryKind, path: Vec<u8>) -> Entry {
        Entry {
            path,
            link: Vec::new(),
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: 0,
            mtime: (self.mtime.unwrap_or(stat.st_mtime), 0),
            device: (0, 0),
            xattrs: Vec::new(),
            sparse: None,
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<()> {
        self.entries += 1;
        if let Some(owners) = self.owners {
            let mut entry = entry.clone();
            owners.tell(&mut entry);
            return self.tar.entry(&entry).map_err(write_error);
        }
        self.tar.entry(entry).map_err(write_error)
    }
}

/// In a tree that nothing writes to: what was a file just now is one when it is opened. `None` as of [`open_regular`].
fn open_quiet(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<Option<OwnedFd>> {
    match rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
        opened => opened.map(Some),
    }
}

/// `None` when it is not there any more, or is something else now: opening a device may do something by itself.
fn open_regular(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<Option<OwnedFd>> {
    match rustix::fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        pinned => open_pinned(&pinned?),
    }
}

/// What the engine makes in a container's root to mount there, empty.
pub(crate) fn is_mount_point(path: &Path, stat: &Stat) -> bool {
    const DIRECTORIES: [&str; 6] = ["proc", "sys", "dev", "dev/pts", "dev/shm", "dev/mqueue"];
    const FILES: [&str; 4] = ["dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"];
    let named = |names: &[&str]| names.iter().any(|name| Path::new(name) == path);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => named(&DIRECTORIES),
        FileType::RegularFile => stat.st_size == 0 && named(&FILES),
        _ => false,
    }
}

/// What is below these is no content of the container.
fn of_the_kernel(dir: &OwnedFd) -> bool {
    const KERNEL: [rustix::fs::FsWord; 7] = [
        rustix::fs::PROC_SUPER_MAGIC,
        0x6265_6572, // sysfs
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x1cd1,      // devpts
        0x1980_0202, // mqueue
        0x6462_6720, // debugfs
    ];
    rustix::fs::fstatfs(dir).is_ok_and(|fs| KERNEL.contains(&fs.f_type))
}

fn level(fd: OwnedFd, prefix: Vec<u8>) -> Result<Level> {
    let mut names = Vec::new();
    for entry in Dir::read_from(&fd).map_err(at(&prefix))? {
        let name = entry.map_err(at(&prefix))?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort_unstable();
    Ok((fd, prefix, names.into_iter()))
}

pub(crate) fn has_xattr(fd: &OwnedFd, name: &str) -> bool {
    rustix::fs::fgetxattr_query(fd, name).is_ok()
}

const METACOPY: &str = "trusted.overlay.metacopy";

/// The names of a file's xattrs, each with a NUL at its end; none where there cannot be any.
fn xattr_names<'a>(fd: &OwnedFd, list: &'a mut [u8]) -> rustix::io::Result<&'a [u8]> {
    match rustix::fs::flistxattr(fd, &mut *list) {
        Err(Errno::OPNOTSUPP) => Ok(&[]),
        length => Ok(&list[..length?]),
    }
}

fn has(names: &[u8], name: &str) -> bool {
    names.split(|byte| *byte == 0).any(|known| known == name.as_bytes())
}

/// The xattrs that belong to an image: file capabilities and what users set. Others (overlay's own, labels of this host's
/// security module) mean something only here.
fn xattrs(fd: &OwnedFd, names: &[u8]) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    for name in names.split(|b| *b == 0) {
        let wanted = name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."));
        if wanted {
            let mut value = vec![0; 64 << 10];
            let n = rustix::fs::fgetxattr(fd, OsStr::from_bytes(name), &mut value[..])?;
            value.truncate(n);
            found.push((name.to_vec(), value));
        }
    }
    found.sort();
    Ok(found)
}

fn at<E: Into<std::io::Error>>(path: &[u8]) -> impl FnOnce(E) -> Error {
    let path = String::from_utf8_lossy(path).into_owned();
    move |error| Error::io(path)(error)
}
