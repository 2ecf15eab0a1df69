//! Contexts that clients upload: kept by content, so that a second upload sends only what changed.
//!
//! Everything lies apart by organization: a digest that another one knows gets nothing here.
//!
//! ```text
//! contexts/boot                 the boot of the machine that wrote all this
//! contexts/<scope>/             SHA-256 of the organization's id
//!   blobs/<2 hex>/<62 hex>      contents of files, 0644
//!   trees/<2 hex>/<62 hex>      directories (`object.rs`)
//!   roots/<64 hex>              a whole context: how many entries and bytes; its time is that of the last use
//!   incoming/<n>                being written; removed by the next start
//!   incoming/<64 hex>.part      the beginning of a large blob, to be gone on with
//! ```
//!
//! Nothing is synced to the disk: a file gets its name when its content is complete and proved, which survives the death of
//! this process, and after a restart of the machine, which may have lost it, the store begins empty. It is a cache; clients
//! send again what is not there.
mod collect;
mod object;
mod receive;
mod walk;
mod write;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use slipway_store::Digest;
use slipway_sys::remove::remove_tree;

pub use collect::Collected;
pub use receive::Encoding;

use crate::error::{BuildError, ErrorCode, is_disk_full};
use crate::index::{Index, Node};
use crate::tree::Tree;

pub const MAX_BYTES: u64 = 2 << 30;
pub const MAX_ENTRIES: u64 = 200_000;
/// Directories; beyond it is begun anew.
const MAX_KNOWN: usize = 50_000;

#[derive(Debug, Clone, Copy)]
pub struct ContextLimits {
    /// Of all organizations together; one may have half of it.
    pub bytes: u64,
    /// A context that no build used for so long goes.
    pub age: Duration,
    /// What no context has yet stays for so long: its upload may go on.
    pub grace: Duration,
}

impl Default for ContextLimits {
    fn default() -> Self {
        Self { bytes: 20 << 30, age: Duration::from_secs(14 * 86_400), grace: Duration::from_secs(3600) }
    }
}

/// The store; cheap to clone. Every method blocks.
#[derive(Debug, Clone)]
pub struct ContextStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    limits: ContextLimits,
    /// Written by a collection: nothing comes or is looked for while things go.
    sweeping: RwLock<()>,
    /// How often each context is in use.
    held: Mutex<HashMap<(PathBuf, Digest), usize>>,
    /// Large blobs that a request is adding to.
    parts: Mutex<HashSet<PathBuf>>,
    /// Bytes of each organization.
    used: Mutex<HashMap<PathBuf, u64>>,
    /// Of each organization, directories whose files are all there.
    complete: Mutex<HashMap<PathBuf, HashSet<Digest>>>,
    /// When room was last made for it.
    made_room: Mutex<HashMap<PathBuf, Instant>>,
    next: AtomicU64,
}

/// What went wrong, in the words of the client's mistake or of the host's trouble.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The client's fault; a sentence.
    #[error("{0}")]
    Refused(String),
    /// Things that the client must send first.
    #[error("the context is not complete: {} trees and {} blobs are missing", .0.trees.len(), .0.blobs.len())]
    Incomplete(Missing),
    /// Another request is adding to the same blob, or added to it since; a sentence.
    #[error("{0}")]
    Conflict(String),
    /// The organization's share is used up.
    #[error("{0}")]
    Full(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Digests without `sha256:`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    pub trees: Vec<String>,
    pub blobs: Vec<String>,
    /// Of blobs that are there in part: how many bytes.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub partial: HashMap<String, u64>,
}

/// What a complete context holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Committed {
    pub entries: u64,
    pub bytes: u64,
}

/// Where one organization's things lie.
#[derive(Debug, Clone)]
struct Scope {
    dir: PathBuf,
}

impl Scope {
    fn blob(&self, digest: &Digest) -> PathBuf {
        sharded(&self.dir.join("blobs"), digest)
    }

    fn tree(&self, digest: &Digest) -> PathBuf {
        sharded(&self.dir.join("trees"), digest)
    }

    fn root(&self, digest: &Digest) -> PathBuf {
        self.dir.join("roots").join(digest.hex())
    }

    fn incoming(&self) -> PathBuf {
        self.dir.join("incoming")
    }

    fn part(&self, digest: &Digest) -> PathBuf {
        self.incoming().join(format!("{}.part", digest.hex()))
    }
}

fn sharded(dir: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    dir.join(&hex[..2]).join(&hex[2..])
}

impl ContextStore {
    /// Removes what a killed daemon was writing; everything, when the machine was restarted since.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn open(root: PathBuf, limits: ContextLimits) -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        if fs::read_to_string(root.join("boot")).is_ok_and(|written| written == boot) {
            for scope in fs::read_dir(&root)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
                for left in fs::read_dir(scope.join("incoming")).into_iter().flatten().flatten() {
                    if left.path().extension().is_none() {
                        fs::remove_file(left.path())?;
                    }
                }
            }
        } else {
            if root.exists() {
                remove_tree(&root)?;
            }
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
            // Last: half of a removal must not count as done.
            fs::write(root.join("boot"), boot)?;
        }
        let inner = Inner {
            root,
            limits,
            sweeping: RwLock::new(()),
            held: Mutex::default(),
            parts: Mutex::default(),
            used: Mutex::default(),
            complete: Mutex::default(),
            made_room: Mutex::default(),
            next: AtomicU64::new(1),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which of these the organization does not have.
    ///
    /// # Errors
    /// `Refused` for what is no digest.
    pub fn missing(&self, scope: &str, asked: &Missing) -> Result<Missing, ContextError> {
        let scope = self.scope(scope);
        let _still = self.still();
        let mut missing = Missing::default();
        for hex in &asked.trees {
            if !scope.tree(&digest(hex)?).exists() {
                missing.trees.push(hex.clone());
            }
        }
        for hex in &asked.blobs {
            let digest = digest(hex)?;
            if !scope.blob(&digest).exists() {
                missing.blobs.push(hex.clone());
                if let Ok(meta) = fs::metadata(scope.part(&digest)) {
                    missing.partial.insert(hex.clone(), meta.len());
                }
            }
        }
        Ok(missing)
    }

    /// Makes a context of what was sent: looks at everything beneath `root`, and remembers it when nothing is missing.
    ///
    /// # Errors
    /// `Incomplete`; `Refused` when it is no context, or too large for one.
    pub fn commit(&self, scope: &str, root: &Digest) -> Result<Committed, ContextError> {
        let scope = self.scope(scope);
        let _still = self.still();
        // What is remembered as complete stays complete.
        if let Some(committed) = remembered(&scope.root(root)) {
            return Ok(committed);
        }
        let mut known = lock(&self.inner.complete).remove(&scope.dir).unwrap_or_default();
        let outcome = walk::check(&scope, root, &mut known);
        if known.len() < MAX_KNOWN {
            lock(&self.inner.complete).entry(scope.dir.clone()).or_default().extend(known);
        }
        let committed = outcome?;
        fs::create_dir_all(scope.dir.join("roots"))?;
        fs::write(scope.root(root), format!("{} {}", committed.entries, committed.bytes))?;
        Ok(committed)
    }

    /// Keeps a context from collection until what this gives is dropped.
    ///
    /// # Errors
    /// `BAD_CONTEXT` when it is not there, `INTERNAL`.
    pub fn hold(&self, scope: &str, root: &Digest) -> Result<HeldContext, BuildError> {
        let scope = self.scope(scope);
        let _still = self.still();
        // Its time is the time of this use.
        match fs::File::options().write(true).open(scope.root(root)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = "The uploaded files of this build are not kept any more; start the build again.";
                return Err(BuildError::new(ErrorCode::BadContext, message));
            }
            Err(error) => return Err(BuildError::io("opening the build context", &error)),
            Ok(file) => {
                file.set_modified(std::time::SystemTime::now()).map_err(|error| BuildError::io("opening the build context", &error))?
            }
        }
        *lock(&self.inner.held).entry((scope.dir.clone(), *root)).or_default() += 1;
        Ok(HeldContext { store: self.clone(), scope, root: *root })
    }

    /// Bytes of everything that is kept. Counted, not measured: what several contexts share counts once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn bytes(&self) -> io::Result<u64> {
        self.scopes()?.iter().map(|scope| self.used(scope)).sum()
    }

    fn scope(&self, id: &str) -> Scope {
        Scope { dir: self.inner.root.join(Digest::of(id.as_bytes()).hex()) }
    }

    fn scopes(&self) -> io::Result<Vec<Scope>> {
        let dirs = fs::read_dir(&self.inner.root)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        Ok(dirs.map(|dir| Scope { dir }).collect())
    }

    fn still(&self) -> std::sync::RwLockReadGuard<'_, ()> {
        self.inner.sweeping.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self, scope: &Scope) -> io::Result<u64> {
        if let Some(used) = lock(&self.inner.used).get(&scope.dir) {
            return Ok(*used);
        }
        let used = collect::measure(scope)?;
        Ok(*lock(&self.inner.used).entry(scope.dir.clone()).or_insert(used))
    }

    fn add_used(&self, scope: &Scope, bytes: u64) {
        if let Some(used) = lock(&self.inner.used).get_mut(&scope.dir) {
            *used = used.saturating_add(bytes);
        }
    }

    fn next(&self) -> u64 {
        self.inner.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// A context in use.
#[derive(Debug)]
pub struct HeldContext {
    store: ContextStore,
    scope: Scope,
    root: Digest,
}

impl HeldContext {
    /// What it holds, without its contents.
    ///
    /// # Errors
    /// `BAD_CONTEXT`, `INTERNAL`.
    pub fn index(&self) -> Result<Index, BuildError> {
        let mut nodes = Vec::new();
        let outcome = walk::walk(&self.scope, &self.root, &mut |path, kind, &walk::Listing { time: mtime, .. }| {
            let node = match kind {
                object::Kind::File { mode, digest, .. } => {
                    Node { kind: rustix::fs::FileType::RegularFile, digest: Some(*digest.bytes()), ..Node::dir(*mode, mtime) }
                }
                object::Kind::Dir { mode, .. } => Node::dir(*mode, mtime),
                object::Kind::Link { target } => {
                    let target = Some((*target).to_os_string());
                    Node { kind: rustix::fs::FileType::Symlink, target, ..Node::dir(0o777, mtime) }
                }
            };
            nodes.push((path.to_path_buf(), node));
            Ok(())
        });
        outcome.map_err(to_build_error)?;
        let twice = |path: PathBuf| to_build_error(ContextError::Refused(format!("`{}` is there twice.", path.display())));
        Index::of(nodes).map_err(twice)
    }

    /// Opens a file's content. It has the time at which that came first, so files that differ never have the same time.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(&self, digest: &[u8; 32]) -> io::Result<fs::File> {
        let hex = hex::encode(digest);
        fs::File::open(self.scope.dir.join("blobs").join(&hex[..2]).join(&hex[2..]))
    }

    /// Writes all of it into `dir`, which is empty.
    ///
    /// # Errors
    /// `DISK_FULL`, `BAD_CONTEXT`, `INTERNAL`.
    pub fn write(&self, dir: &Path) -> Result<Tree, BuildError> {
        write::write(&self.scope, &self.root, dir).map_err(to_build_error)?;
        Tree::open(dir).map_err(|error| BuildError::io("opening the build's directory", &error))
    }
}

impl Drop for HeldContext {
    fn drop(&mut self) {
        let mut held = lock(&self.store.inner.held);
        let key = (std::mem::take(&mut self.scope.dir), self.root);
        if let Some(count) = held.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&key);
            }
        }
    }
}

fn to_build_error(error: ContextError) -> BuildError {
    match error {
        ContextError::Io(error) if is_disk_full(&error) => BuildError::io("writing the build context", &error),
        ContextError::Io(error) => BuildError::internal("reading the build context", error),
        other => BuildError::new(ErrorCode::BadContext, format!("{other} Start the build again.")),
    }
}

/// What a file beneath `roots` says.
fn remembered(path: &Path) -> Option<Committed> {
    let text = fs::read_to_string(path).ok()?;
    let (entries, bytes) = text.split_once(' ')?;
    let committed = Committed { entries: entries.parse().ok()?, bytes: bytes.parse().ok()? };
    // This use counts.
    fs::File::options().write(true).open(path).and_then(|file| file.set_modified(std::time::SystemTime::now())).ok()?;
    Some(committed)
}

/// # Errors
/// `Refused` for what is not 64 hex digits.
fn digest(hex: &str) -> Result<Digest, ContextError> {
    Digest::from_hex(hex).map_err(|error| ContextError::Refused(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
