use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use slipway_store::{Descriptor, Digest, Index, MAX_MANIFEST_BYTES, Manifest, Platform, Reference, media_type};

use crate::registry::client::text_header;
use crate::registry::session::Session;
use crate::{Error, Result};

/// A manifest as it came, checked against its digest.
pub(crate) struct Fetched {
    pub bytes: Bytes,
    pub descriptor: Descriptor,
}

/// What a name stands for: the image for our platform, and what the name itself points at (an index, or the same).
pub(crate) struct Resolved {
    pub manifest: Manifest,
    pub fetched: Fetched,
    pub named: Digest,
}

const ACCEPTED: [&str; 4] = [media_type::OCI_INDEX, media_type::DOCKER_LIST, media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST];
/// An index in an index in an index is a loop or an attack.
const MAX_DEPTH: usize = 3;

impl Session {
    /// Finds the manifest of `platform` behind a name (distribution-spec, "Pulling manifests").
    pub async fn resolve_image(&self, reference: &Reference, platform: &Platform) -> Result<Resolved> {
        let mut fetched = self.manifest(reference, &reference.tag_or_digest(), reference.digest()).await?;
        let named = fetched.descriptor.digest;
        for _ in 0..MAX_DEPTH {
            match fetched.descriptor.media_type.as_str() {
                media_type::OCI_INDEX | media_type::DOCKER_LIST => {
                    let chosen = self.choose(reference, &Index::parse(&fetched.bytes)?, platform)?;
                    fetched = self.manifest(reference, &chosen.digest.to_string(), Some(&chosen.digest)).await?;
                }
                media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
                    return Ok(Resolved { manifest: Manifest::parse(&fetched.bytes)?, fetched, named });
                }
                other => return Err(self.protocol(&format!("its manifest has the type {other}, which is no image"))),
            }
        }
        Err(self.protocol("its indexes are nested too deep"))
    }

    fn choose(&self, reference: &Reference, index: &Index, platform: &Platform) -> Result<Descriptor> {
        let fits = |d: &&Descriptor| d.platform.as_ref().is_some_and(|p| p.satisfies(platform));
        if let Some(found) = index.manifests.iter().find(fits) {
            return Ok(found.clone());
        }
        let words = |p: &Platform| [p.os.clone(), p.architecture.clone(), p.variant.clone().unwrap_or_default()].join("/");
        let trimmed = |p: &Platform| words(p).trim_end_matches('/').to_string();
        let available: Vec<String> = index.manifests.iter().filter_map(|d| d.platform.as_ref()).map(trimmed).take(20).collect();
        Err(Error::NoPlatform { name: reference.familiar(), wanted: trimmed(platform), available: available.join(", ") })
    }

    pub async fn manifest(&self, reference: &Reference, tag_or_digest: &str, expected: Option<&Digest>) -> Result<Fetched> {
        let headers = [(ACCEPT, ACCEPTED.join(", "))];
        let response = self.get(&format!("manifests/{tag_or_digest}"), &headers).await.map_err(|error| match error {
            Error::Refused { status: 404, .. } => Error::ManifestNotFound(reference.familiar()),
            other => other,
        })?;
        let claimed = text_header(response.headers(), "docker-content-digest").map(str::to_string);
        let content_type =
            text_header(response.headers(), CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim().to_string();
        let bytes = self.client.read_small(&self.host, response, MAX_MANIFEST_BYTES, "the manifest").await?;
        let actual = Digest::of(&bytes);
        // Asked by digest, only that digest will do; asked by tag, the registry's own word for it must be true.
        let claimed = claimed.and_then(|c| c.parse::<Digest>().ok());
        if let Some(expected) = expected.or(claimed.as_ref()).filter(|e| **e != actual) {
            return Err(slipway_store::Error::DigestMismatch { expected: *expected, actual }.into());
        }
        let media_type = self.media_type_of(&bytes, &content_type)?;
        let size = bytes.len() as u64;
        Ok(Fetched { bytes, descriptor: Descriptor::new(&media_type, actual, size) })
    }

    /// The type a manifest gives itself wins over the header: it is covered by the digest.
    fn media_type_of(&self, bytes: &[u8], content_type: &str) -> Result<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Typed {
            schema_version: Option<u32>,
            media_type: Option<String>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            layers: Option<serde::de::IgnoredAny>,
        }
        let typed: Typed = serde_json::from_slice(bytes).map_err(|e| self.protocol(&format!("its manifest is not JSON: {e}")))?;
        if typed.schema_version != Some(2) {
            return Err(self.protocol("its manifest has the old schema 1; push the image again with a current client"));
        }
        // One document that is both an index and an image reads differently for different clients.
        if typed.manifests.is_some() && typed.layers.is_some() {
            return Err(self.protocol("its manifest is an index and an image at once"));
        }
        Ok(typed.media_type.unwrap_or_else(|| content_type.to_string()))
    }
}
