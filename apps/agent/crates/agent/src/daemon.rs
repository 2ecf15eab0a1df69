//! The daemon: opens the state, serves the API on a Unix socket until a signal or `/slipway/v1/shutdown`.
use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::DaemonOptions;
use crate::config::Config;
use crate::http;
use crate::state::AppState;

pub fn run(options: DaemonOptions) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let config = Config::load(&options)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start the async runtime")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listener = http::listen(&config.socket)?;
    let app = AppState::open(config).await?;
    let server = tokio::spawn(http::serve(listener, app.clone()));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.abort();
    Ok(())
}
