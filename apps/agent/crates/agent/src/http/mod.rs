//! HTTP on a Unix socket: the Docker Engine API (`engine/`) and what Docker has no word for (`slipway/`).
mod detach;
pub mod engine;
pub mod hijack;
pub mod query;
pub mod slipway;
pub mod tls;
mod version;
mod websocket;

use std::convert::Infallible;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tower::{Service, ServiceExt};

use crate::error::ApiError;
use crate::state::App;

/// How long children of a daemon that was killed may be on their way to their programs.
const LAST_CHILDREN: Duration = Duration::from_secs(3);

/// The API is root on this host, so the socket is 0600.
pub fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        // A child that a killed daemon was just starting has its socket, too, until it executes its program.
        let patience = Instant::now() + LAST_CHILDREN;
        while std::os::unix::net::UnixStream::connect(path).is_ok() {
            if Instant::now() >= patience {
                anyhow::bail!("{} is already served by another process", path.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn router(app: App) -> Router {
    Router::new()
        .merge(engine::router())
        .nest("/slipway/v1", slipway::router())
        .fallback(unknown)
        .method_not_allowed_fallback(engine::absent::other_method)
        .with_state(app)
}

async fn unknown(request: Request) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("this engine has no {} {}", request.method(), request.uri().path()))
}

/// What every connection speaks to.
fn service(app: App) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send {
    let router = router(app);
    tower::service_fn(move |request| {
        let router = router.clone();
        async move {
            let response = match version::negotiate(request) {
                Ok(request) => router.oneshot(request).await?,
                Err(error) => error.into_response(),
            };
            Ok(version::sign(response))
        }
    })
}

pub async fn serve(listener: UnixListener, app: App) {
    let service = service(app);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Root's own clients may keep a connection for as long as they like.
        tokio::spawn(speak(stream, service.clone(), None));
    }
}

/// One connection, to its end. Within `head_time` a client must say what it wants, each time anew.
async fn speak<T, S>(stream: T, service: S, head_time: Option<Duration>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head_time);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}
