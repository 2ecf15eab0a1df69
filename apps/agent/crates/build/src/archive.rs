//! ADD of a local archive: unpacks tar (plain, gzip, bzip2, xz, zstd) into a directory of the image.
//!
//! The archive is hostile: every path is resolved by the kernel beneath the image's root, names are cleaned before, and
//! nothing about it is believed but what fits the limits. Owners are the archive's unless `--chown` says otherwise.
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags, mknodat, openat, statat};
use rustix::io::Errno;
use tar::EntryType;

use crate::copy::{CopyError, Placement, make_dirs};
use crate::tarstream::{self, Member};
use crate::tree::{Tree, own, remove_all, times};

const MAX_ENTRIES: u64 = 1_000_000;
/// Of everything an archive inflates to.
const MAX_BYTES: u64 = 64 << 30;
/// Of the stream itself: names and headers beside the contents.
const MAX_STREAM: u64 = MAX_BYTES + (4 << 30);
/// What an xz file may ask for; its strongest preset takes 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;
const BUFFER: usize = 256 << 10;

/// Opens a reader over the archive in `file`, or gives `None` when it is not one. Told by content, never by name.
///
/// # Errors
/// When the file cannot be read.
pub fn open(mut file: File) -> io::Result<Option<Box<dyn Read>>> {
    let mut magic = [0u8; 6];
    let mut length = 0;
    while length < magic.len() {
        match file.read(&mut magic[length..])? {
            0 => break,
            count => length += count,
        }
    }
    file.rewind()?;
    // A compressed file is an archive only if a tar header follows.
    let mut first = [0u8; 512];
    let read = inflate(&magic, file.try_clone()?).map(|mut reader| reader.read_exact(&mut first));
    if let Some(Err(error)) = &read
        && matches!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(liblzma::stream::Error::MemLimit))
    {
        return Err(io::Error::other("this xz file takes more than 128 MiB of memory to unpack; pack it with a smaller dictionary"));
    }
    let is_tar = matches!(read, Some(Ok(()))) && is_tar_header(&first);
    file.rewind()?;
    Ok(if is_tar { inflate(&magic, file) } else { None })
}

fn inflate(magic: &[u8; 6], file: File) -> Option<Box<dyn Read>> {
    let input = BufReader::with_capacity(BUFFER, file);
    Some(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(input)),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED).ok()?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(input).ok()?),
        _ => Box::new(input),
    })
}

fn is_tar_header(block: &[u8; 512]) -> bool {
    let header = tar::Header::from_byte_slice(block);
    let sum: u32 = block.iter().enumerate().map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) }).sum();
    header.cksum().is_ok_and(|expected| expected == sum) && block.iter().any(|&byte| byte != 0)
}

/// Unpacks into the placement's destination, which is made when it is missing.
///
/// # Errors
/// `Refused` for an archive that is broken, too large, or tries to leave the image.
pub fn unpack(archive: impl Read, to: &Tree, placement: &Placement, canceled: &dyn Fn() -> bool) -> Result<(), CopyError> {
    let dest = Path::new(&placement.dest);
    make_dirs(to, dest, placement)?;
    let root = to.real_path(dest).map_err(|error| CopyError::Io { path: dest.to_path_buf(), error })?;
    let mut unpacker = Unpacker { to, root, placement, dirs: Vec::new(), entries: 0, bytes: 0, buffer: vec![0; BUFFER] };
    let archive = Checked { archive, left: MAX_STREAM, canceled };
    tarstream::each(archive, |member, content| unpacker.member(&member, content).map_err(Stop))
        .map_err(|Stop(error)| if canceled() { CopyError::Canceled } else { error })?;
    unpacker.finish()
}

/// Every byte of an archive comes through here: an entry of 60 GiB, or one that only describes others, ends with the build.
struct Checked<'a, R> {
    archive: R,
    left: u64,
    canceled: &'a dyn Fn() -> bool,
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.canceled)() {
            return Err(io::Error::other("canceled"));
        }
        let count = self.archive.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it inflates to more than 64 GiB"))?;
        Ok(count)
    }
}

struct Stop(CopyError);

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self(CopyError::Refused(format!("the archive is damaged: {error}")))
    }
}

struct Unpacker<'a> {
    to: &'a Tree,
    /// Of the archive, inside the image; links resolved.
    root: PathBuf,
    placement: &'a Placement,
    /// Times are set at the end.
    dirs: Vec<(PathBuf, (i64, i64))>,
    entries: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), CopyError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(member.size);
        if self.entries > MAX_ENTRIES || self.bytes > MAX_BYTES {
            return Err(CopyError::Refused("the archive holds more than 1,000,000 entries or 64 GiB".into()));
        }
        let path = clean(&member.path)
            .ok_or_else(|| CopyError::Refused(format!("`{}` in the archive leads outside of it", member.path.display())))?;
        let shown = self.root.join(&path);
        self.write(&path, member, content).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => {
                CopyError::Refused(format!("`{}` in the archive is of a kind that cannot be unpacked", path.display()))
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => CopyError::Refused(format!("the archive is damaged: {error}")),
            _ => CopyError::Io { path: shown, error },
        })
    }

    fn write(&mut self, path: &Path, member: &Member, content: &mut dyn Read) -> io::Result<()> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let parent = self.parent(path)?;
        let parent = parent.as_fd();
        let is_dir = |name: &OsStr| {
            statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
        };
        // As Docker: a directory joins a directory, anything else replaces what is there.
        if !(member.kind == EntryType::Directory && is_dir(name)) {
            remove_all(parent, name)?;
        }
        match member.kind {
            EntryType::Regular | EntryType::Continuous => return self.file(parent, name, member, content),
            EntryType::Directory => {
                if !is_dir(name) {
                    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
                }
                self.dirs.push((path.to_path_buf(), member.mtime));
            }
            EntryType::Symlink => rustix::fs::symlinkat(member.link.as_deref().unwrap_or(OsStr::new("")), parent, name)?,
            EntryType::Link => return self.hard_link(parent, name, member),
            EntryType::Fifo => mknodat(parent, name, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?,
            EntryType::Char | EntryType::Block => {
                let (major, minor) = member.device.ok_or(io::ErrorKind::InvalidData)?;
                let kind = if member.kind == EntryType::Char { FileType::CharacterDevice } else { FileType::BlockDevice };
                // 0:0 is overlayfs's whiteout: it would delete files of the base instead of adding one.
                if (major, minor) == (0, 0) {
                    return Err(io::ErrorKind::Unsupported.into());
                }
                mknodat(parent, name, kind, Mode::from_raw_mode(0o600), rustix::fs::makedev(major, minor))?;
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        own(parent, name, self.owner(member))?;
        if member.kind != EntryType::Symlink {
            let mode = self.placement.mode_of(member.mode, member.kind == EntryType::Directory);
            rustix::fs::chmodat(parent, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        }
        if member.kind == EntryType::Directory {
            return Ok(());
        }
        Ok(rustix::fs::utimensat(parent, name, &times(member.mtime.0, member.mtime.1), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn owner(&self, member: &Member) -> (u32, u32) {
        self.placement.owner.unwrap_or((member.uid, member.gid))
    }

    fn parent(&self, path: &Path) -> io::Result<OwnedFd> {
        let dir = self.root.join(path.parent().unwrap_or(Path::new("")));
        match self.to.dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.to.make_dirs(&dir, 0o755, self.placement.owner.unwrap_or((0, 0)))?.0)
            }
            other => other,
        }
    }

    fn file(&mut self, parent: impl AsFd, name: &OsStr, member: &Member, content: &mut dyn Read) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(parent, name, flags, Mode::from_raw_mode(0o600))?);
        loop {
            let count = content.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            io::Write::write_all(&mut file, &self.buffer[..count])?;
        }
        let (uid, gid) = self.owner(member);
        rustix::fs::fchown(&file, Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(gid)))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(self.placement.mode_of(member.mode, false)))?;
        // After chown, which clears capabilities.
        set_xattrs(&file, member)?;
        Ok(rustix::fs::futimens(&file, &times(member.mtime.0, member.mtime.1))?)
    }

    fn hard_link(&self, parent: impl AsFd, name: &OsStr, member: &Member) -> io::Result<()> {
        let target = clean(Path::new(member.link.as_deref().unwrap_or(OsStr::new("")))).ok_or(io::ErrorKind::InvalidData)?;
        let target_name = target.file_name().ok_or(io::ErrorKind::InvalidData)?;
        let target_dir = self.parent(&target)?;
        Ok(rustix::fs::linkat(&target_dir, target_name, parent, name, AtFlags::empty())?)
    }

    fn finish(self) -> Result<(), CopyError> {
        for (path, mtime) in self.dirs.iter().rev() {
            let shown = self.root.join(path);
            let set = || -> io::Result<()> {
                let parent = self.parent(path)?;
                let name = path.file_name().ok_or(Errno::INVAL)?;
                match rustix::fs::utimensat(&parent, name, &times(mtime.0, mtime.1), AtFlags::SYMLINK_NOFOLLOW) {
                    // Replaced by a later entry.
                    Err(Errno::NOENT) => Ok(()),
                    other => Ok(other?),
                }
            };
            set().map_err(|error| CopyError::Io { path: shown, error })?;
        }
        Ok(())
    }
}

/// A file system that keeps none of them has none afterwards, as with other copies.
fn set_xattrs(file: impl AsFd, member: &Member) -> io::Result<()> {
    for (name, value) in &member.xattrs {
        match rustix::fs::fsetxattr(&file, name.as_os_str(), value, XattrFlags::empty()) {
            Err(Errno::NOTSUP) => return Ok(()),
            done => done?,
        }
    }
    Ok(())
}

/// Normal components only; `None` when `..` leads out. A leading slash means the archive's root.
fn clean(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir if !clean.pop() => return None,
            _ => {}
        }
    }
    Some(clean)
}
