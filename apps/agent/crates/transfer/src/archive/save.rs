use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use slipway_snapshot::ArchiveWriter;
use slipway_store::{Digest, Image, Index, Reference, Resource, Store, media_type};

use crate::{Error, Result};

/// An entry of `manifest.json`, for tools that read the older form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes images as one archive that is both an OCI layout and a `docker save` archive. Each comes with the names it is to
/// be saved under. Blocks.
pub fn save(store: &Store, images: &[(Image, Vec<Reference>)], out: impl Write) -> Result<()> {
    let lease = store.lease("save");
    let mut blobs = BTreeSet::new();
    for (image, _) in images {
        let record = &image.record;
        blobs.extend([record.manifest.digest, record.config.digest]);
        blobs.extend(record.layers.iter().map(|l| l.digest));
    }
    for digest in &blobs {
        lease.hold(Resource::Blob(*digest))?;
    }
    let mut archive = ArchiveWriter::new(out);
    let written = write(&mut archive, store, images, &blobs);
    let finished = written.and_then(|()| archive.finish().and_then(|mut out| out.flush()));
    finished.map_err(|error| {
        // The sentence of a damaged blob says what to do; the stream's own error does not.
        let damaged = blobs.iter().find_map(|d| store.verify_blob(d).err());
        damaged.map_or_else(|| Error::Aborted(error.to_string()), Error::Store)
    })
}

fn write<W: Write>(
    archive: &mut ArchiveWriter<W>,
    store: &Store,
    images: &[(Image, Vec<Reference>)],
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
    for (image, names) in images {
        let record = &image.record;
        let tags: Vec<&Reference> = names.iter().filter(|n| n.digest().is_none()).collect();
        let entry = |name: Option<&&Reference>| {
            let mut descriptor = record.manifest.clone();
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
            layers: record.layers.iter().map(|l| path(&l.digest)).collect(),
        });
    }
    json(archive, "index.json", &index)?;
    json(archive, "manifest.json", &saved)?;
    json(archive, "oci-layout", &serde_json::json!({ "imageLayoutVersion": "1.0.0" }))
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn json<W: Write>(archive: &mut ArchiveWriter<W>, path: &str, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    archive.file(path, bytes.len() as u64, &mut |out| out.write_all(&bytes))
}
