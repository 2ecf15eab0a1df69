//! A build's dealings with a cache in a registry: what it takes from there, and what it leaves.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use slipway_store::{Descriptor, Reference};
use slipway_transfer::{Artifact, Client, Credentials};

use crate::build::Build;
use crate::cache::{CachedLayer, Entry, scope_dir};
use crate::disk::space;
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::SharedCache;
use crate::files::FileList;
use crate::layer::LayerRef;
use crate::plan::CacheMode;
use crate::shared_cache::{self, ARTIFACT_TYPE, DOCUMENT_TYPE, MAX_DOCUMENT, Source};
use crate::solver::chain;

/// A registry that does not say within this time what it has is done without.
const OPEN_DEADLINE: Duration = Duration::from_secs(20);
/// To leave a cache there; the image is made by then.
const PUSH_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// One build's.
#[derive(Default)]
pub struct Sharing {
    client: OnceLock<(Client, Option<Credentials>)>,
    sources: tokio::sync::OnceCell<Vec<Source>>,
    /// Keys of the vertices, for what is left.
    keys: Mutex<HashMap<String, String>>,
    selections: Mutex<HashSet<String>>,
    hits: AtomicUsize,
    problem: Mutex<Option<String>>,
}

impl std::fmt::Debug for Sharing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sharing").field("hits", &self.hits).finish_non_exhaustive()
    }
}

impl Sharing {
    /// How to reach registries; without it there is nothing to take and nowhere to leave anything.
    pub fn connect(&self, client: Client, credentials: Option<Credentials>) {
        let _once = self.client.set((client, credentials)).is_err();
    }

    pub fn note_key(&self, vertex: &str, key: &str) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(vertex.to_owned(), key.to_owned());
    }

    pub fn note_selection(&self, name: &str) {
        self.selections.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    fn note_problem(&self, problem: String) {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }

    /// The checksums under a name, when a cache that was looked into offers them.
    pub fn selection(&self, name: &str) -> Option<FileList> {
        self.sources.get()?.iter().find_map(|source| source.offered.selections.get(name)).cloned()
    }

    async fn sources(&self, build: &Build) -> &[Source] {
        self.sources
            .get_or_init(|| async {
                let mut sources = Vec::new();
                for name in &build.request.cache.from {
                    match tokio::time::timeout(OPEN_DEADLINE, self.open(build, name)).await {
                        Ok(Ok(found)) => sources.extend(found),
                        Ok(Err(error)) => self.note_problem(format!("the cache {name} is not used: {error}")),
                        Err(_) => self.note_problem(format!("the cache {name} is not used: its registry does not answer")),
                    }
                }
                sources
            })
            .await
    }

    async fn open(&self, build: &Build, name: &str) -> Result<Option<Source>, String> {
        let Some((client, credentials)) = self.client.get() else { return Ok(None) };
        let reference = Reference::parse(name).map_err(|error| error.to_string())?;
        let found = client.artifact(&reference, credentials.clone(), ARTIFACT_TYPE, MAX_DOCUMENT).await;
        let Some((artifact, layers)) = found.map_err(|error| error.to_string())? else { return Ok(None) };
        let (scope, platform) = (scope_dir(&build.request.scope), &build.request.plan.platform);
        let offered = shared_cache::read(&artifact.document, &artifact.layers, &scope, platform)?;
        Ok(Some(Source { offered, layers: Arc::new(layers) }))
    }

    /// What a registry's cache has for a key; its layer is fetched when something needs it.
    pub async fn lookup(&self, build: &Arc<Build>, vertex: &str, key: &str) -> Option<(Entry, Option<Arc<LayerRef>>)> {
        if build.request.cache.from.is_empty() {
            return None;
        }
        for source in self.sources(build).await {
            let Some(entry) = source.offered.entries.get(key) else { continue };
            let Some(layer) = &entry.layer else {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Some((entry.clone(), None));
            };
            if !fits(build, &layer.descriptor) {
                self.note_problem(format!("a layer of {} bytes was not fetched: the disk has too little room", layer.descriptor.size));
                continue;
            }
            // One that was collected meanwhile is a miss, now that it can still be one.
            match source.layers.has(&layer.descriptor.digest).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    self.note_problem(error.to_string());
                    continue;
                }
            }
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Some((entry.clone(), Some(self.remote(build, vertex, source, entry, layer))));
        }
        None
    }

    fn remote(&self, build: &Arc<Build>, vertex: &str, source: &Source, entry: &Entry, layer: &CachedLayer) -> Arc<LayerRef> {
        let created = entry.created.clone();
        let (registry, entry, wanted) = (source.layers.clone(), entry.clone(), layer.clone());
        let (layers, lease, cache, scopes) = (build.layers.clone(), build.lease.clone(), build.cache.clone(), build.scopes.clone());
        let fetched = async move {
            let got = registry.fetch(&layers, &lease, &wanted.descriptor, &wanted.diff_id).await;
            got.map_err(|error| lost(&error))?;
            // Until the files are here it is the registry's word only.
            cache.insert(&scopes, &entry)
        };
        LayerRef::remote(vertex, layer.clone(), created, fetched)
    }

    /// Leaves the build's steps in the registry. What goes wrong here costs later builds time, not this one its image.
    pub async fn leave(&self, build: &Arc<Build>) -> Option<SharedCache> {
        let options = &build.request.cache;
        let moved = match &options.to {
            None => None,
            Some(to) => match tokio::time::timeout(PUSH_DEADLINE, self.push(build, &to.reference, to.mode)).await {
                Ok(Ok(moved)) => Some(moved),
                Ok(Err(error)) => {
                    self.note_problem(format!("the cache was not left in the registry: {error}"));
                    None
                }
                Err(_) => {
                    self.note_problem("the cache was not left in the registry: that took too long".into());
                    None
                }
            },
        };
        if options.from.is_empty() && options.to.is_none() {
            return None;
        }
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(problem) = &problem {
            tracing::warn!(build = build.request.id, problem, "a shared cache");
        }
        Some(SharedCache { hits: self.hits.load(Ordering::Relaxed) as u64, moved_bytes: moved, problem })
    }

    async fn push(&self, build: &Arc<Build>, to: &str, mode: CacheMode) -> Result<u64, String> {
        let Some((client, credentials)) = self.client.get() else { return Err("this host has no way to registries".into()) };
        let reference = Reference::parse(to).map_err(|error| error.to_string())?;
        // Steps that the image does not stand on may still be on their way into the cache.
        build.settle().await;
        let plan = &build.request.plan;
        let wanted: HashSet<&str> = match mode {
            CacheMode::Max => plan.vertices.iter().map(|vertex| vertex.id.as_str()).collect(),
            CacheMode::Min => plan.targets().flat_map(|target| chain(plan, target.vertex)).map(|vertex| vertex.id.as_str()).collect(),
        };
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut entries = Vec::new();
        for vertex in plan.vertices.iter().filter(|vertex| wanted.contains(vertex.id.as_str())) {
            let Some(key) = keys.get(&vertex.id) else { continue };
            let here = build.cache.peek(&build.scopes, key).filter(|entry| is_here(build, entry));
            entries.extend(here.or_else(|| self.still_there(&reference, build, key)));
        }
        let names = self.selections.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let selections: BTreeMap<String, FileList> = names
            .into_iter()
            .filter_map(|name| {
                let known = build.cache.recall::<FileList>(&build.scopes, "selections", &name).or_else(|| self.selection(&name))?;
                Some((name, known))
            })
            .collect();
        let (document, layers) = shared_cache::write(&scope_dir(&build.request.scope), &plan.platform, &entries, selections)?;
        let artifact =
            Artifact { artifact_type: ARTIFACT_TYPE.into(), document_type: DOCUMENT_TYPE.into(), document: document.into(), layers };
        let pushed = client.push_artifact(&build.layers, &reference, credentials.clone(), artifact).await;
        pushed.map(|pushed| pushed.moved).map_err(|error| error.to_string())
    }

    /// An entry whose layer was never fetched: it may stay where it is, in the same repository.
    fn still_there(&self, to: &Reference, build: &Build, key: &str) -> Option<Entry> {
        let sources = self.sources.get()?;
        let same = |name: &String| Reference::parse(name).is_ok_and(|from| from.name() == to.name());
        if !build.request.cache.from.iter().all(same) {
            return None;
        }
        sources.iter().find_map(|source| source.offered.entries.get(key)).cloned()
    }
}

fn is_here(build: &Build, entry: &Entry) -> bool {
    let Some(layer) = &entry.layer else { return true };
    build.layers.store().stat(&layer.descriptor.digest).is_ok_and(|size| size == Some(layer.descriptor.size))
}

/// Packed and unpacked, as far as its size tells.
fn fits(build: &Build, layer: &Descriptor) -> bool {
    let reserve = build.reserve;
    space(build.layers.store().root(), reserve).is_ok_and(|space| space.free.saturating_sub(space.reserve) >= layer.size.saturating_mul(2))
}

fn lost(error: &slipway_transfer::Error) -> BuildError {
    let mut this = BuildError::new(
        ErrorCode::CacheLost,
        "A step's result could not be taken from the registry's build cache; build again without it, and it is made anew.",
    );
    this.cause = Some(error.to_string());
    this
}
