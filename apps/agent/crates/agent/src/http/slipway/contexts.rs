//! `/slipway/v1/contexts`: uploads of build contexts, by what is not there yet (`slipway_build::contexts`).
//!
//! - `POST /contexts/missing?scope=…`: `{"trees": […], "blobs": […]}` in, what of it is missing out.
//! - `POST /contexts/objects?scope=…`: a stream of objects, as it is or with `Content-Encoding: gzip` or `zstd`.
//! - `POST /contexts/{tree}/commit?scope=…`: 200 when all of it is there; else 409 with `missing`.
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_build::contexts::{ContextError, ContextStore, Encoding, Missing};
use slipway_store::Digest;

use crate::body::reader_of;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

/// 100,000 digests.
const MAX_QUESTION: usize = 8 << 20;

pub fn router() -> Router<App> {
    Router::new()
        .route("/contexts/missing", post(missing).layer(DefaultBodyLimit::max(MAX_QUESTION)))
        .route("/contexts/objects", post(objects))
        .route("/contexts/{tree}/commit", post(commit))
}

async fn missing(State(app): State<App>, params: Params, body: Bytes) -> ApiResult<Json<Missing>> {
    let asked: Missing =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("the question is not valid: {error}")))?;
    let scope = scope(&params)?;
    work(&app, move |store| store.missing(&scope, &asked)).await?.map(Json).map_err(|error| api_error(&error))
}

async fn objects(State(app): State<App>, params: Params, headers: HeaderMap, body: Body) -> ApiResult<Json<Value>> {
    let scope = scope(&params)?;
    let encoding = match headers.get(header::CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or_default()) {
        "identity" => Encoding::Identity,
        "gzip" => Encoding::Gzip,
        "zstd" => Encoding::Zstd,
        _ => return Err(ApiError::bad_request("the stream may be as it is, or packed with gzip or zstd")),
    };
    let reader = reader_of(body);
    let stored = work(&app, move |store| store.receive(&scope, reader, encoding)).await?;
    stored.map(|bytes| Json(json!({ "stored": bytes }))).map_err(|error| api_error(&error))
}

async fn commit(State(app): State<App>, Path(tree): Path<String>, params: Params) -> ApiResult<Response> {
    let scope = scope(&params)?;
    let tree: Digest = tree.parse().map_err(|error| ApiError::bad_request(format!("{error}")))?;
    match work(&app, move |store| store.commit(&scope, &tree)).await? {
        Ok(committed) => Ok(Json(committed).into_response()),
        Err(ContextError::Incomplete(missing)) => {
            let message = "the context is not complete: send what is missing";
            Ok((StatusCode::CONFLICT, Json(json!({ "message": message, "missing": missing }))).into_response())
        }
        Err(error) => Err(api_error(&error)),
    }
}

fn scope(params: &Params) -> ApiResult<String> {
    let scope = params.text("scope").filter(|scope| (1..=200).contains(&scope.len()));
    scope.map(str::to_owned).ok_or_else(|| ApiError::bad_request("scope must have 1 to 200 characters"))
}

async fn work<T: Send + 'static>(app: &App, what: impl FnOnce(&ContextStore) -> T + Send + 'static) -> ApiResult<T> {
    let store = app.builds.builder.contexts().clone();
    let done = tokio::task::spawn_blocking(move || what(&store)).await;
    done.map_err(|error| ApiError::internal("the work on a context was cut off", error))
}

fn api_error(error: &ContextError) -> ApiError {
    match error {
        ContextError::Refused(text) => ApiError::bad_request(text),
        ContextError::Conflict(text) => ApiError::conflict(text),
        ContextError::Incomplete(_) => ApiError::conflict(error.to_string()),
        ContextError::Full(text) => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text),
        ContextError::Io(error) => ApiError::internal("cannot keep the build context", error),
    }
}
