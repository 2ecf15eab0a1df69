//! `GET /containers/{id}/logs`.
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;

use crate::containers::logs::{self, LogRequest};
use crate::containers::record::Status;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub const RAW: &str = "application/vnd.docker.raw-stream";
pub const FRAMED: &str = "application/vnd.docker.multiplexed-stream";

pub fn not_readable() -> ApiError {
    ApiError::new(StatusCode::NOT_IMPLEMENTED, "configured logging driver does not support reading")
}

pub async fn logs(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let (stdout, stderr) = (params.flag("stdout"), params.flag("stderr"));
    if !stdout && !stderr {
        return Err(ApiError::bad_request("Bad parameters: you must choose at least one stream"));
    }
    let record = container.record();
    if record.host_config.log_config.kind == "none" {
        return Err(not_readable());
    }
    if container.state().status == Status::Removing {
        return Err(ApiError::conflict("can not get logs from container which is dead or marked for removal"));
    }
    let tail = match params.text("tail").unwrap_or("all") {
        "all" | "" => None,
        number => number.parse().ok(), // as Docker: what is not a number means all
    };
    let request = LogRequest {
        stdout,
        stderr,
        follow: params.flag("follow"),
        timestamps: params.flag("timestamps"),
        details: params.flag("details").then(|| logs::details(&record)),
        tail,
        since: params.time("since")?,
        until: params.time("until")?,
        end: None,
    };
    let chunks = logs::stream(&container, request);
    let body = stream::unfold(chunks, |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) });
    let kind = if record.config.tty { RAW } else { FRAMED };
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response())
}
