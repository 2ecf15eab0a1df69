//! `POST /slipway/v1/builds`: a tar stream in, NDJSON events out. `DELETE /slipway/v1/builds/{id}`: cancels.
//! `POST /slipway/v1/builds/{id}/ssh/{ask}`: the client's answer to a `ssh` event, a message of the agent protocol without its length.
//!
//! The response starts when the whole request has arrived. A request or context that is not valid is answered like a
//! failed build, with one `error` event, so that clients have one way to learn of failures.
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use futures::stream;
use slipway_build::StartError;
use slipway_build::event::{BuildEvent, now_ms};
use slipway_build::ssh_agent::MAX_MESSAGE;
use tokio::sync::mpsc;

use crate::error::{ApiError, ApiResult};
use crate::heap::Burst;
use crate::http::engine::images::credentials;
use crate::state::App;

/// Shows a client that the connection lives, and this side when it does not.
const PING_EVERY: Duration = Duration::from_secs(10);

pub fn router() -> Router<App> {
    Router::new().route("/builds", post(start)).route("/builds/{id}", delete(cancel)).route("/builds/{id}/ssh/{ask}", post(answer_ssh))
}

async fn start(State(app): State<App>, request: Request) -> ApiResult<Response> {
    // For caches in registries, as for pulls and pushes; it comes in a header because the body is kept on the disk.
    let credentials = credentials(request.headers())?;
    let body = request.into_body().into_data_stream();
    let events = match app.builds.builder.start_as(body, credentials).await {
        Ok(events) => events,
        Err(StartError::Conflict(id)) => {
            return Err(ApiError::conflict(format!("build {id} is already running; cancel it or wait for its end")));
        }
        Err(StartError::Refused(error)) => {
            let (sender, events) = mpsc::channel(1);
            // The channel has room for one: this cannot fail.
            let _sent = sender.try_send(BuildEvent::from(&error));
            events
        }
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines(events))).into_response())
}

/// One line for each event. Dropped with the connection, and the receiver with it: that cancels the build.
fn lines(events: mpsc::Receiver<BuildEvent>) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((events, Burst), |(mut events, burst)| async move {
        let event = match tokio::time::timeout(PING_EVERY, events.recv()).await {
            Ok(event) => event?,
            Err(_) => BuildEvent::Ping { at: now_ms() },
        };
        let mut text = Vec::with_capacity(256);
        push_line(&mut text, &event);
        // What has gathered meanwhile goes out in the same write.
        while text.len() < 64 << 10
            && let Ok(event) = events.try_recv()
        {
            push_line(&mut text, &event);
        }
        Some((Ok(Bytes::from(text)), (events, burst)))
    })
}

fn push_line(text: &mut Vec<u8>, event: &BuildEvent) {
    match serde_json::to_writer(&mut *text, event) {
        Ok(()) => text.push(b'\n'),
        Err(error) => tracing::error!(%error, "a build event could not be written"),
    }
}

async fn cancel(State(app): State<App>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    if app.builds.builder.cancel(&id) { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found(format!("no build {id} is running"))) }
}

async fn answer_ssh(State(app): State<App>, Path((id, ask)): Path<(String, u64)>, message: Bytes) -> ApiResult<StatusCode> {
    if message.len() > MAX_MESSAGE {
        return Err(ApiError::bad_request("the answer of an SSH agent is too large"));
    }
    match app.builds.builder.answer_ssh(&id, ask, message.into()) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found(format!("no step of build {id} waits for the answer {ask}"))),
    }
}
