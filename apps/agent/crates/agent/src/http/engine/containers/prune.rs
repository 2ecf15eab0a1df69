//! `POST /containers/prune`.
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::lifecycle::detached;
use crate::containers::record::Status;
use crate::containers::{Container, Filters};
use crate::error::ApiResult;
use crate::http::query::Params;
use crate::state::App;

/// Removes what has ended or never ran. Bytes are those of the writable layers.
pub async fn prune(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["label", "label!", "until"])?;
    let until = filters.until()?;
    let chosen = move |container: &Arc<Container>| {
        let record = container.record();
        matches!(container.state().status, Status::Created | Status::Exited)
            && until.is_none_or(|until| record.created < until)
            && filters.labels(&record.config.labels)
    };
    let (deleted, bytes) = detached(async move { Ok(remove_all(&app, chosen).await) }).await?;
    Ok(Json(json!({ "ContainersDeleted": deleted, "SpaceReclaimed": bytes })))
}

async fn remove_all(app: &App, chosen: impl Fn(&Arc<Container>) -> bool) -> (Vec<String>, u64) {
    let (mut deleted, mut bytes) = (Vec::new(), 0);
    for container in app.containers.list().into_iter().filter(chosen) {
        let (layers, snapshot) = (app.images.layers.clone(), container.id.clone());
        let usage = tokio::task::spawn_blocking(move || layers.snapshots().usage(&snapshot)).await;
        // Without force: one that was started meanwhile stays.
        match app.containers.remove(&container, false, false).await {
            Ok(()) => {
                bytes += usage.ok().and_then(Result::ok).map_or(0, |usage| usage.bytes);
                deleted.push(container.id.clone());
            }
            Err(error) => tracing::warn!(%error, container = %container.id, "not pruned"),
        }
    }
    app.events.publish("container", "prune", "", BTreeMap::from([("reclaimed".to_owned(), bytes.to_string())]));
    (deleted, bytes)
}
