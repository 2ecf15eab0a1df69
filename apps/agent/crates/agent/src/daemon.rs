//! The daemon: opens the state, serves the API on a Unix socket until a signal or `/slipway/v1/shutdown`.
use anyhow::Context;
use slipway_runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::DaemonOptions;
use crate::config::Config;
use crate::http;
use crate::http::tls::TcpOptions;
use crate::state::AppState;

pub fn run(options: DaemonOptions) -> anyhow::Result<()> {
    start_log();
    // Files for containers are readable in them; what must not be is protected by its folder.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let config = Config::load(&options)?;
    let tcp = options.tcp;
    // It is one of many processes on the host and waits most of the time.
    slipway_sys::process::limit_arenas(2);
    // Before the first thread: containers are cloned by a process that never had one.
    let containers = Runtime::start()?;
    raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start the async runtime")?;
    runtime.block_on(serve(config, containers, tcp))
}

/// To standard error. `RUST_LOG` chooses by module: `info,slipway_net=debug`.
fn start_log() {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let targets = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // What reads the log may have gone; telling that on the same standard error would panic.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}

/// Each container and each published port takes descriptors, and the usual soft limit is 1,024. Containers keep that one:
/// their parent runs already.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

async fn serve(config: Config, containers: Runtime, tcp: Option<TcpOptions>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let socket = config.socket.clone();
    // First: a wrong certificate must be told before anything is opened.
    let secure = match &tcp {
        Some(options) => Some(http::tls::listen(options).await?),
        None => None,
    };
    let listener = http::listen(&socket)?;
    let app = match AppState::open(config, containers).await {
        Ok(app) => app,
        Err(error) => {
            let _ = std::fs::remove_file(&socket); // the error is what is told
            return Err(error);
        }
    };
    tracing::info!(socket = %socket.display(), instance = %app.instance, containers = app.containers.running(), "ready");
    tokio::spawn(crate::heap::keep_small());
    let mut servers = vec![tokio::spawn(http::serve(listener, app.clone()))];
    if let Some(secure) = secure {
        tracing::info!(address = ?secure.address(), "serving clients with certificates");
        servers.push(tokio::spawn(secure.serve(app.clone())));
    }
    let everything = tokio::select! {
        _ = interrupt.recv() => true,
        () = app.shutdown.notified() => true,
        _ = terminate.recv() => false,
    };
    servers.iter().for_each(tokio::task::JoinHandle::abort);
    let outcome = if everything {
        tracing::info!("stopping every container");
        app.take_down().await
    } else {
        tracing::info!("leaving; containers stay as they are");
        Ok(())
    };
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => tracing::warn!(%error, "cannot remove the socket"),
        _ => {}
    }
    outcome
}
