use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use slipway_snapshot::{ArchiveWriter, Compression, Layers};
use slipway_store::{Descriptor, Digest, Image, ImageIndex, ImageRecord, Index, Lease, Reference, Resource, Store, media_type};

use crate::{Error, Result};

/// An entry of `manifest.json`, for tools that read the older form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// What an archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveForm {
    /// An OCI layout and a `docker save` archive in one, as `docker save` writes it.
    Both,
    /// An OCI layout (image-spec, "OCI Image Layout"), and nothing else.
    Oci,
    /// What every `docker load` takes; older ones know no zstd, so such layers are written as gzip.
    Docker,
}

/// An image, and the names it is to be saved under.
#[derive(Debug, Clone)]
pub struct ToSave {
    pub image: Image,
    pub names: Vec<Reference>,
    /// That the names stand for: then the images of all its platforms are saved.
    pub index: Option<ImageIndex>,
}

/// With the layers as `docker load` takes them.
struct Saving<'a> {
    given: &'a ToSave,
    loadable: Vec<Descriptor>,
}

/// Writes images as one archive. An index is in it as an OCI layout, whatever the form: `docker load`s that know no layouts take this
/// machine's own image of it. Blocks.
///
/// # Errors
/// When a blob is gone or damaged, the disk is full, or `out` takes no more.
pub fn save(layers: &Layers, images: &[ToSave], form: ArchiveForm, out: impl Write) -> Result<()> {
    let store = layers.store();
    let lease = store.lease("save");
    let mut blobs = BTreeSet::new();
    let mut saving = Vec::new();
    let plain = images.iter().all(|given| given.index.is_none());
    let form = if form == ArchiveForm::Docker && !plain { ArchiveForm::Both } else { form };
    for given in images {
        let (record, index) = (&given.image.record, &given.index);
        for blob in index.iter().flat_map(|index| index.images.iter().flat_map(ImageRecord::blobs).chain([&index.descriptor])) {
            lease.hold(Resource::Blob(blob.digest))?;
            blobs.insert(blob.digest);
        }
        for blob in record.blobs() {
            lease.hold(Resource::Blob(blob.digest))?;
        }
        let loadable = if form == ArchiveForm::Oci { Vec::new() } else { loadable(layers, &lease, &given.image)? };
        blobs.insert(record.config.digest);
        blobs.extend(loadable.iter().map(|layer| layer.digest));
        if form != ArchiveForm::Docker {
            blobs.insert(record.manifest.digest);
            blobs.extend(record.layers.iter().map(|layer| layer.digest));
        }
        saving.push(Saving { given, loadable });
    }
    let mut archive = ArchiveWriter::new(out);
    let written = write(&mut archive, store, &saving, form, &blobs);
    let finished = written.and_then(|()| archive.finish().and_then(|mut out| out.flush()));
    finished.map_err(|error| {
        // The sentence of a damaged blob says what to do; the stream's own error does not.
        let damaged = blobs.iter().find_map(|d| store.verify_blob(d).err());
        damaged.map_or_else(|| Error::Aborted(error.to_string()), Error::Store)
    })
}

fn loadable(layers: &Layers, lease: &Lease, image: &Image) -> Result<Vec<Descriptor>> {
    let each = image.record.layers.iter().zip(&image.record.diff_ids);
    each.map(|(layer, diff_id)| match layer.media_type.as_str() {
        media_type::OCI_LAYER_ZSTD => Ok(layers.repack(lease, layer, diff_id, Compression::Gzip, None)?.descriptor),
        _ => Ok(layer.clone()),
    })
    .collect()
}

fn write<W: Write>(
    archive: &mut ArchiveWriter<W>,
    store: &Store,
    images: &[Saving<'_>],
    form: ArchiveForm,
    blobs: &BTreeSet<Digest>,
) -> io::Result<()> {
    archive.directory("blobs")?;
    archive.directory("blobs/sha256")?;
    for digest in blobs {
        let size = store.stat(digest).map_err(io::Error::other)?.ok_or_else(|| io::Error::other(format!("blob {digest} is gone")))?;
        archive.file(&path(digest), size, &mut |out| {
            store.copy_blob(digest, out, Path::new("the archive")).map(|_| ()).map_err(io::Error::other)
        })?;
    }
    let mut index =
        Index { schema_version: 2, media_type: Some(media_type::OCI_INDEX.into()), manifests: Vec::new(), annotations: Default::default() };
    let mut saved = Vec::new();
    for Saving { given, loadable } in images {
        let record = &given.image.record;
        let tags: Vec<&Reference> = given.names.iter().filter(|n| n.digest().is_none()).collect();
        let entry = |name: Option<&&Reference>| {
            let mut descriptor = given.index.as_ref().map_or(&record.manifest, |index| &index.descriptor).clone();
            if let Some(name) = name {
                descriptor.annotations.insert("io.containerd.image.name".into(), name.canonical());
                descriptor.annotations.insert("org.opencontainers.image.ref.name".into(), name.tag().unwrap_or_default().to_string());
            }
            descriptor
        };
        if tags.is_empty() {
            index.manifests.push(entry(None));
        }
        index.manifests.extend(tags.iter().map(|name| entry(Some(name))));
        saved.push(SavedImage {
            config: path(&record.config.digest),
            repo_tags: tags.iter().map(|name| name.familiar()).collect(),
            layers: loadable.iter().map(|layer| path(&layer.digest)).collect(),
        });
    }
    if form != ArchiveForm::Oci {
        json(archive, "manifest.json", &saved)?;
    }
    if form == ArchiveForm::Docker {
        return Ok(());
    }
    json(archive, "index.json", &index)?;
    json(archive, "oci-layout", &serde_json::json!({ "imageLayoutVersion": "1.0.0" }))
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn json<W: Write>(archive: &mut ArchiveWriter<W>, path: &str, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    archive.file(path, bytes.len() as u64, &mut |out| out.write_all(&bytes))
}
