//! `/containers/{id}/exec` and `/exec/{id}`.
mod start;
mod streams;

use std::sync::Mutex;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::containers::ExecRequest;
use crate::error::{ApiError, ApiResult};
use crate::execs::{Exec, ExecState};
use crate::http::query::Params;
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/containers/{id}/exec", post(create))
        .route("/exec/{id}/start", post(start::start))
        .route("/exec/{id}/json", get(inspect))
        .route("/exec/{id}/resize", post(resize))
}

/// Clients written in Go send `null` for what is not set.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CreateBody {
    attach_stdin: Option<bool>,
    attach_stdout: Option<bool>,
    attach_stderr: Option<bool>,
    tty: Option<bool>,
    privileged: Option<bool>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    detach_keys: Option<String>,
    console_size: Option<[u16; 2]>,
}

async fn create(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let container = app.containers.get(&id)?;
    let body: CreateBody = serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?;
    let args = body.cmd.filter(|args| !args.is_empty()).ok_or_else(|| ApiError::bad_request("No exec command specified"))?;
    crate::http::detach::DetachKeys::parse(body.detach_keys.as_deref())?;
    app.containers.can_exec(&container)?;
    let request = ExecRequest {
        args,
        env: body.env.unwrap_or_default(),
        cwd: body.working_dir.unwrap_or_default(),
        user: body.user.unwrap_or_default(),
        tty: body.tty.unwrap_or_default(),
        size: body.console_size.filter(|size| *size != [0, 0]),
        privileged: body.privileged.unwrap_or_default(),
    };
    let exec = app.execs.add(Exec {
        id: crate::containers::new_id()?,
        container,
        request,
        stdin: body.attach_stdin.unwrap_or_default(),
        stdout: body.attach_stdout.unwrap_or_default(),
        stderr: body.attach_stderr.unwrap_or_default(),
        detach_keys: body.detach_keys.unwrap_or_default(),
        state: Mutex::new(ExecState::default()),
    });
    tell(&app, &exec, &format!("exec_create: {}", exec.request.args.join(" ")), &[]);
    Ok((StatusCode::CREATED, Json(json!({ "Id": exec.id }))))
}

/// An event of the exec's container.
fn tell(app: &App, exec: &Exec, action: &str, more: &[(&str, String)]) {
    let mut attributes = vec![("execID", exec.id.clone())];
    attributes.extend_from_slice(more);
    app.containers.event(&exec.container, action, &attributes);
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
        "CanRemove": state.exit_code.is_some(),
        "DetachKeys": exec.detach_keys,
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
        Some(terminal) => streams::set_size(terminal, rows, columns),
        None => return Err(ApiError::conflict(format!("exec {id} has no terminal or is not running"))),
    }
    Ok(StatusCode::OK)
}
