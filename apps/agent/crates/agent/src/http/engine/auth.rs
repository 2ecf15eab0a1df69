//! `POST /auth`: `docker login` asks the engine whether a registry takes the credentials.
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_transfer::{Credentials, Error};

use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/auth", post(auth))
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    serveraddress: String,
    #[serde(flatten)]
    credentials: Credentials,
}

async fn auth(State(app): State<App>, Json(login): Json<Login>) -> ApiResult<Json<Value>> {
    let address = login.serveraddress.trim_start_matches("https://").trim_start_matches("http://");
    let host = match address.split('/').next().unwrap_or_default() {
        "" | "index.docker.io" => "docker.io",
        host => host,
    };
    match app.images.client.check_login(host, login.credentials).await {
        Ok(()) => Ok(Json(json!({ "Status": "Login Succeeded", "IdentityToken": "" }))),
        Err(Error::Denied { reason, .. }) => {
            Err(ApiError::new(StatusCode::UNAUTHORIZED, format!("Get \"{host}\": unauthorized: {reason}")))
        }
        Err(error @ Error::Login { .. }) => Err(ApiError::new(StatusCode::UNAUTHORIZED, error.to_string())),
        Err(error) => Err(error.into()),
    }
}
