//! `POST /containers/{id}/wait`.
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;

use crate::containers::record::{State as ContainerState, Status};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub async fn wait(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let mut watch = container.watch();
    let now = container.state();
    let condition = params.text("condition").unwrap_or_default().to_owned();
    let done: Box<dyn Fn(&ContainerState) -> bool + Send + Sync> = match condition.as_str() {
        "" | "not-running" => Box::new(|state| !matches!(state.status, Status::Running | Status::Restarting)),
        "next-exit" => Box::new(move |state| state.ends > now.ends || state.removed),
        "removed" => Box::new(|state| state.removed),
        other => return Err(ApiError::bad_request(format!("invalid condition: {other:?}"))),
    };
    // The headers go out at once: `docker run` waits for them before it starts the container.
    let body = async move {
        let code = watch.wait_for(|state| done(state)).await.map_or(0, |state| state.exit_code);
        Ok::<_, std::convert::Infallible>(Bytes::from(format!("{}\n", json!({ "StatusCode": code }))))
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream::once(body))).into_response())
}
