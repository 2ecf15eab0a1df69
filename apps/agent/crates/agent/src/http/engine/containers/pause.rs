//! `POST /containers/{id}/pause` and `/unpause`.
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::lifecycle::detached;
use crate::error::ApiResult;
use crate::state::App;

pub async fn pause(State(app): State<App>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    let (container, containers) = (app.containers.get(&id)?, app.containers.clone());
    detached(async move { containers.pause(&container).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn unpause(State(app): State<App>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    let (container, containers) = (app.containers.get(&id)?, app.containers.clone());
    detached(async move { containers.unpause(&container).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
