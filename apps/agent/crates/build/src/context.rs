//! What comes with a build: its request and secrets, out of the tar stream of `POST /slipway/v1/builds`, and its contexts,
//! which were uploaded before (`contexts/`).
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::FileType;
use tar::EntryType;

use crate::contexts::{HeldContext, MAX_ENTRIES};
use crate::error::{BuildError, ErrorCode, Result};
use crate::index::Index;
use crate::origin::Origin;
use crate::plan::BuildRequest;
use crate::secrets::Secrets;
use crate::select::{Entry, Files};
use crate::tarstream::{self, Member};
use crate::tree::Tree;

/// A plan of 1,000 vertices with long commands.
const MAX_REQUEST: u64 = 32 << 20;

/// What a build was given.
#[derive(Debug)]
pub struct Context {
    pub secrets: Secrets,
    main: Root,
    named: BTreeMap<String, Root>,
}

/// The files of one context. Its contents lie in the store of contexts and are copied from there; only a mount of it needs
/// them in a directory.
#[derive(Debug)]
pub struct Root {
    pub index: Index,
    /// `None`: it has no files.
    held: Option<HeldContext>,
    dir: PathBuf,
    tree: OnceLock<Tree>,
    writing: Mutex<()>,
}

impl Context {
    /// `hold` gives each context that the request names; `dir` is the build's. Blocks.
    ///
    /// # Errors
    /// `BAD_CONTEXT` for one that is gone, or that the plan does not name; what `hold` returns.
    pub fn open(
        secrets: Secrets,
        request: &BuildRequest,
        dir: &Path,
        hold: impl Fn(&slipway_store::Digest) -> Result<HeldContext>,
    ) -> Result<Self> {
        let root = |stored: Option<&crate::plan::StoredContext>, dir: PathBuf| {
            let held = stored.map(|stored| hold(&stored.tree)).transpose()?;
            let index = held.as_ref().map_or_else(|| Ok(Index::new()), HeldContext::index)?;
            Ok(Root { index, held, dir, tree: OnceLock::new(), writing: Mutex::default() })
        };
        let mut named = BTreeMap::new();
        for name in request.plan.contexts() {
            named.insert(name.to_owned(), root(request.contexts.get(name), dir.join("contexts").join(name))?);
        }
        if let Some(name) = request.contexts.keys().find(|name| !named.contains_key(*name)) {
            return Err(bad(format!("The request has the context `{}`, which the plan does not name.", name.escape_debug())));
        }
        let main = root(request.context.as_ref(), dir.join("context"))?;
        if named.values().chain([&main]).map(|root| root.index.len() as u64).sum::<u64>() > MAX_ENTRIES {
            return Err(bad(
                "The contexts of a build have more than 200,000 entries together; leave out what it does not need with .dockerignore.",
            ));
        }
        Ok(Self { secrets, main, named })
    }

    /// The build context, or the one of that name; `None` when the plan has no such one.
    pub fn root(&self, name: Option<&str>) -> Option<&Root> {
        name.map_or(Some(&self.main), |name| self.named.get(name))
    }
}

impl Root {
    /// The files in a directory of the build's, for a mount; the first call writes them. Blocks.
    ///
    /// # Errors
    /// `DISK_FULL`, `INTERNAL`.
    pub fn written(&self) -> Result<(&Path, &Tree)> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tree.get().is_none() {
            let failed = |error| BuildError::io("writing the build context", &error);
            std::fs::create_dir_all(&self.dir).map_err(failed)?;
            if let Some(held) = &self.held {
                held.write(&self.dir)?;
            }
            let tree = Tree::open(&self.dir).map_err(failed)?;
            return Ok((&self.dir, self.tree.get_or_init(|| tree)));
        }
        self.tree
            .get()
            .map(|tree| (self.dir.as_path(), tree))
            .ok_or_else(|| BuildError::internal("writing the build context", "it is gone"))
    }
}

impl Files for Root {
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.index.real_path(path)
    }

    fn children(&self, dir: &Path) -> io::Result<Vec<(OsString, FileType)>> {
        self.index.children(dir)
    }

    fn entries(&self, path: &Path) -> io::Result<Option<Vec<Entry>>> {
        self.index.entries(path)
    }
}

impl Origin for Root {
    fn open(&self, _path: &Path, entry: &Entry) -> io::Result<File> {
        let (Some(held), Some(digest)) = (&self.held, &entry.digest) else { return Err(io::ErrorKind::NotFound.into()) };
        held.open(digest)
    }

    /// A context has none: its blobs are written here.
    fn xattrs(&self, _file: &File) -> io::Result<Vec<(OsString, Vec<u8>)>> {
        Ok(Vec::new())
    }
}

/// Reads the stream to its end: secrets, then the request.
///
/// # Errors
/// `BAD_PLAN`, `BAD_CONTEXT` for anything else in it, `INTERNAL`.
pub fn read_request(reader: impl Read) -> Result<(BuildRequest, Secrets)> {
    let mut secrets = Secrets::default();
    let mut request = None;
    let outcome = tarstream::each(reader, |member, content| {
        let taken = match (Secrets::id_of(&member.path), &request) {
            (Some(id), None) => secrets.take(id, content),
            (Some(_), Some(_)) => Err(BuildError::new(ErrorCode::BadPlan, "The secrets of a build come before its request.json.")),
            (None, None) => parse(&member, content).map(|parsed| request = Some(parsed)),
            (None, Some(_)) => {
                Err(bad("The stream has more than secrets and request.json; upload the files of a build first, and name their tree."))
            }
        };
        taken.map_err(Stop::Build)
    });
    match outcome {
        Ok(()) => {}
        Err(Stop::Build(error)) => return Err(error),
        Err(Stop::Stream(error)) => return Err(bad(format!("The build request is not a complete tar stream: {error}."))),
    }
    let request = request.ok_or_else(|| BuildError::new(ErrorCode::BadPlan, "The stream has no request.json."))?;
    Ok((request, secrets))
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

fn parse(member: &Member, content: &mut dyn Read) -> Result<BuildRequest> {
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

fn bad(message: impl Into<String>) -> BuildError {
    BuildError::new(ErrorCode::BadContext, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"id":"b1","scope":"org","tags":[],"plan":{"version":1,"platform":{"os":"linux","architecture":"amd64"},
        "vertices":[{"id":"v0","name":"FROM scratch","stage":"0","instruction":"FROM scratch","line":1,"endLine":1,"op":{"type":"scratch"}}],
        "target":"v0","image":{"config":{},"history":[]}}}"#;

    fn stream(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn takes_secrets_and_one_request_and_nothing_else() {
        let (request, secrets) = read_request(&stream(&[("secrets/a", "1"), ("request.json", REQUEST)])[..]).unwrap();
        assert_eq!((request.id.as_str(), secrets.get("a").is_some()), ("b1", true));
        let refused: [(&[(&str, &str)], ErrorCode); 5] = [
            (&[("context/x", "x"), ("request.json", REQUEST)], ErrorCode::BadPlan),
            (&[("request.json", REQUEST), ("context/x", "x")], ErrorCode::BadContext),
            (&[("request.json", REQUEST), ("request.json", REQUEST)], ErrorCode::BadContext),
            (&[("request.json", REQUEST), ("secrets/a", "1")], ErrorCode::BadPlan),
            (&[("secrets/a", "1")], ErrorCode::BadPlan),
        ];
        for (entries, code) in refused {
            assert_eq!(read_request(&stream(entries)[..]).unwrap_err().code, code, "{entries:?}");
        }
        assert!(read_request(&stream(&[("request.json", REQUEST)])[..700]).is_err(), "a stream that breaks off");
    }
}
