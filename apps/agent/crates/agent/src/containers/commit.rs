//! `docker commit`: an image of what a container has become.
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};
use slipway_runtime::fault;
use slipway_store::{
    ContainerConfig, Descriptor, Digest, HistoryEntry, ImageConfig, Lease, Platform, Reference, Resource, RootFs, rfc3339,
};
use slipway_transfer::apply_change;

use super::create::merge;
use super::model::Config;
use super::record::{Record, Status};
use super::{Container, Containers};
use crate::error::{ApiError, ApiResult};
use crate::images::{Images, blocking};

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    pub reference: Option<Reference>,
    pub comment: String,
    pub author: String,
    /// Let nothing run while the files are read.
    pub pause: bool,
    /// Dockerfile instructions.
    pub changes: Vec<String>,
    /// Instead of the container's own.
    pub config: Option<ContainerConfig>,
}

/// What an image says about how it is started; the rest of a container's configuration is that container's own.
const OF_IMAGES: [&str; 14] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Healthcheck",
    "Volumes",
    "WorkingDir",
    "OnBuild",
    "Labels",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "ArgsEscaped",
];

/// The layers of the new image, lowest first.
#[derive(Default)]
struct Stack {
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
    size: u64,
}

impl Containers {
    /// Makes the image and gives its id.
    pub async fn commit(self: &Arc<Self>, container: &Arc<Container>, request: CommitRequest) -> ApiResult<Digest> {
        let record = container.record();
        // First: a typo must not cost the work.
        let config = configuration(&record, &request)?;
        // What does not run is not started meanwhile; what runs may end.
        let idle = match container.state().is_running() {
            true => None,
            false => Some(container.operations.clone().lock_owned().await),
        };
        let state = container.state();
        if state.removed || state.status == Status::Removing {
            return Err(ApiError::conflict(format!("You cannot commit container {} which is being removed", container.id)));
        }
        let pause = request.pause && idle.is_none() && !state.paused;
        if pause {
            container.update(|state| state.committing = true);
        }
        let paused = pause && self.pause(container).await.is_ok(); // one that ended meanwhile needs none
        fault::point("commit.paused");
        let (images, committed) = (self.deps.images.clone(), request.clone());
        let made = blocking(move || make(&images, &record, &committed, config)).await;
        if paused && let Err(error) = self.unpause(container).await {
            tracing::error!(%error, container = %container.id, "cannot unpause the container after its commit");
        }
        if pause {
            container.update(|state| state.committing = false);
        }
        drop(idle);
        let id = made?;
        let name = request.reference.as_ref().map(Reference::familiar).unwrap_or_default();
        self.event(container, "commit", &[("comment", request.comment), ("imageID", id.to_string()), ("imageRef", name.clone())]);
        self.deps.images.event("create", &id.to_string(), &id.to_string());
        if !name.is_empty() {
            self.deps.images.event("tag", &id.to_string(), &name);
        }
        Ok(id)
    }
}

/// The container's configuration with the client's changes, as dockerd merges them.
fn configuration(record: &Record, request: &CommitRequest) -> ApiResult<ContainerConfig> {
    let own = of_image(json!(record.config))?;
    let mut config = request.config.clone().unwrap_or_else(|| own.clone());
    for change in &request.changes {
        apply_change(&mut config, change)?;
    }
    let mut merged: Config = convert(json!(config))?;
    merge(&mut merged, own);
    of_image(json!(merged))
}

fn of_image(mut config: Value) -> ApiResult<ContainerConfig> {
    if let Some(map) = config.as_object_mut() {
        map.retain(|key, _| OF_IMAGES.contains(&key.as_str()));
    }
    convert(config)
}

fn convert<T: serde::de::DeserializeOwned>(config: Value) -> ApiResult<T> {
    serde_json::from_value(config).map_err(|error| ApiError::bad_request(format!("invalid configuration: {error}")))
}

/// Blocks.
fn make(images: &Images, record: &Record, request: &CommitRequest, config: ContainerConfig) -> slipway_transfer::Result<Digest> {
    let store = &images.store;
    let lease = store.lease("commit");
    let dirs = images.layers.snapshots().dirs(&record.id)?;
    let (mut image, mut stack) = base(images, &lease, record)?;
    let made = images.layers.commit_upper(&lease, &dirs.upper)?;
    let empty = made.entries == 0;
    if !empty {
        stack.layers.push(made.descriptor);
        stack.diff_ids.push(made.diff_id);
        stack.size += made.unpacked_size;
    }
    let created = rfc3339(SystemTime::now());
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    image.history.push(HistoryEntry {
        created: Some(created.clone()),
        created_by: some(&record.config.cmd.clone().unwrap_or_default().join(" ")),
        author: some(&request.author),
        comment: some(&request.comment),
        empty_layer: empty,
    });
    image.created = Some(created);
    image.author = some(&request.author);
    image.config = Some(config);
    image.rootfs = RootFs { kind: "layers".into(), diff_ids: stack.diff_ids };
    let image = store.make_image(&lease, &image, stack.layers, stack.size)?;
    if let Some(reference) = &request.reference {
        store.tag(reference, &image.record.id)?;
    }
    Ok(image.record.id)
}

/// The image the container was made of. One that was deleted since has only its unpacked layers left, which become new
/// ones with the same files.
fn base(images: &Images, lease: &Lease, record: &Record) -> slipway_transfer::Result<(ImageConfig, Stack)> {
    let (store, layers) = (&images.store, &images.layers);
    let found = record.image_id.parse::<Digest>().ok().and_then(|id| store.image(&id).ok());
    if let Some(image) = found {
        let image = image.record;
        // Held first, then looked for: gc cannot come between.
        for (blob, diff_id) in image.layers.iter().zip(&image.diff_ids) {
            lease.hold(Resource::Blob(blob.digest))?;
            lease.hold(Resource::Layer(*diff_id))?;
        }
        let all = image.layers.iter().all(|blob| matches!(store.stat(&blob.digest), Ok(Some(_))));
        if all && let Ok(config) = store.image_config(&image) {
            return Ok((config, Stack { layers: image.layers, diff_ids: image.diff_ids, size: image.size }));
        }
    }
    let mut stack = Stack::default();
    let platform = Platform::host();
    let mut config =
        ImageConfig { architecture: platform.architecture, os: platform.os, variant: platform.variant, ..ImageConfig::default() };
    for diff_id in layers.snapshots().parents(&record.id)? {
        let layer = layers.get(&diff_id).ok_or(slipway_snapshot::Error::LayerNotFound(diff_id))?;
        let made = layers.commit_upper(lease, &layer.dir)?;
        stack.layers.push(made.descriptor);
        stack.diff_ids.push(made.diff_id);
        stack.size += made.unpacked_size;
        config.history.push(HistoryEntry { comment: Some("of an image that was deleted".into()), ..HistoryEntry::default() });
    }
    Ok((config, stack))
}
