//! `/containers/{id}/archive`: `docker cp`, both ways.
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use slipway_build::UserFiles;
use slipway_runtime::view::Scope;
use slipway_snapshot::{FileStat, Limits, Named, PutOptions, Tree, go_mode};

use crate::body::{produced, reader_of};
use crate::containers::files::{Files, with};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

const STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");

fn path_of(params: &Params) -> ApiResult<String> {
    match params.text("path") {
        Some(path) if !path.is_empty() => Ok(path.to_owned()),
        _ => Err(ApiError::bad_request("bad parameter: path cannot be empty")),
    }
}

/// The files and what is at the path.
async fn look(app: &App, id: &str, path: &str) -> ApiResult<(Files, Named)> {
    let container = app.containers.get(id)?;
    let files = app.containers.files(&container, Scope::Mounted).await?;
    let asked = path.to_owned();
    with(files, move |tree| tree.look(&asked)).await.map_err(|error| missing(error, id, path))
}

fn missing(error: ApiError, id: &str, path: &str) -> ApiError {
    match error.status {
        StatusCode::NOT_FOUND => ApiError::not_found(format!("Could not find the file {path} in container {id}")),
        _ => error,
    }
}

fn header(stat: &FileStat) -> ApiResult<HeaderValue> {
    let nanoseconds = stat.mtime.0.saturating_mul(1_000_000_000).saturating_add(i64::from(stat.mtime.1));
    let told = json!({
        "name": stat.name,
        "size": stat.size,
        "mode": go_mode(stat.mode),
        "mtime": slipway_runtime::clock::rfc3339(nanoseconds),
        "linkTarget": stat.link_target.as_deref().unwrap_or_default(),
    });
    let encoded = BASE64_STANDARD.encode(told.to_string());
    HeaderValue::from_str(&encoded).map_err(|error| ApiError::internal("cannot tell what the file is", error))
}

pub async fn head(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let (_, named) = look(&app, &id, &path_of(&params)?).await?;
    Ok(([(STAT, header(&named.stat)?)], ()).into_response())
}

pub async fn get(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let path = path_of(&params)?;
    let (files, named) = look(&app, &id, &path).await?;
    let stat = header(&named.stat)?;
    let body = produced("a copy out of a container", move |out| {
        let tree = files.tree().map_err(slipway_snapshot::Error::io("/"))?;
        tree.archive(&named, out)
    });
    Ok(([(STAT, stat), (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"))], body).into_response())
}

pub async fn put(State(app): State<App>, Path(id): Path<String>, params: Params, body: Body) -> ApiResult<StatusCode> {
    // Before anything can be refused: the rest of a refused body is drained by it.
    let reader = reader_of(body);
    let path = path_of(&params)?;
    let container = app.containers.get(&id)?;
    let files = app.containers.files(&container, Scope::Mounted).await?;
    let record = container.record();
    let user = record.config.user.clone();
    let as_user = params.flag("copyUIDGID") && !user.is_empty();
    let mut options = PutOptions {
        no_overwrite_dir_non_dir: params.flag("noOverwriteDirNonDir"),
        owner: None,
        // As with dockerd; a host that grants no privileges gives no devices this way either.
        devices: app.config.file.policy.allow_privileged,
    };
    let asked = path.clone();
    let extracted = with(files, move |tree| {
        if as_user {
            options.owner = Some(owner(tree, &user)?);
        }
        tree.extract(&asked, reader, &options, Limits::default())
    });
    extracted.await.map_err(|error| missing(error, &id, &path))?;
    Ok(StatusCode::OK)
}

/// An image may hold anything under these names; more than this is no user database.
const LARGEST_USERS: u64 = 4 << 20;

/// Who the container's user is, by the container's own files.
fn owner(tree: &Tree, user: &str) -> slipway_snapshot::Result<(u32, u32)> {
    let text = |path: &str| tree.text(path.as_ref(), LARGEST_USERS);
    let users = UserFiles { passwd: text("etc/passwd")?, group: text("etc/group")? };
    users.resolve(user).map(|found| (found.uid, found.gid)).map_err(slipway_snapshot::Error::Kept)
}
