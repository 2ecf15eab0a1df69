use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use slipway_store::{Image, Platform, Reference};
use slipway_transfer::{ArchiveForm, save};

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
    let platform = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "platform").map(|(_, value)| value.into_owned());
    save_all(&app, &names, &platform.unwrap_or_default())
}

/// An archive of images: asked for by name it carries that name, by id none. A failure in the middle breaks the stream off.
pub fn save_all(app: &App, names: &[String], platform: &str) -> ApiResult<Response> {
    if names.is_empty() {
        return Err(ApiError::bad_request("no image was named"));
    }
    let platform = wanted(platform)?;
    let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
    for name in names {
        let image = app.images.resolve(name)?;
        has_platform(&image, name, platform.as_ref())?;
        let reference = Reference::parse(name).ok().filter(|r| image.tags.contains(r));
        match images.iter_mut().find(|(i, _)| i.record.id == image.record.id) {
            Some((_, references)) => references.extend(reference),
            None => images.push((image, reference.into_iter().collect())),
        }
    }
    for (image, _) in &images {
        let id = image.record.id.to_string();
        app.images.event("save", &id, &id);
    }
    let layers = app.images.layers.clone();
    let body = produced("saving images", move |out| save(&layers, &images, ArchiveForm::Both, out));
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

/// `platform`: JSON as an OCI descriptor has it, or `os/architecture[/variant]`.
fn wanted(platform: &str) -> ApiResult<Option<Platform>> {
    match platform {
        "" => Ok(None),
        json if json.starts_with('{') => {
            serde_json::from_str(json).map(Some).map_err(|error| ApiError::bad_request(format!("failed to parse platform: {error}")))
        }
        text => Ok(Some(Platform::parse(text)?)),
    }
}

fn has_platform(image: &Image, name: &str, wanted: Option<&Platform>) -> ApiResult<()> {
    let record = &image.record;
    let own =
        Platform { architecture: record.architecture.clone(), os: record.os.clone(), variant: record.variant.clone(), os_version: None };
    match wanted {
        Some(wanted) if !own.satisfies(wanted) => Err(ApiError::not_found(format!(
            "image with reference {name} was found but does not provide the specified platform ({}/{})",
            wanted.os, wanted.architecture
        ))),
        _ => Ok(()),
    }
}
