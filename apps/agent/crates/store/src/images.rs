use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_sys::fault;

use crate::record::{self, Keep};
use crate::store::State;
use crate::{
    Descriptor, Digest, Error, ImageConfig, Index, Lease, MAX_MANIFEST_BYTES, Manifest, Platform, Reference, Resource, Result, Store,
    media_type, now_unix_nanos,
};

/// What the store knows about an image without reading its blobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The digest of the config; what users see as IMAGE ID.
    pub id: Digest,
    pub manifest: Descriptor,
    pub config: Descriptor,
    /// Compressed layers, lowest first; as many as `diff_ids`.
    pub layers: Vec<Descriptor>,
    pub diff_ids: Vec<Digest>,
    /// RFC 3339, from the config.
    pub created: Option<String>,
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Sum of the unpacked layers in bytes, as the Engine API's `Size`.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub added_at: i64,
    pub last_tagged: Option<i64>,
}

/// An image with its names.
#[derive(Debug, Clone)]
pub struct Image {
    pub record: ImageRecord,
    pub tags: Vec<Reference>,
    /// `name@digest` as registries gave it; the digest may be that of an index.
    pub digests: Vec<Reference>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RefRecord {
    /// Canonical: `docker.io/library/hello:latest` or `slipway.local/a/b@sha256:…`.
    pub name: String,
    pub image: Digest,
    pub updated: i64,
    /// The image as it is under this name, where a later one has the same config and another manifest (another compression, say).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Box<ImageRecord>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<ImageIndex>,
}

/// What a name stands for beside its image: an index, with the images of all its platforms. Those of other platforms have no record
/// of their own; the name keeps their blobs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageIndex {
    pub descriptor: Descriptor,
    /// As the index lists them; each one's `manifest` says the platform.
    pub images: Vec<ImageRecord>,
}

impl ImageRecord {
    /// All that the image is made of.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().chain([&self.config, &self.manifest])
    }

    pub fn platform(&self) -> Platform {
        Platform { architecture: self.architecture.clone(), os: self.os.clone(), variant: self.variant.clone(), os_version: None }
    }
}

/// Checks a manifest and its config against each other and makes the record. Sizes and times are the caller's to fill.
pub fn parse_image(descriptor: &Descriptor, manifest: &Manifest, config: &ImageConfig) -> Result<ImageRecord> {
    if manifest.layers.len() != config.rootfs.diff_ids.len() {
        let reason = format!("{} layers but {} diff ids", manifest.layers.len(), config.rootfs.diff_ids.len());
        return Err(Error::invalid("the image", reason));
    }
    Ok(ImageRecord {
        id: manifest.config.digest,
        manifest: descriptor.clone(),
        config: manifest.config.clone(),
        layers: manifest.layers.clone(),
        diff_ids: config.rootfs.diff_ids.clone(),
        created: config.created.clone(),
        os: config.os.clone(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        labels: config.config.as_ref().map(|c| c.labels.clone()).unwrap_or_default(),
        size: 0,
        added_at: now_unix_nanos(),
        last_tagged: None,
    })
}

impl Store {
    /// Records an image whose manifest, config and layer blobs are all in the store (held by the caller's lease).
    /// `size`: sum of the unpacked layers. Recording one that is already there refreshes it and keeps its names.
    pub fn put_image(&self, manifest: &Descriptor, size: u64) -> Result<Image> {
        self.record_image(manifest, size, false)
    }

    /// Records another manifest of an image that is there; one that was removed meanwhile does not come back.
    pub fn refresh_image(&self, manifest: &Descriptor, size: u64) -> Result<Image> {
        self.record_image(manifest, size, true)
    }

    /// What would be recorded of an image whose blobs are all in the store.
    pub fn check_image(&self, manifest: &Descriptor, size: u64) -> Result<ImageRecord> {
        let parsed = Manifest::parse(&self.read_blob(&manifest.digest, MAX_MANIFEST_BYTES)?)?;
        let config = ImageConfig::parse(&self.read_blob(&parsed.config.digest, MAX_MANIFEST_BYTES)?)?;
        let mut record = parse_image(manifest, &parsed, &config)?;
        for layer in &record.layers {
            match self.stat(&layer.digest)? {
                None => return Err(Error::BlobNotFound(layer.digest)),
                Some(actual) if actual != layer.size => return Err(Error::SizeMismatch { expected: layer.size, actual }),
                Some(_) => {}
            }
        }
        record.size = size;
        Ok(record)
    }

    fn record_image(&self, manifest: &Descriptor, size: u64, must_be_there: bool) -> Result<Image> {
        let mut record = self.check_image(manifest, size)?;
        let mut state = self.lock();
        match state.images.get(&record.id).cloned() {
            Some(old) => {
                record.added_at = old.added_at;
                record.last_tagged = old.last_tagged;
                if record == old {
                    return state.view(&record.id);
                }
                if !must_be_there && old.manifest.digest != record.manifest.digest {
                    self.keep_form(&mut state, &old)?;
                }
            }
            None if must_be_there => return Err(Error::ImageNotFound(record.id.to_string())),
            None => {}
        }
        record::write(&self.paths().image(&record.id), &record, Keep::Durably)?;
        fault::point("image.recorded");
        let id = record.id;
        state.images.insert(id, record);
        state.view(&id)
    }

    /// The names an image has go on to mean the manifest that they mean now.
    fn keep_form(&self, state: &mut State, image: &ImageRecord) -> Result<()> {
        for reference in state.refs.values_mut().filter(|r| r.image == image.id && r.form.is_none()) {
            reference.form = Some(Box::new(image.clone()));
            record::write(&self.paths().reference(&reference.name), reference, Keep::Durably)?;
        }
        Ok(())
    }

    /// Writes the index of images whose blobs are in the store, in their order. `kind`: [`media_type::OCI_INDEX`] or
    /// [`media_type::DOCKER_LIST`].
    pub fn make_index(&self, lease: &Lease, kind: &str, mut images: Vec<ImageRecord>) -> Result<ImageIndex> {
        for image in &mut images {
            image.manifest.platform = Some(image.platform());
        }
        let manifests = images.iter().map(|image| image.manifest.clone()).collect();
        let index = Index { schema_version: 2, media_type: Some(kind.into()), manifests, annotations: BTreeMap::new() };
        let bytes = serde_json::to_vec(&index).map_err(|error| Error::invalid("the image index", error))?;
        let blob = self.put_bytes(lease, &bytes)?;
        Ok(ImageIndex { descriptor: Descriptor::new(kind, blob.digest, blob.size), images })
    }

    /// Writes config and manifest of a new image and records it. The layers' blobs must be in the store; `layers` lowest first,
    /// matching `config.rootfs.diff_ids`; `size` is the sum of the unpacked layers.
    pub fn make_image(&self, lease: &Lease, config: &ImageConfig, layers: Vec<Descriptor>, size: u64) -> Result<Image> {
        let to_json = |what: &str, r: serde_json::Result<Vec<u8>>| r.map_err(|e| Error::invalid(what.to_string(), e));
        let blob = self.put_bytes(lease, &to_json("the config", serde_json::to_vec(config))?)?;
        let manifest = Manifest::oci(Descriptor::new(media_type::OCI_CONFIG, blob.digest, blob.size), layers);
        let blob = self.put_bytes(lease, &to_json("the manifest", serde_json::to_vec(&manifest))?)?;
        self.put_image(&Descriptor::new(media_type::OCI_MANIFEST, blob.digest, blob.size), size)
    }

    /// Points a name at an image; gives the image that had the name before, if another. A reference with a digest becomes one
    /// of the image's repo digests, one with a tag (default `latest`) one of its tags.
    pub fn tag(&self, reference: &Reference, id: &Digest) -> Result<Option<Digest>> {
        self.tag_index(reference, id, None)
    }

    /// As [`Store::tag`], of what a registry says: a name that stands for just this already is left as it is, with its time.
    pub fn tag_pulled(&self, reference: &Reference, id: &Digest) -> Result<()> {
        let same = |known: &RefRecord| known.image == *id && known.form.is_none() && known.index.is_none();
        if self.lock().refs.get(&reference.canonical()).is_some_and(same) {
            return Ok(());
        }
        self.tag(reference, id).map(drop)
    }

    /// As [`Store::tag`], of a name that stands for an index; `id` is the image that this machine uses of it.
    pub fn tag_index(&self, reference: &Reference, id: &Digest, index: Option<ImageIndex>) -> Result<Option<Digest>> {
        let name = reference.canonical();
        let mut state = self.lock();
        let now = now_unix_nanos();
        let Some(image) = state.images.get(id) else { return Err(Error::ImageNotFound(id.to_string())) };
        let mut image = image.clone();
        let reference_record = RefRecord { name: name.clone(), image: *id, updated: now, form: None, index };
        record::write(&self.paths().reference(&name), &reference_record, Keep::Durably)?;
        fault::point("image.tagged");
        let before = state.refs.insert(name, reference_record).map(|r| r.image).filter(|b| b != id);
        if reference.digest().is_none() {
            image.last_tagged = Some(now);
            record::write(&self.paths().image(id), &image, Keep::UntilReboot)?;
            state.images.insert(*id, image);
        }
        Ok(before)
    }

    /// The index that a name stands for, when it does; `name@digest` finds the one of that digest.
    pub fn index(&self, reference: &Reference) -> Option<ImageIndex> {
        let state = self.lock();
        let exact = state.refs.get(&reference.canonical()).and_then(|found| found.index.clone());
        exact.or_else(|| {
            let digest = reference.digest()?;
            state.indexes_of(reference).find(|index| index.descriptor.digest == *digest).cloned()
        })
    }

    /// The image of another platform in an index of that name, by its own manifest's digest.
    pub fn member(&self, reference: &Reference) -> Option<Image> {
        let digest = reference.digest()?;
        let state = self.lock();
        let record = state.indexes_of(reference).flat_map(|index| &index.images).find(|image| image.manifest.digest == *digest)?;
        Some(Image { record: record.clone(), tags: Vec::new(), digests: vec![reference.clone()] })
    }

    /// Takes a name away; false when it was not there. The image stays until [`Store::remove_image`].
    pub fn untag(&self, reference: &Reference) -> Result<bool> {
        let name = reference.canonical();
        let mut state = self.lock();
        record::remove(&self.paths().reference(&name))?;
        Ok(state.refs.remove(&name).is_some())
    }

    /// Forgets an image and all its names; its content goes with the next [`Store::collect`].
    pub fn remove_image(&self, id: &Digest) -> Result<bool> {
        self.forget(&mut self.lock(), id)
    }

    fn forget(&self, state: &mut State, id: &Digest) -> Result<bool> {
        let names: Vec<String> = state.refs.values().filter(|r| r.image == *id).map(|r| r.name.clone()).collect();
        for name in names {
            record::remove(&self.paths().reference(&name))?;
            state.refs.remove(&name);
        }
        record::remove(&self.paths().image(id))?;
        Ok(state.images.remove(id).is_some())
    }

    /// All images with their names, in no particular order.
    pub fn images(&self) -> Vec<Image> {
        let state = self.lock();
        state.images.keys().filter_map(|id| state.view(id).ok()).collect()
    }

    /// The image with this id.
    pub fn image(&self, id: &Digest) -> Result<Image> {
        self.lock().view(id)
    }

    /// Finds an image as Docker does: a full id with or without `sha256:`, a name (tag `latest` when none is given), a name
    /// with digest, or a unique prefix of an id.
    pub fn resolve(&self, name: &str) -> Result<Image> {
        let missing = || Error::ImageNotFound(name.chars().take(300).collect());
        let state = self.lock();
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        if let Ok(id) = Digest::from_hex(hex) {
            return state.view(&id).map_err(|_| missing());
        }
        if let Ok(reference) = Reference::parse(name)
            && let Some(found) = state.find(&reference)
        {
            let mut image = state.view(&found.image)?;
            if let Some(form) = &found.form {
                image.record = (**form).clone();
            }
            return Ok(image);
        }
        if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(missing());
        }
        let mut matching = state.images.keys().filter(|id| id.hex().starts_with(hex));
        match (matching.next(), matching.next()) {
            (Some(id), None) => state.view(id),
            (Some(_), Some(_)) => Err(Error::Ambiguous(hex.to_string())),
            _ => Err(missing()),
        }
    }

    /// As [`Store::remove_image`], but leaves an image that work in flight (a pull, a load, a build, a save) has in its hands,
    /// and with `untagged` one that has a tag: looked at and removed as one step. Gives what was removed.
    pub fn remove_idle_image(&self, id: &Digest, untagged: bool) -> Result<Option<Image>> {
        let mut state = self.lock();
        let Ok(image) = state.view(id) else { return Ok(None) };
        let own = [Resource::Blob(image.record.config.digest), Resource::Blob(image.record.manifest.digest)];
        let leased = state.leases.values().any(|held| own.iter().any(|resource| held.contains(resource)));
        if leased || (untagged && !image.tags.is_empty()) {
            return Ok(None);
        }
        self.forget(&mut state, id)?;
        Ok(Some(image))
    }

    /// The parsed config of an image.
    pub fn image_config(&self, record: &ImageRecord) -> Result<ImageConfig> {
        ImageConfig::parse(&self.read_blob(&record.id, MAX_MANIFEST_BYTES)?)
    }
}

impl State {
    fn find(&self, reference: &Reference) -> Option<&RefRecord> {
        if let Some(found) = self.refs.get(&reference.canonical()) {
            return Some(found);
        }
        // `name@digest` also finds what was pulled or built by tag, when the manifest or the index has that digest.
        let digest = reference.digest()?;
        self.refs_of(reference).find(|found| {
            let manifest = found.form.as_deref().or_else(|| self.images.get(&found.image)).map(|image| image.manifest.digest);
            manifest == Some(*digest) || found.index.as_ref().is_some_and(|index| index.descriptor.digest == *digest)
        })
    }

    fn refs_of(&self, reference: &Reference) -> impl Iterator<Item = &RefRecord> {
        let name = reference.name();
        self.refs.values().filter(move |found| Reference::parse(&found.name).is_ok_and(|n| n.name() == name))
    }

    fn indexes_of(&self, reference: &Reference) -> impl Iterator<Item = &ImageIndex> {
        self.refs_of(reference).filter_map(|found| found.index.as_ref())
    }

    pub fn view(&self, id: &Digest) -> Result<Image> {
        let record = self.images.get(id).ok_or_else(|| Error::ImageNotFound(id.to_string()))?.clone();
        let names = self.refs.values().filter(|r| r.image == *id).filter_map(|r| Reference::parse(&r.name).ok());
        let (digests, tags) = names.partition(|r: &Reference| r.digest().is_some());
        Ok(Image { record, tags, digests })
    }
}
