//! `/volumes`.
use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::containers::{Filters, new_id};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::http::version::ClientVersion;
use crate::state::App;
use crate::volumes::NewVolume;

pub fn router() -> Router<App> {
    Router::new()
        .route("/volumes", get(list))
        .route("/volumes/create", post(create))
        .route("/volumes/prune", post(prune))
        .route("/volumes/{name}", get(inspect).delete(remove))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CreateBody {
    name: Option<String>,
    driver: Option<String>,
    driver_opts: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
}

async fn list(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["dangling", "driver", "label", "label!", "name"])?;
    let dangling = filters.flag("dangling")?;
    let found: Vec<Value> = app
        .volumes
        .list()
        .into_iter()
        .filter(|volume| {
            filters.labels(&volume.labels)
                && filters.any("name", |name| volume.name.contains(name))
                && filters.any("driver", |driver| driver == "local")
        })
        .filter(|volume| dangling.is_none_or(|dangling| dangling != app.containers.uses_volume(&volume.name, None)))
        .map(|volume| volume.json())
        .collect();
    Ok(Json(json!({ "Volumes": found, "Warnings": null })))
}

async fn create(State(app): State<App>, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let body: CreateBody = if body.is_empty() {
        CreateBody::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))?
    };
    if let Some(driver) = body.driver.filter(|driver| !matches!(driver.as_str(), "" | "local")) {
        let why = format!("error looking up volume plugin {driver}: plugin \"{driver}\" not found");
        return Err(ApiError::not_found(format!("create {}: {why}", body.name.unwrap_or_default())));
    }
    let (name, anonymous) = match body.name.filter(|name| !name.is_empty()) {
        Some(name) => (name, false),
        None => (new_id()?, true),
    };
    let (labels, options) = (body.labels.unwrap_or_default(), body.driver_opts.unwrap_or_default());
    let volumes = app.volumes.clone();
    let made = tokio::task::spawn_blocking(move || volumes.ensure(NewVolume { name: &name, labels, anonymous, options }));
    let (volume, new) = made.await.map_err(|error| ApiError::internal("the creation was cut off", error))??;
    if new {
        app.events.publish("volume", "create", &volume.name, BTreeMap::from([("driver".into(), "local".into())]));
    }
    Ok((StatusCode::CREATED, Json(volume.json())))
}

async fn inspect(State(app): State<App>, Path(name): Path<String>) -> ApiResult<Json<Value>> {
    app.volumes.get(&name).map(|volume| Json(volume.json()))
}

async fn delete(app: &App, name: &str) -> ApiResult<()> {
    app.volumes.get(name)?;
    if app.containers.uses_volume(name, None) {
        let users: Vec<String> = app.containers.users_of(name).iter().map(|container| container.id.clone()).collect();
        return Err(ApiError::conflict(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
    }
    let (volumes, owned) = (app.volumes.clone(), name.to_owned());
    tokio::task::spawn_blocking(move || volumes.remove(&owned))
        .await
        .map_err(|error| ApiError::internal("the removal was cut off", error))??;
    app.events.publish("volume", "destroy", name, BTreeMap::from([("driver".into(), "local".into())]));
    Ok(())
}

async fn remove(State(app): State<App>, Path(name): Path<String>, params: Params) -> ApiResult<StatusCode> {
    match delete(&app, &name).await {
        Err(error) if error.status == StatusCode::NOT_FOUND && params.flag("force") => Ok(StatusCode::NO_CONTENT),
        other => other.map(|()| StatusCode::NO_CONTENT),
    }
}

/// The first version whose prune leaves volumes with a name of their own, unless `all` is asked for.
const PRUNE_SPARES_NAMED: (u32, u32) = (1, 42);

/// As Docker, which never prunes volumes with options either: what they mount is not the engine's.
async fn prune(State(app): State<App>, client: Option<Extension<ClientVersion>>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["all", "label", "label!"])?;
    let older = client.is_some_and(|Extension(version)| version.0 < PRUNE_SPARES_NAMED);
    let all = older || filters.flag("all")? == Some(true);
    let (mut deleted, mut bytes) = (Vec::new(), 0);
    for volume in app.volumes.list() {
        if volume.is_elsewhere()
            || !(all || volume.anonymous)
            || !filters.labels(&volume.labels)
            || app.containers.uses_volume(&volume.name, None)
        {
            continue;
        }
        let path = volume.path.clone();
        let usage = tokio::task::spawn_blocking(move || crate::ledger::du(&path)).await;
        match delete(&app, &volume.name).await {
            Ok(()) => {
                bytes += usage.ok().and_then(Result::ok).unwrap_or(0);
                deleted.push(volume.name);
            }
            Err(error) => tracing::warn!(%error, volume = volume.name, "not pruned"),
        }
    }
    app.events.publish("volume", "prune", "", BTreeMap::from([("reclaimed".to_owned(), bytes.to_string())]));
    Ok(Json(json!({ "VolumesDeleted": deleted, "SpaceReclaimed": bytes })))
}
