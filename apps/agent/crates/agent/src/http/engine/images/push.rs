use axum::response::Response;
use serde_json::json;
use slipway_store::Reference;
use slipway_transfer::{Credentials, Push};

use super::stream::respond;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// `POST /images/{name}/push?tag=`: one tag. A name that this machine does not have is an error before anything is sent.
pub async fn push(app: App, name: &str, tag: &str, credentials: Option<Credentials>) -> ApiResult<Response> {
    let reference = Reference::parse_with_tag(name, tag)?;
    if reference.digest().is_some() {
        return Err(ApiError::bad_request("an image is pushed under a tag, not under a digest"));
    }
    let missing = |_| ApiError::not_found(format!("An image does not exist locally with the tag: {}", reference.familiar_name()));
    let image = app.images.store.resolve(&reference.canonical()).map_err(missing)?;
    respond(move |lines| async move {
        let (name, short, tag) = (reference.familiar(), reference.familiar_name(), reference.tag_or_digest());
        let pushed = app.images.client.push(&app.images.layers, Push { image, reference, credentials }, lines.reporter()).await?;
        app.images.event("push", &name, &short);
        lines.send(
            json!({ "progressDetail": {}, "aux": { "Tag": tag, "Digest": pushed.digest, "Size": pushed.size, "BytesSent": pushed.moved } }),
        );
        Ok(())
    })
    .await
}
