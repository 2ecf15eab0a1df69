use std::collections::HashSet;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_store::{Digest, Image, Reference};

use super::list::{Filters, has_label};
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// `DELETE /images/{name}`: a name that is not the last takes only itself away; the last name, or an id, the image.
pub async fn delete(app: &App, name: &str, force: bool, keep_content: bool) -> ApiResult<Json<Vec<Value>>> {
    let image = app.images.resolve(name)?;
    let named = Reference::parse(name).ok().filter(|r| image.tags.contains(r) || image.digests.contains(r));
    let mut done = Vec::new();
    match named {
        Some(reference) if remaining(&image, &reference) > 0 => untag(app, &image, &reference, &mut done)?,
        named => {
            refuse_if_used(app, &image, name, force, named.is_some())?;
            remove(app, &image, &mut done)?;
            if !keep_content {
                let reclaimed = app.images.collect().await?;
                let gone: HashSet<Digest> = reclaimed.layers.into_iter().collect();
                let layers = image.record.diff_ids.iter().rev().filter(|d| gone.contains(d));
                done.extend(layers.map(|d| json!({ "Deleted": d })));
            }
        }
    }
    Ok(Json(done))
}

/// How many other tags would still name the image. Digests of a repository go with its last tag.
fn remaining(image: &Image, reference: &Reference) -> usize {
    let other_tags = image.tags.iter().filter(|t| *t != reference).count();
    if reference.digest().is_some() && other_tags == 0 { image.digests.len() - 1 } else { other_tags }
}

fn untag(app: &App, image: &Image, reference: &Reference, done: &mut Vec<Value>) -> ApiResult<()> {
    let mut names = vec![reference.clone()];
    if reference.digest().is_none() && !image.tags.iter().any(|t| t != reference && t.name() == reference.name()) {
        names.extend(image.digests.iter().filter(|d| d.name() == reference.name()).cloned());
    }
    for name in names {
        app.images.store.untag(&name)?;
        app.images.event("untag", &image.record.id.to_string(), &name.familiar());
        done.push(json!({ "Untagged": name.familiar() }));
    }
    Ok(())
}

fn refuse_if_used(app: &App, image: &Image, name: &str, force: bool, by_name: bool) -> ApiResult<()> {
    let short = &image.record.id.hex()[..12];
    let users = app.images.users_of(&image.record.id);
    if let Some(user) = users.iter().find(|u| u.running) {
        let container = short_id(&user.container);
        let what = if by_name { format!("remove repository reference \"{name}\"") } else { format!("delete {short}") };
        return Err(ApiError::conflict(format!(
            "conflict: unable to {what} (cannot be forced) - image is being used by running container {container}"
        )));
    }
    if force {
        return Ok(());
    }
    if let Some(user) = users.first() {
        let container = short_id(&user.container);
        return Err(ApiError::conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container {container}"
        )));
    }
    let repositories: HashSet<String> = image.tags.iter().map(Reference::name).collect();
    if !by_name && repositories.len() > 1 {
        return Err(ApiError::conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
        )));
    }
    Ok(())
}

fn short_id(container: &str) -> &str {
    container.get(..12).unwrap_or(container)
}

fn remove(app: &App, image: &Image, done: &mut Vec<Value>) -> ApiResult<()> {
    let id = image.record.id;
    app.images.store.remove_image(&id)?;
    done.extend(image.tags.iter().chain(&image.digests).map(|name| json!({ "Untagged": name.familiar() })));
    done.push(json!({ "Deleted": id }));
    app.images.event("delete", &id.to_string(), &id.to_string());
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PruneQuery {
    filters: String,
}

/// `POST /images/prune`: images without a tag; with `dangling=false`, all that no container stands on.
pub async fn prune(State(app): State<App>, Query(query): Query<PruneQuery>) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(&query.filters)?;
    let all = filters.get("dangling").iter().any(|v| !crate::http::query::truthy(v));
    let labels = filters.get("label");
    let mut done = Vec::new();
    for image in app.images.store.images() {
        let wanted = (all || image.tags.is_empty()) && labels.iter().all(|l| has_label(&image, l));
        if wanted && app.images.users_of(&image.record.id).is_empty() {
            remove(&app, &image, &mut done)?;
        }
    }
    let reclaimed = app.images.collect().await?;
    Ok(Json(json!({ "ImagesDeleted": done, "SpaceReclaimed": reclaimed.bytes })))
}
