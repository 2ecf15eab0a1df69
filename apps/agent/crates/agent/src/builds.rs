//! Builds under way on this host.
use std::path::Path;
use std::sync::Arc;

use slipway_build::executor::Executor;
use slipway_build::{Builder, BuilderOptions};

use crate::build_policy::{DAY, Policies};
use crate::config::BuildSettings;
use crate::images::Images;

pub struct Builds {
    pub builder: Builder,
    pub policies: Policies,
}

impl Builds {
    /// Removes what builds of a killed daemon left, and opens the build cache with the policy that was set last.
    pub async fn open(
        settings: &BuildSettings,
        data_root: &Path,
        images: Arc<Images>,
        executor: Arc<dyn Executor>,
    ) -> anyhow::Result<Self> {
        let (layers, downloader, client) = (images.layers.clone(), images.downloader.clone(), images.client.clone());
        let defaults = BuilderOptions::default();
        let options = BuilderOptions {
            cache_bytes: settings.cache_bytes.unwrap_or(defaults.cache_bytes),
            cache_keep: DAY * settings.cache_keep_days,
            cache_unused: settings.cache_unused_days.map_or(defaults.cache_unused, |days| DAY * days),
            reserve_bytes: settings.reserve_bytes,
            step_disk_bytes: None,
            contexts: defaults.contexts,
            allow_host_network: settings.allow_host_network,
            allow_insecure: settings.allow_insecure,
        };
        let policies = Policies::open(data_root, options);
        let options = policies.options(policies.get());
        let builder = tokio::task::spawn_blocking(move || Builder::open(layers, executor, downloader, options)).await??;
        builder.set_registries(client);
        Ok(Self { builder, policies })
    }
}
