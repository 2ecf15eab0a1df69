//! `GET /slipway/v1/health`; the shape is `agentHealth` of `packages/contracts`.
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/health", get(health))
}

async fn health(State(app): State<App>) -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "instance": app.instance, "containers": 0, "bridge": null }))
}
