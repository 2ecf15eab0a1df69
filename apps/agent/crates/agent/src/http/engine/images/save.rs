use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use slipway_store::{Image, ImageIndex, Platform, Reference};
use slipway_transfer::{ArchiveForm, ToSave, save};

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
    let mut images: Vec<ToSave> = Vec::new();
    for name in names {
        let image = app.images.resolve(name)?;
        has_platform(&image, name, platform.as_ref())?;
        let reference = Reference::parse(name).ok().filter(|r| image.tags.contains(r));
        // Asked for one platform, it is that one alone.
        let index = if platform.is_some() { None } else { app.images.index(name) };
        let digest = |index: &Option<ImageIndex>| index.as_ref().map(|index| index.descriptor.digest);
        let manifest = image.record.manifest.digest;
        match images.iter_mut().find(|one| one.image.record.manifest.digest == manifest && digest(&one.index) == digest(&index)) {
            Some(one) => one.names.extend(reference),
            None => images.push(ToSave { image, names: reference.into_iter().collect(), index }),
        }
    }
    for one in &images {
        let id = one.image.record.id.to_string();
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
