use std::sync::Arc;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Image, ImageIndex, ImageRecord, MAX_MANIFEST_BYTES, Reference, Resource, Store};

use crate::registry::blob::short;
use crate::registry::client::{full, text_header};
use crate::registry::pull::blocking;
use crate::registry::session::{Ask, Session, is_transient};
use crate::registry::{Client, Credentials};
use crate::{Error, Progress, Reporter, Result, unpacked};

const BLOBS_AT_ONCE: usize = 4;
const MAX_ATTEMPTS: u32 = 4;

/// What to push, and under which name.
#[derive(Debug, Clone)]
pub struct Push {
    pub image: Image,
    pub reference: Reference,
    pub credentials: Option<Credentials>,
}

/// What the registry has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    /// Of the manifest.
    pub size: u64,
    /// Bytes of the blobs that were missing there.
    pub moved: u64,
}

impl Client {
    /// Pushes an image: the blobs that the registry lacks, in parallel, then the manifest under the tag (distribution-spec,
    /// "Pushing"). The registry sees nothing of an unfinished push.
    pub async fn push(&self, layers: &Layers, mut push: Push, report: Reporter) -> Result<Pushed> {
        let store = layers.store();
        if let Some(index) = store.index(&push.reference) {
            return self.push_index(store, push, index, report).await;
        }
        let lease = Arc::new(store.lease("push"));
        if unpacked::has_unpacked(&push.image) {
            report(Progress::status("Compressing the layers that were loaded from an archive"));
            let (layers, lease, image) = (layers.clone(), lease.clone(), push.image);
            push.image = blocking(move || unpacked::pack(&layers, &lease, &image)).await?;
        }
        let record = &push.image.record;
        let blobs: Vec<&Descriptor> = record.layers.iter().chain([&record.config]).collect();
        for blob in &blobs {
            lease.hold(Resource::Blob(blob.digest))?;
        }
        let tag = push.reference.tag_or_digest();
        let session = Session::new(self, &push.reference, "pull,push", push.credentials);
        report(Progress::status(format!("The push refers to repository [{}]", push.reference.name())));
        for layer in &record.layers {
            report(Progress::of(short(&layer.digest), "Preparing"));
        }
        let moved = session.push_blobs(store, blobs, record, &report).await?;
        let size = session.push_manifest(store, &tag, &record.manifest).await?;
        store.tag(&push.reference.with_digest(record.manifest.digest), &record.id)?;
        report(Progress::status(format!("{tag}: digest: {} size: {size}", record.manifest.digest)));
        Ok(Pushed { digest: record.manifest.digest, size, moved })
    }

    /// Every image of an index, by its digest, then the index under the tag: whoever sees the tag finds all that it names.
    async fn push_index(&self, store: &Store, push: Push, index: ImageIndex, report: Reporter) -> Result<Pushed> {
        let lease = store.lease("push");
        for blob in index.images.iter().flat_map(ImageRecord::blobs).chain([&index.descriptor]) {
            lease.hold(Resource::Blob(blob.digest))?;
        }
        let tag = push.reference.tag_or_digest();
        let session = Session::new(self, &push.reference, "pull,push", push.credentials);
        report(Progress::status(format!("The push refers to repository [{}]", push.reference.name())));
        let mut moved = 0;
        for image in &index.images {
            let platform = image.platform();
            report(Progress::status(format!("Pushing the image for {}/{}", platform.os, platform.architecture)));
            let blobs = image.layers.iter().chain([&image.config]).collect();
            moved += session.push_blobs(store, blobs, image, &report).await?;
            session.push_manifest(store, &image.manifest.digest.to_string(), &image.manifest).await?;
        }
        let size = session.push_manifest(store, &tag, &index.descriptor).await?;
        let digest = index.descriptor.digest;
        store.tag_index(&push.reference.with_digest(digest), &push.image.record.id, Some(index))?;
        report(Progress::status(format!("{tag}: digest: {digest} size: {size}")));
        Ok(Pushed { digest, size, moved })
    }

    /// Whether the registry takes these credentials; for `docker login`.
    pub async fn check_login(&self, host: &str, credentials: Credentials) -> Result<()> {
        let session = Session::for_login(self, host, credentials);
        let target = format!("{}/v2/", self.registries.base(host));
        let response = session.send_any(&Ask { method: Method::GET, target: &target, headers: &[], body: &|| full("") }).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        // A registry that took the password itself, and not a token service: as dockerd tells it.
        if session.took_password() && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Error::Login { url: target, status: status.to_string() });
        }
        Err(session.refusal(response).await)
    }
}

impl Session {
    /// An image's layers and config; gives the bytes that had to move.
    async fn push_blobs(&self, store: &Store, blobs: Vec<&Descriptor>, of: &ImageRecord, report: &Reporter) -> Result<u64> {
        let mut uploads = Vec::new();
        for blob in blobs {
            uploads.push(self.push_blob(store, blob, blob.digest != of.config.digest, report));
        }
        let moved: Vec<u64> = futures::stream::iter(uploads).buffer_unordered(BLOBS_AT_ONCE).try_collect().await?;
        Ok(moved.iter().sum())
    }

    /// Gives its bytes.
    async fn push_manifest(&self, store: &Store, tag: &str, manifest: &Descriptor) -> Result<u64> {
        let (store, digest) = (store.clone(), manifest.digest);
        let bytes = blocking(move || Ok(store.read_blob(&digest, MAX_MANIFEST_BYTES)?)).await?;
        let size = bytes.len() as u64;
        self.put_manifest(tag, manifest, bytes).await?;
        Ok(size)
    }

    /// Gives the bytes that had to move.
    pub async fn push_blob(&self, store: &Store, blob: &Descriptor, is_layer: bool, report: &Reporter) -> Result<u64> {
        let say = |status: &str| {
            if is_layer {
                report(Progress::of(short(&blob.digest), status));
            }
        };
        let mut attempt = 0;
        loop {
            let tried = async {
                if self.has_blob(&blob.digest).await? {
                    say("Layer already exists");
                    return Ok(0);
                }
                self.upload(store, blob, is_layer.then_some(report)).await?;
                say("Pushed");
                Ok(blob.size)
            };
            match tried.await {
                Err(error) if is_transient(&error) && attempt < MAX_ATTEMPTS => {
                    tracing::warn!(digest = %blob.digest, %error, "an upload broke off; trying again");
                    tokio::time::sleep(self.client.timeouts.back_off * 2u32.pow(attempt)).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    pub async fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let target = format!("blobs/{digest}");
        let response = self.send_any(&Ask { method: Method::HEAD, target: &target, headers: &[], body: &|| full("") }).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            // A redirect to a storage says that it is there.
            status if status.is_success() || status.is_redirection() => Ok(true),
            _ => Err(self.refusal(response).await),
        }
    }

    pub async fn put_manifest(&self, tag: &str, manifest: &Descriptor, bytes: Vec<u8>) -> Result<()> {
        let bytes = bytes::Bytes::from(bytes);
        let headers = [(CONTENT_TYPE, manifest.media_type.clone())];
        let target = format!("manifests/{tag}");
        let body = || full(bytes.clone());
        let sending = self.send(Ask { method: Method::PUT, target: &target, headers: &headers, body: &body });
        let response = tokio::time::timeout(self.client.timeouts.answer, sending)
            .await
            .map_err(|_| Error::Stalled { host: self.host.clone(), seconds: self.client.timeouts.answer.as_secs() })??;
        // A registry that stored something else under the tag would serve it to everyone.
        let claimed = text_header(response.headers(), "docker-content-digest").and_then(|d| d.parse::<Digest>().ok());
        match claimed.filter(|c| *c != manifest.digest) {
            Some(actual) => Err(slipway_store::Error::DigestMismatch { expected: manifest.digest, actual }.into()),
            None => Ok(()),
        }
    }
}
