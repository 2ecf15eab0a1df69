//! `GET /system/df` and `POST /build/prune`.
use std::collections::{BTreeMap, HashMap};

use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_build::{CacheRecord, RecordKind, Selection};
use slipway_runtime::clock;
use slipway_store::{Digest, Reference};
use std::time::Duration;

use crate::containers::Filters;
use crate::error::{ApiError, ApiResult};
use crate::http::query::{Params, parse_duration, parse_time};
use crate::http::slipway::build_cache as build_cache_api;
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
    let records = match wanted("build-cache") {
        true => {
            let builds = app.builds.clone();
            build_cache_api::blocking(move || builds.builder.cache(None, None)).await?.0
        }
        false => Vec::new(),
    };
    let mut answer = json!({ "LayersSize": if wanted("image") { ledger.images } else { 0 }, "BuilderSize": 0 });
    for (kind, key) in [("image", "Images"), ("container", "Containers"), ("volume", "Volumes"), ("build-cache", "BuildCache")] {
        answer[key] = match wanted(kind) {
            false => Value::Null,
            true => match kind {
                "image" => images(&app),
                "container" => containers(&app, &ledger),
                "volume" => volumes(&app, &ledger),
                _ => build_cache(&ledger, &records),
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

/// A row for each of the cache's records, and for what of the ledger belongs to none: their sizes, but for shared ones, are the
/// ledger's.
fn build_cache(ledger: &Ledger, records: &[CacheRecord]) -> Value {
    let mut parts: BTreeMap<&str, &ledger::Cached> = ledger.of_cache.iter().map(|part| (part.id.as_str(), part)).collect();
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let ids = match &record.layer {
            Some(layer) => vec![layer.descriptor.digest.hex(), layer.diff_id.hex()],
            None => vec![format!("{}/{}", record.scope, record.id)],
        };
        let own: Vec<u64> = ids.iter().filter_map(|id| parts.remove(id.as_str())).map(|part| part.bytes).collect();
        let nothing = record.kind == RecordKind::Layer && record.layer.is_none();
        let shared = own.is_empty() && !nothing;
        rows.push(json!({
            "ID": record.id.chars().take(64).collect::<String>(),
            "Type": if record.kind == RecordKind::Mount { "exec.cachemount" } else { "regular" },
            "Description": record.about.as_ref().map_or("", |about| about.text.as_str()),
            "InUse": record.in_use,
            "Shared": shared,
            "Size": if shared { record.bytes } else { own.iter().sum() },
            "CreatedAt": rfc3339_of(record.created_at),
            "LastUsedAt": rfc3339_of(record.last_used_at),
            "UsageCount": record.uses,
        }));
    }
    rows.extend(parts.into_values().map(|part| {
        json!({
            "ID": part.id,
            "Type": "internal",
            "Description": part.description,
            "InUse": false,
            "Shared": false,
            "Size": part.bytes,
            "CreatedAt": clock::rfc3339(part.made),
            "LastUsedAt": null,
            "UsageCount": 0,
        })
    }));
    rows.into()
}

fn rfc3339_of(milliseconds: u64) -> String {
    clock::rfc3339(i64::try_from(milliseconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// What only the build cache keeps. Builds under way hold what they use.
async fn prune_builds(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["until", "unused-for", "id", "type", "description", "inuse", "shared", "private"])?;
    let mut selection = Selection {
        // Its name since API 1.48, and before.
        keep_bytes: params.number("reserved-space")?.or(params.number("keep-storage")?).unwrap_or(0),
        ids: filters.get("id").map(<[String]>::to_vec),
        ..Selection::default()
    };
    if let Some(texts) = filters.get("description") {
        selection.text = texts.first().cloned();
    }
    for name in ["until", "unused-for"] {
        let Some([text]) = filters.get(name) else { continue };
        let age = parse_duration(text).or_else(|| Some(clock::now() - parse_time(text)?));
        let age =
            age.ok_or_else(|| ApiError::bad_request(format!("invalid filter '{name}={text}': give a time, or a duration like 24h")))?;
        selection.unused_for = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
    }
    match filters.get("type").map(|types| types.iter().map(String::as_str).collect::<Vec<_>>()).as_deref() {
        None => {}
        Some(["exec.cachemount"]) => selection.kind = Some(RecordKind::Mount),
        Some(["regular"]) => selection.kind = Some(RecordKind::Layer),
        // Of the other kinds that BuildKit has there are none here.
        Some(_) => selection.ids = Some(Vec::new()),
    }
    // What is in use always stays, and all of it is this host's own.
    if filters.flag("inuse")? == Some(true) || filters.flag("shared")? == Some(true) || filters.flag("private")? == Some(false) {
        selection.ids = Some(Vec::new());
    }
    let builds = app.builds.clone();
    let (pruned, reclaimed) = build_cache_api::blocking(move || builds.builder.prune(&selection, false)).await?;
    build_cache_api::tell(&app, reclaimed);
    let deleted: Vec<&str> = pruned.records.iter().map(|record| record.id.as_str()).collect();
    Ok(Json(json!({ "CachesDeleted": deleted, "SpaceReclaimed": reclaimed })))
}
