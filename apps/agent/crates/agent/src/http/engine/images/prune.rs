//! `POST /images/prune`.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use slipway_store::Image;

use super::list::created;
use crate::containers::Filters;
use crate::error::ApiResult;
use crate::http::engine::containers::detached;
use crate::http::query::Params;
use crate::state::App;

/// Images without a tag; with `dangling=false`, all that no container stands on. What a pull, build, load or save has in
/// its hands stays.
pub async fn prune(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["dangling", "label", "label!", "until"])?;
    let (all, until) = (filters.flag("dangling")? == Some(false), filters.until()?);
    detached(async move {
        let mut done = Vec::new();
        for image in app.images.store.images() {
            let old = until.is_none_or(|until| created(&image) < until / 1_000_000_000);
            if !old || !(all || image.tags.is_empty()) || !filters.labels(&image.record.labels) {
                continue;
            }
            let id = image.record.id;
            let exclusive = app.images.exclusively();
            if !exclusive.users_of(&id).is_empty() {
                continue;
            }
            // Looked at again: it may have got a name or a user since.
            match app.images.store.remove_idle_image(&id, !all) {
                Ok(Some(gone)) => tell(&app, &gone, &mut done),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, image = %id, "not pruned"),
            }
        }
        let reclaimed = app.images.collect().await?;
        let told = BTreeMap::from([("reclaimed".to_owned(), reclaimed.bytes.to_string())]);
        app.events.publish("image", "prune", "", told);
        let deleted = if done.is_empty() { Value::Null } else { json!(done) };
        Ok(Json(json!({ "ImagesDeleted": deleted, "SpaceReclaimed": reclaimed.bytes })))
    })
    .await
}

fn tell(app: &App, gone: &Image, done: &mut Vec<Value>) {
    let id = gone.record.id.to_string();
    for name in gone.tags.iter().chain(&gone.digests) {
        app.images.event("untag", &id, &id);
        done.push(json!({ "Untagged": name.familiar() }));
    }
    app.images.event("delete", &id, &id);
    done.push(json!({ "Deleted": id }));
}
