//! Layers in the form that the image is to have: the cache keeps one form of each, with the times as they were, and an
//! image may ask for another. What was made once is remembered; the images that use it keep it from gc.
use slipway_snapshot::Compression;
use slipway_store::{Resource, media_type};

use crate::build::Build;
use crate::cache::CachedLayer;
use crate::error::{BuildError, Result};
use crate::key::KeyHash;
use crate::layer::SealedLayer;
use crate::output_options::OutputOptions;
use crate::seal::snapshot_error;

/// What is asked of one layer.
struct Wanted<'a> {
    options: &'a OutputOptions,
    latest: Option<i64>,
}

/// The layer as the image is to have it; `own`: not one of the base. Blocks.
///
/// # Errors
/// When it cannot be read, written or unpacked.
pub fn in_form(build: &Build, sealed: SealedLayer, own: bool, options: &OutputOptions) -> Result<SealedLayer> {
    let latest = options.latest().filter(|_| own);
    // The images of an index go as they are: their manifests are written down in it.
    let plain = !build.request.plan.more.is_empty()
        && sealed.layer.descriptor.media_type == media_type::OCI_LAYER
        && options.compression() != Compression::None;
    if latest.is_none() && !plain && fits(&sealed.layer, own, options) {
        return Ok(sealed);
    }
    let wanted = Wanted { options, latest };
    let layer = match wanted.remembered(build, &sealed.layer)? {
        Some(layer) => layer,
        None => wanted.make(build, &sealed.layer)?,
    };
    Ok(SealedLayer { layer, ..sealed })
}

fn fits(layer: &CachedLayer, own: bool, options: &OutputOptions) -> bool {
    let kind = layer.descriptor.media_type.as_str();
    // In OCI's words.
    let kind = match kind {
        media_type::DOCKER_LAYER_GZIP => media_type::OCI_LAYER_GZIP,
        media_type::DOCKER_LAYER => media_type::OCI_LAYER,
        kind => kind,
    };
    match own {
        true => layer.form == options.form(),
        // A level is not told by what it made, so it is not looked at for layers of others, unless somebody insists.
        false if options.force => options.level.is_none() && options.compression().media_type() == kind,
        false if options.docker() => {
            kind == media_type::OCI_LAYER_GZIP || (kind == media_type::OCI_LAYER && options.compression() == Compression::None)
        }
        false => true,
    }
}

impl Wanted<'_> {
    fn key(&self, layer: &CachedLayer) -> String {
        let form = format!("{:?} {:?}", self.options.compression(), self.latest);
        KeyHash::new("repacked").field(layer.descriptor.digest.to_string()).field(form).finish()
    }

    fn remembered(&self, build: &Build, layer: &CachedLayer) -> Result<Option<CachedLayer>> {
        let Some(known) = build.cache.recall::<CachedLayer>(&build.scopes, "repacked", &self.key(layer)) else { return Ok(None) };
        hold(build, &known)?;
        let there =
            build.layers.store().stat(&known.descriptor.digest).map_err(|error| BuildError::internal("looking for a layer", error))?;
        if there != Some(known.descriptor.size) {
            return Ok(None);
        }
        self.unpack(build, &known)?;
        Ok(Some(known))
    }

    fn make(&self, build: &Build, layer: &CachedLayer) -> Result<CachedLayer> {
        let made = build.layers.repack(&build.lease, &layer.descriptor, &layer.diff_id, self.options.compression(), self.latest);
        let made = made.map_err(|error| snapshot_error("writing a layer", &error))?;
        let form = self.options.form();
        let layer_made = CachedLayer { descriptor: made.descriptor, diff_id: made.diff_id, form, ..layer.clone() };
        hold(build, &layer_made)?;
        self.unpack(build, &layer_made)?;
        build.cache.remember(&build.scopes, "repacked", &self.key(layer), &layer_made)?;
        Ok(layer_made)
    }

    /// With other times it is another layer, which containers of the image stand on.
    fn unpack(&self, build: &Build, layer: &CachedLayer) -> Result<()> {
        if self.latest.is_none() {
            return Ok(());
        }
        let unpacked = build.layers.unpack_blob(&build.lease, &layer.descriptor, &layer.diff_id);
        unpacked.map(drop).map_err(|error| snapshot_error("unpacking a layer", &error))
    }
}

fn hold(build: &Build, layer: &CachedLayer) -> Result<()> {
    for resource in [Resource::Blob(layer.descriptor.digest), Resource::Layer(layer.diff_id)] {
        build.lease.hold(resource).map_err(|error| BuildError::internal("holding a layer", error))?;
    }
    Ok(())
}
