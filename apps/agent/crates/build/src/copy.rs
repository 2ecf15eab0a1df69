//! The writing side of COPY, with BuildKit's rules where they show in the image:
//!
//! - Missing parents and a missing destination directory are made 0755, or as `--chmod` says in digits, and belong to `--chown`'s user.
//! - An existing destination directory keeps its mode and owner; directories beneath it, and its time, are the source's.
//! - A file or link replaces a file or link, never a directory; a directory never replaces a file or link.
//! - Links in the destination's path are followed inside the image; a link at the very end of a copied entry's path is
//!   replaced, not followed.
//! - Modes (also setuid), times to the nanosecond, hard links among the copied files, file capabilities are kept.
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, XattrFlags, mknodat, openat, statat};
use rustix::io::Errno;

use crate::mode::ModeChange;
use crate::origin::Origin;
use crate::select::{Entry, Source};
use crate::tree::{Tree, own, times};

/// Files smaller than this pass through memory.
const BUFFER: usize = 128 << 10;
/// Between two looks at whether the build was ended.
const AT_ONCE: u64 = 64 << 20;
/// Files that one thread takes at a time; entries come grouped by directory.
const PIECE: usize = 64;
const MOST_THREADS: usize = 4;

/// How to write what was selected.
#[derive(Debug, Clone)]
pub struct Placement {
    /// As written; a trailing slash means "into this directory".
    pub dest: String,
    /// `None`: keep the source's owner.
    pub owner: Option<(u32, u32)>,
    /// For everything copied.
    pub mode: Option<ModeChange>,
}

impl Placement {
    /// The mode of what has `mode` where it comes from.
    pub fn mode_of(&self, mode: u32, is_dir: bool) -> u32 {
        self.mode.as_ref().map_or(mode, |change| change.apply(mode, is_dir))
    }

    /// Of directories that the destination needs. Letters change what a source has, and these come from none.
    fn made_mode(&self) -> u32 {
        match self.mode {
            Some(ModeChange::Set(mode)) => mode & 0o777,
            _ => 0o755,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A sentence part without a full stop.
    #[error("{0}")]
    Refused(String),
    #[error("writing `{}`: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("canceled")]
    Canceled,
}

/// Asked before each file.
pub type Canceled<'a> = dyn Fn() -> bool + Sync + 'a;

/// Copies `sources` of `from` into `to`.
///
/// # Errors
/// See [`CopyError`].
pub fn copy(
    from: &(impl Origin + Sync),
    sources: &[Source],
    to: &Tree,
    placement: &Placement,
    canceled: &Canceled<'_>,
) -> Result<(), CopyError> {
    let dest = destination(to, placement)?;
    if sources.iter().filter(|source| !source.is_dir()).count() > 1 && sources.len() > 1 && !is_dir(to, &dest)? {
        return Err(CopyError::Refused(format!(
            "several files are copied to `{}`, which is not a directory; end it with a slash",
            placement.dest
        )));
    }
    let mut links = HashMap::new();
    for source in sources {
        let target = target(to, source, &dest, placement)?;
        let mut writer = Writer { from, to, source, target: &target, placement, parent: None, links: &mut links, buffer: vec![0; BUFFER] };
        writer.run(canceled)?;
    }
    Ok(())
}

/// Makes the directory that the destination needs and resolves its links.
///
/// # Errors
/// `Refused` when something that is not a directory is in the way.
pub fn destination(to: &Tree, placement: &Placement) -> Result<PathBuf, CopyError> {
    let dest = Path::new(&placement.dest);
    let wants_dir = placement.dest.ends_with('/') || placement.dest.ends_with("/.") || placement.dest.ends_with("/..");
    let needed = if wants_dir { dest } else { dest.parent().unwrap_or(Path::new("/")) };
    make_dirs(to, needed, placement)?;
    to.real_path(dest).map_err(|error| CopyError::Io { path: dest.to_path_buf(), error })
}

/// # Errors
/// As [`destination`].
pub fn make_dirs(to: &Tree, path: &Path, placement: &Placement) -> Result<OwnedFd, CopyError> {
    match to.make_dirs(path, placement.made_mode(), placement.owner.unwrap_or((0, 0))) {
        Ok((fd, _)) => Ok(fd),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory || error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CopyError::Refused(format!("`{}` in the image is not a directory", path.display())))
        }
        Err(error) => Err(CopyError::Io { path: path.to_path_buf(), error }),
    }
}

fn is_dir(to: &Tree, path: &Path) -> Result<bool, CopyError> {
    let stat = to.stat_followed(path).map_err(|error| CopyError::Io { path: path.to_path_buf(), error })?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
}

fn target(to: &Tree, source: &Source, dest: &Path, placement: &Placement) -> Result<PathBuf, CopyError> {
    if source.is_dir() {
        // Also when it exists: a file in its place is told now, not after half of the files.
        make_dirs(to, dest, placement)?;
        return Ok(dest.to_path_buf());
    }
    Ok(if is_dir(to, dest)? { dest.join(&source.name) } else { dest.to_path_buf() })
}

struct Writer<'a, F> {
    from: &'a F,
    to: &'a Tree,
    source: &'a Source,
    /// Where the source itself goes.
    target: &'a Path,
    placement: &'a Placement,
    parent: Parent,
    /// Where the first name of a file with several was written.
    links: &'a mut HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
}

/// The destination's directory worked in last: entries come grouped by directory.
type Parent = Option<(PathBuf, Rc<OwnedFd>)>;

impl<F: Origin + Sync> Writer<'_, F> {
    fn run(&mut self, canceled: &Canceled<'_>) -> Result<(), CopyError> {
        let (plain, others): (Vec<&Entry>, Vec<&Entry>) =
            self.source.entries.iter().partition(|entry| entry.kind == FileType::RegularFile && entry.inode.is_none());
        let mut dirs = Vec::new();
        // All directories are there before files come into them.
        for entry in others {
            if entry.path.as_os_str().is_empty() && entry.kind == FileType::Directory {
                continue;
            }
            self.one(entry, canceled)?;
            if entry.kind == FileType::Directory {
                dirs.push(entry);
            }
        }
        self.spread(&plain, canceled)?;
        // Writing into a directory changes its time, so directories are finished last, the deepest first.
        for entry in dirs.into_iter().rev() {
            self.finish_dir(entry).map_err(|error| CopyError::Io { path: self.shown(entry), error })?;
        }
        match self.source.entries.first() {
            // The root of a context has none.
            Some(root) if self.source.is_dir() && root.mtime != (0, 0) => {
                self.finish_root(root).map_err(|error| CopyError::Io { path: self.target.to_path_buf(), error })
            }
            _ => Ok(()),
        }
    }

    /// Where a directory's contents go has its time afterwards, also when it was there before; nothing else of it.
    fn finish_root(&self, root: &Entry) -> io::Result<()> {
        Ok(rustix::fs::futimens(self.to.open_at(self.target, OFlags::RDONLY | OFlags::DIRECTORY)?, &times(root.mtime.0, root.mtime.1))?)
    }

    /// Making a file keeps a processor busy much longer than the disk.
    fn spread(&mut self, entries: &[&Entry], canceled: &Canceled<'_>) -> Result<(), CopyError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(entries.len() / PIECE);
        if threads < 2 {
            return entries.iter().try_for_each(|entry| self.one(entry, canceled));
        }
        let (from, to, source, target, placement) = (self.from, self.to, self.source, self.target, self.placement);
        let pieces: Vec<&[&Entry]> = entries.chunks(PIECE).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut links = HashMap::new();
            let mut writer = Writer { from, to, source, target, placement, parent: None, links: &mut links, buffer: vec![0; BUFFER] };
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = piece.iter().try_for_each(|entry| writer.one(entry, canceled)) {
                    next.store(pieces.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let own = work();
            others.into_iter().fold(own, |outcome, other| {
                let other = other.join().unwrap_or_else(|_| Err(CopyError::Refused("copying files ended unexpectedly".into())));
                outcome.and(other)
            })
        })
    }

    fn one(&mut self, entry: &Entry, canceled: &Canceled<'_>) -> Result<(), CopyError> {
        if canceled() {
            return Err(CopyError::Canceled);
        }
        self.entry(entry, canceled).map_err(|error| match error {
            Fault::Io(_) if canceled() => CopyError::Canceled,
            Fault::Refused(text) => CopyError::Refused(text),
            Fault::Io(error) => CopyError::Io { path: self.shown(entry), error },
        })
    }

    fn shown(&self, entry: &Entry) -> PathBuf {
        if entry.path.as_os_str().is_empty() { self.target.to_path_buf() } else { self.target.join(&entry.path) }
    }

    fn entry(&mut self, entry: &Entry, canceled: &Canceled<'_>) -> Result<(), Fault> {
        let shown = self.shown(entry);
        let name = shown.file_name().ok_or(Errno::INVAL)?;
        let dir = &*self.parent(entry)?;
        let first = entry.inode.and_then(|inode| self.links.get(&inode)).cloned();
        // Nearly always nothing is there, and the file system says so by making the file.
        if entry.kind == FileType::RegularFile && first.is_none() {
            match self.copy_file(dir, name, entry, canceled) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return Ok(self.copied(done, entry, shown)?),
            }
        }
        let existing = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        match (entry.kind, existing) {
            (FileType::Directory, Some(FileType::Directory)) => return Ok(()),
            (FileType::Directory, Some(_)) => {
                return Err(Fault::Refused(format!(
                    "`{}` in the image is not a directory, and a directory cannot replace it",
                    shown.display()
                )));
            }
            (FileType::Directory, None) => return Ok(rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755))?),
            (_, Some(FileType::Directory)) => {
                return Err(Fault::Refused(format!("`{}` in the image is a directory, and a file cannot replace it", shown.display())));
            }
            (_, Some(_)) => rustix::fs::unlinkat(dir, name, AtFlags::empty())?,
            (_, None) => {}
        }
        match entry.kind {
            FileType::Symlink => {
                rustix::fs::symlinkat(entry.target.as_deref().unwrap_or(OsStr::new("")), dir, name)?;
                set_metadata(dir, name, entry, self.placement)?;
            }
            FileType::RegularFile => match first {
                Some(first) => {
                    let first = self.to.open_at(&first, OFlags::PATH | OFlags::NOFOLLOW)?;
                    // Every overlay view shows the first name as an open file's inode; linking needs its path.
                    let by_fd = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&first));
                    rustix::fs::linkat(CWD, by_fd.as_str(), dir, name, AtFlags::SYMLINK_FOLLOW)?;
                }
                None => {
                    let done = self.copy_file(dir, name, entry, canceled);
                    self.copied(done, entry, shown)?;
                }
            },
            FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice => {
                mknodat(dir, name, entry.kind, Mode::from_raw_mode(0o600), entry.rdev)?;
                set_metadata(dir, name, entry, self.placement)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn copied(&mut self, done: io::Result<()>, entry: &Entry, shown: PathBuf) -> io::Result<()> {
        done?;
        if let Some(inode) = entry.inode {
            self.links.insert(inode, shown);
        }
        Ok(())
    }

    /// # Errors
    /// `AlreadyExists` when something is there.
    fn copy_file(&mut self, dir: &OwnedFd, name: &OsStr, entry: &Entry, canceled: &Canceled<'_>) -> io::Result<()> {
        let path = if entry.path.as_os_str().is_empty() { self.source.path.clone() } else { self.source.path.join(&entry.path) };
        let mut input = self.from.open(&path, entry)?;
        let there = rustix::fs::fstat(&input)?;
        let mode = self.placement.mode_of(entry.mode, false);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut output = File::from(openat(dir, name, flags, Mode::from_raw_mode(mode & 0o777))?);
        if u64::try_from(there.st_size).unwrap_or(0) < BUFFER as u64 {
            loop {
                let count = input.read(&mut self.buffer)?;
                output.write_all(&self.buffer[..count])?;
                // A read that does not fill the buffer was the last one.
                if count < BUFFER {
                    break;
                }
            }
        } else {
            // On Linux this is copy_file_range: the bytes do not pass through this process. In pieces, as a sparse file takes no room
            // where it comes from, and may be as long as it likes.
            while io::copy(&mut (&input).take(AT_ONCE), &mut &output)? == AT_ONCE {
                if canceled() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
        }
        // Changing what is right already costs the file system as much as a change.
        let made = rustix::fs::fstat(&output)?;
        let (uid, gid) = self.placement.owner.unwrap_or((entry.uid, entry.gid));
        let owned = (made.st_uid, made.st_gid) == (uid, gid);
        if !owned {
            rustix::fs::fchown(&output, Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(gid)))?;
        }
        // After chown, which clears setuid.
        if !owned || made.st_mode & 0o7777 != mode {
            rustix::fs::fchmod(&output, Mode::from_raw_mode(mode))?;
        }
        // After chown too, which clears capabilities.
        for (key, value) in self.from.xattrs(&input)? {
            rustix::fs::fsetxattr(&output, &key, &value, XattrFlags::empty())?;
        }
        Ok(rustix::fs::futimens(&output, &times(there.st_mtime, i64::try_from(there.st_mtime_nsec).unwrap_or(0)))?)
    }

    fn finish_dir(&mut self, entry: &Entry) -> io::Result<()> {
        let shown = self.shown(entry);
        let name = shown.file_name().ok_or(Errno::INVAL)?.to_os_string();
        let parent = self.to.dir(shown.parent().unwrap_or(Path::new("/")))?;
        set_metadata(&parent, &name, entry, self.placement)
    }

    fn parent(&mut self, entry: &Entry) -> io::Result<Rc<OwnedFd>> {
        let dir = entry.path.parent().unwrap_or(Path::new(""));
        if let Some((open, fd)) = &self.parent
            && open == dir
        {
            return Ok(fd.clone());
        }
        let root = entry.path.as_os_str().is_empty();
        let target = if root { self.target.parent().unwrap_or(Path::new("/")).to_path_buf() } else { self.target.join(dir) };
        let fd = Rc::new(self.to.dir(&target)?);
        self.parent = Some((dir.to_path_buf(), fd.clone()));
        Ok(fd)
    }
}

enum Fault {
    Refused(String),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

fn set_metadata(dir: impl AsFd, name: &OsStr, entry: &Entry, placement: &Placement) -> io::Result<()> {
    own(&dir, name, placement.owner.unwrap_or((entry.uid, entry.gid)))?;
    if entry.kind != FileType::Symlink {
        let mode = placement.mode_of(entry.mode, entry.kind == FileType::Directory);
        rustix::fs::chmodat(&dir, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
    }
    Ok(rustix::fs::utimensat(&dir, name, &times(entry.mtime.0, entry.mtime.1), AtFlags::SYMLINK_NOFOLLOW)?)
}
