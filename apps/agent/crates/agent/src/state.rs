//! What every handler can reach. One per process, behind an `Arc`.
use std::sync::Arc;

use crate::builds::{Builds, NoRuntime};
use crate::config::Config;
use crate::images::Images;
use crate::instance::instance_of;

pub type App = Arc<AppState>;

pub struct AppState {
    pub config: Config,
    /// 8 hex digits; see `instance.rs`.
    pub instance: String,
    pub images: Arc<Images>,
    pub builds: Arc<Builds>,
}

impl AppState {
    pub async fn open(config: Config) -> anyhow::Result<App> {
        let instance = instance_of(&config.data_root);
        let images = Arc::new(Images::open(&config).await?);
        let builds = Arc::new(Builds::open(images.clone(), Arc::new(NoRuntime)).await?);
        Ok(Arc::new(Self { config, instance, images, builds }))
    }
}
