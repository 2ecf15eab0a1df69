//! `GET /containers/{id}/logs`.
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;

use crate::containers::logs::{LogRequest, stream as log_stream};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub const RAW: &str = "application/vnd.docker.raw-stream";
pub const FRAMED: &str = "application/vnd.docker.multiplexed-stream";

pub async fn logs(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let (stdout, stderr) = (params.flag("stdout"), params.flag("stderr"));
    if !stdout && !stderr {
        return Err(ApiError::bad_request("Bad parameters: you must choose at least one stream"));
    }
    let record = container.record();
    if record.host_config.log_config.kind == "none" {
        return Err(ApiError::bad_request("configured logging driver does not support reading"));
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
        tail,
        since: params.time("since")?,
        until: params.time("until")?,
    };
    let chunks = log_stream(&container, request);
    let body = stream::unfold(chunks, |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) });
    let kind = if record.config.tty { RAW } else { FRAMED };
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response())
}
