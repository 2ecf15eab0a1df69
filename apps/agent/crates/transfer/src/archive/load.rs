use std::collections::HashMap;
use std::io::{Read, Seek as _, SeekFrom};

use serde::Deserialize;
use slipway_snapshot::{ArchiveEntry, ArchiveReader, Compression, Layers};
use slipway_store::{
    Committed, Descriptor, Digest, Image, ImageConfig, ImageIndex, Index, Lease, MAX_MANIFEST_BYTES, Manifest, Platform, Reference, Store,
    media_type, parse_image,
};

use crate::{Error, Progress, Reporter, Result, unpacked};

/// One image that an archive brought.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub image: Image,
    /// The names it has in the archive; none for an image saved by id.
    pub references: Vec<Reference>,
}

/// Archives hold one file per blob and a few small ones.
const MAX_FILES: usize = 100_000;
const MAX_IMAGES: usize = 1_000;

/// An entry of `manifest.json` in a `docker save` archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Loads the images of a `docker save` archive or an OCI layout in a tar (plain, gzip or zstd). Blocks.
pub fn load(layers: &Layers, reader: impl Read + Send, report: &Reporter) -> Result<Vec<Loaded>> {
    let store = layers.store();
    let lease = store.lease("load");
    let files = Files::spool(store, &lease, reader)?;
    let mut loader = Loader { layers, store, lease, files, report };
    let older = loader.files.get("manifest.json").is_some() && !loader.has_indexes();
    let loaded = if older { loader.saved_images()? } else { loader.oci_layout()? };
    if loaded.is_empty() {
        return Err(Error::Archive("it names no image for this machine".into()));
    }
    Ok(loaded)
}

/// The archive's files, spooled into the store: their order in the archive says nothing.
struct Files {
    blobs: HashMap<String, Committed>,
    links: HashMap<String, String>,
}

impl Files {
    fn spool(store: &Store, lease: &Lease, reader: impl Read + Send) -> Result<Files> {
        let mut archive = ArchiveReader::new(reader)?;
        let mut files = Files { blobs: HashMap::new(), links: HashMap::new() };
        while let Some(entry) = archive.next_entry()? {
            match entry {
                ArchiveEntry::File { path, .. } => {
                    let mut writer = store.writer(lease)?;
                    archive.copy_data(&mut writer)?;
                    files.blobs.insert(path, writer.commit(None, None)?);
                }
                // Older archives link equal layers to each other.
                ArchiveEntry::Link { path, target } => {
                    files.links.insert(path, target);
                }
                ArchiveEntry::Other => {}
            }
            if files.blobs.len() + files.links.len() > MAX_FILES {
                return Err(Error::Archive(format!("it has more than {MAX_FILES} files")));
            }
        }
        Ok(files)
    }

    fn get(&self, path: &str) -> Option<Committed> {
        let mut path = path;
        for _ in 0..4 {
            if let Some(blob) = self.blobs.get(path) {
                return Some(*blob);
            }
            path = self.links.get(path)?;
        }
        None
    }
}

struct Loader<'a> {
    layers: &'a Layers,
    store: &'a Store,
    lease: Lease,
    files: Files,
    report: &'a Reporter,
}

impl Loader<'_> {
    fn read(&self, path: &str) -> Result<(Vec<u8>, Committed)> {
        let blob = self.files.get(path).ok_or_else(|| Error::Archive(format!("{path} is missing")))?;
        Ok((self.store.read_blob(&blob.digest, MAX_MANIFEST_BYTES)?, blob))
    }

    /// Whether the layout holds images of several platforms, of which `manifest.json` knows one.
    fn has_indexes(&self) -> bool {
        let index = self.read("index.json").ok().and_then(|(bytes, _)| Index::parse(&bytes).ok());
        index.is_some_and(|index| index.manifests.iter().any(is_index))
    }

    fn saved_images(&mut self) -> Result<Vec<Loaded>> {
        let (bytes, _) = self.read("manifest.json")?;
        let saved: Vec<SavedImage> = serde_json::from_slice(&bytes).map_err(|e| Error::Archive(format!("manifest.json: {e}")))?;
        if saved.len() > MAX_IMAGES {
            return Err(Error::Archive(format!("it has more than {MAX_IMAGES} images")));
        }
        saved.iter().map(|image| self.saved_image(image)).collect()
    }

    fn saved_image(&self, saved: &SavedImage) -> Result<Loaded> {
        let names = saved.repo_tags.iter().flatten().map(|t| Reference::parse(t)).collect::<slipway_store::Result<Vec<_>>>()?;
        let (bytes, config_blob) = self.read(&saved.config)?;
        let config = ImageConfig::parse(&bytes)?;
        if config.rootfs.diff_ids.len() != saved.layers.len() {
            return Err(Error::Archive(format!(
                "{} has {} layers, its config {}",
                saved.config,
                saved.layers.len(),
                config.rootfs.diff_ids.len()
            )));
        }
        let (mut descriptors, mut size) = (Vec::new(), 0);
        for (path, diff_id) in saved.layers.iter().zip(&config.rootfs.diff_ids) {
            let file = self.files.get(path).ok_or_else(|| Error::Archive(format!("{path} is missing")))?;
            let (descriptor, layer_size) = self.saved_layer(file, diff_id)?;
            descriptors.push(descriptor);
            size += layer_size;
        }
        let config_descriptor = Descriptor::new(media_type::OCI_CONFIG, config_blob.digest, config_blob.size);
        let manifest = serde_json::to_vec(&Manifest::oci(config_descriptor, descriptors)).map_err(|e| Error::Archive(e.to_string()))?;
        let blob = self.store.put_bytes(&self.lease, &manifest)?;
        self.record(&Descriptor::new(media_type::OCI_MANIFEST, blob.digest, blob.size), size, names)
    }

    fn saved_layer(&self, file: Committed, diff_id: &Digest) -> Result<(Descriptor, u64)> {
        self.report_layer(diff_id, file.size);
        if file.digest == *diff_id {
            let descriptor = unpacked::descriptor(file.digest, file.size);
            let layer = self.layers.unpack_blob(&self.lease, &descriptor, diff_id)?;
            return Ok((descriptor, layer.size));
        }
        let mut blob = self.store.open_blob(&file.digest)?;
        let mut magic = [0; 2];
        let failed = slipway_snapshot::Error::io(self.store.blob_path(&file.digest));
        let n = blob.read(&mut magic).and_then(|n| blob.seek(SeekFrom::Start(0)).map(|_| n)).map_err(failed)?;
        if n == 2 && magic == [0x1f, 0x8b] {
            let descriptor = Descriptor::new(media_type::OCI_LAYER_GZIP, file.digest, file.size);
            let layer = self.layers.unpack_blob(&self.lease, &descriptor, diff_id)?;
            return Ok((descriptor, layer.size));
        }
        let made = self.layers.ingest(&self.lease, blob, Compression::Gzip)?;
        if made.diff_id != *diff_id {
            return Err(slipway_snapshot::Error::DiffIdMismatch { expected: *diff_id, actual: made.diff_id }.into());
        }
        Ok((made.descriptor, made.unpacked_size))
    }

    fn oci_layout(&mut self) -> Result<Vec<Loaded>> {
        let (bytes, _) = self.read("index.json").map_err(|_| Error::Archive("it has neither manifest.json nor index.json".into()))?;
        let index = Index::parse(&bytes)?;
        let mut loaded = Vec::new();
        for descriptor in index.manifests.iter().take(MAX_IMAGES) {
            let name =
                ["io.containerd.image.name", "org.opencontainers.image.ref.name"].iter().find_map(|k| descriptor.annotations.get(*k));
            // A bare tag is no name (skopeo writes those).
            let names = name.filter(|n| n.contains([':', '/'])).map(|n| Reference::parse(n)).transpose()?;
            if let Some(manifest) = self.for_this_machine(descriptor, 0)? {
                let image = self.oci_image(&manifest, names.into_iter().collect())?;
                if manifest.digest != descriptor.digest
                    && let Some(index) = self.whole_index(descriptor)?
                {
                    for name in &image.references {
                        self.store.tag_index(name, &image.image.record.id, Some(index.clone()))?;
                    }
                }
                loaded.push(image);
            }
        }
        Ok(loaded)
    }

    /// Follows indexes to the manifest of this machine's platform.
    fn for_this_machine(&self, descriptor: &Descriptor, depth: usize) -> Result<Option<Descriptor>> {
        if !is_index(descriptor) {
            let fits = descriptor.platform.as_ref().is_none_or(|p| p.satisfies(&Platform::host()));
            return Ok(fits.then(|| descriptor.clone()));
        }
        if depth > 3 {
            return Err(Error::Archive("its indexes are nested too deep".into()));
        }
        let index = Index::parse(&self.read(&blob_path(&descriptor.digest))?.0)?;
        for inner in &index.manifests {
            if let Some(found) = self.for_this_machine(inner, depth + 1)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The index with the images of all its platforms; `None` when the archive lacks some of them, or some are no images.
    fn whole_index(&self, descriptor: &Descriptor) -> Result<Option<ImageIndex>> {
        let index = Index::parse(&self.read(&blob_path(&descriptor.digest))?.0)?;
        let mut images = Vec::new();
        for manifest in &index.manifests {
            if self.files.get(&blob_path(&manifest.digest)).is_none() {
                return Ok(None);
            }
            let Ok(record) = self.store.check_image(manifest, 0) else { return Ok(None) };
            images.push(record);
        }
        let plain = Descriptor::new(&descriptor.media_type, descriptor.digest, descriptor.size);
        Ok(Some(ImageIndex { descriptor: plain, images }))
    }

    fn oci_image(&self, descriptor: &Descriptor, names: Vec<Reference>) -> Result<Loaded> {
        let manifest = Manifest::parse(&self.read(&blob_path(&descriptor.digest))?.0)?;
        let config = ImageConfig::parse(&self.read(&blob_path(&manifest.config.digest))?.0)?;
        let record = parse_image(descriptor, &manifest, &config)?;
        let mut size = 0;
        for (layer, diff_id) in record.layers.iter().zip(&record.diff_ids) {
            self.report_layer(diff_id, layer.size);
            size += self.layers.unpack_blob(&self.lease, layer, diff_id)?.size;
        }
        self.record(descriptor, size, names)
    }

    fn record(&self, manifest: &Descriptor, size: u64, references: Vec<Reference>) -> Result<Loaded> {
        let id = self.store.put_image(manifest, size)?.record.id;
        for reference in &references {
            self.store.tag(reference, &id)?;
        }
        Ok(Loaded { image: self.store.image(&id)?, references })
    }

    fn report_layer(&self, diff_id: &Digest, size: u64) {
        (self.report)(Progress::bytes(&diff_id.hex()[..12], "Loading layer", size, size));
    }
}

fn is_index(descriptor: &Descriptor) -> bool {
    matches!(descriptor.media_type.as_str(), media_type::OCI_INDEX | media_type::DOCKER_LIST)
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
