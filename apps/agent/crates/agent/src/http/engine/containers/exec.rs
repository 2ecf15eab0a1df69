//! `/containers/{id}/exec` and `/exec/{id}`.
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_runtime::ExecStreams;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use super::logs::{FRAMED, RAW};
use crate::containers::{ExecError, ExecRequest};
use crate::error::{ApiError, ApiResult};
use crate::execs::{Exec, ExecState};
use crate::http::hijack::{Wanted, hijack};
use crate::http::query::Params;
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", post(start))
        .route("/exec/{id}/json", get(inspect))
        .route("/exec/{id}/resize", post(resize))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CreateBody {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    tty: bool,
    privileged: bool,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct StartBody {
    detach: bool,
    console_size: Option<[u16; 2]>,
}

async fn create(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let container = app.containers.get(&id)?;
    let body: CreateBody = serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?;
    let args = body.cmd.filter(|args| !args.is_empty()).ok_or_else(|| ApiError::bad_request("No exec command specified"))?;
    if !container.state().is_running() {
        return Err(ApiError::conflict(format!("container {} is not running", container.id)));
    }
    if container.state().paused {
        return Err(ApiError::conflict(format!("container {} is paused, unpause the container before exec", container.id)));
    }
    let request = ExecRequest {
        args,
        env: body.env.unwrap_or_default(),
        cwd: body.working_dir.unwrap_or_default(),
        user: body.user.unwrap_or_default(),
        tty: body.tty,
        privileged: body.privileged,
    };
    let exec = app.execs.add(Exec {
        id: crate::containers::new_id()?,
        container,
        request,
        stdin: body.attach_stdin,
        stdout: body.attach_stdout,
        stderr: body.attach_stderr,
        state: Mutex::new(ExecState::default()),
    });
    Ok((StatusCode::CREATED, Json(json!({ "Id": exec.id }))))
}

async fn start(State(app): State<App>, Path(id): Path<String>, mut request: Request) -> ApiResult<Response> {
    let exec = app.execs.get(&id)?;
    let body = std::mem::take(request.body_mut());
    let bytes = axum::body::to_bytes(body, 64 * 1024).await.map_err(|error| ApiError::bad_request(format!("invalid body: {error}")))?;
    let body: StartBody = if bytes.is_empty() {
        StartBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?
    };
    if std::mem::replace(&mut exec.state().started, true) {
        return Err(ApiError::conflict(format!("exec {id} has already run")));
    }
    run(&app, &exec, &body, &mut request).await
}

async fn run(app: &App, exec: &Arc<Exec>, body: &StartBody, request: &mut Request) -> ApiResult<Response> {
    let failed = |error: std::io::Error| ApiError::internal("cannot connect the exec's streams", error);
    let (client, ours) = UnixStream::pair().map_err(failed)?;
    let tty = exec.request.tty;
    let (streams, outputs, input) = match tty {
        true => (ExecStreams::Terminal, None, None),
        false => {
            let (out, their_out) = output_pipe().map_err(failed)?;
            let (err, their_err) = output_pipe().map_err(failed)?;
            let (their_in, input) = input_pipe(exec.stdin && !body.detach).map_err(failed)?;
            (ExecStreams::Pipes([their_in, their_out, their_err]), Some((out, err)), input)
        }
    };
    let wanted = Wanted { stdin: exec.stdin || tty, stdout: exec.stdout, stderr: exec.stderr, raw: tty };
    let content_type = if tty { RAW } else { FRAMED };
    let running = match app.containers.exec(&exec.container, exec.request.clone(), streams).await {
        Ok(running) => running,
        // As Docker: the client gets its stream, reads why on it, and asks for the exit code.
        Err(ExecError::Program { message, exit_code }) if !body.detach => {
            exec.state().exit_code = Some(exit_code);
            let response = hijack(request, client, Wanted { stdin: false, ..wanted }, content_type)?;
            tokio::spawn(refuse(ours, message, tty));
            return Ok(response);
        }
        Err(ExecError::Program { message, exit_code }) => {
            exec.state().exit_code = Some(exit_code);
            return Err(ApiError::bad_request(message));
        }
        Err(ExecError::Engine(error)) => {
            exec.state().exit_code = Some(126);
            return Err(error);
        }
    };
    let terminal = running.terminal.as_ref().map(|fd| fd.try_clone().map(Arc::new)).transpose().map_err(failed)?;
    if let (Some(terminal), Some([rows, columns])) = (&terminal, body.console_size) {
        set_size(terminal, rows, columns);
    }
    {
        let mut state = exec.state();
        state.running = true;
        state.pid = running.pid;
        state.terminal = terminal.clone();
    }
    let response = match body.detach {
        true => StatusCode::OK.into_response(),
        false => hijack(request, client, wanted, content_type)?,
    };
    let exec = exec.clone();
    tokio::spawn(async move {
        let (from_client, to_client) = ours.into_split();
        let feed = tokio::spawn(feed(from_client, input, terminal.clone()));
        let carried = async {
            match (outputs, terminal) {
                (Some((out, err)), _) => frames(out, err, to_client).await,
                (None, Some(terminal)) => raw(&terminal, to_client).await,
                (None, None) => Ok(()),
            }
        };
        let (code, carried) = tokio::join!(running.wait(), carried);
        if let Err(error) = carried {
            tracing::debug!(%error, "the client of an exec left");
        }
        feed.abort();
        let mut state = exec.state();
        state.running = false;
        state.pid = 0;
        state.terminal = None;
        state.exit_code = Some(code.unwrap_or(137));
    });
    Ok(response)
}

async fn refuse(mut client: UnixStream, message: String, raw: bool) {
    let text = format!("{message}\r\n");
    let mut frame = Vec::new();
    if !raw {
        frame.extend([2, 0, 0, 0]);
        frame.extend((text.len() as u32).to_be_bytes());
    }
    frame.extend(text.as_bytes());
    if let Err(error) = client.write_all(&frame).await {
        tracing::debug!(%error, "the client of an exec left");
    }
}

fn output_pipe() -> std::io::Result<(pipe::Receiver, OwnedFd)> {
    let (sender, receiver) = pipe::pipe()?;
    Ok((receiver, sender.into_blocking_fd()?))
}

fn input_pipe(wanted: bool) -> std::io::Result<(OwnedFd, Option<pipe::Sender>)> {
    if !wanted {
        return Ok((std::fs::File::open("/dev/null")?.into(), None));
    }
    let (sender, receiver) = pipe::pipe()?;
    Ok((receiver.into_blocking_fd()?, Some(sender)))
}

fn set_size(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = rustix::termios::tcsetwinsize(terminal, size); // the program may just have ended
}

/// Client to program.
async fn feed(mut client: tokio::net::unix::OwnedReadHalf, input: Option<pipe::Sender>, terminal: Option<Arc<OwnedFd>>) {
    let outcome = match (input, terminal) {
        (Some(mut input), _) => tokio::io::copy(&mut client, &mut input).await.map(drop),
        (None, Some(terminal)) => type_in(&mut client, &terminal).await,
        (None, None) => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an exec's input ended");
    }
}

async fn type_in(client: &mut tokio::net::unix::OwnedReadHalf, terminal: &OwnedFd) -> std::io::Result<()> {
    let terminal = async_terminal(terminal)?;
    let mut buffer = vec![0; 4_096];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let mut ready = terminal.writable().await?;
            if let Ok(written) = ready.try_io(|fd| rustix::io::write(fd.get_ref(), rest).map_err(Into::into)) {
                rest = &rest[written?..];
            }
        }
    }
}

fn async_terminal(terminal: &OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(terminal.as_fd(), true)?;
    slipway_sys::event::async_fd(terminal.try_clone()?)
}

async fn raw(terminal: &OwnedFd, mut client: tokio::net::unix::OwnedWriteHalf) -> std::io::Result<()> {
    let terminal = async_terminal(terminal)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut ready = terminal.readable().await?;
        match ready.try_io(|fd| rustix::io::read(fd.get_ref(), &mut buffer[..]).map_err(Into::into)) {
            // EIO: the last process closed its end.
            Ok(Ok(0) | Err(_)) => return client.shutdown().await,
            Ok(Ok(count)) => client.write_all(&buffer[..count]).await?,
            Err(_) => {}
        }
    }
}

/// Both outputs with Docker's frames; reads on when the client has left, so that the program is not stopped by it.
async fn frames(mut out: pipe::Receiver, mut err: pipe::Receiver, mut client: tokio::net::unix::OwnedWriteHalf) -> std::io::Result<()> {
    let (mut first, mut second) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut out_open, mut err_open, mut gone) = (true, true, false);
    while out_open || err_open {
        let (stream, data) = tokio::select! {
            count = out.read(&mut first), if out_open => {
                let count = count?;
                out_open = count > 0;
                (1, &first[..count])
            }
            count = err.read(&mut second), if err_open => {
                let count = count?;
                err_open = count > 0;
                (2, &second[..count])
            }
        };
        if data.is_empty() || gone {
            continue;
        }
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend((data.len() as u32).to_be_bytes());
        frame.extend(data);
        gone = client.write_all(&frame).await.is_err();
    }
    if gone { Ok(()) } else { client.shutdown().await }
}

async fn inspect(State(app): State<App>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    let exec = app.execs.get(&id)?;
    let state = exec.state();
    let (program, args) = exec.request.args.split_first().map(|(p, a)| (p.clone(), a.to_vec())).unwrap_or_default();
    Ok(Json(json!({
        "ID": exec.id,
        "ContainerID": exec.container.id,
        "Running": state.running,
        "ExitCode": state.exit_code,
        "Pid": state.pid,
        "OpenStdin": exec.stdin,
        "OpenStdout": exec.stdout,
        "OpenStderr": exec.stderr,
        "CanRemove": false,
        "DetachKeys": "",
        "ProcessConfig": {
            "tty": exec.request.tty,
            "entrypoint": program,
            "arguments": args,
            "privileged": exec.request.privileged,
            "user": exec.request.user,
        },
    })))
}

async fn resize(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<StatusCode> {
    let exec = app.execs.get(&id)?;
    let (rows, columns) = (params.number("h")?.unwrap_or(0), params.number("w")?.unwrap_or(0));
    match &exec.state().terminal {
        Some(terminal) => set_size(terminal, rows, columns),
        None => return Err(ApiError::conflict(format!("exec {id} has no terminal or is not running"))),
    }
    Ok(StatusCode::OK)
}
