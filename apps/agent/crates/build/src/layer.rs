//! The file system a vertex gives: layers on disk, some of which are still being made into blobs.
//!
//! A step's upper directory is a layer the moment the step ends; making its blob takes longer and runs beside the steps
//! that follow. Once the blob is there the directory moves to its final place in the layer store, at a moment when
//! nothing has it mounted: its path must not change between being told and being mounted.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use slipway_snapshot::Layers;
use slipway_store::{Digest, Lease};
use tokio::sync::Notify;

use crate::build::BuildDir;
use crate::cache::CachedLayer;
use crate::error::{BuildError, Result};
use crate::overlay;
use crate::tree::Tree;

/// What a vertex gives to those that build on it.
#[derive(Debug, Clone)]
pub struct Output {
    /// See `key.rs`.
    pub id: String,
    /// Lowest first.
    pub layers: Vec<Arc<LayerRef>>,
}

#[derive(Debug)]
pub struct LayerRef {
    /// The vertex that made it; `None` for a base image's.
    pub vertex: Option<String>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In the store; unpacked on demand.
    Stored(SealedLayer),
    /// Made by a build under way.
    Made(Made),
    /// In a registry, until something needs it.
    Remote(Remote),
}

#[derive(Debug)]
struct Remote {
    sealed: SealedLayer,
    fetched: Shared<BoxFuture<'static, Result<()>>>,
}

#[derive(Debug)]
struct Made {
    state: Mutex<MadeState>,
    idle: Notify,
    sealed: Shared<BoxFuture<'static, Result<SealedLayer>>>,
    published: Shared<BoxFuture<'static, ()>>,
    /// The directory lies in it until it moves.
    _dir: Arc<BuildDir>,
}

#[derive(Debug)]
struct MadeState {
    path: PathBuf,
    users: usize,
}

/// A layer whose blob is in the store.
#[derive(Debug, Clone)]
pub struct SealedLayer {
    pub layer: CachedLayer,
    /// RFC 3339; `None` for a base image's.
    pub created: Option<String>,
}

/// Directories to mount, topmost first, each once; never empty. They stay where they are until this is dropped.
#[derive(Debug)]
pub struct Lower {
    pub dirs: Vec<PathBuf>,
    _uses: Vec<Use>,
}

#[derive(Debug)]
struct Use(Arc<LayerRef>);

impl Drop for Use {
    fn drop(&mut self) {
        if let Place::Made(made) = &self.0.place {
            let mut state = made.lock();
            state.users -= 1;
            if state.users == 0 {
                made.idle.notify_one();
            }
        }
    }
}

impl Made {
    fn lock(&self) -> std::sync::MutexGuard<'_, MadeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LayerRef {
    pub fn stored(vertex: Option<&str>, layer: CachedLayer, created: Option<String>) -> Arc<Self> {
        Arc::new(Self { vertex: vertex.map(str::to_owned), place: Place::Stored(SealedLayer { layer, created }) })
    }

    /// `fetch` brings the layer into the store; it is not begun before something needs the layer.
    pub fn remote(
        vertex: &str,
        layer: CachedLayer,
        created: String,
        fetch: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Arc<Self> {
        let remote = Remote { sealed: SealedLayer { layer, created: Some(created) }, fetched: fetch.boxed().shared() };
        Arc::new(Self { vertex: Some(vertex.to_owned()), place: Place::Remote(remote) })
    }

    /// `sealed` resolves when the blob is in the store, `published` when the directory is at its final place.
    pub fn made(
        vertex: &str,
        upper: &Path,
        dir: Arc<BuildDir>,
        sealed: impl Future<Output = Result<SealedLayer>> + Send + 'static,
        published: impl Future<Output = ()> + Send + 'static,
    ) -> Arc<Self> {
        let made = Made {
            state: Mutex::new(MadeState { path: upper.to_path_buf(), users: 0 }),
            idle: Notify::new(),
            sealed: sealed.boxed().shared(),
            published: published.boxed().shared(),
            _dir: dir,
        };
        Arc::new(Self { vertex: Some(vertex.to_owned()), place: Place::Made(made) })
    }

    /// Waits until the layer's blob is in the store.
    ///
    /// # Errors
    /// When making it failed.
    pub async fn sealed(&self) -> Result<SealedLayer> {
        match &self.place {
            Place::Stored(sealed) => Ok(sealed.clone()),
            Place::Made(made) => made.sealed.clone().await,
            Place::Remote(remote) => remote.fetched.clone().await.map(|()| remote.sealed.clone()),
        }
    }

    /// Waits until the layer can be found in the store unpacked, too.
    pub async fn published(&self) {
        if let Place::Made(made) = &self.place {
            made.published.clone().await;
        }
    }

    /// Where a layer made by a build lies now.
    pub fn made_path(&self) -> Option<PathBuf> {
        if let Place::Made(made) = &self.place { Some(made.lock().path.clone()) } else { None }
    }

    /// Lets `relocate` move the directory and give its new place, as soon as nothing uses it. Gives `None` when it is in
    /// use and `wait` is false.
    ///
    /// # Errors
    /// What `relocate` returns.
    pub async fn when_unused(&self, wait: bool, relocate: impl FnOnce(&Path) -> Result<PathBuf>) -> Option<Result<()>> {
        let Place::Made(made) = &self.place else { return Some(Ok(())) };
        loop {
            {
                let mut state = made.lock();
                if state.users == 0 {
                    let moved = relocate(&state.path);
                    return Some(moved.map(|path| state.path = path));
                }
            }
            if !wait {
                return None;
            }
            made.idle.notified().await;
        }
    }

    fn acquire(self: &Arc<Self>, layers: &Layers, lease: &Lease) -> Result<(PathBuf, Use)> {
        let path = match &self.place {
            Place::Made(made) => {
                let mut state = made.lock();
                state.users += 1;
                state.path.clone()
            }
            Place::Stored(SealedLayer { layer, .. }) | Place::Remote(Remote { sealed: SealedLayer { layer, .. }, .. }) => {
                if let Place::Remote(remote) = &self.place {
                    // Here blocking is allowed: whoever mounts files is on a thread of its own.
                    tokio::runtime::Handle::current().block_on(remote.fetched.clone())?;
                }
                let unpacked = layers.unpack_blob(lease, &layer.descriptor, &layer.diff_id);
                let unpacked = unpacked.map_err(|error| crate::seal::snapshot_error("unpacking a layer", &error))?;
                // Mount options are limited to a page: the short name lets an image have hundreds of layers.
                layers.link_dir().join(unpacked.link)
            }
        };
        Ok((path, Use(self.clone())))
    }
}

impl Output {
    pub fn diff_ids_of(layers: &[CachedLayer]) -> Vec<String> {
        layers.iter().map(|layer| layer.diff_id.to_string()).collect()
    }

    /// The directories to mount. Unpacks what is not unpacked. Blocks.
    ///
    /// # Errors
    /// When a layer cannot be unpacked.
    pub fn lower(&self, layers: &Layers, lease: &Lease) -> Result<Lower> {
        let mut dirs: Vec<PathBuf> = Vec::with_capacity(self.layers.len());
        let mut uses = Vec::with_capacity(self.layers.len());
        for layer in self.layers.iter().rev() {
            let (path, in_use) = layer.acquire(layers, lease)?;
            uses.push(in_use);
            // The same layer twice says nothing new the second time, and overlayfs refuses it.
            if !dirs.contains(&path) {
                dirs.push(path);
            }
        }
        if dirs.is_empty() {
            let no_diff_ids: [Digest; 0] = [];
            (dirs, _) = layers.lower(&no_diff_ids).map_err(|error| BuildError::internal("preparing an empty file system", error))?;
        }
        Ok(Lower { dirs, _uses: uses })
    }

    /// A read-only view. Blocks.
    ///
    /// # Errors
    /// As [`Output::lower`], and when it cannot be mounted.
    pub fn view(&self, layers: &Layers, lease: &Lease) -> Result<View> {
        let lower = self.lower(layers, lease)?;
        let tree = overlay::open_readonly(&lower.dirs).map(Tree::new).map_err(|error| BuildError::io("opening a step's files", &error))?;
        Ok(View { tree, _lower: lower })
    }
}

/// A mounted output; its layers stay where they are meanwhile.
#[derive(Debug)]
pub struct View {
    pub tree: Tree,
    _lower: Lower,
}
