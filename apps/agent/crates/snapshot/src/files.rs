//! The files of a container, for `docker cp` and `docker export`: looked up beneath its root by the kernel, whatever
//! symlinks are there and however fast they change.

use std::ffi::{OsStr, OsString};
use std::io::{BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, StatVfsMountFlags, StatxFlags};
use rustix::io::Errno;

use crate::beneath::{Cleaned, Root, clean};
use crate::decompress::{MAGIC, Packing, read_full};
use crate::extract::{Rules, extract_among};
use crate::tar::TarWriter;
use crate::walk::{DIRECTORY, Form, Walk};
use crate::{Error, Limits, Owners, Result};

/// A file or directory of a container.
#[derive(Debug, Clone)]
pub struct FileStat {
    /// The last part of the path that was asked for.
    pub name: String,
    pub size: u64,
    /// As the kernel has it, type included.
    pub mode: u32,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
    /// Where a symlink leads in the end, as an absolute path of the container.
    pub link_target: Option<String>,
}

/// How an archive goes in.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    pub no_overwrite_dir_non_dir: bool,
    /// Who is to own what is copied; `None` leaves that to the archive.
    pub owner: Option<(u32, u32)>,
    /// Whether it may bring device nodes.
    pub devices: bool,
}

/// The tree below a container's root directory.
pub struct Tree {
    root: OwnedFd,
    owners: Option<Owners>,
}

/// Links followed to the end of one path, as the kernel.
const MAX_LINKS: usize = 40;
const BUFFER: usize = 512 << 10;

/// A path as users write it. A slash or `/.` at its end says that it must be a directory.
struct Asked {
    cleaned: Cleaned,
    name: String,
    directory: bool,
}

impl Asked {
    fn parse(path: &str) -> Result<Asked> {
        let absolute = format!("/{path}");
        // Climbing above the root leads to the root, in a container as anywhere.
        let mut parts: Vec<&str> = Vec::new();
        for part in absolute.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match part {
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let cleaned = clean(parts.join("/").as_bytes())?;
        let here = absolute.ends_with("/.");
        let name = match (&cleaned, here) {
            (_, true) => ".".to_owned(),
            (None, false) => "/".to_owned(),
            (Some((_, name)), false) => name.to_string_lossy().into_owned(),
        };
        Ok(Asked { directory: here || absolute.ends_with('/'), cleaned, name })
    }

    fn whole(&self) -> PathBuf {
        self.cleaned.as_ref().map(|(parent, name)| parent.join(name)).unwrap_or_default()
    }
}

/// What a path names, held: whatever becomes of the path, an archive is of what was looked at.
pub struct Named {
    pub stat: FileStat,
    found: Found,
}

enum Found {
    Directory(OwnedFd),
    /// Anything, by its parent and name; not followed.
    In(OwnedFd, OsString),
}

impl Tree {
    /// `root`: a directory, open in any way.
    pub fn new(root: OwnedFd) -> Tree {
        Tree { root, owners: None }
    }

    /// Of a container whose users are others to the host. Who writes to it makes files as its root (`setfsuid(2)`).
    pub fn with_owners(self, owners: Option<Owners>) -> Tree {
        Tree { owners, ..self }
    }

    fn beneath(&self) -> Result<Root> {
        Ok(Root::of(self.root.try_clone().map_err(Error::io("/"))?))
    }

    fn find(&self, path: &str, asked: &Asked) -> Result<Found> {
        let root = self.beneath()?;
        let failed = |error: Errno| match error {
            Errno::NOENT => Error::FileNotFound(path.to_owned()),
            error => Error::io(path)(error),
        };
        match &asked.cleaned {
            Some((parent, name)) if !asked.directory => {
                let parent = root.open_dir(parent).map_err(failed)?;
                Ok(Found::In(parent, name.clone()))
            }
            _ => root.open_dir(&asked.whole()).map(Found::Directory).map_err(failed),
        }
    }

    /// Looks at `path` without following it, unless it ends in a slash.
    pub fn look(&self, path: &str) -> Result<Named> {
        let asked = Asked::parse(path)?;
        let found = self.find(path, &asked)?;
        let stat = match &found {
            Found::Directory(fd) => rustix::fs::fstat(fd),
            Found::In(parent, name) => rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW),
        };
        let stat = stat.map_err(|error| match error {
            Errno::NOENT => Error::FileNotFound(path.to_owned()),
            error => Error::io(path)(error),
        })?;
        let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let stat = FileStat {
            name: asked.name.clone(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            link_target: if link { Some(self.end_of_links(&asked.whole())?) } else { None },
        };
        Ok(Named { stat, found })
    }

    /// Follows links as text. Only told to the client, who asks again with it.
    fn end_of_links(&self, path: &Path) -> Result<String> {
        let root = self.beneath()?;
        let mut left: Vec<OsString> = path.iter().rev().map(OsStr::to_os_string).collect();
        let (mut done, mut links) = (PathBuf::new(), 0);
        while let Some(part) = left.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let link = root.open_dir(&done).ok().and_then(|dir| rustix::fs::readlinkat(&dir, &part, Vec::new()).ok());
            let Some(link) = link else {
                done.push(part);
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(Error::io(path)(Errno::LOOP));
            }
            let link = link.into_bytes();
            if link.starts_with(b"/") {
                done = PathBuf::new();
            }
            left.extend(link.split(|b| *b == b'/').rev().filter(|p| !p.is_empty() && *p != b".").map(|p| OsString::from_vec(p.to_vec())));
        }
        Ok(format!("/{}", done.display()))
    }

    /// The text of a small file, `limit` bytes at most; empty when there is none.
    pub fn text(&self, path: &Path, limit: u64) -> Result<String> {
        let mut bytes = Vec::new();
        if let Ok(Some(file)) = self.beneath()?.open_file(path) {
            std::fs::File::from(file).take(limit).read_to_end(&mut bytes).map_err(Error::io(path))?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn walk<W: Write>(&self, out: W) -> Walk<W> {
        let mut walk = Walk::new(TarWriter::new(out), Form::Files, None);
        walk.owners = self.owners;
        walk
    }

    /// Writes what a path named as a tar. The names in it begin with the path's last part, as `docker cp` expects.
    pub fn archive(&self, named: &Named, out: impl Write) -> Result<()> {
        let mut walk = self.walk(out);
        let (parent, name) = match &named.found {
            Found::Directory(fd) => (fd, OsStr::new(".")),
            Found::In(parent, name) => (parent, name.as_os_str()),
        };
        // The root's own name is a slash, which its directory entry gets anyway.
        let shown = if named.stat.name == "/" { Vec::new() } else { named.stat.name.clone().into_bytes() };
        if let Some(level) = walk.one(parent, name, shown)? {
            walk.levels(level)?;
        }
        finish(walk)
    }

    /// Writes everything as a tar, with names relative to the root.
    pub fn export(&self, out: impl Write) -> Result<()> {
        let mut walk = self.walk(out);
        let root = rustix::fs::openat(&self.root, ".", DIRECTORY, Mode::empty()).map_err(Error::io("/"))?;
        walk.tree(root, Vec::new())?;
        finish(walk)
    }

    /// Extracts an archive (plain, or compressed as its first bytes say) into the directory `path`.
    pub fn extract(&self, path: &str, mut reader: impl Read + Send, options: &PutOptions, limits: Limits) -> Result<()> {
        let asked = Asked::parse(path)?;
        let failed = |error: Errno| match error {
            Errno::NOENT => Error::FileNotFound(path.to_owned()),
            Errno::NOTDIR => Error::Kept("extraction point is not a directory".into()),
            error => Error::io(path)(error),
        };
        let root = self.beneath()?;
        let base = asked.whole();
        self.check_writable(&root.open_dir(&base).map_err(failed)?, path)?;
        let mut first = [0; MAGIC];
        let n = read_full(&mut reader, &mut first).map_err(Error::Source)?;
        let whole = first[..n].chain(reader);
        let source = Packing::of_magic(&first[..n]).reader(whole)?;
        let rules = Rules {
            base,
            keep_kinds: options.no_overwrite_dir_non_dir,
            owner: options.owner,
            devices: options.devices,
            owners: self.owners,
        };
        extract_among(BufReader::with_capacity(BUFFER, source), root, rules, limits).map(drop)
    }

    /// In dockerd's words.
    fn check_writable(&self, dir: &OwnedFd, path: &str) -> Result<()> {
        let flags = rustix::fs::fstatvfs(dir).map_err(Error::io(path))?.f_flag;
        if !flags.contains(StatVfsMountFlags::RDONLY) {
            return Ok(());
        }
        let mount = |fd: &OwnedFd| rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id);
        let what = match mount(dir).ok() == mount(&self.root).ok() {
            true => "container rootfs is marked read-only",
            false => "mounted volume is marked read-only",
        };
        Err(Error::Kept(what.into()))
    }
}

fn finish<W: Write>(walk: Walk<W>) -> Result<()> {
    let ended = walk.tar.finish().and_then(|mut out| out.flush());
    ended.map_err(|error| Error::io("the archive")(error))
}

/// The type and permissions as Go's `os.FileMode` has them, which is what the Engine API tells.
pub fn go_mode(stat_mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(stat_mode) {
        FileType::Directory => 1 << 31,
        FileType::Symlink => 1 << 27,
        FileType::BlockDevice => 1 << 26,
        FileType::CharacterDevice => (1 << 26) | (1 << 21),
        FileType::Fifo => 1 << 25,
        FileType::Socket => 1 << 24,
        _ => 0,
    };
    let special = [(0o4000, 23), (0o2000, 22), (0o1000, 20)];
    special.iter().filter(|(bit, _)| stat_mode & bit != 0).fold(kind | (stat_mode & 0o777), |mode, (_, shift)| mode | (1 << shift))
}
