//! `GET /distribution/{name}/json`: what a registry has under a name, without pulling it.
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_store::Reference;

use super::images::credentials;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/distribution/{*rest}", get(inspect))
}

async fn inspect(State(app): State<App>, Path(rest): Path<String>, headers: HeaderMap) -> ApiResult<Json<Value>> {
    let Some(name) = rest.strip_suffix("/json") else {
        return Err(ApiError::not_found(format!("this engine has no GET /distribution/{rest}")));
    };
    let reference = Reference::parse(name)?;
    let found = app.images.client.distribution(&reference, credentials(&headers)?).await?;
    let platforms: Vec<Value> = found
        .platforms
        .iter()
        .map(|platform| {
            let mut told = json!({ "architecture": platform.architecture, "os": platform.os });
            if let Some(variant) = &platform.variant {
                told["variant"] = json!(variant);
            }
            told
        })
        .collect();
    let descriptor = json!({ "mediaType": found.descriptor.media_type, "digest": found.descriptor.digest, "size": found.descriptor.size });
    Ok(Json(json!({ "Descriptor": descriptor, "Platforms": platforms })))
}
