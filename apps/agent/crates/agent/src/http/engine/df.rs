//! `GET /system/df` and `POST /build/prune`.
use std::collections::{BTreeMap, HashMap};

use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_runtime::clock;
use slipway_store::{Digest, Reference};

use crate::containers::Filters;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::ledger::{self, Ledger};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/system/df", get(df)).route("/build/prune", post(prune_builds))
}

const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];

async fn df(State(app): State<App>, RawQuery(query): RawQuery) -> ApiResult<Json<Value>> {
    let pairs = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let kinds: Vec<String> = pairs.filter(|(key, _)| key == "type").map(|(_, value)| value.into_owned()).collect();
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(ApiError::bad_request(format!("unknown object type: {unknown}")));
    }
    let wanted = |kind: &str| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind);
    let ledger = ledger::take(&app).await?;
    let mut answer = json!({ "LayersSize": if wanted("image") { ledger.images } else { 0 }, "BuilderSize": 0 });
    for (kind, key) in [("image", "Images"), ("container", "Containers"), ("volume", "Volumes"), ("build-cache", "BuildCache")] {
        answer[key] = match wanted(kind) {
            false => Value::Null,
            true => match kind {
                "image" => images(&app),
                "container" => containers(&app, &ledger),
                "volume" => volumes(&app, &ledger),
                _ => build_cache(&ledger),
            },
        };
    }
    Ok(Json(answer))
}

fn images(app: &App) -> Value {
    let (all, layers) = (app.images.store.images(), app.images.layers.list());
    let sizes: HashMap<Digest, u64> = layers.into_iter().map(|layer| (layer.diff_id, layer.size)).collect();
    let mut users: HashMap<Digest, usize> = HashMap::new();
    for image in &all {
        image
            .record
            .diff_ids
            .iter()
            .collect::<std::collections::HashSet<_>>()
            .into_iter()
            .for_each(|id| *users.entry(*id).or_default() += 1);
    }
    let names = |list: &[Reference]| list.iter().map(Reference::familiar).collect::<Vec<_>>();
    let entry = |image: &slipway_store::Image| {
        let shared = image.record.diff_ids.iter().filter(|id| users.get(*id).is_some_and(|users| *users > 1));
        json!({
            "Id": image.record.id,
            "ParentId": "",
            "RepoTags": names(&image.tags),
            "RepoDigests": names(&image.digests),
            "Created": super::images::list::created(image),
            "Size": image.record.size,
            "SharedSize": shared.filter_map(|id| sizes.get(id)).sum::<u64>(),
            "Labels": image.record.labels,
            "Containers": app.images.users_of(&image.record.id).len(),
        })
    };
    all.iter().map(entry).collect()
}

fn containers(app: &App, ledger: &Ledger) -> Value {
    let entry = |container: std::sync::Arc<crate::containers::Container>| {
        let own = ledger.of_containers.get(&container.id).copied().unwrap_or(0);
        let image = app.images.resolve(&container.record().image_id).map_or(0, |image| image.record.size);
        app.containers.summary(&container, Some((own, own + image)))
    };
    app.containers.list().into_iter().map(entry).collect()
}

fn volumes(app: &App, ledger: &Ledger) -> Value {
    let containers = app.containers.list();
    let entry = |volume: crate::volumes::Volume| {
        let users = containers.iter().filter(|container| container.record().mounts.iter().any(|mount| mount.name == volume.name)).count();
        let mut value = volume.json();
        value["UsageData"] = json!({ "Size": ledger.of_volumes.get(&volume.name).copied().unwrap_or(0), "RefCount": users });
        value
    };
    app.volumes.list().into_iter().map(entry).collect()
}

fn build_cache(ledger: &Ledger) -> Value {
    let entry = |part: &ledger::Cached| {
        json!({
            "ID": part.id,
            "Type": if part.description == ledger::CACHE_MOUNT { "exec.cachemount" } else { "regular" },
            "Description": part.description,
            "InUse": false,
            "Shared": false,
            "Size": part.bytes,
            "CreatedAt": clock::rfc3339(part.made),
            "LastUsedAt": null,
            "UsageCount": 0,
        })
    };
    ledger.of_cache.iter().map(entry).collect()
}

/// Everything that only the build cache keeps. Builds under way hold what they use.
async fn prune_builds(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    Filters::parse(params.text("filters"))?.only(&[])?;
    let events = app.events.clone();
    let reclaimed = tokio::task::spawn_blocking(move || app.builds.builder.prune()).await;
    let bytes = reclaimed
        .map_err(|error| ApiError::internal("the clean-up was cut off", error))?
        .map_err(|error| ApiError::internal("cannot empty the build cache", error))?;
    events.publish("builder", "prune", "", BTreeMap::from([("reclaimed".to_owned(), bytes.to_string())]));
    Ok(Json(json!({ "CachesDeleted": [], "SpaceReclaimed": bytes })))
}
