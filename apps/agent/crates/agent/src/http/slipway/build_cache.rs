//! `GET /slipway/v1/build-cache`: what the build cache holds. `POST /slipway/v1/build-cache/prune`: removes a part of it, or with
//! `dryRun` only tells which.
//!
//! `scope` is an organization's id, as in a build's request; without it both speak of the whole host. With `images`, the beginning
//! of names, no other images count as keeping a layer.
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_build::{CacheRecord, RecordKind, Selection};
use std::time::Duration;

use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

/// Records told at once; usage counts all of them.
const MAX_RECORDS: usize = 1000;
const MAX_IDS: usize = 1000;
const MAX_BODY: usize = 256 << 10;

pub fn router() -> Router<App> {
    Router::new().route("/build-cache", get(view)).route("/build-cache/prune", post(prune))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct PruneRequest {
    scope: Option<String>,
    images: Option<String>,
    ids: Option<Vec<String>>,
    kind: Option<RecordKind>,
    unused_for_ms: u64,
    /// The most recently used so many bytes stay.
    keep_bytes: u64,
    dry_run: bool,
}

async fn view(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let scope = params.text("scope").filter(|scope| !scope.is_empty()).map(str::to_owned);
    let images = params.text("images").filter(|images| !images.is_empty()).map(str::to_owned);
    let builds = app.builds.clone();
    let (records, usage, disk) = blocking(move || {
        let (records, usage) = builds.builder.cache(scope.as_deref(), images.as_deref())?;
        Ok((records, usage, builds.builder.disk()?))
    })
    .await?;
    let options = app.builds.builder.options();
    Ok(Json(json!({
        "policy": {
            "maxBytes": options.cache_bytes,
            "keepMs": millis(options.cache_keep),
            "unusedMs": millis(options.cache_unused),
        },
        "disk": disk,
        "scopes": usage,
        "records": told(&records),
        "more": records.len().saturating_sub(MAX_RECORDS),
    })))
}

async fn prune(State(app): State<App>, body: Bytes) -> ApiResult<Json<Value>> {
    if body.len() > MAX_BODY {
        return Err(ApiError::bad_request("the request is too large"));
    }
    let request: PruneRequest = match body.is_empty() {
        true => PruneRequest::default(),
        false => serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("the request is not valid: {error}")))?,
    };
    if request.ids.as_ref().is_some_and(|ids| ids.len() > MAX_IDS) {
        return Err(ApiError::bad_request(format!("at most {MAX_IDS} ids at once")));
    }
    let selection = Selection {
        ids: request.ids,
        images: request.images,
        kind: request.kind,
        unused_for: Duration::from_millis(request.unused_for_ms),
        keep_bytes: request.keep_bytes,
        ..Selection::default()
    };
    let selection = match &request.scope {
        Some(scope) => selection.of(scope),
        None => selection,
    };
    let builds = app.builds.clone();
    let dry_run = request.dry_run;
    let (pruned, reclaimed) = blocking(move || builds.builder.prune(&selection, dry_run)).await?;
    if !dry_run {
        tell(&app, reclaimed);
    }
    Ok(Json(json!({
        "records": told(&pruned.records),
        "more": pruned.records.len().saturating_sub(MAX_RECORDS),
        "entries": pruned.records.len(),
        "bytes": pruned.bytes,
        "reclaimed": reclaimed,
    })))
}

fn told(records: &[CacheRecord]) -> &[CacheRecord] {
    &records[..records.len().min(MAX_RECORDS)]
}

/// To whoever listens for Docker's event.
pub fn tell(app: &App, reclaimed: u64) {
    let attributes = [("reclaimed".to_owned(), reclaimed.to_string())].into();
    app.events.publish("builder", "prune", "", attributes);
}

/// # Errors
/// 500 or 507.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::internal("the work on the build cache was cut off", error))?
        .map_err(|error| ApiError::internal("cannot read the build cache", error))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
