//! A finished image as files, for whoever asked a build for them (`packages/contracts/src/agent/image-output.ts`):
//! `GET /slipway/v1/images/{reference}/archive?format=oci|docker` and `GET …/files`, each a tar that is written while it is
//! sent. `{reference}` is one segment, percent-encoded.
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use slipway_build::open_readonly;
use slipway_snapshot::Tree;
use slipway_store::{Platform, Reference};
use slipway_transfer::{ArchiveForm, ToSave, save};

use crate::body::produced;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::images::blocking;
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/images/{reference}/archive", get(archive)).route("/images/{reference}/files", get(files))
}

/// The archive carries the name that was asked for, or `name` instead of it; an image asked for by its id may have none.
async fn archive(State(app): State<App>, Path(reference): Path<String>, params: Params) -> ApiResult<Response> {
    let form = match params.text("format") {
        Some("oci") => ArchiveForm::Oci,
        Some("docker") => ArchiveForm::Docker,
        _ => return Err(ApiError::bad_request("format must be oci or docker")),
    };
    let image = app.images.resolve_any(&reference)?;
    let names = match params.text("name") {
        Some(name) => vec![Reference::parse(name)?],
        None => Reference::parse(&reference).ok().filter(|name| image.tags.contains(name)).into_iter().collect(),
    };
    let index = app.images.index(&reference);
    let layers = app.images.layers.clone();
    let body = produced("an image's archive", move |out| save(&layers, &[ToSave { image, names, index }], form, out));
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}

/// The root file system, all layers merged; `platform`: of that one in an index.
async fn files(State(app): State<App>, Path(reference): Path<String>, params: Params) -> ApiResult<Response> {
    let name = match params.text("platform") {
        Some(platform) => app.images.platform(&reference, &Platform::parse(platform)?)?,
        None => reference,
    };
    let image = app.images.for_reading(&name).await?;
    let layers = app.images.layers.clone();
    let tree = blocking({
        let image = image.clone();
        move || {
            let (_, links) = layers.lower(&image.diff_ids)?;
            // The empty one below: a single layer is no merged view of itself, its whiteouts would show.
            let (_, empty) = layers.lower(&[])?;
            let dirs: Vec<_> = links.iter().chain(&empty).map(|link| layers.link_dir().join(link)).collect();
            Ok(open_readonly(&dirs).map(Tree::new).map_err(slipway_snapshot::Error::io("/"))?)
        }
    })
    .await?;
    let body = produced("an image's files", move |out| {
        let written = tree.export(out);
        drop(image); // until here it is kept from being removed
        written
    });
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], body).into_response())
}
