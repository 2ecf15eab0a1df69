//! `GET /slipway/v1/containers/{id}/logs`: a page of the log, with a cursor to the next.
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};

use crate::containers::logs::{Page, parse_cursor, read_page};
use crate::containers::record::log_path;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

const USUAL_LINES: usize = 500;
const MOST_LINES: usize = 10_000;

pub fn router() -> Router<App> {
    Router::new().route("/containers/{id}/logs", get(page))
}

/// `limit` lines: the last ones, or with `after=<cursor>` those that follow.
async fn page(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Json<Page>> {
    let path = log_path(&app.containers.get(&id)?.dir);
    let invalid = |text: &str| ApiError::bad_request(format!("invalid cursor {text:?}: give back the `next` of an earlier page"));
    let after = params.text("after").map(|text| parse_cursor(text).ok_or_else(|| invalid(text))).transpose()?;
    let limit = params.number("limit")?.unwrap_or(USUAL_LINES).clamp(1, MOST_LINES);
    let read = tokio::task::spawn_blocking(move || read_page(&path, after, limit)).await.map_err(std::io::Error::other);
    read.and_then(|page| page).map(Json).map_err(|error| ApiError::internal("cannot read the log", error))
}
