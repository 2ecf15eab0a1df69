//! The finished image: config, manifest, names.
//!
//! Times come from the layers, not from the clock, so that a build from the cache gives the very same image id.
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use slipway_snapshot::Compression;
use slipway_store::{
    ContainerConfig, Descriptor, HistoryEntry, Image, ImageConfig, ImageRecord, Manifest, Reference, Resource, RootFs, media_type,
    now_unix_nanos, rfc3339,
};

use crate::build::{Build, blocking};
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::{ResultImage, ResultLayer};
use crate::layer::{Output, SealedLayer};
use crate::output_options::OutputOptions;
use crate::plan::{Op, Target, Vertex};
use crate::repack;
use crate::solver::chain;

const PUBLISH_WAIT: Duration = Duration::from_secs(2);

/// What a build made.
#[derive(Debug, Clone)]
pub struct Exported {
    pub image_id: String,
    pub manifest_digest: String,
    /// Bytes of all blobs.
    pub size: u64,
    pub layers: Vec<ResultLayer>,
    /// Where there are several.
    pub platforms: Vec<ResultImage>,
}

/// Takes the output of each of the plan's targets.
///
/// # Errors
/// When a layer could not be made, or the image cannot be written.
pub async fn export(build: &Arc<Build>, targets: Vec<Output>) -> Result<Exported> {
    let mut images = Vec::with_capacity(targets.len());
    for target in &targets {
        let mut layers = Vec::with_capacity(target.layers.len());
        for layer in &target.layers {
            layers.push((layer.vertex.clone(), layer.sealed().await?));
        }
        images.push(layers);
    }
    // Whoever runs the image next should find its layers unpacked. Another build may be using one for long, though.
    let published = futures::future::join_all(targets.iter().flat_map(|target| &target.layers).map(|layer| layer.published()));
    let _in_use_elsewhere = tokio::time::timeout(PUBLISH_WAIT, published).await.is_err();
    let build = build.clone();
    blocking(move || write(&build, images)).await
}

type VertexLayer = (Option<String>, SealedLayer);

/// An image whose blobs are written, and that is not recorded yet.
struct Written {
    manifest: Descriptor,
    config: Descriptor,
    unpacked: u64,
    layers: Vec<ResultLayer>,
}

impl Written {
    fn size(&self) -> u64 {
        self.config.size + self.manifest.size + self.layers.iter().map(|layer| layer.size).sum::<u64>()
    }
}

fn failed(error: slipway_store::Error) -> BuildError {
    match error.code() {
        "DISK_FULL" => BuildError::disk_full(error.to_string()),
        _ => BuildError::internal("writing the image", error),
    }
}

/// Writes and names the image, or the index of several.
fn write(build: &Build, images: Vec<Vec<VertexLayer>>) -> Result<Exported> {
    let plan = &build.request.plan;
    let mut written = Vec::with_capacity(images.len());
    for (target, layers) in plan.targets().zip(images) {
        written.push(write_image(build, target, layers)?);
    }
    if written.len() > 1 {
        return name_index(build, &written);
    }
    let Some(written) = written.pop() else { return Err(BuildError::internal("writing the image", "the plan has no target")) };
    if build.request.keeps() {
        name_image(build, &written)?;
    }
    Ok(Exported {
        image_id: written.config.digest.to_string(),
        manifest_digest: written.manifest.digest.to_string(),
        size: written.size(),
        layers: written.layers,
        platforms: Vec::new(),
    })
}

fn name_image(build: &Build, written: &Written) -> Result<()> {
    let image = record(build, written)?;
    let store = build.layers.store();
    for reference in names(build)? {
        let means = |known: &Image| known.record.id == image.record.id && known.record.manifest.digest == written.manifest.digest;
        let known = store.resolve(&reference.canonical()).is_ok_and(|known| means(&known)) && store.index(&reference).is_none();
        if !known {
            store.tag(&reference, &image.record.id).map_err(failed)?;
        }
    }
    Ok(())
}

/// One image of each platform, behind the same names; this machine's own (or the first) is recorded as an image here.
fn name_index(build: &Build, written: &[Written]) -> Result<Exported> {
    let store = build.layers.store();
    let records = written.iter().map(|one| store.check_image(&one.manifest, one.unpacked));
    let records: Vec<ImageRecord> = records.collect::<slipway_store::Result<_>>().map_err(failed)?;
    let host = slipway_store::Platform::host();
    let own = records.iter().position(|image| image.platform().satisfies(&host)).unwrap_or_default();
    let kind = if build.request.output().docker() { media_type::DOCKER_LIST } else { media_type::OCI_INDEX };
    let index = store.make_index(&build.lease, kind, records).map_err(failed)?;
    if build.request.keeps() {
        let image = record(build, &written[own])?;
        for reference in names(build)? {
            let known = store.index(&reference).is_some_and(|known| known.descriptor.digest == index.descriptor.digest);
            if !known || !image.tags.contains(&reference) {
                store.tag_index(&reference, &image.record.id, Some(index.clone())).map_err(failed)?;
            }
        }
    }
    let platforms: Vec<ResultImage> = build
        .request
        .plan
        .targets()
        .zip(written)
        .map(|(target, one)| ResultImage {
            platform: target.platform.to_string(),
            image_id: one.config.digest.to_string(),
            manifest_digest: one.manifest.digest.to_string(),
            size: one.size(),
            layers: one.layers.clone(),
        })
        .collect();
    let mut blobs = HashSet::new();
    let layers = written.iter().flat_map(|one| &one.layers).filter(|layer| blobs.insert(layer.digest.as_str()));
    let shared: u64 = layers.map(|layer| layer.size).sum();
    Ok(Exported {
        image_id: written[own].config.digest.to_string(),
        manifest_digest: index.descriptor.digest.to_string(),
        size: index.descriptor.size + written.iter().map(|one| one.config.size + one.manifest.size).sum::<u64>() + shared,
        layers: written[own].layers.clone(),
        platforms,
    })
}

/// Recording an image and its names waits for the disk: when nothing changed, there is nothing to record.
fn record(build: &Build, written: &Written) -> Result<Image> {
    let store = build.layers.store();
    let known = store.image(&written.config.digest).ok().filter(|image| image.record.manifest.digest == written.manifest.digest);
    match known {
        Some(image) => Ok(image),
        None => store.put_image(&written.manifest, written.unpacked).map_err(failed),
    }
}

fn names(build: &Build) -> Result<Vec<Reference>> {
    let parse = |tag: &String| {
        Reference::parse(tag).map_err(|_| BuildError::new(ErrorCode::BadPlan, format!("`{tag}` is not a valid image name.")))
    };
    build.request.tags.iter().map(parse).collect()
}

fn write_image(build: &Build, target: Target<'_>, layers: Vec<VertexLayer>) -> Result<Written> {
    let options = build.request.output();
    let store = build.layers.store();
    // Some may have been made by another build, whose own hold on them ends with it.
    for (_, sealed) in &layers {
        build.lease.hold(Resource::Blob(sealed.layer.descriptor.digest)).map_err(failed)?;
        build.lease.hold(Resource::Layer(sealed.layer.diff_id)).map_err(failed)?;
    }
    let in_form = |(vertex, sealed): VertexLayer| {
        let own = vertex.is_some();
        if build.stopped() {
            return Err(BuildError::canceled());
        }
        repack::in_form(build, sealed, own, &options).map(|sealed| (vertex, sealed))
    };
    let layers: Vec<VertexLayer> = layers.into_iter().map(in_form).collect::<Result<_>>()?;
    let base = base_of(build, target)?;
    let own: Vec<&VertexLayer> = layers.iter().filter(|(vertex, _)| vertex.is_some()).collect();
    let mut history = base.as_ref().map(|(_, config)| config.history.clone()).unwrap_or_default();
    let base_entries = history.iter().filter(|entry| !entry.empty_layer).count();
    if base_entries != layers.len() - own.len() {
        // A base that tells no history, or a wrong one: what it tells is kept as text, its layers are named plainly.
        history.iter_mut().for_each(|entry| entry.empty_layer = true);
        history.extend(
            (0..layers.len() - own.len()).map(|_| HistoryEntry { created_by: Some("base image layer".into()), ..HistoryEntry::default() }),
        );
    }
    let start = history.len();
    history.extend(own_history(build, target, &own));
    match options.created() {
        Some(created) => history[start..].iter_mut().for_each(|entry| entry.created = Some(created.clone())),
        None => fill_times(&mut history, start),
    }
    let config = ImageConfig {
        created: options
            .created()
            .or_else(|| history.iter().rev().find_map(|entry| entry.created.clone()))
            .or_else(|| Some(rfc3339(slipway_store::from_unix(now_unix_nanos())))),
        author: target.image.author.clone(),
        architecture: target.platform.architecture.clone(),
        os: target.platform.os.clone(),
        variant: target.platform.variant.clone(),
        config: Some(container_config(target)?),
        rootfs: RootFs { kind: "layers".into(), diff_ids: layers.iter().map(|(_, sealed)| sealed.layer.diff_id).collect() },
        history,
        ..ImageConfig::default()
    };
    let config_bytes = serde_json::to_vec(&config).map_err(|error| BuildError::internal("writing the image", error))?;
    let config_blob = store.put_bytes(&build.lease, &config_bytes).map_err(failed)?;
    let descriptors = layers.iter().map(|(_, sealed)| typed(&sealed.layer.descriptor, &options)).collect();
    let types = if options.docker() { DOCKER } else { OCI };
    let mut manifest = Manifest::oci(Descriptor::new(types.config, config_blob.digest, config_blob.size), descriptors);
    manifest.media_type = Some(types.manifest.into());
    let manifest_bytes = serde_json::to_vec(&manifest).map_err(|error| BuildError::internal("writing the image", error))?;
    let manifest_blob = store.put_bytes(&build.lease, &manifest_bytes).map_err(failed)?;
    let unpacked: u64 = base.map_or(0, |(size, _)| size) + own.iter().map(|(_, sealed)| sealed.layer.unpacked_size).sum::<u64>();
    let layers: Vec<ResultLayer> = layers
        .iter()
        .map(|(_, sealed)| ResultLayer {
            digest: sealed.layer.descriptor.digest.to_string(),
            diff_id: sealed.layer.diff_id.to_string(),
            size: sealed.layer.descriptor.size,
        })
        .collect();
    Ok(Written {
        manifest: Descriptor::new(types.manifest, manifest_blob.digest, manifest_blob.size),
        config: Descriptor::new(types.config, config_blob.digest, config_blob.size),
        unpacked,
        layers,
    })
}

/// The base image's unpacked size and config; `None` for scratch.
fn base_of(build: &Build, target: Target<'_>) -> Result<Option<(u64, ImageConfig)>> {
    let Some(Vertex { op: Op::Image { reference, digest }, .. }) = chain(&build.request.plan, target.vertex).first().copied() else {
        return Ok(None);
    };
    let store = build.layers.store();
    let record = crate::step::find_base(build, reference, digest)?;
    let config = store.image_config(&record).map_err(|error| BuildError::internal("reading the base image", error))?;
    Ok(Some((record.size, config)))
}

/// The plan's history; every layer gets exactly one entry, in order.
fn own_history(build: &Build, target: Target<'_>, own: &[&VertexLayer]) -> Vec<HistoryEntry> {
    let plan = &build.request.plan;
    let mut pending = own.iter();
    let mut entries = Vec::new();
    let layer_entry = |(vertex, sealed): &VertexLayer, created_by: Option<String>| HistoryEntry {
        created: sealed.created.clone(),
        created_by: created_by.or_else(|| vertex.as_deref().and_then(|id| plan.vertex(id)).map(|vertex| vertex.instruction.clone())),
        ..HistoryEntry::default()
    };
    for entry in &target.image.history {
        let made = entry.vertex.is_some() && pending.clone().any(|(vertex, _)| *vertex == entry.vertex);
        if !made {
            entries.push(HistoryEntry { created_by: Some(entry.created_by.clone()), empty_layer: true, ..HistoryEntry::default() });
            continue;
        }
        for layer in pending.by_ref() {
            if layer.0 == entry.vertex {
                entries.push(layer_entry(layer, Some(entry.created_by.clone())));
                break;
            }
            entries.push(layer_entry(layer, None));
        }
    }
    entries.extend(pending.map(|layer| layer_entry(layer, None)));
    entries
}

/// Entries without a layer happened when the layer before them did, or the first one after.
fn fill_times(history: &mut [HistoryEntry], start: usize) {
    let first = history[start..].iter().find_map(|entry| entry.created.clone());
    let mut time = first.or_else(|| history[..start].iter().rev().find_map(|entry| entry.created.clone()));
    for entry in &mut history[start..] {
        match &entry.created {
            Some(created) => time = Some(created.clone()),
            None => entry.created.clone_from(&time),
        }
    }
}

fn container_config(target: Target<'_>) -> Result<ContainerConfig> {
    let value = serde_json::to_value(&target.image.config).map_err(|error| BuildError::internal("writing the image", error))?;
    serde_json::from_value(value)
        .map_err(|error| BuildError::new(ErrorCode::BadPlan, format!("The image's configuration is not valid: {error}.")))
}

struct Types {
    manifest: &'static str,
    config: &'static str,
    gzip: &'static str,
    plain: &'static str,
}

const OCI: Types = Types {
    manifest: media_type::OCI_MANIFEST,
    config: media_type::OCI_CONFIG,
    gzip: media_type::OCI_LAYER_GZIP,
    plain: media_type::OCI_LAYER,
};
const DOCKER: Types = Types {
    manifest: media_type::DOCKER_MANIFEST,
    config: media_type::DOCKER_CONFIG,
    gzip: media_type::DOCKER_LAYER_GZIP,
    plain: media_type::DOCKER_LAYER,
};

/// A layer of gzip, or a plain one, is the same bytes under either name. What else the image may have stays as it is.
fn typed(descriptor: &Descriptor, options: &OutputOptions) -> Descriptor {
    let types = if options.docker() { DOCKER } else { OCI };
    let uncompressed = options.compression() == Compression::None;
    let kind = match descriptor.media_type.as_str() {
        media_type::OCI_LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => types.gzip,
        media_type::OCI_LAYER | media_type::DOCKER_LAYER if uncompressed => types.plain,
        kind => kind,
    };
    let mut typed = Descriptor::new(kind, descriptor.digest, descriptor.size);
    // Of a plain layer that `docker load` brought: that it is compressed when it is pushed, unless it is to be as it is.
    if !uncompressed {
        typed.annotations.clone_from(&descriptor.annotations);
    }
    typed
}
