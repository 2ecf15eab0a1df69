//! Builds under way on this host.
use std::sync::Arc;

use crate::config::Config;
use crate::images::Images;

pub struct Builds {}

impl Builds {
    pub async fn open(_config: &Config, _images: Arc<Images>) -> anyhow::Result<Self> {
        Ok(Self {})
    }
}
