use axum::Router;

use crate::state::App;

pub fn router() -> Router<App> {
    Router::new()
}
