//! One build under way: everything its steps share.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use slipway_snapshot::Layers;
use slipway_store::{Lease, Reference};
use slipway_sys::remove::remove_tree;
use slipway_transfer::Downloader;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Scopes};
use crate::context::{Context, Root};
use crate::disk::StepUses;
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::Events;
use crate::executor::{ExecLimits, Executor, OverlayDirs};
use crate::files::FileList;
use crate::layer::{Lower, Output};
use crate::plan::{BuildRequest, Op, Vertex};
use crate::secrets::Masks;
use crate::sharing::Sharing;
use crate::ssh_agent::Questions;

/// RUN steps of one build that run at the same time; more would only fight over the build's limits.
const PARALLEL_EXECS: usize = 4;

/// overlayfs takes 500; registries and runtimes grow slow long before.
const MAX_LAYERS: usize = 480;

pub struct Build {
    pub request: BuildRequest,
    pub context: Context,
    pub dir: Arc<BuildDir>,
    pub layers: Layers,
    /// Keeps everything the build uses or makes from gc.
    pub lease: Arc<Lease>,
    pub cache: Arc<Cache>,
    pub scopes: Scopes,
    pub executor: Arc<dyn Executor>,
    pub downloader: Downloader,
    pub events: Events,
    /// Fires when the build is canceled, times out or a step fails: whatever still runs ends.
    pub stop: CancellationToken,
    pub execs: Semaphore,
    pub ran: AtomicBool,
    /// What its steps ask their SSH agents.
    pub questions: Arc<Questions>,
    /// Of all the build's secrets: a step may print what one before it wrote down.
    pub masks: Arc<Masks>,
    /// By vertex that was not in the cache: the first step before it, or itself, that had to run again, and why.
    causes: Mutex<HashMap<String, Arc<str>>>,
    /// What caches in registries have to do with it.
    pub sharing: Sharing,
    /// Of the disk; see [`crate::disk`].
    pub reserve: Option<u64>,
    /// What the running steps write.
    pub uses: Arc<StepUses>,
    /// Why the build was ended from outside of its steps.
    verdict: OnceLock<BuildError>,
    seals: Mutex<Vec<JoinHandle<()>>>,
}

impl Build {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        request: BuildRequest,
        context: Context,
        dir: BuildDir,
        layers: &Layers,
        cache: &Arc<Cache>,
        executor: &Arc<dyn Executor>,
        downloader: &Downloader,
        events: Events,
        stop: CancellationToken,
    ) -> Self {
        let scopes = match request.cache.writes() {
            true => Scopes::shared(&request.scope),
            false => Scopes::reading(&request.scope, &dir.name()),
        };
        Self {
            scopes,
            lease: Arc::new(layers.store().lease("build")),
            layers: layers.clone(),
            cache: cache.clone(),
            executor: executor.clone(),
            downloader: downloader.clone(),
            execs: Semaphore::new(PARALLEL_EXECS),
            ran: AtomicBool::new(false),
            questions: Arc::default(),
            masks: Arc::new(Masks::new(&context.secrets)),
            causes: Mutex::default(),
            sharing: Sharing::default(),
            reserve: None,
            uses: Arc::default(),
            verdict: OnceLock::new(),
            seals: Mutex::default(),
            request,
            context,
            dir: Arc::new(dir),
            events,
            stop,
        }
    }

    /// What tells the apps of one organization apart: the repository of the image's first name.
    pub fn lineage(&self) -> String {
        let first = self.request.tags.first().and_then(|tag| Reference::parse(tag).ok());
        first.map(|reference| reference.name()).unwrap_or_default()
    }

    /// The files of a context, where `from` (as the plan has it) names one; `None`: they are another vertex's.
    pub fn sent(&self, from: Option<&str>) -> Option<&Root> {
        let Some(id) = from else { return self.context.root(None) };
        match &self.request.plan.vertex(id)?.op {
            Op::Context { name } => self.context.root(Some(name)),
            _ => None,
        }
    }

    pub fn exec_limits(&self) -> ExecLimits {
        let limits = &self.request.limits;
        ExecLimits { memory_bytes: limits.memory_bytes, cpu_millis: limits.cpu_millis, pids: limits.pids }
    }

    /// An upper and a work directory for a step on top of `input`. Blocks.
    ///
    /// # Errors
    /// When a layer cannot be unpacked or the directories cannot be made.
    pub fn prepare(&self, vertex: &Vertex, input: &Output) -> Result<StepDirs> {
        let lower = input.lower(&self.layers, &self.lease)?;
        if lower.dirs.len() > MAX_LAYERS {
            let message = format!("The image has more than {MAX_LAYERS} layers; join some RUN or COPY instructions into one.");
            return Err(BuildError::new(ErrorCode::BadPlan, message));
        }
        let step = self.dir.path().join("steps").join(&vertex.id);
        let dirs = OverlayDirs { lower: lower.dirs.clone(), upper: step.join("upper"), work: step.join("work") };
        for dir in [&dirs.upper, &dirs.work] {
            std::fs::create_dir_all(dir).map_err(|error| BuildError::io("preparing a step's files", &error))?;
        }
        Ok(StepDirs { dirs, _lower: lower })
    }

    /// Remembers work that goes on after its step has ended.
    pub fn add_seal(&self, seal: JoinHandle<()>) {
        self.seals.lock().unwrap_or_else(PoisonError::into_inner).push(seal);
    }

    /// Waits for the blobs still being made.
    pub async fn settle(&self) {
        loop {
            let next = self.seals.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(seal) = next else { return };
            if let Err(error) = seal.await {
                tracing::error!(%error, "making a layer ended unexpectedly");
            }
        }
    }

    /// The checksums of files in another vertex's output, when they are known; `name` is of the output and what is selected.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn selection(&self, name: &str) -> Result<Option<FileList>> {
        self.sharing.note_selection(name);
        if let Some(files) = self.cache.recall::<FileList>(&self.scopes, "selections", name) {
            return Ok(Some(files));
        }
        let Some(files) = self.sharing.selection(name) else { return Ok(None) };
        self.cache.remember(&self.scopes, "selections", name, &files)?;
        Ok(Some(files))
    }

    pub fn first_cause(&self, vertex: &str) -> Option<Arc<str>> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).get(vertex).cloned()
    }

    pub fn note_cause(&self, vertex: &str, cause: Arc<str>) {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).insert(vertex.to_owned(), cause);
    }

    /// Ends the build; a step that the error names is told to have failed of it.
    pub fn give_up(&self, error: BuildError) {
        let _first_counts = self.verdict.set(error).is_err();
        self.stop.cancel();
    }

    /// Why the build was ended from outside of its steps.
    pub fn given_up(&self) -> Option<BuildError> {
        self.verdict.get().cloned()
    }

    /// Instead of the cancellation that a step died of: what it was ended for.
    pub fn verdict(&self, vertex: &str) -> Option<BuildError> {
        self.verdict.get().filter(|error| error.vertex.as_deref() == Some(vertex)).cloned()
    }

    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub fn mark_ran(&self) {
        self.ran.store(true, Ordering::Relaxed);
    }
}

/// A step's directories. The layers beneath stay where they are until this is dropped.
#[derive(Debug)]
pub struct StepDirs {
    pub dirs: OverlayDirs,
    _lower: Lower,
}

/// Runs `work` where blocking is allowed.
///
/// # Errors
/// What `work` returns; `INTERNAL` when it panics.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(BuildError::internal("running a step", error)))
}

/// A build's directory below `<data-root>/builds`; removed when dropped, or by the next start of the daemon.
///
/// ```text
/// builds/<id>.<n>/
///   context/                 the files of the request, once a step needs them
///   contexts/<name>/         those of its other contexts
///   context.tar              all of them as they came, when they are large
///   steps/<vertex>/upper     what the step wrote; becomes a layer
///   steps/<vertex>/work      overlayfs's own
///   steps/<vertex>/download  the file of a URL, while it comes
///   steps/<vertex>/mounts/<n> upper and work of a mount, thrown away with the step
///   inline/<vertex>/         files whose content stands in the Dockerfile
/// ```
#[derive(Debug)]
pub struct BuildDir {
    path: PathBuf,
}

impl BuildDir {
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: PathBuf) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unlike any other build's on this host.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for BuildDir {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        // Deleting a large context takes a while, and this may run where blocking is not allowed.
        let removal = std::thread::Builder::new().name("build-cleanup".into()).spawn(move || {
            if let Err(error) = remove_tree(&path) {
                tracing::error!(%error, path = %path.display(), "a build's directory could not be removed; the next start tries again");
            }
        });
        if let Err(error) = removal {
            tracing::error!(%error, "a build's directory is left for the next start to remove");
        }
    }
}
