//! Builds under way on this host.
use std::sync::Arc;

use slipway_build::executor::{ExecError, ExecOutcome, ExecRequest, Executor};
use slipway_build::{Builder, BuilderOptions};
use tokio_util::sync::CancellationToken;

use crate::images::Images;

pub struct Builds {
    pub builder: Builder,
}

impl Builds {
    /// Removes what builds of a killed daemon left, and opens the build cache.
    pub async fn open(images: Arc<Images>, executor: Arc<dyn Executor>) -> anyhow::Result<Self> {
        let layers = images.layers.clone();
        let builder = tokio::task::spawn_blocking(move || Builder::open(layers, executor, BuilderOptions::default())).await??;
        Ok(Self { builder })
    }
}

/// Stands in until the container runtime is wired up: everything but RUN works.
pub struct NoRuntime;

#[async_trait::async_trait]
impl Executor for NoRuntime {
    async fn run(&self, _: ExecRequest, _: CancellationToken) -> Result<ExecOutcome, ExecError> {
        Err(ExecError::Setup { message: "this agent runs without a container runtime".into() })
    }

    async fn finish(&self, _: &str) -> Result<(), ExecError> {
        Ok(())
    }
}
