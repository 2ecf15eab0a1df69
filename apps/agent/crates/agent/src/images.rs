//! Images of this host: what the Engine API, container creation and builds ask of the store.
use crate::config::Config;

pub struct Images {}

impl Images {
    pub async fn open(_config: &Config) -> anyhow::Result<Self> {
        Ok(Self {})
    }
}
