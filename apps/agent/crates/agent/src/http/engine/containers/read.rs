//! List and inspect.
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use crate::containers::record::Status;
use crate::containers::{Container, Filters};
use crate::error::ApiResult;
use crate::http::query::Params;
use crate::state::App;

const FILTERS: [&str; 15] = [
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "label!", "name", "network", "publish", "since",
    "status", "volume",
];

pub async fn list(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&FILTERS)?;
    let (before, since) = app.containers.check_filters(&filters)?;
    // There is no swarm, so nothing is a task of one.
    if filters.flag("is-task")? == Some(true) {
        return Ok(Json(Value::Array(Vec::new())));
    }
    let limit: Option<usize> = params.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let all = params.flag("all") || limit.is_some() || filters.get("status").is_some() || filters.get("exited").is_some();
    let mut list = Vec::new();
    for container in app.containers.list() {
        let status = container.state().status;
        if (!all && !matches!(status, Status::Running | Status::Restarting)) || !app.containers.passes(&container, &filters) {
            continue;
        }
        let created = container.record().created;
        if before.is_some_and(|before| created >= before) || since.is_some_and(|since| created <= since) {
            continue;
        }
        let size = if params.flag("size") { size(&app, &container).await } else { None };
        list.push(app.containers.summary(&container, size));
        if limit.is_some_and(|limit| list.len() >= limit) {
            break;
        }
    }
    Ok(Json(Value::Array(list)))
}

/// Bytes of the writable layer, and of it and the image together.
async fn size(app: &App, container: &Arc<Container>) -> Option<(u64, u64)> {
    let (layers, id) = (app.images.layers.clone(), container.id.clone());
    let own = tokio::task::spawn_blocking(move || layers.snapshots().usage(&id)).await.ok()?.ok()?.files;
    let image = app.images.resolve(&container.record().image_id).map_or(0, |image| image.record.size);
    Some((own, own + image))
}

pub async fn inspect(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Json<Value>> {
    let container = app.containers.get(&id)?;
    let size = if params.flag("size") { size(&app, &container).await } else { None };
    let mut value = app.containers.inspect(&container, size);
    let execs = app.execs.running_in(&container.id);
    if !execs.is_empty() {
        value["ExecIDs"] = serde_json::json!(execs);
    }
    Ok(Json(value))
}
