//! The file system a vertex gives: layers on disk, some of which are still being written into blobs.
//!
//! A step's upper directory is usable as a layer the moment the step ends; making its blob takes longer and runs beside
//! the next step. Meanwhile the directory may move to its final place, so it is named by a file descriptor of this
//! process, which stays true across the move.
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use slipway_snapshot::Layers;
use slipway_store::{Digest, Lease};

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
    /// Made by this build.
    Made { dir: OwnedFd, sealed: Shared<BoxFuture<'static, Result<SealedLayer>>> },
}

/// A layer whose blob is in the store.
#[derive(Debug, Clone)]
pub struct SealedLayer {
    pub layer: CachedLayer,
    /// RFC 3339; `None` for a base image's.
    pub created: Option<String>,
}

impl LayerRef {
    pub fn stored(vertex: Option<&str>, layer: CachedLayer, created: Option<String>) -> Arc<Self> {
        Arc::new(Self { vertex: vertex.map(str::to_owned), place: Place::Stored(SealedLayer { layer, created }) })
    }

    pub fn made(vertex: &str, upper: &Path, sealed: impl Future<Output = Result<SealedLayer>> + Send + 'static) -> Result<Arc<Self>> {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let dir = rustix::fs::openat(rustix::fs::CWD, upper, flags, rustix::fs::Mode::empty());
        let dir = dir.map_err(|error| BuildError::io("opening a step's files", &error.into()))?;
        Ok(Arc::new(Self { vertex: Some(vertex.to_owned()), place: Place::Made { dir, sealed: sealed.boxed().shared() } }))
    }

    /// Waits until the layer is in the store.
    ///
    /// # Errors
    /// When making it failed.
    pub async fn sealed(&self) -> Result<SealedLayer> {
        match &self.place {
            Place::Stored(sealed) => Ok(sealed.clone()),
            Place::Made { sealed, .. } => sealed.clone().await,
        }
    }

    fn path(&self, layers: &Layers, lease: &Lease) -> Result<PathBuf> {
        match &self.place {
            Place::Made { dir, .. } => Ok(PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), dir.as_raw_fd()))),
            Place::Stored(SealedLayer { layer, .. }) => {
                let unpacked = layers.unpack_blob(lease, &layer.descriptor, &layer.diff_id);
                Ok(unpacked.map_err(|error| BuildError::internal("unpacking a layer", error))?.dir)
            }
        }
    }
}

impl Output {
    pub fn diff_ids_of(layers: &[CachedLayer]) -> Vec<String> {
        layers.iter().map(|layer| layer.diff_id.to_string()).collect()
    }

    /// The directories to merge, topmost first, each once; never empty. Unpacks what is not unpacked. Blocks.
    ///
    /// # Errors
    /// When a layer cannot be unpacked.
    pub fn lower(&self, layers: &Layers, lease: &Lease) -> Result<Vec<PathBuf>> {
        let mut dirs: Vec<PathBuf> = Vec::with_capacity(self.layers.len());
        for layer in self.layers.iter().rev() {
            let path = layer.path(layers, lease)?;
            // The same layer twice says nothing new the second time, and overlayfs refuses it.
            if !dirs.contains(&path) {
                dirs.push(path);
            }
        }
        if dirs.is_empty() {
            let no_diff_ids: [Digest; 0] = [];
            (dirs, _) = layers.lower(&no_diff_ids).map_err(|error| BuildError::internal("preparing an empty file system", error))?;
        }
        Ok(dirs)
    }

    /// A read-only view. Blocks.
    ///
    /// # Errors
    /// As [`Output::lower`], and when it cannot be mounted.
    pub fn view(&self, layers: &Layers, lease: &Lease) -> Result<Tree> {
        let lower = self.lower(layers, lease)?;
        overlay::open_readonly(&lower).map(Tree::new).map_err(|error| BuildError::io("opening a step's files", &error))
    }
}
