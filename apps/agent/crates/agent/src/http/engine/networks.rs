//! `/networks`, to look at: the three networks there are.
use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::containers::Filters;
use crate::containers::inspect::{network_id, network_name};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/networks", get(list)).route("/networks/{id}", get(inspect))
}

fn describe(app: &App, name: &str) -> Value {
    let bridge = app.network.bridge();
    let driver = if name == "none" { "null" } else { name };
    let ipam = match name {
        "bridge" => json!([{ "Subnet": bridge.subnet.to_string(), "Gateway": bridge.gateway.to_string() }]),
        _ => json!([]),
    };
    let mut containers = Map::new();
    for container in app.containers.list().iter().filter(|c| c.state().is_running() && network_name(&c.record()) == name) {
        let state = container.state();
        let address = state.address.map(|address| format!("{address}/{}", bridge.subnet.prefix())).unwrap_or_default();
        let entry = json!({ "Name": container.name(), "EndpointID": network_id(&container.id, name), "MacAddress": state.mac, "IPv4Address": address, "IPv6Address": "" });
        containers.insert(container.id.clone(), entry);
    }
    let options = if name == "bridge" {
        json!({ "com.docker.network.bridge.default_bridge": "true", "com.docker.network.bridge.name": bridge.name, "com.docker.network.driver.mtu": bridge.mtu.to_string() })
    } else {
        json!({})
    };
    json!({
        "Name": name,
        "Id": network_id(&app.instance, name),
        "Created": "0001-01-01T00:00:00Z",
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": ipam },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigOnly": false,
        "Containers": containers,
        "Options": options,
        "Labels": {},
    })
}

const NETWORKS: [&str; 3] = ["bridge", "host", "none"];

async fn list(State(app): State<App>, params: Params) -> ApiResult<Json<Value>> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    let found = NETWORKS.iter().filter(|name| {
        filters.any("name", |wanted| name.contains(wanted)) && filters.any("id", |id| network_id(&app.instance, name).starts_with(id))
    });
    Ok(Json(found.filter(|_| filters.get("label").is_none()).map(|name| describe(&app, name)).collect()))
}

async fn inspect(State(app): State<App>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    let found = NETWORKS.iter().find(|name| **name == id || (!id.is_empty() && network_id(&app.instance, name).starts_with(&id)));
    found.map(|name| Json(describe(&app, name))).ok_or_else(|| ApiError::not_found(format!("network {id} not found")))
}
