//! HTTP on a Unix socket: the Docker Engine API (`engine/`) and what Docker has no word for (`slipway/`).
pub mod engine;
pub mod hijack;
pub mod query;
pub mod slipway;

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixListener;
use tower::Layer;
use tower::util::MapRequestLayer;

use crate::error::ApiError;
use crate::state::App;

/// The API is root on this host, so the socket is 0600.
pub fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            anyhow::bail!("{} is already served by another process", path.display());
        }
        std::fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn router(app: App) -> Router {
    Router::new().merge(engine::router()).nest("/slipway/v1", slipway::router()).fallback(unknown).with_state(app)
}

async fn unknown(request: Request) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("this engine has no {} {}", request.method(), request.uri().path()))
}

/// Docker clients put the version they speak before the path: `/v1.44/containers/json`.
fn strip_version<B>(request: axum::http::Request<B>) -> Request<Body>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut request = request.map(Body::new);
    let uri = request.uri();
    let Some(rest) = versionless(uri.path()) else { return request };
    let rest = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    if let Ok(stripped) = rest.parse::<Uri>() {
        *request.uri_mut() = stripped;
    }
    request
}

fn versionless(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v")?;
    let slash = rest.find('/')?;
    let (version, rest) = rest.split_at(slash);
    let (major, minor) = version.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    (digits(major) && digits(minor)).then_some(rest)
}

pub async fn serve(listener: UnixListener, app: App) {
    let service = MapRequestLayer::new(strip_version::<hyper::body::Incoming>).layer(router(app));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::versionless;

    #[test]
    fn strips_only_versions() {
        assert_eq!(versionless("/v1.44/info"), Some("/info"));
        assert_eq!(versionless("/volumes/x"), None);
        assert_eq!(versionless("/v1/x"), None);
    }
}
