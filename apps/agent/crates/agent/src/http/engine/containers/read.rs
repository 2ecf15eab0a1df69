//! List, inspect, top.
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::containers::record::Status;
use crate::containers::{Container, Filters};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

const FILTERS: [&str; 11] = ["ancestor", "exited", "expose", "health", "id", "label", "name", "network", "publish", "status", "volume"];

pub async fn list(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&FILTERS)?;
    let limit: Option<usize> = params.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let all = params.flag("all") || limit.is_some() || filters.get("status").is_some() || filters.get("exited").is_some();
    let mut list = Vec::new();
    for container in app.containers.list() {
        let status = container.state().status;
        if (!all && !matches!(status, Status::Running | Status::Restarting)) || !app.containers.passes(&container, &filters) {
            continue;
        }
        let size = if params.flag("size") { size(&app, &container).await } else { None };
        list.push(app.containers.summary(&container, &app.instance, size));
        if limit.is_some_and(|limit| list.len() >= limit) {
            break;
        }
    }
    Ok(Json(Value::Array(list)))
}

/// Bytes of the writable layer, and of it and the image together.
async fn size(app: &App, container: &Arc<Container>) -> Option<(u64, u64)> {
    let (layers, id) = (app.images.layers.clone(), container.id.clone());
    let own = tokio::task::spawn_blocking(move || layers.snapshots().usage(&id)).await.ok()?.ok()?.bytes;
    let image = app.images.resolve(&container.record().image_id).map_or(0, |image| image.record.size);
    Some((own, own + image))
}

pub async fn inspect(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Json<Value>> {
    let container = app.containers.get(&id)?;
    let size = if params.flag("size") { size(&app, &container).await } else { None };
    Ok(Json(app.containers.inspect(&container, &app.instance, size)))
}

/// `docker top`: read from the host's `/proc`, for nothing has to be installed in the container.
pub async fn top(State(app): State<App>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    let container = app.containers.get(&id)?;
    if !container.state().is_running() {
        return Err(ApiError::conflict(format!("container {} is not running", container.id)));
    }
    let group = app.containers.group(&container);
    let rows = tokio::task::spawn_blocking(move || group.pids().into_iter().filter_map(process).collect::<Vec<_>>());
    let rows = rows.await.map_err(|error| ApiError::internal("cannot read the processes", error))?;
    Ok(Json(json!({ "Titles": ["UID", "PID", "PPID", "TIME", "CMD"], "Processes": rows })))
}

fn process(pid: i32) -> Option<[String; 5]> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next().map(String::from));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: u64 = after_name.get(11)?.parse::<u64>().ok()? + after_name.get(12)?.parse::<u64>().ok()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = command.split(|b| *b == 0).filter(|part| !part.is_empty()).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    let seconds = ticks / 100; // USER_HZ is 100 on every Linux ABI
    let time = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some([field("Uid:")?, pid.to_string(), field("PPid:")?, time, command])
}
