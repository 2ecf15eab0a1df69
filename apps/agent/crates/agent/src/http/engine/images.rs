//! `/images/…`: list, inspect, history, create (pull and import), load, save, push, tag, delete, prune, search.
mod create;
mod delete;
mod inspect;
pub mod list;
mod load;
mod prune;
mod push;
mod save;
mod search;
mod stream;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use slipway_store::Reference;
use slipway_transfer::Credentials;

use crate::error::{ApiError, ApiResult};
use crate::http::query::truthy;
use crate::state::App;

/// Names of images contain slashes, so what follows `/images/` is taken whole and split from the end.
pub fn router() -> Router<App> {
    Router::new()
        .route("/images/json", get(list::list))
        .route("/images/create", post(create::create))
        .route("/images/get", get(save::save_named))
        .route("/images/load", post(load::load))
        .route("/images/prune", post(prune::prune))
        .route("/images/search", get(search::search))
        .route("/images/{*rest}", get(by_name).post(by_name).delete(by_name))
}

/// Query parameters of the routes below `/images/{name}/`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedQuery {
    repo: String,
    tag: String,
    force: String,
    noprune: String,
    platform: String,
}

async fn by_name(
    State(app): State<App>,
    method: Method,
    Path(rest): Path<String>,
    Query(query): Query<NamedQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let unknown = || ApiError::not_found(format!("this engine has no {method} /images/{rest}"));
    if method == Method::DELETE {
        return delete::delete(&app, &rest, truthy(&query.force), truthy(&query.noprune)).await.map(IntoResponse::into_response);
    }
    let (name, action) = rest.rsplit_once('/').ok_or_else(unknown)?;
    match (method.as_str(), action) {
        ("GET", "json") => inspect::inspect(&app, name).await.map(IntoResponse::into_response),
        ("GET", "history") => inspect::history(&app, name).await.map(IntoResponse::into_response),
        ("GET", "get") => save::save_all(&app, &[name.to_string()], &query.platform),
        ("POST", "push") => push::push(app, name, &query.tag, credentials(&headers)?).await,
        ("POST", "tag") => tag(&app, name, &query).map(IntoResponse::into_response),
        _ => Err(unknown()),
    }
}

fn tag(app: &App, name: &str, query: &NamedQuery) -> ApiResult<StatusCode> {
    let image = app.images.resolve(name)?;
    let reference = Reference::parse_with_tag(&query.repo, &query.tag)?;
    if reference.digest().is_some() {
        return Err(ApiError::bad_request("a tag cannot be a digest; give a name and a tag"));
    }
    // Another name of an index is one of all its platforms.
    let index = app.images.index(name);
    app.images.store.tag_index(&reference, &image.record.id, index)?;
    app.images.event("tag", &image.record.id.to_string(), &reference.familiar());
    Ok(StatusCode::CREATED)
}

pub fn credentials(headers: &HeaderMap) -> ApiResult<Option<Credentials>> {
    let header = headers.get("x-registry-auth").and_then(|v| v.to_str().ok()).unwrap_or_default();
    Ok(Credentials::from_header(header)?)
}
