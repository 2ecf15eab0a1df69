//! `GET /slipway/v1/build-cache/policy`: what the build cache keeps and what builds leave of the disk. `PUT` sets it, without a restart and
//! over one; what it no longer keeps goes at once. `POST …/policy/preview` tells how much that would be.
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_build::{BuilderOptions, RecordKind};

use crate::build_policy::{BuildPolicy, DAY};
use crate::error::{ApiError, ApiResult};
use crate::http::slipway::build_cache::{blocking, tell};
use crate::state::App;

const MAX_BODY: usize = 4096;

pub fn router() -> Router<App> {
    Router::new().route("/build-cache/policy", get(view).put(set)).route("/build-cache/policy/preview", post(preview))
}

async fn view(State(app): State<App>) -> ApiResult<Json<Value>> {
    let builds = app.builds.clone();
    let disk = blocking(move || builds.builder.disk()).await?;
    let policies = &app.builds.policies;
    Ok(Json(json!({
        "set": policies.get(),
        "applies": told(&app.builds.builder.options()),
        "defaults": told(&policies.defaults()),
        "disk": disk,
    })))
}

async fn set(State(app): State<App>, body: Bytes) -> ApiResult<Json<Value>> {
    let (policy, options) = read(&app, &body).await?;
    let builds = app.builds.clone();
    blocking(move || {
        builds.policies.set(policy)?;
        builds.builder.set_options(options);
        Ok(())
    })
    .await?;
    tracing::info!(?policy, "the build cache has a new policy");
    // Removing many files takes a while; who set it need not wait.
    let (builds, told) = (app.builds.clone(), app.clone());
    tokio::spawn(async move {
        if let Ok(gone) = blocking(move || builds.builder.trim()).await
            && !gone.records.is_empty()
        {
            tell(&told, gone.bytes);
        }
    });
    view(State(app)).await
}

async fn preview(State(app): State<App>, body: Bytes) -> ApiResult<Json<Value>> {
    let (_, options) = read(&app, &body).await?;
    let builds = app.builds.clone();
    let gone = blocking(move || builds.builder.outside(options)).await?;
    let count = |kind| gone.records.iter().filter(|record| record.kind == kind).count();
    Ok(Json(json!({ "bytes": gone.bytes, "layers": count(RecordKind::Layer), "mounts": count(RecordKind::Mount) })))
}

async fn read(app: &App, body: &Bytes) -> ApiResult<(BuildPolicy, BuilderOptions)> {
    if body.len() > MAX_BODY {
        return Err(ApiError::bad_request("the request is too large"));
    }
    let policy = serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("the policy is not valid: {error}")))?;
    let builds = app.builds.clone();
    let disk = blocking(move || builds.builder.disk()).await?;
    let options = app.builds.policies.checked(policy, &disk).map_err(ApiError::bad_request)?;
    Ok((policy, options))
}

/// `reserveBytes` is absent where the disk's size decides, `stepDiskBytes` where each build does.
fn told(options: &BuilderOptions) -> Value {
    json!({
        "maxBytes": options.cache_bytes,
        "keepDays": options.cache_keep.as_secs() / DAY.as_secs(),
        "unusedDays": options.cache_unused.as_secs() / DAY.as_secs(),
        "reserveBytes": options.reserve_bytes,
        "stepDiskBytes": options.step_disk_bytes,
    })
}
