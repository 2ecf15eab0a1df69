//! Builds under way on this host.
use std::sync::Arc;
use std::time::Duration;

use slipway_build::executor::Executor;
use slipway_build::{Builder, BuilderOptions};

use crate::config::BuildSettings;
use crate::images::Images;

const DAY: Duration = Duration::from_secs(86_400);

pub struct Builds {
    pub builder: Builder,
}

impl Builds {
    /// Removes what builds of a killed daemon left, and opens the build cache.
    pub async fn open(settings: &BuildSettings, images: Arc<Images>, executor: Arc<dyn Executor>) -> anyhow::Result<Self> {
        let (layers, downloader, client) = (images.layers.clone(), images.downloader.clone(), images.client.clone());
        let defaults = BuilderOptions::default();
        let options = BuilderOptions {
            cache_bytes: settings.cache_bytes.unwrap_or(defaults.cache_bytes),
            cache_keep: DAY * settings.cache_keep_days,
            cache_unused: settings.cache_unused_days.map_or(defaults.cache_unused, |days| DAY * days),
            reserve_bytes: settings.reserve_bytes,
            contexts: defaults.contexts,
            allow_host_network: settings.allow_host_network,
            allow_insecure: settings.allow_insecure,
        };
        let builder = tokio::task::spawn_blocking(move || Builder::open(layers, executor, downloader, options)).await??;
        builder.set_registries(client);
        Ok(Self { builder })
    }
}
