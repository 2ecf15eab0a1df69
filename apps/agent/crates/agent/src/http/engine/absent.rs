//! What the Docker Engine API has and this engine has not: told in a sentence, so that nobody looks for a mistake of theirs.
use axum::body::Body;
use axum::extract::Path;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::{any, get};
use axum::{Json, Router};

use crate::error::ApiError;
use crate::state::App;

const CLUSTER: [&str; 6] = ["swarm", "nodes", "services", "tasks", "secrets", "configs"];

pub fn router() -> Router<App> {
    let mut router = Router::new()
        .route("/build", any(build))
        .route("/session", any(session))
        .route("/grpc", any(session))
        .route("/plugins", get(|| async { Json::<[(); 0]>([]) }))
        .route("/plugins/{*rest}", any(plugins));
    for name in CLUSTER {
        router = router.route(&format!("/{name}"), any(cluster)).route(&format!("/{name}/{{*rest}}"), any(cluster));
    }
    router
}

fn absent(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_IMPLEMENTED, message)
}

async fn cluster() -> ApiError {
    // The status dockerd gives outside of a swarm, which clients expect.
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This node is not a swarm manager: this engine runs the containers of one host. Slipway itself spreads applications over hosts.",
    )
}

async fn plugins(method: Method, Path(rest): Path<String>) -> ApiError {
    match rest.strip_suffix("/json") {
        // Clients that look for a name among all kinds of things (`docker inspect`) want to hear that it is not there.
        Some(name) if method == Method::GET => ApiError::not_found(format!("plugin {name:?} not found")),
        _ => absent("this engine takes no plugins; volumes have the driver local and networks the driver bridge"),
    }
}

async fn session() -> ApiError {
    absent("this engine has no BuildKit; images are built by Slipway's builder: POST /slipway/v1/builds, or deploy with Slipway")
}

async fn build(request: Request) -> ApiError {
    // A client that still sends its files would see a broken pipe instead of the reason.
    crate::body::discard(request.into_body()).await;
    absent(
        "this engine does not build Dockerfiles here; images are built by Slipway's builder: POST /slipway/v1/builds, or deploy with Slipway",
    )
}

/// A path that is there with another method.
pub async fn other_method(request: axum::http::Request<Body>) -> ApiError {
    let message = format!("this engine has no {} {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
