//! Layers that `docker load` brings are plain archives, which registries can keep but nobody wants to wait for. They are left
//! so until the first push needs them compressed: most images that are loaded run here and go nowhere.

use slipway_snapshot::{Compression, Layers};
use slipway_store::{Descriptor, Error as StoreError, Image, Lease, MAX_MANIFEST_BYTES, Manifest, Resource, media_type};

use crate::Result;

/// On the descriptor of such a layer, so that images built on top of it carry it on.
const PACK: &str = "dev.slipway.layer.pack";
const AT_PUSH: &str = "at-push";

/// The descriptor of a plain layer that is to be compressed when it is pushed.
pub(crate) fn descriptor(digest: slipway_store::Digest, size: u64) -> Descriptor {
    let mut descriptor = Descriptor::new(media_type::OCI_LAYER, digest, size);
    descriptor.annotations.insert(PACK.into(), AT_PUSH.into());
    descriptor
}

fn is_unpacked(layer: &Descriptor) -> bool {
    layer.media_type == media_type::OCI_LAYER && layer.annotations.get(PACK).is_some_and(|when| when == AT_PUSH)
}

pub(crate) fn has_unpacked(image: &Image) -> bool {
    image.record.layers.iter().any(is_unpacked)
}

/// The image with all its layers compressed, recorded under the id and the names it has: the next push finds it done. What a
/// registry once served stays as it is. Blocks.
pub(crate) fn pack(layers: &Layers, lease: &Lease, image: &Image) -> Result<Image> {
    let (store, record) = (layers.store(), &image.record);
    for blob in record.layers.iter().chain([&record.config, &record.manifest]) {
        lease.hold(Resource::Blob(blob.digest))?;
    }
    let mut manifest = Manifest::parse(&store.read_blob(&record.manifest.digest, MAX_MANIFEST_BYTES)?)?;
    for layer in manifest.layers.iter_mut().filter(|layer| is_unpacked(layer)) {
        *layer = layers.pack(lease, layer, Compression::Gzip)?;
    }
    let bytes = serde_json::to_vec(&manifest).map_err(|error| StoreError::invalid("the manifest", error))?;
    let blob = store.put_bytes(lease, &bytes)?;
    Ok(store.refresh_image(&Descriptor { digest: blob.digest, size: blob.size, ..record.manifest.clone() }, record.size)?)
}
