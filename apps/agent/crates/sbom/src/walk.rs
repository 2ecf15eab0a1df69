//! One pass over all directories of the image, without following a link.
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

use crate::files::open_plain;
use crate::{Error, Limits};

/// Deeper directories are left out: each holds a descriptor while what is below it is read.
const MAX_DEPTH: usize = 200;
/// The smallest ELF file that a Go linker makes is some hundred times larger.
const MIN_PROGRAM: i64 = 16 << 10;

/// A file that may tell of a package, by its name or because it can be run.
pub(crate) struct Candidate<'a> {
    /// Relative to the root.
    pub path: &'a str,
    pub is_program: bool,
    dir: &'a OwnedFd,
    name: &'a OsStr,
}

impl Candidate<'_> {
    pub fn open(&self) -> Option<File> {
        open_plain(self.dir, Path::new(self.name))
    }
}

struct Level {
    dir: OwnedFd,
    entries: Dir,
    /// Length of the path up to this directory.
    length: usize,
}

/// `wanted` says by its path whether a file is of interest whatever its mode; `found` gets those, and programs.
pub(crate) fn walk(
    root: OwnedFd,
    limits: &Limits,
    started: Instant,
    wanted: impl Fn(&str) -> bool,
    mut found: impl FnMut(&Candidate<'_>),
) -> Result<(), Error> {
    let level = |dir: OwnedFd, length: usize| Some(Level { entries: Dir::read_from(&dir).ok()?, dir, length });
    let mut path = String::new();
    let mut levels: Vec<Level> = level(root, 0).into_iter().collect();
    let mut count = 0_u64;
    loop {
        let depth = levels.len();
        let Some(current) = levels.last_mut() else { return Ok(()) };
        path.truncate(current.length);
        let Some(entry) = current.entries.read() else {
            levels.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        // What is no text cannot be written down in a document either.
        let Some(text) = name.to_str().filter(|text| !matches!(*text, "." | "..")) else { continue };
        count += 1;
        if count > limits.entries {
            return Err(Error::TooManyEntries(limits.entries));
        }
        if count.is_multiple_of(256) && started.elapsed() > limits.time {
            return Err(Error::Timeout(limits.time.as_secs()));
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(text);
        let stat = || statat(&current.dir, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let kind = match entry.file_type() {
            FileType::Unknown => stat().map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            kind => kind,
        };
        match kind {
            FileType::Directory if depth < MAX_DEPTH => {
                let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let deeper = openat(&current.dir, name, flags, Mode::empty()).ok().and_then(|dir| level(dir, path.len()));
                levels.extend(deeper);
            }
            FileType::RegularFile => {
                let is_program = !wanted(&path) && stat().is_some_and(|stat| stat.st_mode & 0o111 != 0 && stat.st_size >= MIN_PROGRAM);
                if is_program || wanted(&path) {
                    found(&Candidate { path: &path, is_program, dir: &current.dir, name });
                }
            }
            _ => {}
        }
    }
}
