use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use slipway_store::{Descriptor, Lease};

use crate::compress::{LayerSink, write_error};
use crate::extract::OPAQUE_XATTR;
use crate::tar::{Entry, EntryKind, TarWriter};
use crate::{DiffOptions, Error, Layers, NewLayer, Result};

impl Layers {
    /// Writes the upper directory of an overlay (not mounted, or quiet) as an OCI layer into the store: sorted names,
    /// overlay whiteouts and opaque marks translated to `.wh.` entries, xattrs, hardlinks, sparse files stored densely.
    /// The same directory gives the same bytes on every machine.
    pub fn diff(&self, lease: &Lease, upper: &Path, options: &DiffOptions) -> Result<NewLayer> {
        let sink = LayerSink::new(self.store().writer(lease)?, options.compression);
        let mut walk = Walk {
            tar: TarWriter::new(sink),
            links: HashMap::new(),
            mtime: options.mtime,
            buffer: vec![0; 256 << 10],
            entries: 0,
            bytes: 0,
        };
        let root = rustix::fs::open(upper, DIRECTORY, Mode::empty()).map_err(Error::io(upper))?;
        walk.tree(root)?;
        let (blob, diff_id) = walk.tar.finish().map_err(write_error)?.finish()?;
        let blob = blob.commit(None, None)?;
        let descriptor = Descriptor::new(options.compression.media_type(), blob.digest, blob.size);
        Ok(NewLayer { descriptor, diff_id, unpacked_size: walk.bytes, entries: walk.entries })
    }
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Walk {
    tar: TarWriter<LayerSink>,
    /// The first name of each file that has several.
    links: HashMap<(u64, u64), Vec<u8>>,
    mtime: Option<i64>,
    buffer: Vec<u8>,
    entries: u64,
    bytes: u64,
}

/// A directory being walked: its descriptor, its path in the layer with a slash at the end, and the names still to come.
type Level = (OwnedFd, Vec<u8>, std::vec::IntoIter<OsString>);

impl Walk {
    /// By descriptors and without recursion: what a container made may be deep, and may change if it still runs.
    fn tree(&mut self, root: OwnedFd) -> Result<()> {
        let mut levels: Vec<Level> = vec![level(root, Vec::new())?];
        if has_xattr(&levels[0].0, OPAQUE_XATTR) {
            self.marker(b".wh..wh..opq".to_vec())?;
        }
        while let Some((dir, prefix, names)) = levels.last_mut() {
            let Some(name) = names.next() else {
                levels.pop();
                continue;
            };
            let path = [prefix.as_slice(), name.as_bytes()].concat();
            let stat = match rustix::fs::statat(&*dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                other => other.map_err(at(&path))?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::CharacterDevice if stat.st_rdev == 0 => {
                    self.marker([prefix.as_slice(), b".wh.", name.as_bytes()].concat())?;
                }
                FileType::Directory => {
                    let fd = rustix::fs::openat(&*dir, &name, DIRECTORY, Mode::empty()).map_err(at(&path))?;
                    let deeper = self.directory(fd, path)?;
                    levels.push(deeper);
                }
                FileType::RegularFile => {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                    let fd = rustix::fs::openat(&*dir, &name, flags, Mode::empty()).map_err(at(&path))?;
                    self.file(fd, path)?;
                }
                // A socket means nothing without the process that listens.
                FileType::Socket => {}
                kind => {
                    let link = if kind == FileType::Symlink {
                        rustix::fs::readlinkat(&*dir, &name, Vec::new()).map_err(at(&path))?.into_bytes()
                    } else {
                        Vec::new()
                    };
                    self.plain(&stat, kind, path, link)?;
                }
            }
        }
        Ok(())
    }

    fn directory(&mut self, fd: OwnedFd, path: Vec<u8>) -> Result<Level> {
        let stat = rustix::fs::fstat(&fd).map_err(at(&path))?;
        for mark in ["trusted.overlay.redirect", "trusted.overlay.metacopy"] {
            if has_xattr(&fd, mark) {
                return Err(Error::NotDiffable(format!("{} has {mark}; mount overlays with it off", String::from_utf8_lossy(&path))));
            }
        }
        let inside = [path.as_slice(), b"/"].concat();
        let mut entry = self.described(&stat, EntryKind::Directory, inside.clone());
        entry.xattrs = xattrs(&fd).map_err(at(&path))?;
        self.write(&entry)?;
        if has_xattr(&fd, OPAQUE_XATTR) {
            self.marker([inside.as_slice(), b".wh..wh..opq"].concat())?;
        }
        level(fd, inside)
    }

    fn file(&mut self, fd: OwnedFd, path: Vec<u8>) -> Result<()> {
        let stat = rustix::fs::fstat(&fd).map_err(at(&path))?;
        let mut entry = self.described(&stat, EntryKind::File, path.clone());
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                entry.kind = EntryKind::HardLink;
                entry.link = first.clone();
                return self.write(&entry);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        if has_xattr(&fd, "trusted.overlay.metacopy") {
            return Err(Error::NotDiffable(format!("{} is a metacopy; mount overlays with it off", String::from_utf8_lossy(&path))));
        }
        entry.xattrs = xattrs(&fd).map_err(at(&path))?;
        entry.size = u64::try_from(stat.st_size).unwrap_or(0);
        self.write(&entry)?;
        self.bytes += entry.size;
        let mut file = File::from(fd).take(entry.size);
        let mut left = entry.size;
        while left > 0 {
            let n = file.read(&mut self.buffer).map_err(at(&path))?;
            if n == 0 {
                return Err(Error::NotDiffable(format!("{} shrank while it was read", String::from_utf8_lossy(&path))));
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
        self.tar.entry(entry).map_err(write_error)
    }
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

fn has_xattr(fd: &OwnedFd, name: &str) -> bool {
    rustix::fs::fgetxattr_query(fd, name).is_ok()
}

/// The xattrs that belong to an image: file capabilities and what users set. Others (overlay's own, labels of this host's
/// security module) mean something only here.
fn xattrs(fd: &OwnedFd) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; 64 << 10];
    let length = match rustix::fs::flistxattr(fd, &mut list[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for name in list[..length].split(|b| *b == 0) {
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
