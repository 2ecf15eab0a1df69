//! `POST /containers/{id}/attach`, and what it has in common with `GET /containers/{id}/attach/ws`.
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use tokio::net::UnixStream;

use super::logs::{FRAMED, RAW, not_readable};
use crate::containers::logs::{self, LogRequest};
use crate::containers::record::Status;
use crate::containers::{Container, paused, restarting};
use crate::error::{ApiError, ApiResult};
use crate::http::detach::DetachKeys;
use crate::http::hijack::{Detach, Session, Wanted, hijack};
use crate::http::query::Params;
use crate::http::websocket;
use crate::state::App;

pub async fn attach(State(app): State<App>, Path(id): Path<String>, params: Params, mut request: Request) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let session = connect(&app, &container, &params).await?;
    let content_type = if session.wanted.raw { RAW } else { FRAMED };
    hijack(&mut request, session, content_type)
}

pub async fn websocket(State(app): State<App>, Path(id): Path<String>, params: Params, mut request: Request) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let session = connect(&app, &container, &params).await?;
    websocket::serve(&mut request, session)
}

/// With `logs` what was written so far comes first, with `stream` what is written from now on; with both there is no gap
/// between them, and nothing twice. A container that does not run is attached to from its next start on.
pub async fn connect(app: &App, container: &Arc<Container>, params: &Params) -> ApiResult<Session> {
    let keys = DetachKeys::parse(params.text("detachKeys"))?;
    let state = container.state();
    if state.paused {
        return Err(paused(container, "attach"));
    }
    if state.status == Status::Restarting {
        return Err(restarting(container));
    }
    let record = container.record();
    let (wants_log, wants_stream) = (params.flag("logs"), params.flag("stream"));
    if wants_log && record.host_config.log_config.kind == "none" {
        return Err(not_readable());
    }
    let (tty, stdout, stderr) = (record.config.tty, params.flag("stdout"), params.flag("stderr"));
    let wanted = Wanted { stdin: wants_stream && params.flag("stdin") && record.config.open_stdin, stdout, stderr, raw: tty };
    let mut session = Session { stream: None, wanted, history: None, detach: None };
    let mut end = None;
    if wants_stream {
        let failed = |error: std::io::Error| ApiError::internal("cannot attach to the container", error);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        end = container.attach(theirs.into_std().map_err(failed)?.into(), wants_log).await?;
        session.stream = Some(ours);
    }
    if wants_log {
        session.history = Some(logs::stream(container, LogRequest { stdout, stderr, end, ..LogRequest::default() }));
    }
    app.containers.event(container, "attach", &[]);
    if tty {
        let (containers, container) = (app.containers.clone(), container.clone());
        session.detach = Some(Detach { keys, then: Box::new(move || containers.event(&container, "detach", &[])) });
    }
    Ok(session)
}
