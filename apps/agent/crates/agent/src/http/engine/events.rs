//! `GET /events`.
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;
use slipway_runtime::clock;
use tokio::sync::broadcast::error::RecvError;

use crate::containers::Filters;
use crate::error::{ApiError, ApiResult};
use crate::events::Event;
use crate::http::query::Params;
use crate::state::App;

pub fn router() -> Router<App> {
    Router::new().route("/events", get(events))
}

fn passes(event: &Event, filters: &Filters) -> bool {
    let about = |kind: &'static str| {
        move |wanted: &str| {
            event.kind == kind && (event.id.starts_with(wanted) || event.attributes.get("name").is_some_and(|name| name == wanted))
        }
    };
    filters.any("type", |kind| event.kind == kind)
        // `health_status` also means `health_status: healthy`.
        && filters.any("event", |action| event.action == action || event.action.split(':').next() == Some(action))
        && filters.any("container", about("container"))
        && filters.any("image", |wanted| of_image(event, wanted))
        && filters.any("volume", about("volume"))
        && filters.any("network", about("network"))
        && filters.any("daemon", about("daemon"))
        && filters.any("scope", |scope| scope == "local")
        && filters.labels(&event.attributes)
}

/// By id or name, with or without the tag; events of containers by their image's.
fn of_image(event: &Event, wanted: &str) -> bool {
    let name = event.attributes.get(if event.kind == "image" { "name" } else { "image" }).map_or("", String::as_str);
    let untagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    name == wanted || untagged == wanted || (event.kind == "image" && event.id.starts_with(wanted))
}

async fn events(State(app): State<App>, params: Params) -> ApiResult<Response> {
    let filters = Filters::parse(params.text("filters"))?;
    filters.only(&["container", "daemon", "event", "image", "label", "label!", "network", "scope", "type", "volume"])?;
    let (since, until) = (params.time("since")?, params.time("until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        let text = |name| params.text(name).unwrap_or_default();
        let message = format!("`since` time ({}) cannot be after `until` time ({})", text("since"), text("until"));
        return Err(ApiError::bad_request(message));
    }
    let (past, live) = app.events.subscribe();
    let asked = since.or(until.map(|_| 0));
    let past: Vec<Event> = past.into_iter().filter(|event| asked.is_some_and(|since| event.time >= since)).collect();
    // Once: a wall clock that is set back a day later on must not keep the client for that day.
    let left = until.map(|until| Duration::from_nanos(u64::try_from(until - clock::now()).unwrap_or(0)));
    let end = left.and_then(|left| tokio::time::Instant::now().checked_add(left));
    let lines = stream::unfold((past.into_iter(), live, filters), move |(mut past, mut live, filters)| async move {
        loop {
            let event = match past.next() {
                Some(event) => event,
                None => {
                    let next = live.recv();
                    let next = match end {
                        Some(end) => tokio::time::timeout_at(end, next).await.ok()?,
                        None => next.await,
                    };
                    match next {
                        Ok(event) => event,
                        Err(RecvError::Lagged(lost)) => {
                            tracing::warn!(lost, "a client reads events too slowly");
                            continue;
                        }
                        Err(RecvError::Closed) => return None,
                    }
                }
            };
            if until.is_some_and(|until| event.time > until) {
                return None;
            }
            if passes(&event, &filters) {
                let line = Bytes::from(format!("{}\n", event.json()));
                return Some((Ok::<_, std::convert::Infallible>(line), (past, live, filters)));
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}
