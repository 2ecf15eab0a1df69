//! Documents with layers that are no image: pushed as a whole, read without the layers, which are fetched one by one.
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Lease, Reference, Resource, media_type};

use crate::registry::client::{full, text_header};
use crate::registry::pull::{Fetch, blocking};
use crate::registry::session::{Ask, Session};
use crate::registry::{Client, Credentials};
use crate::{Error, Result, silent};

const BLOBS_AT_ONCE: usize = 4;

/// Its kind and its document: an OCI manifest with `artifactType` (image-spec 1.1).
#[derive(Debug, Clone)]
pub struct Artifact {
    pub artifact_type: String,
    /// Media type of the document, which is the manifest's config.
    pub document_type: String,
    pub document: Bytes,
    /// Each once.
    pub layers: Vec<Descriptor>,
}

/// What a push came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushedArtifact {
    /// Of the manifest.
    pub digest: Digest,
    /// Bytes that the registry lacked; 0 when it had the very same.
    pub moved: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// A repository that layers are fetched from, one by one.
pub struct LayerSource {
    session: Session,
}

impl std::fmt::Debug for LayerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerSource").field("name", &self.session.name).finish_non_exhaustive()
    }
}

impl Client {
    /// The artifact under a name, and where its layers are; `None` when there is nothing, or something of another kind. `limit` is for
    /// the document, in bytes.
    pub async fn artifact(
        &self,
        reference: &Reference,
        credentials: Option<Credentials>,
        artifact_type: &str,
        limit: u64,
    ) -> Result<Option<(Artifact, LayerSource)>> {
        let session = Session::new(self, reference, "pull", credentials);
        let fetched = match session.manifest(reference, &reference.tag_or_digest(), reference.digest()).await {
            Ok(fetched) => fetched,
            Err(Error::ManifestNotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(manifest) = serde_json::from_slice::<ArtifactManifest>(&fetched.bytes) else { return Ok(None) };
        if manifest.artifact_type != artifact_type || fetched.descriptor.media_type != media_type::OCI_MANIFEST {
            return Ok(None);
        }
        if manifest.config.size > limit {
            return Err(slipway_store::Error::TooLarge { what: "the document".into(), limit }.into());
        }
        let response = session.get(&format!("blobs/{}", manifest.config.digest), &[]).await?;
        let document = self.read_small(&session.host, response, limit, "the document").await?;
        let actual = Digest::of(&document);
        if actual != manifest.config.digest {
            return Err(slipway_store::Error::DigestMismatch { expected: manifest.config.digest, actual }.into());
        }
        let artifact = Artifact {
            artifact_type: manifest.artifact_type,
            document_type: manifest.config.media_type,
            document,
            layers: manifest.layers,
        };
        Ok(Some((artifact, LayerSource { session })))
    }

    /// Pushes an artifact under a tag: the layers that the repository lacks, the document, then the manifest. A layer that is neither
    /// there nor here is an error.
    pub async fn push_artifact(
        &self,
        layers: &Layers,
        reference: &Reference,
        credentials: Option<Credentials>,
        artifact: Artifact,
    ) -> Result<PushedArtifact> {
        let store = layers.store();
        let lease = Arc::new(store.lease("push"));
        let document = {
            let (store, lease, bytes) = (store.clone(), lease.clone(), artifact.document.clone());
            blocking(move || Ok(store.put_bytes(&lease, &bytes)?)).await?
        };
        let manifest = ArtifactManifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.into(),
            artifact_type: artifact.artifact_type,
            config: Descriptor::new(&artifact.document_type, document.digest, document.size),
            layers: artifact.layers,
        };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| Error::Aborted(error.to_string()))?;
        let descriptor = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(&bytes), bytes.len() as u64);
        let session = Session::new(self, reference, "pull,push", credentials);
        let tag = reference.tag_or_digest();
        if session.tagged(&tag).await? == Some(descriptor.digest) {
            return Ok(PushedArtifact { digest: descriptor.digest, moved: 0 });
        }
        let report = silent();
        let blobs: Vec<&Descriptor> = manifest.layers.iter().chain([&manifest.config]).collect();
        for blob in &blobs {
            lease.hold(Resource::Blob(blob.digest))?;
        }
        let uploads: Vec<_> = blobs.into_iter().map(|blob| session.push_blob(store, blob, false, &report)).collect();
        let moved: Vec<u64> = futures::stream::iter(uploads).buffer_unordered(BLOBS_AT_ONCE).try_collect().await?;
        session.put_manifest(&tag, &descriptor, bytes).await?;
        Ok(PushedArtifact { digest: descriptor.digest, moved: moved.iter().sum() })
    }
}

impl Session {
    /// Digest of the manifest under a tag, as the registry tells it.
    async fn tagged(&self, tag: &str) -> Result<Option<Digest>> {
        let target = format!("manifests/{tag}");
        let headers = [(http::header::ACCEPT, media_type::OCI_MANIFEST.to_owned())];
        let response = self.send_any(&Ask { method: Method::HEAD, target: &target, headers: &headers, body: &|| full("") }).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(text_header(response.headers(), "docker-content-digest").and_then(|d| d.parse().ok())),
            _ => Err(self.refusal(response).await),
        }
    }
}

impl LayerSource {
    /// Whether the repository has a blob.
    pub async fn has(&self, digest: &Digest) -> Result<bool> {
        self.session.has_blob(digest).await
    }

    /// Sees to it that a layer is in the store and unpacked, held by the lease. The repository must have the blob, and the blob must be
    /// what `diff_id` says: what others have on this host is no proof that whoever names it may have it.
    pub async fn fetch(&self, layers: &Layers, lease: &Arc<Lease>, blob: &Descriptor, diff_id: &Digest) -> Result<()> {
        if !self.has(&blob.digest).await? {
            return Err(slipway_store::Error::BlobNotFound(blob.digest).into());
        }
        let report = silent();
        let fetch = Fetch { client: &self.session.client, session: &self.session, layers, lease, report: &report };
        if layers.get(diff_id).is_none() {
            return fetch.layer(blob, diff_id).await.map(|_| ());
        }
        lease.hold(Resource::Layer(*diff_id))?;
        fetch.blob(blob).await?;
        let (layers, blob, diff_id) = (layers.clone(), blob.clone(), *diff_id);
        blocking(move || Ok(layers.check_diff_id(&blob, &diff_id)?)).await
    }
}
