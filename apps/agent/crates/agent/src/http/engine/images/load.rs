use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use slipway_transfer::silent;

use super::stream::respond;
use crate::body::reader_of;
use crate::error::ApiResult;
use crate::images::blocking;
use crate::state::App;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoadQuery {
    quiet: String,
}

/// `POST /images/load`: an archive of `docker save`, or an OCI layout in a tar.
pub async fn load(State(app): State<App>, Query(query): Query<LoadQuery>, body: Body) -> ApiResult<Response> {
    let reader = reader_of(body);
    respond(move |lines| async move {
        let layers = app.images.layers.clone();
        let report = if crate::http::query::truthy(&query.quiet) { silent() } else { lines.reporter() };
        let loaded = blocking(move || slipway_transfer::load(&layers, reader, &report)).await?;
        for image in loaded {
            let id = image.image.record.id.to_string();
            app.images.event("load", &id, &id);
            if image.references.is_empty() {
                lines.send(json!({ "stream": format!("Loaded image ID: {id}\n") }));
            }
            for name in image.references {
                lines.send(json!({ "stream": format!("Loaded image: {}\n", name.familiar()) }));
            }
        }
        // The spooled archive itself.
        app.images.collect().await?;
        Ok(())
    })
    .await
}
