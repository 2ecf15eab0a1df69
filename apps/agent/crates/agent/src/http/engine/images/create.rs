use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use slipway_store::{Platform, Reference};
use slipway_transfer::{Credentials, ImportOptions, Pull, import};

use super::stream::respond;
use crate::body::reader_of;
use crate::error::{ApiError, ApiResult};
use crate::images::blocking;
use crate::state::App;

/// `POST /images/create`. Parsed by hand, because `changes` may come several times.
#[derive(Debug, Default)]
struct CreateQuery {
    from_image: String,
    from_src: String,
    repo: String,
    tag: String,
    message: String,
    platform: String,
    changes: Vec<String>,
}

impl CreateQuery {
    fn parse(query: &str) -> CreateQuery {
        let mut parsed = CreateQuery::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match key.as_ref() {
                "fromImage" => parsed.from_image = value,
                "fromSrc" => parsed.from_src = value,
                "repo" => parsed.repo = value,
                "tag" => parsed.tag = value,
                "message" => parsed.message = value,
                "platform" => parsed.platform = value,
                "changes" => parsed.changes.extend(value.lines().filter(|l| !l.trim().is_empty()).map(str::to_string)),
                _ => {}
            }
        }
        parsed
    }

    fn platform(&self) -> ApiResult<Option<Platform>> {
        if self.platform.is_empty() { Ok(None) } else { Ok(Some(Platform::parse(&self.platform)?)) }
    }
}

/// Pulls (`fromImage`) or imports (`fromSrc=-`, the body is the tar).
pub async fn create(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap, body: Body) -> ApiResult<Response> {
    let query = CreateQuery::parse(query.as_deref().unwrap_or_default());
    match (query.from_image.as_str(), query.from_src.as_str()) {
        ("", "-") => import_body(app, &query, body).await,
        ("", "") => Err(ApiError::bad_request("one of fromImage and fromSrc is needed")),
        ("", _) => Err(ApiError::bad_request("this engine imports from the request's body only: use fromSrc=-")),
        _ => pull(app, &query, super::credentials(&headers)?).await,
    }
}

async fn import_body(app: App, query: &CreateQuery, body: Body) -> ApiResult<Response> {
    // Before anything can be refused: the rest of a refused body is drained by it.
    let reader = reader_of(body);
    let reference = if query.repo.is_empty() { None } else { Some(Reference::parse_with_tag(&query.repo, &query.tag)?) };
    let options = ImportOptions {
        changes: query.changes.clone(),
        message: Some(query.message.clone()).filter(|m| !m.is_empty()),
        platform: query.platform()?,
        reference,
    };
    respond(move |lines| async move {
        let layers = app.images.layers.clone();
        let image = blocking(move || import(&layers, reader, &options)).await?;
        let id = image.record.id.to_string();
        app.images.event("import", &id, &id);
        lines.send(json!({ "status": id }));
        Ok(())
    })
    .await
}

async fn pull(app: App, query: &CreateQuery, credentials: Option<Credentials>) -> ApiResult<Response> {
    let reference = Reference::parse_with_tag(&query.from_image, &query.tag)?;
    let pull = Pull { reference, platform: query.platform()?, credentials };
    respond(move |lines| async move {
        let (name, short) = (pull.reference.familiar(), pull.reference.familiar_name());
        app.images.client.pull(&app.images.layers, pull, lines.reporter()).await?;
        app.images.event("pull", &name, &short);
        Ok(())
    })
    .await
}
