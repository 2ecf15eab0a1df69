//! Takes a build's request and context out of the tar stream of `POST /slipway/v1/builds`.
//!
//! The context comes from a repository and is hostile: it is written beneath one directory with
//! `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, so no entry is ever written through a link of an earlier one.
//! Only regular files, directories and symlinks are taken; everything else is refused, as are entries that come twice.
//! Contents are hashed on their way to the disk, so that a cache key costs no second read.
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, Timespec, Timestamps, fchmod, futimens, openat, openat2};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::error::{BuildError, ErrorCode, Result};
use crate::plan::BuildRequest;
use crate::tarstream::{self, Member};
use crate::tree::Tree;

const MAX_BYTES: u64 = 2 << 30;
const MAX_ENTRIES: u64 = 200_000;
/// A plan of 1,000 vertices with long commands.
const MAX_REQUEST: u64 = 32 << 20;
const BUFFER: usize = 256 << 10;

/// The files of a context, on disk, with the SHA-256 of each regular file by its path from the context's root.
#[derive(Debug)]
pub struct Context {
    pub tree: Tree,
    pub digests: HashMap<PathBuf, [u8; 32]>,
}

/// Reads the stream. `place` is called with the request and gives the directory for the context, which must be empty.
///
/// # Errors
/// `BAD_PLAN`, `BAD_CONTEXT` with the path that is wrong, `DISK_FULL`, `INTERNAL`, and what `place` returns.
pub fn ingest<T>(reader: impl Read, place: impl FnOnce(&BuildRequest) -> Result<(PathBuf, T)>) -> Result<(BuildRequest, Context, T)> {
    let mut place = Some(place);
    let mut state: Option<(BuildRequest, Sink, T)> = None;
    let outcome = tarstream::each(reader, |member, content| {
        if let Some((_, sink, _)) = &mut state {
            return sink.take(&member, content).map_err(Stop::Build);
        }
        let Some(place) = place.take() else { return Ok(()) };
        let request = read_request(&member, content).map_err(Stop::Build)?;
        let (dir, kept) = place(&request).map_err(Stop::Build)?;
        state = Some((request, Sink::open(&dir).map_err(Stop::Build)?, kept));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(Stop::Build(error)) => return Err(error),
        Err(Stop::Stream(error)) => {
            return Err(BuildError::new(ErrorCode::BadContext, format!("The build context is not a complete tar stream: {error}.")));
        }
    }
    let (request, sink, kept) = state.ok_or_else(|| BuildError::new(ErrorCode::BadPlan, "The stream has no request.json."))?;
    Ok((request, sink.finish()?, kept))
}

enum Stop {
    Build(BuildError),
    Stream(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Stream(error)
    }
}

fn read_request(member: &Member, content: &mut dyn Read) -> Result<BuildRequest> {
    if member.path != Path::new("request.json") || !is_file(member.kind) {
        return Err(BuildError::new(ErrorCode::BadPlan, "The first entry of the stream must be request.json."));
    }
    let mut json = Vec::new();
    content.take(MAX_REQUEST + 1).read_to_end(&mut json).map_err(|error| BuildError::io("reading the build request", &error))?;
    if json.len() as u64 > MAX_REQUEST {
        return Err(BuildError::new(ErrorCode::BadPlan, "The build request is larger than 32 MiB."));
    }
    BuildRequest::parse(&json)
}

fn is_file(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous)
}

struct Sink {
    tree: Tree,
    digests: HashMap<PathBuf, [u8; 32]>,
    /// Set at the end, because writing into a directory changes its time.
    dirs: Vec<(PathBuf, u32, (i64, i64))>,
    /// The directory written to last: entries come grouped by directory.
    parent: Option<(PathBuf, OwnedFd)>,
    entries: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Sink {
    fn open(dir: &Path) -> Result<Self> {
        let tree = Tree::open(dir).map_err(|error| BuildError::io("opening the build's directory", &error))?;
        Ok(Self { tree, digests: HashMap::new(), dirs: Vec::new(), parent: None, entries: 0, bytes: 0, buffer: vec![0; BUFFER] })
    }

    fn take(&mut self, member: &Member, content: &mut dyn Read) -> Result<()> {
        let Some(path) = context_path(&member.path)? else { return Ok(()) };
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(bad("The build context has more than 200,000 entries; leave what the build does not need out with .dockerignore."));
        }
        let outcome = match member.kind {
            kind if is_file(kind) => return self.file(&path, member, content),
            EntryType::Directory => self.directory(&path, member),
            EntryType::Symlink => self.symlink(&path, member),
            _ => return Err(bad(format!("`{}` in the build context is not a file, a directory or a symbolic link.", path.display()))),
        };
        outcome.map_err(|error| write_error(&path, &error))
    }

    fn file(&mut self, path: &Path, member: &Member, content: &mut dyn Read) -> Result<()> {
        self.bytes += member.size;
        if self.bytes > MAX_BYTES {
            return Err(bad("The build context is larger than 2 GiB; leave what the build does not need out with .dockerignore."));
        }
        let failed = |error: io::Error| write_error(path, &error);
        let (parent, name) = self.parent_of(path).map_err(failed)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(|error| failed(error.into()))?;
        let mut file = std::fs::File::from(fd);
        let mut hash = Sha256::new();
        loop {
            let count = content.read(&mut self.buffer).map_err(|error| bad(format!("The build context ends inside `{}`: {error}.", path.display())))?;
            if count == 0 {
                break;
            }
            hash.update(&self.buffer[..count]);
            file.write_all(&self.buffer[..count]).map_err(failed)?;
        }
        fchmod(&file, Mode::from_raw_mode(member.mode)).map_err(|error| failed(error.into()))?;
        futimens(&file, &crate::tree::times(member.mtime.0, member.mtime.1)).map_err(|error| failed(error.into()))?;
        self.digests.insert(path.to_path_buf(), hash.finalize().into());
        Ok(())
    }

    fn directory(&mut self, path: &Path, member: &Member) -> io::Result<()> {
        self.dirs.push((path.to_path_buf(), member.mode, member.mtime));
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let (parent, name) = self.parent_of(path)?;
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            // Made before for an entry beneath it.
            Err(Errno::EXIST) => {
                open_dir(parent, Path::new(name))?;
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn symlink(&mut self, path: &Path, member: &Member) -> io::Result<()> {
        let target = member.link.clone().filter(|target| !target.is_empty());
        let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the link has no target"))?;
        let (parent, name) = self.parent_of(path)?;
        rustix::fs::symlinkat(&target, parent, name)?;
        let at = Timespec { tv_sec: member.mtime.0, tv_nsec: member.mtime.1 };
        let times = Timestamps { last_access: at, last_modification: at };
        Ok(rustix::fs::utimensat(parent, name, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
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

    fn finish(mut self) -> Result<Context> {
        self.parent = None;
        for (path, mode, mtime) in self.dirs.iter().rev() {
            let set = || -> io::Result<()> {
                let fd = openat(open_dir(self.tree.root(), path)?, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
                fchmod(&fd, Mode::from_raw_mode(*mode))?;
                Ok(futimens(&fd, &crate::tree::times(mtime.0, mtime.1))?)
            };
            set().map_err(|error| write_error(path, &error))?;
        }
        Ok(Context { tree: self.tree, digests: self.digests })
    }
}

fn open_dir(at: impl std::os::fd::AsFd, path: &Path) -> std::result::Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(at, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// The path beneath `context/`; `None` for what is outside of it (nothing today).
fn context_path(path: &Path) -> Result<Option<PathBuf>> {
    if path.as_os_str().as_bytes().len() > 4096 || path.as_os_str().as_bytes().contains(&0) {
        return Err(bad("The build context has a path that is too long or has a NUL character."));
    }
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return Err(bad(format!("`{}` in the build context leads outside of it.", path.display()))),
        }
    }
    Ok(clean.strip_prefix("context").ok().map(Path::to_path_buf))
}

fn bad(message: impl Into<String>) -> BuildError {
    BuildError::new(ErrorCode::BadContext, message)
}

fn write_error(path: &Path, error: &io::Error) -> BuildError {
    let shown = path.display();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        _ if crate::error::is_disk_full(error) => BuildError::io("storing the build context", error),
        Some(Errno::EXIST) => bad(format!("`{shown}` is in the build context twice.")),
        Some(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => {
            bad(format!("`{shown}` in the build context lies beneath something that is not a directory."))
        }
        Some(Errno::NAMETOOLONG) => bad(format!("`{shown}` in the build context has a name that is too long.")),
        _ if error.kind() == io::ErrorKind::InvalidData => bad(format!("`{shown}` in the build context is not valid: {error}.")),
        _ => BuildError::io(&format!("storing `{shown}` of the build context"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"id":"b1","scope":"org","tags":[],"plan":{"version":1,"platform":{"os":"linux","architecture":"amd64"},
        "vertices":[{"id":"v0","name":"FROM scratch","stage":"0","instruction":"FROM scratch","line":1,"endLine":1,"op":{"type":"scratch"}}],
        "target":"v0","image":{"config":{},"history":[]}}}"#;

    struct Stream(tar::Builder<Vec<u8>>);

    impl Stream {
        fn new() -> Self {
            let mut this = Self(tar::Builder::new(Vec::new()));
            this.add("request.json", EntryType::Regular, "", REQUEST);
            this
        }
        fn add(&mut self, path: &str, kind: EntryType, link: &str, content: &str) -> &mut Self {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_mode(0o644);
            header.set_mtime(1_600_000_000);
            header.set_size(content.len() as u64);
            header.set_cksum();
            self.0.append(&header, content.as_bytes()).unwrap();
            self
        }
        fn ingest(&mut self) -> (tempfile::TempDir, Result<Context>) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("c")).unwrap();
            let bytes = std::mem::replace(&mut self.0, tar::Builder::new(Vec::new())).into_inner().unwrap();
            let path = dir.path().join("c");
            let context = ingest(&bytes[..], |_| Ok((path, ()))).map(|(_, context, ())| context);
            (dir, context)
        }
    }

    #[test]
    fn takes_files_directories_and_links() {
        let (dir, context) = Stream::new()
            .add("context/", EntryType::Directory, "", "")
            .add("context/src/main.rs", EntryType::Regular, "", "fn main() {}")
            .add("context/src", EntryType::Directory, "", "")
            .add("context/link", EntryType::Symlink, "/etc/passwd", "")
            .ingest();
        let context = context.unwrap();
        let root = dir.path().join("c");
        assert_eq!(std::fs::read_to_string(root.join("src/main.rs")).unwrap(), "fn main() {}");
        assert_eq!(std::fs::read_link(root.join("link")).unwrap(), Path::new("/etc/passwd"));
        assert_eq!(context.digests[Path::new("src/main.rs")], <[u8; 32]>::from(Sha256::digest("fn main() {}")));
    }

    #[test]
    fn refuses_tricks() {
        use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};
        type Entry = (&'static str, EntryType, &'static str, &'static str);
        let cases: [(&str, &[Entry]); 8] = [
            ("parent", &[("context/../../escape", Regular, "", "x")]),
            ("absolute", &[("/etc/cron.d/x", Regular, "", "x")]),
            ("through a link", &[("context/l", Symlink, "/tmp", ""), ("context/l/x", Regular, "", "x")]),
            ("dir over a link", &[("context/l", Symlink, "/tmp", ""), ("context/l", Directory, "", "")]),
            ("file over a link", &[("context/l", Symlink, "/tmp/x", ""), ("context/l", Regular, "", "x")]),
            ("hard link", &[("context/h", Link, "/etc/shadow", "")]),
            ("device", &[("context/d", Char, "", "")]),
            ("fifo", &[("context/f", Fifo, "", "")]),
        ];
        for (name, entries) in cases {
            let mut stream = Stream::new();
            for (path, kind, link, content) in entries {
                stream.add(path, *kind, link, content);
            }
            let (dir, context) = stream.ingest();
            let error = context.expect_err(name);
            assert_eq!(error.code, ErrorCode::BadContext, "{name}: {error}");
            assert!(!dir.path().join("escape").exists(), "{name}");
        }
    }

    #[test]
    fn wants_the_request_first() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        builder.append_data(&mut header, "context/x", &b"x"[..]).unwrap();
        let bytes = builder.into_inner().unwrap();
        let error = ingest(&bytes[..], |_| Ok((PathBuf::from("/nonexistent"), ()))).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadPlan);
        let cut = Stream::new().0.into_inner().unwrap();
        let error = ingest(&cut[..700], |_| Ok((PathBuf::from("/"), ()))).unwrap_err();
        assert!(matches!(error.code, ErrorCode::BadContext | ErrorCode::Internal | ErrorCode::BadPlan), "{error:?}");
    }
}
