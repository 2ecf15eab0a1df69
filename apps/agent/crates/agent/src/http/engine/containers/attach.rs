//! `POST /containers/{id}/attach`.
use axum::extract::{Path, Request, State};
use axum::response::Response;
use tokio::net::UnixStream;

use super::logs::{FRAMED, RAW};
use crate::error::{ApiError, ApiResult};
use crate::http::hijack::{Wanted, hijack};
use crate::http::query::Params;
use crate::state::App;

pub async fn attach(State(app): State<App>, Path(id): Path<String>, params: Params, mut request: Request) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    if container.state().paused {
        return Err(ApiError::conflict(format!("container {} is paused, unpause the container before attach", container.id)));
    }
    let config = container.record().config;
    let wanted = Wanted {
        stdin: params.flag("stdin") && config.open_stdin,
        stdout: params.flag("stdout"),
        stderr: params.flag("stderr"),
        raw: config.tty,
    };
    let failed = |error: std::io::Error| ApiError::internal("cannot attach to the container", error);
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let response = hijack(&mut request, ours, wanted, if config.tty { RAW } else { FRAMED })?;
    let theirs = theirs.into_std().map_err(failed)?;
    container.attach(theirs.into()).await?;
    Ok(response)
}
