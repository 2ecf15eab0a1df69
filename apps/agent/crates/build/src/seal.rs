//! What happens to a step's files beside the steps that follow: they become a blob, a cache entry, and an unpacked layer.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slipway_snapshot::{Compression, DiffOptions, NewLayer, Stopped};
use tokio::sync::oneshot;

use crate::build::{Build, blocking};
use crate::cache::{CachedLayer, Entry, Flight};
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::{LayerInfo, Miss, Status, VertexEvent};
use crate::executor::ExecOutcome;
use crate::layer::{LayerRef, SealedLayer};
use crate::plan::{Op, Vertex};
use crate::reason::{Inputs, slots};

/// Makes a step's files a layer of the store and an entry of the cache, beside the steps that follow.
pub struct Seal {
    pub build: Arc<Build>,
    pub vertex: Vertex,
    pub miss: Miss,
    pub elapsed: u64,
    pub outcome: Option<ExecOutcome>,
    pub entry: Entry,
    pub inputs: Inputs,
    /// Kept until the layer is at its final place, so that other builds use it where it lies meanwhile.
    pub flight: Option<Arc<Flight>>,
}

impl Seal {
    /// Starts the work; the layer can be built on at once.
    pub fn start(self, upper: PathBuf, output: String) -> Arc<LayerRef> {
        let (sealed_sender, sealed) = oneshot::channel();
        let (published_sender, published) = oneshot::channel::<()>();
        let lost = || BuildError::internal("making a layer", "its task ended");
        let layer = LayerRef::made(
            &self.vertex.id,
            &upper,
            self.build.dir.clone(),
            async move { sealed.await.unwrap_or_else(|_| Err(lost())) },
            async move { drop(published.await) },
        );
        let (build, kept) = (self.build.clone(), layer.clone());
        build.add_seal(tokio::spawn(self.seal(layer, output, sealed_sender, published_sender)));
        kept
    }

    /// Blob, cache entry, final place, in this order: a daemon that dies while a later step runs must not lose this one.
    async fn seal(
        mut self,
        layer: Arc<LayerRef>,
        output: String,
        sealed: oneshot::Sender<Result<SealedLayer>>,
        published: oneshot::Sender<()>,
    ) {
        let made = match self.diff(&layer).await {
            Ok(made) => made,
            Err(error) => {
                self.forget();
                let _nobody_waits = sealed.send(Err(error)).is_err();
                return;
            }
        };
        self.entry.output = output;
        let cached = CachedLayer {
            descriptor: made.descriptor.clone(),
            diff_id: made.diff_id,
            unpacked_size: made.unpacked_size,
            form: self.build.request.output().form(),
        };
        self.entry.layer = Some(cached.clone());
        let told = SealedLayer { layer: cached, created: Some(self.entry.created.clone()) };
        let inserted = self.build.cache.insert(&self.build.scopes, &self.entry);
        let remembered = inserted.and_then(|()| record(&self.build, &self.vertex, &self.inputs, false));
        let at_once = self.adopt(&layer, &made, false).await;
        self.tell().await;
        let _nobody_waits = sealed.send(Ok(told)).is_err();
        let adopted = if at_once.is_some() { at_once } else { self.adopt(&layer, &made, true).await };
        if let Err(error) = remembered.and(adopted.unwrap_or(Ok(()))) {
            // The image is complete all the same; the next build does this step or its unpacking again.
            tracing::error!(
                build = self.build.request.id,
                vertex = self.vertex.id,
                cause = error.cause,
                "a step could not be cached: {error}"
            );
        }
        self.forget();
        let _nobody_waits = published.send(()).is_err();
    }

    async fn diff(&self, layer: &Arc<LayerRef>) -> Result<NewLayer> {
        let (build, upper) = (self.build.clone(), layer.made_path());
        let stop = build.clone();
        let stopped = Some(Stopped(Arc::new(move || stop.stopped())));
        let mut options = DiffOptions { compression: build.request.output().compression(), mtime: None, stopped };
        // Only read from, never part of an image: packing it would be for nothing.
        if matches!(self.vertex.op, Op::Http(_)) {
            options.compression = Compression::None;
        }
        blocking(move || {
            let upper = upper.ok_or_else(|| BuildError::internal("making a layer", "it has no directory"))?;
            let made = build.layers.diff(&build.lease, &upper, &options);
            made.map_err(|error| if build.stopped() { BuildError::canceled() } else { snapshot_error("making a layer", &error) })
        })
        .await
    }

    async fn adopt(&self, layer: &Arc<LayerRef>, made: &NewLayer, wait: bool) -> Option<Result<()>> {
        let adopt = |upper: &Path| {
            let adopted = self.build.layers.adopt(&self.build.lease, upper, made);
            adopted.map_err(|error| snapshot_error("keeping a layer", &error))?;
            // When an equal layer was there before, this one stays in the build's directory.
            let stayed = upper.exists();
            let place = self.build.layers.get(&made.diff_id).filter(|_| !stayed).map(|layer| self.build.layers.link_dir().join(layer.link));
            Ok(place.unwrap_or_else(|| upper.to_path_buf()))
        };
        layer.when_unused(wait, adopt).await
    }

    fn forget(&self) {
        if let Some(flight) = &self.flight {
            flight.land(None);
        }
    }

    /// For a step that changed nothing.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub async fn without_layer(self) -> Result<()> {
        self.build.cache.insert(&self.build.scopes, &self.entry)?;
        record(&self.build, &self.vertex, &self.inputs, false)?;
        self.tell().await;
        Ok(())
    }

    async fn tell(&self) {
        let mut event = VertexEvent::new(&self.vertex.id, Status::Done).with(self.outcome.as_ref());
        event.duration_ms = Some(self.elapsed);
        event.miss = Some(self.miss.clone());
        event.layer = self.entry.layer.as_ref().map(layer_info);
        event.content_digest = self.inputs.content_digest();
        self.build.events.vertex(event).await;
    }
}

/// Leaves what the vertex was made from for the next build. `unless_same`: a hit need not write what is there.
///
/// # Errors
/// When the cache cannot be written.
pub fn record(build: &Build, vertex: &Vertex, inputs: &Inputs, unless_same: bool) -> Result<()> {
    let slots = slots(&build.request.plan, vertex, &build.lineage());
    if unless_same && build.cache.recall::<Inputs>(&build.scopes, "slots", &slots[0]).as_ref() == Some(inputs) {
        return Ok(());
    }
    slots.iter().try_for_each(|slot| build.cache.remember(&build.scopes, "slots", slot, inputs))
}

pub fn layer_info(layer: &CachedLayer) -> LayerInfo {
    LayerInfo {
        digest: layer.descriptor.digest.to_string(),
        diff_id: layer.diff_id.to_string(),
        size: layer.descriptor.size,
        unpacked_size: layer.unpacked_size,
    }
}

pub fn snapshot_error(doing: &str, error: &slipway_snapshot::Error) -> BuildError {
    match error {
        slipway_snapshot::Error::OverLimit { .. } => {
            BuildError::new(ErrorCode::DiskLimit, format!("What the step wrote cannot become a layer: {error}."))
        }
        error if error.code() == "DISK_FULL" => BuildError::disk_full(error.to_string()),
        error => BuildError::internal(doing, error),
    }
}
