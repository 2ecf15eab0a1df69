//! `/containers`.
mod archive;
mod attach;
mod exec;
mod export;
pub mod lifecycle;
mod logs;
mod pause;
mod prune;
mod read;
mod stats;
mod top;
mod update;
mod wait;

pub use lifecycle::detached;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/containers/json", get(read::list))
        .route("/containers/create", post(lifecycle::create))
        .route("/containers/prune", post(prune::prune))
        .route("/containers/{id}", delete(lifecycle::remove))
        .route("/containers/{id}/json", get(read::inspect))
        .route("/commit", post(export::commit))
        .route("/containers/{id}/changes", get(export::changes))
        .route("/containers/{id}/export", get(export::export))
        .route("/containers/{id}/archive", get(archive::get).head(archive::head).put(archive::put))
        .route("/containers/{id}/top", get(top::top))
        .route("/containers/{id}/start", post(lifecycle::start))
        .route("/containers/{id}/stop", post(lifecycle::stop))
        .route("/containers/{id}/restart", post(lifecycle::restart))
        .route("/containers/{id}/kill", post(lifecycle::kill))
        .route("/containers/{id}/pause", post(pause::pause))
        .route("/containers/{id}/unpause", post(pause::unpause))
        .route("/containers/{id}/update", post(update::update))
        .route("/containers/{id}/rename", post(lifecycle::rename))
        .route("/containers/{id}/resize", post(lifecycle::resize))
        .route("/containers/{id}/wait", post(wait::wait))
        .route("/containers/{id}/logs", get(logs::logs))
        .route("/containers/{id}/attach", post(attach::attach))
        .route("/containers/{id}/attach/ws", get(attach::websocket))
        .route("/containers/{id}/stats", get(stats::stats))
        .merge(exec::router())
}
