//! `POST /exec/{id}/start`.
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use slipway_runtime::{ExecStreams, RunningExec};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::super::logs::{FRAMED, RAW};
use super::{streams, tell};
use crate::containers::ExecError;
use crate::error::{ApiError, ApiResult};
use crate::execs::Exec;
use crate::http::detach::DetachKeys;
use crate::http::hijack::{Detach, Session, Wanted, hijack};
use crate::state::App;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct StartBody {
    detach: Option<bool>,
    console_size: Option<[u16; 2]>,
}

/// Of a request without an upgrade, whose body may be this and then the program's input: it ends where the JSON ends.
const LARGEST_BODY: usize = 64 * 1024;

pub async fn start(State(app): State<App>, Path(id): Path<String>, mut request: Request) -> ApiResult<Response> {
    let exec = app.execs.get(&id)?;
    let body = std::mem::take(request.body_mut());
    let bytes = axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|error| ApiError::bad_request(format!("invalid body: {error}")))?;
    let body: StartBody = if bytes.is_empty() {
        StartBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?
    };
    app.containers.can_exec(&exec.container)?;
    {
        let mut state = exec.state();
        if state.exit_code.is_some() {
            return Err(ApiError::conflict(format!("exec command {id} has already run")));
        }
        if std::mem::replace(&mut state.started, true) {
            return Err(ApiError::conflict(format!("exec command {id} is already running")));
        }
    }
    run(&app, &exec, &body, &mut request).await
}

/// The daemon's ends of a program's streams.
struct Ends {
    outputs: Option<(pipe::Receiver, pipe::Receiver)>,
    input: Option<pipe::Sender>,
}

fn make_streams(exec: &Exec, detach: bool) -> std::io::Result<(ExecStreams, Ends)> {
    if exec.request.tty {
        return Ok((ExecStreams::Terminal, Ends { outputs: None, input: None }));
    }
    let (out, their_out) = streams::output_pipe()?;
    let (err, their_err) = streams::output_pipe()?;
    let (their_in, input) = streams::input_pipe(exec.stdin && !detach)?;
    Ok((ExecStreams::Pipes([their_in, their_out, their_err]), Ends { outputs: Some((out, err)), input }))
}

async fn run(app: &App, exec: &Arc<Exec>, body: &StartBody, request: &mut Request) -> ApiResult<Response> {
    let failed = |error: std::io::Error| ApiError::internal("cannot connect the exec's streams", error);
    let (client, ours) = UnixStream::pair().map_err(failed)?;
    let (tty, detach) = (exec.request.tty, body.detach.unwrap_or_default());
    let (given, ends) = make_streams(exec, detach).map_err(failed)?;
    let wanted = Wanted { stdin: exec.stdin, stdout: exec.stdout, stderr: exec.stderr, raw: tty };
    let content_type = if tty { RAW } else { FRAMED };
    let mut session = Session { stream: Some(client), wanted, history: None, detach: None };
    tell(app, exec, &format!("exec_start: {}", exec.request.args.join(" ")), &[]);
    let mut wants = exec.request.clone();
    wants.size = body.console_size.filter(|size| *size != [0, 0]).or(wants.size);
    let running = match app.containers.exec(&exec.container, wants, given).await {
        Ok(running) => running,
        Err(error) => {
            let (exit_code, error) = match error {
                ExecError::Program { message, exit_code } => (exit_code, ApiError::bad_request(message)),
                ExecError::Engine(error) => (126, error),
            };
            exec.state().exit_code = Some(exit_code);
            tell(app, exec, "exec_die", &[("exitCode", exit_code.to_string())]);
            if detach || error.status != StatusCode::BAD_REQUEST {
                return Err(error);
            }
            // As Docker: the client gets its stream, reads why on it, and asks for the exit code.
            session.wanted = Wanted { stdin: false, stdout: true, stderr: true, raw: tty };
            let response = hijack(request, session, content_type)?;
            tokio::spawn(streams::refuse(ours, error.message, tty));
            return Ok(response);
        }
    };
    let terminal = running.terminal.as_ref().map(|fd| fd.try_clone().map(Arc::new)).transpose().map_err(failed)?;
    {
        let mut state = exec.state();
        state.running = true;
        state.pid = running.pid;
        state.terminal = terminal;
    }
    tokio::spawn(serve(app.clone(), exec.clone(), running, ends, ours));
    if detach {
        return Ok(StatusCode::OK.into_response());
    }
    if tty {
        let (app, exec, keys) = (app.clone(), exec.clone(), DetachKeys::parse(Some(&exec.detach_keys))?);
        session.detach = Some(Detach { keys, then: Box::new(move || tell(&app, &exec, "exec_detach", &[])) });
    }
    hijack(request, session, content_type)
}

/// Carries the program's streams to its end, whether anyone reads them or not.
async fn serve(app: App, exec: Arc<Exec>, running: RunningExec, ends: Ends, ours: UnixStream) {
    let terminal = exec.state().terminal.clone();
    let (from_client, mut to_client) = ours.into_split();
    let feed = tokio::spawn(streams::feed(from_client, ends.input, terminal.clone()));
    let carried = async {
        match (ends.outputs, terminal) {
            (Some((out, err)), _) => streams::frames(out, err, &mut to_client).await,
            (None, Some(terminal)) => streams::raw(&terminal, &mut to_client).await,
            (None, None) => Ok(()),
        }
    };
    let ended = async {
        let code = running.wait().await.unwrap_or(137);
        // At once: what it has started may hold its output open for long.
        let mut state = exec.state();
        state.running = false;
        state.pid = 0;
        state.terminal = None;
        state.exit_code = Some(code);
        drop(state);
        tell(&app, &exec, "exec_die", &[("exitCode", code.to_string())]);
    };
    let ((), carried) = tokio::join!(ended, carried);
    if let Err(error) = carried {
        tracing::debug!(%error, "the output of an exec is not to be read");
    }
    feed.abort();
    // Last: whoever has read to the end asks for the exit code next.
    let _ = to_client.shutdown().await; // the client may have left
}
