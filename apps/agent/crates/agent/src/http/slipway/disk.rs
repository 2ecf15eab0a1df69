//! `GET /slipway/v1/disk`: bytes on disk by kind.
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use crate::error::ApiResult;
use crate::ledger::{self, Ledger};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/disk", get(disk))
}

async fn disk(State(app): State<App>) -> ApiResult<Json<Ledger>> {
    ledger::take(&app).await.map(Json)
}
