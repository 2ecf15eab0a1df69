//! Untagging and deleting images, step by step as dockerd does it and in its words.
use std::collections::HashSet;

use axum::Json;
use serde_json::{Value, json};
use slipway_store::{Digest, Image, Reference};

use crate::error::{ApiError, ApiResult};
use crate::images::Exclusive;
use crate::state::App;

/// `DELETE /images/{name}`. A name is taken away alone; the image goes with its last name, unless a container stands on it.
pub async fn delete(app: &App, name: &str, force: bool, keep_content: bool) -> ApiResult<Json<Vec<Value>>> {
    let image = app.images.resolve(name)?;
    let mut done = Vec::new();
    let removed = {
        // Nobody begins to use the image between the look and the removal.
        let exclusive = app.images.exclusively();
        remove(app, &exclusive, &image, name, force, &mut done)?
    };
    if removed && !keep_content {
        let reclaimed = app.images.collect().await?;
        let gone: HashSet<Digest> = reclaimed.layers.into_iter().collect();
        done.extend(image.record.diff_ids.iter().rev().filter(|d| gone.contains(d)).map(|d| json!({ "Deleted": d })));
    }
    Ok(Json(done))
}

/// True when the image itself is gone, and not only a name.
fn remove(app: &App, exclusive: &Exclusive<'_>, image: &Image, name: &str, force: bool, done: &mut Vec<Value>) -> ApiResult<bool> {
    let mut names: Vec<Reference> = image.tags.iter().chain(&image.digests).cloned().collect();
    let named = Reference::parse(name).ok().filter(|reference| names.contains(reference));
    let users = exclusive.users_of(&image.record.id);
    let (id, short) = (image.record.id.to_string(), &image.record.id.hex()[..12]);
    match &named {
        Some(reference) => {
            if let Some(user) = users.first().filter(|_| !force && is_single(&names)) {
                return Err(ApiError::conflict(format!(
                    "conflict: unable to remove repository reference {name:?} (must force) - container {} is using its referenced image {short}",
                    short_id(&user.container)
                )));
            }
            untag(app, &id, reference, done)?;
            names.retain(|other| other != reference);
            // The digests of a repository go with its last tag.
            let same_repository = |other: &Reference| other.name() == reference.name();
            if reference.digest().is_none() && !names.iter().any(|other| other.digest().is_none() && same_repository(other)) {
                for digest in names.iter().filter(|other| same_repository(other)) {
                    untag(app, &id, digest, done)?;
                }
                names.retain(|other| !same_repository(other));
            }
            if !names.is_empty() {
                return Ok(false);
            }
            // An image that is used stays, without a name.
            if users.iter().any(|user| user.running || !force) {
                return Ok(false);
            }
        }
        None => {
            let conflict = |how: &str, why: String| ApiError::conflict(format!("conflict: unable to delete {short} ({how}) - {why}"));
            if let Some(user) = users.iter().find(|user| user.running) {
                let why = format!("image is being used by running container {}", short_id(&user.container));
                return Err(conflict("cannot be forced", why));
            }
            if !force && !is_single(&names) {
                return Err(conflict("must be forced", "image is referenced in multiple repositories".into()));
            }
            if let Some(user) = users.first().filter(|_| !force) {
                let why = format!("image is being used by stopped container {}", short_id(&user.container));
                return Err(conflict("must be forced", why));
            }
            for reference in &names {
                untag(app, &id, reference, done)?;
            }
        }
    }
    app.images.store.remove_image(&image.record.id)?;
    done.push(json!({ "Deleted": id }));
    app.images.event("delete", &id, &id);
    Ok(true)
}

/// One tag at most, and digests of its repository only.
fn is_single(names: &[Reference]) -> bool {
    let (digests, tags): (Vec<&Reference>, Vec<&Reference>) = names.iter().partition(|name| name.digest().is_some());
    if names.len() <= 1 {
        return true;
    }
    let repositories: HashSet<String> = digests.iter().map(|name| name.name()).collect();
    let first = tags.first().or(digests.first()).map(|name| name.name());
    tags.len() <= 1 && repositories.len() == 1 && first.is_some_and(|first| repositories.contains(&first))
}

fn untag(app: &App, id: &str, name: &Reference, done: &mut Vec<Value>) -> ApiResult<()> {
    app.images.store.untag(name)?;
    app.images.event("untag", id, id);
    done.push(json!({ "Untagged": name.familiar() }));
    Ok(())
}

fn short_id(container: &str) -> &str {
    container.get(..12).unwrap_or(container)
}
