//! Takes a build's request and contexts out of the tar stream of `POST /slipway/v1/builds`.
//!
//! Contexts come from repositories and are hostile. Only regular files, directories and symlinks are taken; everything
//! else is refused, as is what comes twice or beneath something that is not a directory. Contents are hashed on their
//! way, and the stream is kept as it is: files are written only when a COPY is not in the cache (`unpack.rs`).
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::FileType;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use crate::contexts::{HeldContext, MAX_BYTES, MAX_ENTRIES};
use crate::error::{BuildError, ErrorCode, Result};
use crate::index::{Index, Misfit, Node};
use crate::plan::BuildRequest;
use crate::secrets::Secrets;
use crate::spool::{Spool, Tee};
use crate::tarstream::{self, Member};
use crate::tree::Tree;
use crate::unpack::unpack;

/// A plan of 1,000 vertices with long commands.
const MAX_REQUEST: u64 = 32 << 20;
const BUFFER: usize = 256 << 10;
/// Of a tar.
const BLOCK: u64 = 512;

/// Which of a build's contexts: `None` is the build context itself, else the name of another one.
pub type RootName = Option<String>;

/// What came with a build's request.
#[derive(Debug)]
pub struct Context {
    pub secrets: Secrets,
    main: Root,
    named: BTreeMap<String, Root>,
}

/// The files of one context.
#[derive(Debug)]
pub struct Root {
    pub index: Index,
    name: RootName,
    kept: Arc<Kept>,
    /// Uploaded before, instead of what came in the stream.
    stored: Option<HeldContext>,
    tree: OnceLock<Tree>,
    unpacking: Mutex<()>,
}

/// The stream as it came, and where it is unpacked.
#[derive(Debug)]
struct Kept {
    spool: Spool,
    dir: PathBuf,
}

impl Context {
    fn new(secrets: Secrets, indexes: BTreeMap<RootName, Index>, spool: Spool, dir: PathBuf) -> Self {
        let kept = Arc::new(Kept { spool, dir });
        let root = |name: RootName, index| Root {
            index,
            name,
            kept: kept.clone(),
            stored: None,
            tree: OnceLock::new(),
            unpacking: Mutex::new(()),
        };
        let (mut main, mut named) = (root(None, Index::new()), BTreeMap::new());
        for (name, index) in indexes {
            match &name {
                None => main = root(name, index),
                Some(text) => drop(named.insert(text.clone(), root(name, index))),
            }
        }
        Self { secrets, main, named }
    }

    /// Takes the files that were uploaded before as the build context. Blocks.
    ///
    /// # Errors
    /// `BAD_CONTEXT` when the stream has files for it too, or the uploaded ones are gone.
    pub fn use_stored(&mut self, held: HeldContext) -> Result<()> {
        if !self.main.index.is_empty() {
            return Err(bad("A build has either files of its own or an uploaded context."));
        }
        self.main.index = held.index()?;
        self.main.stored = Some(held);
        Ok(())
    }

    /// The build context, or the one of that name; `None` when the plan has no such one.
    pub fn root(&self, name: Option<&str>) -> Option<&Root> {
        name.map_or(Some(&self.main), |name| self.named.get(name))
    }
}

impl Root {
    /// The directory of its files, once [`Root::tree`] has written them.
    pub fn path(&self) -> PathBuf {
        match &self.name {
            None => self.kept.dir.join("context"),
            Some(name) => self.kept.dir.join("contexts").join(name),
        }
    }

    /// The files on disk; the first call writes them. Blocks.
    ///
    /// # Errors
    /// `DISK_FULL`, `INTERNAL`.
    pub fn tree(&self) -> Result<&Tree> {
        let _one_at_a_time = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let failed = |error| BuildError::io("reading the build context", &error);
        std::fs::create_dir_all(self.path()).map_err(failed)?;
        let tree = match &self.stored {
            Some(held) => held.write(&self.path())?,
            None => unpack(self.kept.spool.reader().map_err(failed)?, &self.name, &self.path())?,
        };
        Ok(self.tree.get_or_init(|| tree))
    }
}

/// Reads the stream. `place` is called with the request and gives the build's directory.
///
/// # Errors
/// `BAD_PLAN`, `BAD_CONTEXT` with the path that is wrong, `DISK_FULL`, `INTERNAL`, and what `place` returns.
pub fn ingest<T>(reader: impl Read, place: impl FnOnce(&BuildRequest) -> Result<(PathBuf, T)>) -> Result<(BuildRequest, Context, T)> {
    let spool = Rc::new(RefCell::new(Spool::new()));
    let mut secrets = Secrets::default();
    let mut place = Some(place);
    let mut state: Option<(BuildRequest, PathBuf, T)> = None;
    let mut sink = Sink { indexes: BTreeMap::from([(None, Index::new())]), entries: 0, bytes: 0, buffer: vec![0; BUFFER] };
    let outcome = tarstream::each(Tee::new(reader, spool.clone()), |member, content| {
        if state.is_none()
            && let Some(id) = Secrets::id_of(&member.path)
        {
            return secrets.take(id, content).map_err(Stop::Build);
        }
        if state.is_some() {
            return sink.take(&member, content).map_err(Stop::Build);
        }
        let Some(place) = place.take() else { return Ok(()) };
        let request = read_request(&member, content).map_err(Stop::Build)?;
        let (dir, kept) = place(&request).map_err(Stop::Build)?;
        sink.indexes.extend(request.plan.contexts().map(|name| (Some(name.to_owned()), Index::new())));
        // From the next header on: behind the request's content comes its padding.
        let padding = usize::try_from(member.size.wrapping_neg() % BLOCK).unwrap_or(0);
        spool.borrow_mut().begin(padding, dir.join("context.tar"));
        state = Some((request, dir, kept));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(Stop::Build(error)) => return Err(error),
        Err(Stop::Stream(error)) if crate::error::is_disk_full(&error) => return Err(BuildError::io("storing the build context", &error)),
        Err(Stop::Stream(error)) => return Err(bad(format!("The build context is not a complete tar stream: {error}."))),
    }
    let (request, dir, kept) = state.ok_or_else(|| BuildError::new(ErrorCode::BadPlan, "The stream has no request.json."))?;
    let spool = spool.replace(Spool::new());
    Ok((request, Context::new(secrets, sink.indexes, spool, dir), kept))
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
        return Err(BuildError::new(ErrorCode::BadPlan, "The first entry of the stream, but for secrets, must be request.json."));
    }
    let mut json = Vec::new();
    content.take(MAX_REQUEST + 1).read_to_end(&mut json).map_err(|error| BuildError::io("reading the build request", &error))?;
    if json.len() as u64 > MAX_REQUEST {
        return Err(BuildError::new(ErrorCode::BadPlan, "The build request is larger than 32 MiB."));
    }
    BuildRequest::parse(&json)
}

pub fn is_file(kind: EntryType) -> bool {
    matches!(kind, EntryType::Regular | EntryType::Continuous)
}

struct Sink {
    indexes: BTreeMap<RootName, Index>,
    /// Of all contexts together, as `bytes`.
    entries: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Sink {
    fn take(&mut self, member: &Member, content: &mut dyn Read) -> Result<()> {
        if Secrets::id_of(&member.path).is_some() {
            return Err(BuildError::new(ErrorCode::BadPlan, "The secrets of a build come before its request.json."));
        }
        let Some((name, path)) = context_path(&member.path)? else { return Ok(()) };
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(bad("The build context has more than 200,000 entries; leave what the build does not need out with .dockerignore."));
        }
        let mut node = Node::dir(member.mode, member.mtime);
        match member.kind {
            kind if is_file(kind) => {
                node.kind = FileType::RegularFile;
                node.digest = Some(self.hash(&path, member, content)?);
            }
            EntryType::Directory => {}
            EntryType::Symlink => {
                let target = member.link.clone().filter(|target| !target.is_empty());
                node.target = Some(target.ok_or_else(|| bad(format!("`{}` in the build context is a link to nothing.", path.display())))?);
                node.kind = FileType::Symlink;
            }
            _ => return Err(bad(format!("`{}` in the build context is not a file, a directory or a symbolic link.", path.display()))),
        }
        let Some(index) = self.indexes.get_mut(&name) else {
            let name = name.unwrap_or_default();
            return Err(bad(format!("The stream has files of the context `{}`, which the plan does not name.", name.escape_debug())));
        };
        index.add(&path, node).map_err(|misfit| match misfit {
            Misfit::Twice => bad(format!("`{}` is in the build context twice.", path.display())),
            Misfit::Beneath => bad(format!("`{}` in the build context lies beneath something that is not a directory.", path.display())),
        })
    }

    fn hash(&mut self, path: &Path, member: &Member, content: &mut dyn Read) -> Result<[u8; 32]> {
        self.bytes += member.size;
        if self.bytes > MAX_BYTES {
            return Err(bad("The build context is larger than 2 GiB; leave what the build does not need out with .dockerignore."));
        }
        let mut hash = Sha256::new();
        loop {
            let count = content.read(&mut self.buffer).map_err(|error| {
                if crate::error::is_disk_full(&error) {
                    return BuildError::io("storing the build context", &error);
                }
                bad(format!("The build context ends inside `{}`: {error}.", path.display()))
            })?;
            if count == 0 {
                return Ok(hash.finalize().into());
            }
            hash.update(&self.buffer[..count]);
        }
    }
}

/// The context and the path beneath `context/` or `contexts/<name>/`; `None` for what is outside of them.
///
/// # Errors
/// `BAD_CONTEXT` for a path that leads out, is absurdly long, or has a component too long for a file system.
pub fn context_path(path: &Path) -> Result<Option<(RootName, PathBuf)>> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > 4000 || bytes.contains(&0) || bytes.split(|&byte| byte == b'/').any(|name| name.len() > 255) {
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
    if let Ok(rest) = clean.strip_prefix("context") {
        return Ok(Some((None, rest.to_path_buf())));
    }
    let Ok(named) = clean.strip_prefix("contexts") else { return Ok(None) };
    let mut components = named.components();
    let name = components.next().and_then(|name| name.as_os_str().to_str());
    Ok(name.map(|name| (Some(name.to_owned()), components.as_path().to_path_buf())))
}

fn bad(message: impl Into<String>) -> BuildError {
    BuildError::new(ErrorCode::BadContext, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"id":"b1","scope":"org","tags":[],"plan":{"version":1,"platform":{"os":"linux","architecture":"amd64"},
        "vertices":[
        {"id":"v1","name":"[context docs]","stage":"0","instruction":"COPY","line":2,"endLine":2,"op":{"type":"context","name":"docs"}},
        {"id":"v0","name":"FROM scratch","stage":"0","instruction":"FROM scratch","line":1,"endLine":1,"op":{"type":"scratch"}}],
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
        assert!(!dir.path().join("c/context").exists(), "nothing is written before it is needed");
        context.root(None).unwrap().tree().unwrap();
        let root = dir.path().join("c/context");
        assert_eq!(std::fs::read_to_string(root.join("src/main.rs")).unwrap(), "fn main() {}");
        assert_eq!(std::fs::read_link(root.join("link")).unwrap(), Path::new("/etc/passwd"));
        let entries = crate::select::Files::entries(&context.root(None).unwrap().index, Path::new("/src/main.rs")).unwrap().unwrap();
        assert_eq!(entries[0].digest, Some(Sha256::digest("fn main() {}").into()));
    }

    #[test]
    fn keeps_contexts_apart() {
        let (dir, context) = Stream::new()
            .add("contexts/docs/a", EntryType::Regular, "", "of docs")
            .add("context/a", EntryType::Regular, "", "of the app")
            .add("contexts/docs/up", EntryType::Symlink, "../../../context/a", "")
            .ingest();
        let context = context.unwrap();
        let (main, docs) = (context.root(None).unwrap(), context.root(Some("docs")).unwrap());
        assert!(context.root(Some("other")).is_none());
        docs.tree().unwrap();
        assert!(!dir.path().join("c/context").exists(), "only what is needed is written");
        main.tree().unwrap();
        let read = |root: &Root| std::fs::read_to_string(root.path().join("a")).unwrap();
        assert_eq!((read(main), read(docs)), ("of the app".into(), "of docs".into()));
        // Resolved within its own root, where no such path is.
        assert_eq!(crate::select::source_at(&docs.index, "/up").unwrap_err().to_string(), "`/up` is not there");
        let (_dir, other) = Stream::new().add("contexts/other/a", EntryType::Regular, "", "x").ingest();
        assert_eq!(other.unwrap_err().code, ErrorCode::BadContext, "a context that the plan does not name");
    }

    #[test]
    fn refuses_tricks() {
        use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};
        type Entry = (&'static str, EntryType, &'static str, &'static str);
        let cases: [(&str, &[Entry]); 10] = [
            ("parent", &[("context/../../escape", Regular, "", "x")]),
            ("absolute", &[("/etc/cron.d/x", Regular, "", "x")]),
            ("through a link", &[("context/l", Symlink, "/tmp", ""), ("context/l/x", Regular, "", "x")]),
            ("dir over a link", &[("context/l", Symlink, "/tmp", ""), ("context/l", Directory, "", "")]),
            ("file over a link", &[("context/l", Symlink, "/tmp/x", ""), ("context/l", Regular, "", "x")]),
            ("hard link", &[("context/h", Link, "/etc/shadow", "")]),
            ("device", &[("context/d", Char, "", "")]),
            ("fifo", &[("context/f", Fifo, "", "")]),
            ("parent of a named one", &[("contexts/docs/../../escape", Regular, "", "x")]),
            ("through a link of a named one", &[("contexts/docs/l", Symlink, "/tmp", ""), ("contexts/docs/l/x", Regular, "", "x")]),
        ];
        for (name, entries) in cases {
            let mut stream = Stream::new();
            for (path, kind, link, content) in entries {
                stream.add(path, *kind, link, content);
            }
            let (dir, context) = stream.ingest();
            let error = context.expect_err(name);
            assert_eq!(error.code, ErrorCode::BadContext, "{name}: {error}");
            // The writer must not depend on the check before it.
            let mut stream = Stream::new();
            for (path, kind, link, content) in entries {
                stream.add(path, *kind, link, content);
            }
            let bytes = stream.0.into_inner().unwrap();
            std::fs::create_dir_all(dir.path().join("c/context")).unwrap();
            let root = entries[0].0.starts_with("contexts/").then(|| "docs".to_owned());
            assert!(unpack(&bytes[..], &root, &dir.path().join("c/context")).is_err() || name == "absolute", "{name}");
            assert!(!dir.path().join("escape").exists() && !dir.path().join("c/escape").exists(), "{name}");
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
