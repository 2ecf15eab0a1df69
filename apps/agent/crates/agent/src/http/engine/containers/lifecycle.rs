//! Create, start, stop, restart, kill, rename, remove.
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::containers::model::CreateRequest;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub async fn create(State(app): State<App>, params: Params, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let request = CreateRequest::parse(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?;
    if request.config.image.is_empty() {
        return Err(ApiError::bad_request("no image is given"));
    }
    let (name, containers) = (params.text("name").map(String::from), app.containers.clone());
    let (container, warnings) = detached(async move { containers.create(name.as_deref(), request).await }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": container.id, "Warnings": warnings }))))
}

fn changed(changed: bool) -> StatusCode {
    if changed { StatusCode::NO_CONTENT } else { StatusCode::NOT_MODIFIED }
}

pub async fn start(State(app): State<App>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    // On a task of its own: a client that leaves must not leave a container half started.
    let containers = app.containers.clone();
    detached(async move { containers.start(&container).await }).await.map(changed)
}

pub async fn stop(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    let (timeout, signal) = (params.number("t")?, params.text("signal").map(String::from));
    let containers = app.containers.clone();
    detached(async move { containers.stop(&container, timeout, signal.as_deref()).await }).await.map(changed)
}

pub async fn restart(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    let (timeout, signal) = (params.number("t")?, params.text("signal").map(String::from));
    let containers = app.containers.clone();
    detached(async move { containers.restart(&container, timeout, signal.as_deref()).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn kill(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let unknown = |error: ApiError| ApiError { message: format!("cannot kill container: {id}: {}", error.message), ..error };
    let container = app.containers.get(&id).map_err(unknown)?;
    app.containers.kill(&container, params.text("signal").unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn rename(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    app.containers.rename(&container, params.text("name").unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn resize(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    let (rows, columns) = (params.number("h")?.unwrap_or(0), params.number("w")?.unwrap_or(0));
    let shim = container.shim().ok_or_else(|| ApiError::conflict(format!("container {id} is not running")))?;
    shim.resize(rows, columns).await.map_err(|error| ApiError::internal("cannot resize the terminal", error))?;
    app.containers.event(&container, "resize", &[("height", rows.to_string()), ("width", columns.to_string())]);
    Ok(StatusCode::OK)
}

pub async fn remove(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let container = app.containers.get(&id)?;
    let (force, volumes) = (params.flag("force"), params.flag("v"));
    let containers = app.containers.clone();
    detached(async move { containers.remove(&container, force, volumes).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn detached<T: Send + 'static>(work: impl Future<Output = ApiResult<T>> + Send + 'static) -> ApiResult<T> {
    tokio::spawn(work).await.map_err(|error| ApiError::internal("the operation was cut off", error))?
}
