//! `GET /slipway/v1/images/{ref}/sbom`: the packages of an image as an SPDX 2.3 document. `{ref}` is one percent-encoded part of
//! the path: a name, a digest or an id.
use std::path::PathBuf;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use slipway_build::overlay::open_readonly;
use slipway_sbom::{Limits, Subject, document, scan};
use slipway_store::Reference;
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/images/{ref}/sbom", get(sbom))
}

/// Each may hold a database of packages in memory, and keeps a disk busy.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

async fn sbom(State(app): State<App>, Path(name): Path<String>) -> ApiResult<Response> {
    let _turn = AT_ONCE.acquire().await.map_err(|error| ApiError::internal("the daemon is stopping", error))?;
    let image = app.images.for_reading(&name).await?;
    let manifest_digest = image.manifest.to_string();
    let (from_top, _) = app.images.layers.lower(&image.diff_ids)?;
    let dirs: Vec<PathBuf> = app.images.layers.stack(&image.diff_ids)?.into_iter().map(|layer| layer.dir).collect();
    let work = move || -> Result<Vec<u8>, slipway_sbom::Error> {
        let inventory = scan(open_readonly(&from_top)?, &dirs, &Limits::default())?;
        let layers: Vec<String> = image.diff_ids.iter().map(ToString::to_string).collect();
        // The same image under another tag is the same document.
        let repository = Reference::parse(&name).map_or_else(|_| name.clone(), |reference| reference.name());
        let subject = Subject {
            name: &repository,
            manifest_digest: &manifest_digest,
            created: image.config.created.as_deref().unwrap_or("1970-01-01T00:00:00Z"),
            layers: &layers,
            tool_version: env!("CARGO_PKG_VERSION"),
        };
        Ok(document(&inventory, &subject).to_string().into_bytes())
    };
    let made =
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("the image could not be looked through", error))?;
    let bytes = made.map_err(|error| match error {
        slipway_sbom::Error::Io(cause) => ApiError::internal("the image's files could not be read", cause),
        limit => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, limit.to_string()),
    })?;
    Ok(([(header::CONTENT_TYPE, "application/spdx+json")], bytes).into_response())
}
