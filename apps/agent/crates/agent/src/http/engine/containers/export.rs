//! What became of a container's files: `changes`, `export`, and `POST /commit`.
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use slipway_runtime::view::Scope;
use slipway_store::Reference;

use super::lifecycle::detached;
use crate::body::produced;
use crate::containers::CommitRequest;
use crate::error::{ApiError, ApiResult};
use crate::http::query::truthy;
use crate::images::blocking;
use crate::state::App;

/// `null` when nothing changed, as dockerd says it.
pub async fn changes(State(app): State<App>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    let container = app.containers.get(&id)?;
    let layers = app.images.layers.clone();
    let found = blocking(move || Ok(layers.snapshots().changes(&container.id)?)).await?;
    let list: Vec<Value> = found.iter().map(|change| json!({ "Path": change.path, "Kind": change.kind as u8 })).collect();
    Ok(Json(if list.is_empty() { Value::Null } else { Value::Array(list) }))
}

pub async fn export(State(app): State<App>, Path(id): Path<String>) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let files = app.containers.files(&container, Scope::RootOnly).await?;
    app.containers.exported(&container);
    let body = produced("an export", move |out| {
        let tree = files.tree().map_err(slipway_snapshot::Error::io("/"))?;
        tree.export(out)
    });
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

pub async fn commit(State(app): State<App>, RawQuery(query): RawQuery, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let (mut container, mut repo, mut tag) = (String::new(), String::new(), String::new());
    let mut request = CommitRequest { pause: true, ..CommitRequest::default() };
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let value = value.into_owned();
        match key.as_ref() {
            "container" => container = value,
            "repo" => repo = value,
            "tag" => tag = value,
            "comment" => request.comment = value,
            "author" => request.author = value,
            "pause" => request.pause = truthy(&value),
            "changes" => request.changes.extend(value.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned)),
            _ => {}
        }
    }
    let container = app.containers.get(&container)?;
    if !repo.is_empty() {
        let reference = Reference::parse_with_tag(&repo, &tag)?;
        if reference.digest().is_some() {
            return Err(ApiError::bad_request("cannot import digest reference"));
        }
        request.reference = Some(reference);
    }
    if !body.is_empty() {
        request.config = serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?;
    }
    let containers = app.containers.clone();
    let id = detached(async move { containers.commit(&container, request).await }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id }))))
}
