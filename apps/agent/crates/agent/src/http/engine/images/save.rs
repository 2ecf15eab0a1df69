use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use slipway_store::{Image, Reference};
use slipway_transfer::save;

use crate::body::produced;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// `GET /images/get?names=…&names=…`
pub async fn save_named(State(app): State<App>, RawQuery(query): RawQuery) -> ApiResult<Response> {
    let query = query.unwrap_or_default();
    let names: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == "names")
        .flat_map(|(_, value)| value.split(',').map(str::to_string).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect();
    save_all(&app, &names)
}

/// An archive of images: asked for by name it carries that name, by id none. A failure in the middle breaks the stream off.
pub fn save_all(app: &App, names: &[String]) -> ApiResult<Response> {
    if names.is_empty() {
        return Err(ApiError::bad_request("no image was named"));
    }
    let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
    for name in names {
        let image = app.images.resolve(name)?;
        let reference = Reference::parse(name).ok().filter(|r| image.tags.contains(r));
        match images.iter_mut().find(|(i, _)| i.record.id == image.record.id) {
            Some((_, references)) => references.extend(reference),
            None => images.push((image, reference.into_iter().collect())),
        }
    }
    let store = app.images.store.clone();
    let body = produced("saving images", move |out| save(&store, &images, out));
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}
