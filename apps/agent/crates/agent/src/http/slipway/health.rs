//! `GET /slipway/v1/health` (the shape is `agentHealth` of `packages/contracts`) and `POST /slipway/v1/shutdown`.
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/health", get(health)).route("/shutdown", post(shutdown))
}

async fn health(State(app): State<App>) -> Json<Value> {
    let bridge = app.network.bridge();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "instance": app.instance,
        "containers": app.containers.running(),
        "downloadInside": app.config.file.download_inside,
        "bridge": { "name": bridge.name, "subnet": bridge.subnet.to_string() },
    }))
}

/// Stops every container, takes everything down, and ends the agent. Answers 202 at once; the socket goes last.
async fn shutdown(State(app): State<App>) -> StatusCode {
    app.shutdown.notify_one();
    StatusCode::ACCEPTED
}
