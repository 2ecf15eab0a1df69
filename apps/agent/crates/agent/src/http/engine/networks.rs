//! `/networks`.
use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slipway_runtime::clock;

use super::containers::lifecycle::detached;
use crate::containers::Filters;
use crate::containers::model::EndpointSettings;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::networks::record::Pool;
use crate::networks::{CreateNetwork, Network};
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/networks", get(list))
        .route("/networks/create", post(create))
        .route("/networks/prune", post(prune))
        .route("/networks/{id}", get(inspect).delete(remove))
        .route("/networks/{id}/connect", post(connect))
        .route("/networks/{id}/disconnect", post(disconnect))
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> ApiResult<T> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("invalid JSON: {error}")))
}

fn pool(pool: &Pool) -> Value {
    let mut value = json!({ "Subnet": pool.subnet.to_string(), "Gateway": pool.gateway.to_string() });
    if let Some(range) = pool.range {
        value["IPRange"] = json!(range.to_string());
    }
    if !pool.auxiliary.is_empty() {
        value["AuxiliaryAddresses"] = json!(pool.auxiliary);
    }
    value
}

fn describe(network: &Network, containers: Value) -> Value {
    json!({
        "Name": network.name,
        "Id": network.id,
        "Created": clock::rfc3339(network.created),
        "Scope": "local",
        "Driver": network.driver.name(),
        "EnableIPv4": true,
        "EnableIPv6": network.ipv6.is_some(),
        "IPAM": {
            "Driver": "default",
            "Options": network.ipam_options,
            "Config": network.ipv4.iter().chain(&network.ipv6).map(pool).collect::<Vec<_>>(),
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": containers,
        "Options": network.options,
        "Labels": network.labels,
    })
}

async fn list(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    let dangling = filters.flag("dangling")?;
    if let Some(kinds) = filters.get("type")
        && let Some(kind) = kinds.iter().find(|kind| !matches!(kind.as_str(), "custom" | "builtin"))
    {
        return Err(ApiError::bad_request(format!("invalid filter: 'type'='{kind}'")));
    }
    let fits = |network: &Network| {
        filters.any("name", |wanted| network.name.contains(wanted))
            && filters.any("id", |id| network.id.starts_with(id))
            && filters.any("driver", |driver| network.driver.name() == driver)
            && filters.any("scope", |scope| scope == "local")
            && filters.any("type", |kind| (kind == "builtin") == network.is_predefined())
            && filters.labels(&network.labels)
            && dangling.is_none_or(|dangling| dangling == (!network.is_predefined() && app.containers.members(network).is_empty()))
    };
    Ok(Json(app.networks.list().iter().filter(|network| fits(network)).map(|network| describe(network, json!({}))).collect()))
}

async fn inspect(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Json<Value>> {
    if params.text("scope").is_some_and(|scope| !matches!(scope, "" | "local")) {
        return Err(ApiError::not_found(format!("network {id} not found")));
    }
    let network = app.networks.get(&id)?;
    let members = app.containers.network_members(&network);
    Ok(Json(describe(&network, members)))
}

async fn create(State(app): State<App>, body: Bytes) -> ApiResult<(StatusCode, Json<Value>)> {
    let request: CreateNetwork = parse(&body)?;
    let network = detached(async move { app.networks.create(request).await }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": network.id, "Warning": "" }))))
}

async fn delete(app: App, id: String) -> ApiResult<()> {
    let containers = app.containers.clone();
    let active = move |network: &Network| containers.members(network).iter().map(|container| container.id.clone()).collect();
    detached(async move { app.networks.remove(&id, active).await }).await.map(drop)
}

async fn remove(State(app): State<App>, Path(id): Path<String>) -> ApiResult<StatusCode> {
    delete(app, id).await.map(|()| StatusCode::NO_CONTENT)
}

async fn prune(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["label", "label!", "until"])?;
    let until = filters.until()?;
    let mut deleted = Vec::new();
    for network in app.networks.list() {
        let used = || app.containers.list().iter().any(|container| app.containers.is_in(&container.record(), &network.name));
        let fits = until.is_none_or(|until| network.created < until) && filters.labels(&network.labels);
        if network.is_predefined() || !fits || used() {
            continue;
        }
        match delete(app.clone(), network.id.clone()).await {
            Ok(()) => deleted.push(network.name.clone()),
            Err(error) => tracing::warn!(%error, network = network.name, "not pruned"),
        }
    }
    app.events.publish("network", "prune", "", BTreeMap::from([("reclaimed".to_owned(), "0".to_owned())]));
    Ok(Json(json!({ "NetworksDeleted": deleted })))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ConnectBody {
    container: String,
    endpoint_config: Option<EndpointSettings>,
}

async fn connect(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> ApiResult<StatusCode> {
    let body: ConnectBody = parse(&body)?;
    app.networks.get(&id)?;
    let container = app.containers.get(&body.container)?;
    let containers = app.containers.clone();
    detached(async move { containers.connect(&container, &id, body.endpoint_config.unwrap_or_default()).await }).await?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DisconnectBody {
    container: String,
    /// Also when the container is gone; here none leaves an endpoint behind.
    force: bool,
}

async fn disconnect(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> ApiResult<StatusCode> {
    let body: DisconnectBody = parse(&body)?;
    app.networks.get(&id)?;
    let container = app.containers.get(&body.container).map_err(|error| match body.force && error.status == StatusCode::NOT_FOUND {
        true => ApiError::not_found(format!("endpoint {} not found", body.container)),
        false => error,
    })?;
    let containers = app.containers.clone();
    detached(async move { containers.disconnect(&container, &id).await }).await?;
    Ok(StatusCode::OK)
}
