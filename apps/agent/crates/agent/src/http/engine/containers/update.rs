//! `POST /containers/{id}/update`.
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::lifecycle::detached;
use crate::containers::UpdateRequest;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub async fn update(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> ApiResult<Json<Value>> {
    let (container, containers) = (app.containers.get(&id)?, app.containers.clone());
    let request: UpdateRequest = serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?;
    let warnings = detached(async move { containers.update(&container, request).await }).await?;
    Ok(Json(json!({ "Warnings": warnings })))
}
