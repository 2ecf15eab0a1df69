//! The door of this crate: takes request streams, runs builds, cancels them.
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::Stream;
use slipway_snapshot::Layers;
use slipway_sys::remove::remove_tree;
use slipway_transfer::{Client, Credentials, Downloader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::build::{Build, BuildDir};
use crate::cache::Cache;
use crate::cache_records::{CacheRecord, CacheUsage, Pruned, Selection, usage};
use crate::context::{Context, read_request};
use crate::contexts::ContextStore;
use crate::disk::{DiskSpace, Room, space};
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::{BuildEvent, Events, SharedCache, millis, now_ms};
use crate::executor::Executor;
use crate::export::{Exported, export};
use crate::intake::{ChunkReader, next_chunk};
use crate::options::BuilderOptions;
use crate::plan::BuildRequest;
use crate::sharing::Sharing;
use crate::solver;
use crate::ssh_agent::Questions;

/// Builds images. Cheap to clone; one per data root.
#[derive(Clone)]
pub struct Builder {
    inner: Arc<Inner>,
}

struct Inner {
    layers: Layers,
    contexts: ContextStore,
    cache: Arc<Cache>,
    executor: Arc<dyn Executor>,
    downloader: Downloader,
    dirs: PathBuf,
    options: RwLock<BuilderOptions>,
    running: Mutex<HashMap<String, Running>>,
    room: Room,
    registries: OnceLock<Client>,
    next_dir: AtomicU64,
    last_trim: Mutex<Option<Instant>>,
}

/// What reaches a build under way from outside.
#[derive(Clone, Default)]
struct Running {
    stop: CancellationToken,
    questions: Arc<Questions>,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("build {0} is already running")]
    Conflict(String),
    /// Told to the client as the only event of the stream.
    #[error(transparent)]
    Refused(#[from] BuildError),
}

/// After a stop, steps get this long to end before the build is reported without them.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// A failed build waits this long for the layers of the steps that did succeed.
const SEAL_DEADLINE: Duration = Duration::from_secs(120);
const TRIM_EVERY: Duration = Duration::from_secs(10 * 60);
/// Chunks of the request between the socket and the disk.
const BODY_CHUNKS: usize = 16;

impl Builder {
    /// Opens the build cache of the layers' data root and removes what builds of a killed daemon left.
    ///
    /// # Errors
    /// When the data root cannot be written.
    pub fn open(layers: Layers, executor: Arc<dyn Executor>, downloader: Downloader, options: BuilderOptions) -> io::Result<Self> {
        let root = layers.store().root().to_path_buf();
        let dirs = root.join("builds");
        // What cannot go now (a mount that somebody keeps) is in nobody's way: directories are named by their build.
        if dirs.exists()
            && let Err(error) = remove_tree(&dirs)
        {
            tracing::error!(%error, path = %dirs.display(), "what old builds left could not be removed; the next start tries again");
        }
        std::fs::create_dir_all(&dirs)?;
        let cache = Arc::new(Cache::open(root.join("build-cache"), layers.store().clone())?);
        cache.release_lost();
        let contexts = ContextStore::open(root.join("contexts"), options.contexts)?;
        let inner = Inner {
            layers,
            contexts,
            cache,
            executor,
            downloader,
            dirs,
            options: RwLock::new(options),
            running: Mutex::default(),
            room: Room::default(),
            registries: OnceLock::new(),
            next_dir: AtomicU64::new(1),
            last_trim: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes a request's tar stream to its end, then starts the build. The build runs on its own; dropping the receiver
    /// cancels it. The last event is `result` or `error`.
    ///
    /// # Errors
    /// `Conflict` when a build of this id is running; `Refused` for a request or context that is not valid.
    pub async fn start<S, E>(&self, body: S) -> Result<mpsc::Receiver<BuildEvent>, StartError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        self.start_as(body, None).await
    }

    /// As [`Builder::start`], with credentials for the registries of `cache.from` and `cache.to`.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start_as<S, E>(&self, body: S, credentials: Option<Credentials>) -> Result<mpsc::Receiver<BuildEvent>, StartError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        let started = Instant::now();
        let (sender, chunks) = mpsc::channel(BODY_CHUNKS);
        let this = self.clone();
        let ingesting = tokio::task::spawn_blocking(move || {
            let mut reader = ChunkReader { chunks, current: Bytes::new() };
            let read = read_request(&mut reader);
            // A client that still sends when its request is refused would see a broken pipe instead of the reason.
            let _rest = io::copy(&mut reader, &mut io::sink());
            let (request, secrets) = read?;
            this.options().check(&request.plan)?;
            let registration = Registration::new(&this, &request.id)?;
            let dir = this.make_dir(&request.id)?;
            let context = Context::open(secrets, &request, dir.path(), |tree| this.inner.contexts.hold(&request.scope, tree))?;
            Ok::<_, BuildError>((request, context, (registration, dir)))
        });
        tokio::pin!(body);
        while let Some(chunk) = next_chunk(&mut body).await {
            let broken = chunk.is_err();
            if sender.send(chunk).await.is_err() || broken {
                break;
            }
        }
        drop(sender);
        let taken = ingesting.await.map_err(|error| BuildError::internal("reading the build request", error))?;
        let (request, context, (registration, dir)) = taken.map_err(|error| match &error.cause {
            Some(id) if error.code == ErrorCode::BadPlan && error.message == CONFLICT => StartError::Conflict(id.clone()),
            _ => StartError::Refused(error),
        })?;
        let (events, receiver) = Events::channel();
        let client = self.inner.registries.get().cloned();
        let connect = move |sharing: &Sharing| {
            if let Some(client) = client {
                sharing.connect(client, credentials);
            }
        };
        tokio::spawn(self.clone().run(request, context, dir, registration, events, started, connect));
        Ok(receiver)
    }

    /// What clients upload to build from.
    pub fn contexts(&self) -> &ContextStore {
        &self.inner.contexts
    }

    /// To be set once by whoever has a way to registries; until then caches there are done without.
    pub fn set_registries(&self, client: Client) {
        let _once = self.inner.registries.set(client).is_err();
    }

    /// Cancels a build; false when none of this id is running.
    pub fn cancel(&self, id: &str) -> bool {
        let running = self.running();
        let build = running.get(id);
        build.inspect(|build| build.stop.cancel()).is_some()
    }

    /// The client's answer to a `ssh` event of a build; false when nothing waits for it.
    pub fn answer_ssh(&self, id: &str, ask: u64, message: Vec<u8>) -> bool {
        let questions = self.running().get(id).map(|build| build.questions.clone());
        questions.is_some_and(|questions| questions.answer(ask, message))
    }

    /// The ids of the builds under way.
    pub fn list(&self) -> Vec<String> {
        self.running().keys().cloned().collect()
    }

    /// Applies the cache's policy: what was not used for long goes, then what is above the limit. Gives what went. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn trim(&self) -> io::Result<Pruned> {
        let Inner { cache, layers, .. } = &*self.inner;
        let mut gone = Pruned::default();
        for selection in self.options().outside() {
            let pruned = cache.prune(layers, &selection, false)?;
            gone.bytes += pruned.bytes;
            gone.records.extend(pruned.records);
        }
        cache.sweep_notes();
        if !gone.records.is_empty() {
            tracing::info!(records = gone.records.len(), bytes = gone.bytes, "removed what the build cache's policy does not keep");
            layers.collect().map_err(io::Error::other)?;
        }
        let contexts = self.inner.contexts.collect()?;
        if contexts.contexts > 0 {
            tracing::info!(contexts = contexts.contexts, bytes = contexts.bytes, "removed uploaded contexts that no build used for long");
        }
        Ok(gone)
    }

    /// Removes a part of the cache, or with `dry_run` only tells which; gives also the bytes of disk that came free. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn prune(&self, selection: &Selection, dry_run: bool) -> io::Result<(Pruned, u64)> {
        let Inner { cache, layers, .. } = &*self.inner;
        let pruned = cache.prune(layers, selection, dry_run)?;
        if dry_run {
            return Ok((pruned, 0));
        }
        let mounts: u64 = pruned.records.iter().filter(|record| record.layer.is_none()).map(|record| record.bytes).sum();
        let mut reclaimed = layers.collect().map_err(io::Error::other)?.bytes;
        if *selection == Selection::default() {
            reclaimed += self.inner.contexts.prune()?.bytes;
        }
        Ok((pruned, reclaimed + mounts))
    }

    /// What the cache holds, most recently used first, and what each scope takes; of one organization, or of all. Only images whose names
    /// begin with `images` count as keeping layers. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn cache(&self, scope: Option<&str>, images: Option<&str>) -> io::Result<(Vec<CacheRecord>, Vec<CacheUsage>)> {
        let folder = scope.map(crate::cache::scope_dir);
        let records = self.inner.cache.records(&self.inner.layers, folder.as_deref(), images)?;
        let usage = usage(&records);
        Ok((records, usage))
    }

    pub fn options(&self) -> BuilderOptions {
        *self.inner.options.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For builds that start from now on, and for the next [`Builder::trim`].
    pub fn set_options(&self, options: BuilderOptions) {
        *self.inner.options.write().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// What [`Builder::trim`] would take with these options. Blocks.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn outside(&self, options: BuilderOptions) -> io::Result<Pruned> {
        self.inner.cache.outside(&self.inner.layers, &options.outside())
    }

    /// # Errors
    /// When the file system does not say.
    pub fn disk(&self) -> io::Result<DiskSpace> {
        space(self.inner.layers.store().root(), self.options().reserve_bytes)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_dir(&self, id: &str) -> Result<BuildDir> {
        let number = self.inner.next_dir.fetch_add(1, Ordering::Relaxed);
        BuildDir::create(self.inner.dirs.join(format!("{id}.{number}")))
            .map_err(|error| BuildError::io("making the build's directory", &error))
    }

    #[allow(clippy::too_many_arguments)]
    async fn run(
        self,
        mut request: BuildRequest,
        context: Context,
        dir: BuildDir,
        registration: Registration,
        events: Events,
        started: Instant,
        connect: impl FnOnce(&Sharing),
    ) {
        let (id, timeout) = (request.id.clone(), Duration::from_millis(request.limits.timeout_ms));
        let stop = CancellationToken::new();
        let Inner { layers, cache, executor, downloader, .. } = &*self.inner;
        let options = self.options();
        request.limits.disk_bytes = options.step_disk(request.limits.disk_bytes);
        let mut build = Build::new(request, context, dir, layers, cache, executor, downloader, events.clone(), stop);
        build.reserve = options.reserve_bytes;
        build.questions = registration.running.questions.clone();
        connect(&build.sharing);
        let build = Arc::new(build);
        self.inner.room.enter(&build);
        let outcome = self.solve(&build, &registration.running.stop, timeout).await;
        if build.ran.load(Ordering::Relaxed)
            && let Err(error) = build.executor.finish(&id).await
        {
            tracing::error!(%error, build = id, "a build's processes could not be cleaned up");
        }
        // A client that reads the last event may at once start a build of the same id.
        drop(registration);
        let last = match outcome {
            Ok(exported) => {
                tracing::info!(build = id, image = exported.image_id, milliseconds = millis(started.elapsed()), "built");
                let shared = build.sharing.leave(&build).await;
                result_event(exported, started, shared)
            }
            Err(error) => {
                if error.code == ErrorCode::Internal || error.code == ErrorCode::DiskFull {
                    tracing::error!(build = id, cause = error.cause, "{error}");
                }
                BuildEvent::from(&error)
            }
        };
        events.last(last).await;
        drop(events);
        build.settle().await;
        let (cache, scopes) = (build.cache.clone(), build.scopes.clone());
        drop(build);
        if scopes.end_with_build() {
            tokio::task::spawn_blocking(move || cache.end(&scopes));
        }
        self.trim_sometimes();
    }

    /// Solves and exports, until the build is canceled from outside or its time is over.
    async fn solve(&self, build: &Arc<Build>, cancel: &CancellationToken, timeout: Duration) -> Result<Exported> {
        let work = async {
            let targets = solver::solve(build).await?;
            export(build, targets).await
        };
        tokio::pin!(work);
        let stopped = tokio::select! {
            outcome = &mut work => {
                let outcome = outcome.map_err(|error| match error.code {
                    ErrorCode::Canceled => build.given_up().unwrap_or(error),
                    _ => error,
                });
                if outcome.is_err() && tokio::time::timeout(SEAL_DEADLINE, build.settle()).await.is_err() {
                    tracing::warn!(build = build.request.id, "layers of finished steps are still being made");
                }
                return outcome;
            }
            () = cancel.cancelled() => BuildError::canceled(),
            () = build.events.closed() => BuildError::canceled(),
            () = self.inner.room.watch(build, build.reserve) => BuildError::canceled(),
            () = tokio::time::sleep(timeout) => {
                let seconds = timeout.as_secs_f64();
                let limit = if seconds >= 120.0 { format!("{:.0} minutes", seconds / 60.0) } else { format!("{seconds:.0} seconds") };
                BuildError::new(ErrorCode::Timeout, format!("The build did not finish within {limit}; make it faster or raise the limit."))
            }
        };
        build.stop.cancel();
        // Every step ends at once, telling that it was canceled.
        if tokio::time::timeout(STOP_DEADLINE, work).await.is_err() {
            tracing::error!(build = build.request.id, "a canceled build's steps do not end");
        }
        Err(stopped)
    }

    fn trim_sometimes(&self) {
        {
            let mut last = self.inner.last_trim.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < TRIM_EVERY) {
                return;
            }
            *last = Some(Instant::now());
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = this.trim() {
                tracing::warn!(%error, "the build cache could not be trimmed");
            }
        });
    }
}

fn result_event(exported: Exported, started: Instant, shared_cache: Option<SharedCache>) -> BuildEvent {
    BuildEvent::Result {
        at: now_ms(),
        image_id: exported.image_id,
        manifest_digest: exported.manifest_digest,
        size: exported.size,
        layers: exported.layers,
        platforms: exported.platforms,
        duration_ms: millis(started.elapsed()),
        shared_cache,
    }
}

const CONFLICT: &str = "a build of this id is running";

/// A build's place among the running ones, given back when dropped.
struct Registration {
    builder: Builder,
    id: String,
    running: Running,
}

impl Registration {
    fn new(builder: &Builder, id: &str) -> Result<Self> {
        let build = Running::default();
        let mut running = builder.running();
        if running.contains_key(id) {
            let mut error = BuildError::new(ErrorCode::BadPlan, CONFLICT);
            error.cause = Some(id.to_owned());
            return Err(error);
        }
        running.insert(id.to_owned(), build.clone());
        drop(running);
        Ok(Self { builder: builder.clone(), id: id.to_owned(), running: build })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.builder.running().remove(&self.id);
    }
}
