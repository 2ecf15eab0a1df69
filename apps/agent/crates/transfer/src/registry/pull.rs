use std::sync::Arc;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Image, ImageConfig, Lease, MAX_MANIFEST_BYTES, Platform, Reference, Resource, parse_image};

use crate::registry::blob::short;
use crate::registry::session::Session;
use crate::registry::{Client, Credentials};
use crate::{Error, Progress, Reporter, Result};

/// Layers on their way at once; each takes a download and two threads.
const LAYERS_AT_ONCE: usize = 4;

/// What to pull.
#[derive(Debug, Clone)]
pub struct Pull {
    pub reference: Reference,
    /// This machine's when `None`.
    pub platform: Option<Platform>,
    /// The name goes on to mean what it meant: the image is found by its own manifest's digest, behind the name.
    pub unnamed: bool,
    pub credentials: Option<Credentials>,
}

/// A pulled image.
#[derive(Debug, Clone)]
pub struct Pulled {
    pub image: Image,
    /// What the name points at in the registry: an index or a manifest. Of an `unnamed` one: its own manifest.
    pub digest: Digest,
    /// Whether the name stood for this image before.
    pub up_to_date: bool,
}

impl Client {
    /// Pulls an image: manifest, config, then layers in parallel, each hashed and unpacked as it streams in. The image becomes
    /// visible when all of it is there. Dropping the future ends the pull and leaves nothing visible.
    pub async fn pull(&self, layers: &Layers, pull: Pull, report: Reporter) -> Result<Pulled> {
        let store = layers.store().clone();
        let lease = Arc::new(store.lease("pull"));
        let session = Session::new(self, &pull.reference, "pull", pull.credentials);
        let platform = pull.platform.unwrap_or_else(Platform::host);
        let resolved = session.resolve_image(&pull.reference, &platform).await?;
        report(Progress::of(pull.reference.tag_or_digest(), format!("Pulling from {}", pull.reference.path())));
        let manifest_blob = {
            let (store, lease, bytes) = (store.clone(), lease.clone(), resolved.fetched.bytes.clone());
            let digest = resolved.fetched.descriptor.digest;
            blocking(move || {
                // A copy that is there wins over the new one, unless it is damaged.
                match store.verify_blob(&digest) {
                    Ok(_) | Err(slipway_store::Error::Corrupt(_) | slipway_store::Error::BlobNotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(store.put_bytes(&lease, &bytes)?)
            })
            .await?
        };
        if manifest_blob.digest != resolved.fetched.descriptor.digest {
            return Err(Error::Aborted("the manifest changed on its way into the store".into()));
        }
        let config_blob = &resolved.manifest.config;
        if config_blob.size > MAX_MANIFEST_BYTES {
            return Err(slipway_store::Error::TooLarge { what: "the image config".into(), limit: MAX_MANIFEST_BYTES }.into());
        }
        let fetch = Fetch { client: self, session: &session, layers, lease: &lease, report: &report };
        fetch.blob(config_blob).await?;
        let config = ImageConfig::parse(&store.read_blob(&config_blob.digest, MAX_MANIFEST_BYTES)?)?;
        let record = parse_image(&resolved.fetched.descriptor, &resolved.manifest, &config)?;
        for layer in &record.layers {
            report(Progress::of(short(&layer.digest), "Pulling fs layer"));
        }
        let mut fetching = Vec::new();
        for (blob, diff_id) in record.layers.iter().zip(&record.diff_ids) {
            fetching.push(fetch.layer(blob, diff_id));
        }
        let sizes: Vec<u64> = futures::stream::iter(fetching).buffer_unordered(LAYERS_AT_ONCE).try_collect().await?;
        let before = store.resolve(&pull.reference.canonical()).ok().map(|i| i.record.id);
        let named = if pull.unnamed { resolved.fetched.descriptor.digest } else { resolved.named };
        let (id, reference, unnamed) = (record.id, pull.reference.clone(), pull.unnamed);
        let descriptor = resolved.fetched.descriptor;
        let image = blocking(move || {
            store.put_image(&descriptor, sizes.iter().sum())?;
            if !unnamed {
                store.tag_pulled(&reference, &id)?;
            }
            store.tag_pulled(&reference.with_digest(named), &id)?;
            // Held until here: from now on the image itself reaches everything.
            drop(lease);
            Ok(store.image(&id)?)
        })
        .await?;
        let up_to_date = before == Some(id);
        report(Progress::status(format!("Digest: {named}")));
        let done = if up_to_date { "Image is up to date for" } else { "Downloaded newer image for" };
        report(Progress::status(format!("Status: {done} {}", pull.reference.familiar())));
        Ok(Pulled { image, digest: named, up_to_date })
    }
}

pub(crate) struct Fetch<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub layers: &'a Layers,
    pub lease: &'a Arc<Lease>,
    pub report: &'a Reporter,
}

impl Fetch<'_> {
    /// Sees to it that a blob is in the store.
    pub async fn blob(&self, blob: &Descriptor) -> Result<()> {
        let lock = self.client.download_lock(&blob.digest);
        let _one_at_a_time = lock.lock().await;
        if self.has(blob).await? {
            return Ok(());
        }
        self.session.fetch_blob(self.layers, self.lease, blob, None, self.report).await
    }

    /// Sees to it that a layer is in the store and unpacked; gives its unpacked size.
    pub async fn layer(&self, blob: &Descriptor, diff_id: &Digest) -> Result<u64> {
        let lock = self.client.download_lock(&blob.digest);
        let _one_at_a_time = lock.lock().await;
        self.lease.hold(Resource::Layer(*diff_id))?;
        let id = short(&blob.digest);
        if self.has(blob).await? {
            if let Some(layer) = self.layers.get(diff_id) {
                (self.report)(Progress::of(id, "Already exists"));
                return Ok(layer.size);
            }
            (self.report)(Progress::of(&id, "Extracting"));
            let (layers, lease, blob, diff_id) = (self.layers.clone(), self.lease.clone(), blob.clone(), *diff_id);
            match blocking(move || Ok(layers.unpack_blob(&lease, &blob, &diff_id)?)).await {
                Ok(layer) => {
                    (self.report)(Progress::of(id, "Pull complete"));
                    return Ok(layer.size);
                }
                // Set aside by the one who found it; now it is fetched again.
                Err(error) if error.code() == "BLOB_CORRUPT" => {}
                Err(error) => return Err(error),
            }
        }
        self.session.fetch_blob(self.layers, self.lease, blob, Some(*diff_id), self.report).await?;
        (self.report)(Progress::of(&id, "Download complete"));
        let layer = self.layers.get(diff_id).ok_or(slipway_snapshot::Error::LayerNotFound(*diff_id))?;
        (self.report)(Progress::of(id, "Pull complete"));
        Ok(layer.size)
    }

    /// Held first, then looked for: gc cannot come between. One that is damaged on disk is set aside, and counts as missing.
    async fn has(&self, blob: &Descriptor) -> Result<bool> {
        self.lease.hold(Resource::Blob(blob.digest))?;
        let (store, blob) = (self.layers.store().clone(), blob.clone());
        blocking(move || {
            if store.stat(&blob.digest)? != Some(blob.size) {
                return Ok(false);
            }
            match store.verify_blob(&blob.digest) {
                Ok(_) => Ok(true),
                Err(slipway_store::Error::Corrupt(_)) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Aborted(e.to_string()))?
}
