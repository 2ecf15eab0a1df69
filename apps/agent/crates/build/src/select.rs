//! The reading side of COPY: which files a source names, and what they are, as far as an image can tell.
//!
//! The rules are BuildKit's. A source is a path or a Go pattern from the root of a context or of another vertex; symlinks
//! on the way and at its end are followed inside that root; a directory stands for its contents; links inside it stay
//! links. A pattern that matches nothing is fine, a path that is not there is not.
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, readlinkat, statat};
use sha2::{Digest as _, Sha256};

use crate::copy::Canceled;
use crate::event::now_ms;
use crate::globs::{self, Globs};
use crate::pattern;
use crate::plan::CopyOp;
use crate::tree::{Tree, list};

/// One match of one source.
#[derive(Debug)]
pub struct Source {
    /// From the tree's root, links resolved.
    pub path: PathBuf,
    /// Its name as written (before links are followed): its name inside a destination directory.
    pub name: OsString,
    /// The source itself first (with an empty path), then everything beneath it, directories before their contents.
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct Entry {
    /// From the source; empty for the source itself.
    pub path: PathBuf,
    pub kind: FileType,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, i64),
    /// Of a symlink.
    pub target: Option<OsString>,
    pub rdev: u64,
    /// Device and inode when the file has several names.
    pub inode: Option<(u64, u64)>,
    /// SHA-256 of a regular file, once [`digest_files`] has run.
    pub digest: Option<[u8; 32]>,
}

#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The source as written.
    #[error("`{0}` is not there")]
    Missing(String),
    #[error("`{0}` is not a valid pattern")]
    Pattern(String),
    #[error("reading `{}`: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl Source {
    pub fn is_dir(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.kind == FileType::Directory)
    }
}

/// Where sources are looked up: a directory tree, or the index of a context. Paths are absolute inside it; those given to
/// `children` and `entries` have no links in them.
pub trait Files {
    /// Resolves every link of a path inside the root.
    ///
    /// # Errors
    /// For a loop, and what the file system says.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;
    /// Name and type of what a directory holds, sorted; empty for what is none.
    ///
    /// # Errors
    /// What the file system says.
    fn children(&self, dir: &Path) -> io::Result<Vec<(OsString, FileType)>>;
    /// The entry itself, with an empty path, then everything beneath it, directories before their contents.
    ///
    /// # Errors
    /// What the file system says.
    fn entries(&self, path: &Path) -> io::Result<Option<Vec<Entry>>>;
}

/// Finds what `sources` name in `tree`, in order.
///
/// # Errors
/// See [`SelectError`].
pub fn select(tree: &impl Files, sources: &[String]) -> Result<Vec<Source>, SelectError> {
    let mut selected = Vec::new();
    for source in sources {
        let parts: Vec<&str> = source.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let literal = parts.iter().position(|part| pattern::has_wildcard(part)).unwrap_or(parts.len());
        let base = clean(&parts[..literal]);
        if literal == parts.len() {
            let name = base.file_name().unwrap_or_default().to_os_string();
            selected.push(open_source(tree, &base, name)?.ok_or_else(|| SelectError::Missing(source.clone()))?);
            continue;
        }
        let base = tree.real_path(&base).map_err(|error| SelectError::Io { path: base.clone(), error })?;
        let mut matched = Vec::new();
        expand(tree, &base, &parts[literal..], source, &mut matched)?;
        for path in matched {
            let name = path.file_name().unwrap_or_default().to_os_string();
            // A dangling link that a pattern happens to match is no reason to fail.
            selected.extend(open_source(tree, &path, name)?);
        }
    }
    Ok(selected)
}

/// Finds what a COPY copies: its sources, less what it excludes, with their parents if it asks for them.
///
/// # Errors
/// See [`SelectError`].
pub fn select_for(tree: &impl Files, op: &CopyOp) -> Result<Vec<Source>, SelectError> {
    let excluded = Globs::new(&op.exclude).map_err(|_| SelectError::Pattern(op.exclude.join(" ")))?;
    if op.parents {
        return with_parents(tree, &op.sources, &excluded);
    }
    let mut selected = select(tree, &op.sources)?;
    if !op.exclude.is_empty() {
        // Beneath a directory the patterns begin at that directory; a file is told by its name.
        selected.retain(|source| source.is_dir() || !excluded.take(Path::new(&source.name)));
        for source in selected.iter_mut().filter(|source| source.is_dir()) {
            globs::retain(&mut source.entries, |path| !excluded.take(path));
        }
    }
    Ok(selected)
}

/// Each source as the directory before its `/./` (the root, without one), with nothing in it but what the rest matches and `excluded` does
/// not, and the directories on the way there, which are made as they are but by this build.
fn with_parents(tree: &impl Files, sources: &[String], excluded: &Globs) -> Result<Vec<Source>, SelectError> {
    let mut selected = Vec::new();
    let now = now_ms();
    let now = (i64::try_from(now / 1000).unwrap_or(0), i64::try_from(now % 1000).unwrap_or(0) * 1_000_000);
    for text in sources {
        let (base, wanted) = text.split_once("/./").unwrap_or(("", text.trim_start_matches("./")));
        let wanted = if wanted.split('/').all(|part| part.is_empty() || part == ".") { "**" } else { wanted };
        let base = clean(&base.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>());
        let globs = Globs::new(&[wanted.to_owned()]).map_err(|_| SelectError::Pattern(text.clone()))?;
        let mut source = open_source(tree, &base, OsString::new())?.ok_or_else(|| SelectError::Missing(text.clone()))?;
        let there = source.entries.iter().any(|entry| globs.take(&entry.path));
        globs::retain(&mut source.entries, |path| globs.take(path) && !excluded.take(path));
        for entry in &mut source.entries {
            if entry.kind == FileType::Directory && !globs.take(&entry.path) {
                entry.mtime = now;
            }
        }
        if !there && !wanted.split('/').any(pattern::has_wildcard) {
            return Err(SelectError::Missing(text.clone()));
        }
        selected.push(source);
    }
    Ok(selected)
}

/// What is at a path, which is no pattern; links are followed inside the root.
///
/// # Errors
/// See [`SelectError`].
pub fn source_at(tree: &impl Files, path: &str) -> Result<Source, SelectError> {
    let full = Path::new("/").join(path);
    let name = full.file_name().unwrap_or_default().to_os_string();
    open_source(tree, &full, name)?.ok_or_else(|| SelectError::Missing(path.to_owned()))
}

/// A single entry of the tree's root, by its name, which is no pattern.
///
/// # Errors
/// See [`SelectError`].
pub fn source_named(tree: &impl Files, name: &str) -> Result<Source, SelectError> {
    open_source(tree, &Path::new("/").join(name), name.into())?.ok_or_else(|| SelectError::Missing(name.to_owned()))
}

/// `a/../b` is `b`, and `..` never leaves the root; escapes of a pattern's literal part are taken off.
fn clean(parts: &[&str]) -> PathBuf {
    let mut path = PathBuf::from("/");
    for part in parts {
        if *part == ".." {
            path.pop();
        } else {
            path.push(unescape(part));
        }
    }
    path
}

fn unescape(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    text
}

fn expand(tree: &impl Files, base: &Path, parts: &[&str], source: &str, out: &mut Vec<PathBuf>) -> Result<(), SelectError> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    let children = tree.children(base).map_err(|error| SelectError::Io { path: base.to_path_buf(), error })?;
    for (name, kind) in children {
        let Some(text) = name.to_str() else { continue };
        if !pattern::matches(part, text).map_err(|_| SelectError::Pattern(source.to_owned()))? {
            continue;
        }
        let path = base.join(&name);
        if rest.is_empty() {
            out.push(path);
        } else if kind == FileType::Directory {
            expand(tree, &path, rest, source, out)?;
        }
    }
    Ok(())
}

fn open_source(tree: &impl Files, path: &Path, name: OsString) -> Result<Option<Source>, SelectError> {
    let failed = |error: io::Error| SelectError::Io { path: path.to_path_buf(), error };
    let real = tree.real_path(path).map_err(failed)?;
    let entries = tree.entries(&real).map_err(failed)?;
    Ok(entries.map(|entries| Source { path: real, name, entries }))
}

impl Files for Tree {
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Tree::real_path(self, path)
    }

    fn children(&self, dir: &Path) -> io::Result<Vec<(OsString, FileType)>> {
        let dir = match self.open_at(dir, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(dir) => dir,
            Err(error) if crate::tree::is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut children = Vec::new();
        for name in list(&dir)? {
            let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if !is_whiteout(kind, &stat) {
                children.push((name, kind));
            }
        }
        Ok(children)
    }

    fn entries(&self, path: &Path) -> io::Result<Option<Vec<Entry>>> {
        let Some(stat) = self.stat(path)? else { return Ok(None) };
        let mut entries = vec![entry(PathBuf::new(), &stat, None)];
        if entries[0].kind == FileType::Directory {
            let dir = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            walk(dir, &mut entries)?;
        }
        Ok(Some(entries))
    }
}

/// Shows in a single layer's own directory only.
fn is_whiteout(kind: FileType, stat: &rustix::fs::Stat) -> bool {
    kind == FileType::CharacterDevice && stat.st_rdev == 0
}

/// No path that a program can name has more.
pub const MAX_DEPTH: usize = 2048;

/// By descriptors and without recursion: what a step made may be deep.
fn walk(top: OwnedFd, entries: &mut Vec<Entry>) -> io::Result<()> {
    let names = list(&top)?.into_iter();
    let mut levels = vec![(top, PathBuf::new(), names)];
    while let Some((dir, at, names)) = levels.last_mut() {
        let Some(name) = names.next() else {
            levels.pop();
            continue;
        };
        let stat = statat(&*dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let path = at.join(&name);
        match kind {
            FileType::Directory => {
                entries.push(entry(path.clone(), &stat, None));
                let child = openat(&*dir, &name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
                if levels.len() == MAX_DEPTH {
                    return Err(io::Error::other(format!("its directories are nested more than {MAX_DEPTH} deep")));
                }
                let below = list(&child)?.into_iter();
                levels.push((child, path, below));
            }
            FileType::Symlink => {
                let target = readlinkat(&*dir, &name, Vec::new())?;
                entries.push(entry(path, &stat, Some(OsStr::from_bytes(target.as_bytes()).to_os_string())));
            }
            // A socket means nothing without its process.
            FileType::Socket => {}
            _ if is_whiteout(kind, &stat) => {}
            _ => entries.push(entry(path, &stat, None)),
        }
    }
    Ok(())
}

fn entry(path: PathBuf, stat: &rustix::fs::Stat, target: Option<OsString>) -> Entry {
    let kind = FileType::from_raw_mode(stat.st_mode);
    Entry {
        path,
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        target,
        rdev: stat.st_rdev,
        inode: (kind == FileType::RegularFile && stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino)),
        digest: None,
    }
}

/// Hashes every regular file of the sources, on all processors.
///
/// # Errors
/// The first file that cannot be read.
pub fn digest_files(tree: &Tree, sources: &mut [Source], canceled: &Canceled<'_>) -> Result<(), SelectError> {
    let mut work: Vec<(PathBuf, &mut Entry)> = Vec::new();
    for source in sources {
        for entry in source.entries.iter_mut().filter(|entry| entry.kind == FileType::RegularFile) {
            let path = if entry.path.as_os_str().is_empty() { source.path.clone() } else { source.path.join(&entry.path) };
            work.push((path, entry));
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(work.len() / 8 + 1);
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<SelectError>> = Mutex::new(None);
    let work: Vec<Mutex<(PathBuf, &mut Entry)>> = work.into_iter().map(Mutex::new).collect();
    let run = || {
        let mut buffer = vec![0; 256 << 10];
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut item = item.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match digest_file(tree, &item.0, &mut buffer, canceled) {
                Ok(digest) => item.1.digest = Some(digest),
                Err(error) => {
                    let error = SelectError::Io { path: item.0.clone(), error };
                    failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                    next.store(work.len(), Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn digest_file(tree: &Tree, path: &Path, buffer: &mut [u8], canceled: &Canceled<'_>) -> io::Result<[u8; 32]> {
    let mut file = std::fs::File::from(tree.open_at(path, OFlags::RDONLY | OFlags::NOFOLLOW)?);
    let mut hash = Sha256::new();
    loop {
        // A sparse file takes no room, and may be as long as it likes.
        if canceled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = file.read(buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    // File capabilities change what a program may do, so they count as content.
    for (name, value) in xattrs(&file)? {
        hash.update(name.as_bytes());
        hash.update(&value);
    }
    Ok(hash.finalize().into())
}

/// The extended attributes that travel with a file into another image: capabilities and `user.*`.
///
/// # Errors
/// What the kernel says, but for file systems without extended attributes.
pub fn xattrs(file: impl AsFd) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let file = file.as_fd();
    let mut names = [0u8; 4096];
    let length = match rustix::fs::flistxattr(file, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::RANGE) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        if name != b"security.capability" && !name.starts_with(b"user.") {
            continue;
        }
        let mut value = vec![0u8; 4096];
        if let Ok(length) = rustix::fs::fgetxattr(file, OsStr::from_bytes(name), &mut value[..]) {
            value.truncate(length);
            found.push((OsStr::from_bytes(name).to_os_string(), value));
        }
    }
    found.sort();
    Ok(found)
}
