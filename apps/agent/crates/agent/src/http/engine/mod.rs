//! The Docker Engine API, one file per resource.
pub mod absent;
pub mod auth;
pub mod containers;
pub mod df;
pub mod distribution;
pub mod events;
pub mod images;
pub mod networks;
pub mod system;
pub mod volumes;

use axum::Router;

use crate::state::App;

pub const API_VERSION: &str = "1.47";
pub const MIN_API_VERSION: &str = "1.24";

pub fn router() -> Router<App> {
    Router::new()
        .merge(system::router())
        .merge(auth::router())
        .merge(df::router())
        .merge(distribution::router())
        .merge(absent::router())
        .merge(containers::router())
        .merge(images::router())
        .merge(volumes::router())
        .merge(events::router())
        .merge(networks::router())
}
