use slipway_store::{Descriptor, ImageConfig, Index, MAX_MANIFEST_BYTES, Manifest, Platform, Reference, media_type};

use crate::Result;
use crate::registry::session::Session;
use crate::registry::{Client, Credentials};

/// What a registry has under a name.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// Of the index or manifest the name points at.
    pub descriptor: Descriptor,
    pub platforms: Vec<Platform>,
}

impl Client {
    /// Asks a registry what a name stands for; nothing is stored.
    pub async fn distribution(&self, reference: &Reference, credentials: Option<Credentials>) -> Result<Distribution> {
        let session = Session::new(self, reference, "pull", credentials);
        let fetched = session.manifest(reference, &reference.tag_or_digest(), reference.digest()).await?;
        let descriptor = fetched.descriptor;
        let platforms = match descriptor.media_type.as_str() {
            media_type::OCI_INDEX | media_type::DOCKER_LIST => {
                Index::parse(&fetched.bytes)?.manifests.into_iter().filter_map(|inner| inner.platform).collect()
            }
            _ => {
                let manifest = Manifest::parse(&fetched.bytes)?;
                let response = session.get(&format!("blobs/{}", manifest.config.digest), &[]).await?;
                let bytes = self.read_small(&session.host, response, MAX_MANIFEST_BYTES, "the image config").await?;
                let config = ImageConfig::parse(&bytes)?;
                vec![Platform { architecture: config.architecture, os: config.os, variant: config.variant, os_version: None }]
            }
        };
        Ok(Distribution { descriptor, platforms })
    }
}
