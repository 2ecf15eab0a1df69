//! `/slipway/v1`: what Docker has no word for.
pub mod build_cache;
pub mod build_policy;
pub mod builds;
pub mod contexts;
pub mod disk;
pub mod health;
pub mod images;
pub mod layers;
pub mod logs;
pub mod sbom;

use axum::Router;

use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
        .merge(health::router())
        .merge(builds::router())
        .merge(build_cache::router())
        .merge(build_policy::router())
        .merge(contexts::router())
        .merge(disk::router())
        .merge(logs::router())
        .merge(images::router())
        .merge(layers::router())
        .merge(sbom::router())
}
