use std::cell::Cell;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use slipway_store::{Platform, Reference};
use slipway_transfer::{
    Answer, ChunkReader, ChunkSender, Credentials, Download, ImportOptions, Progress, Pull, Validators, chunks, import, redacted,
};

use super::stream::{Lines, respond};
use crate::body::{AHEAD, reader_of};
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
    /// Slipway's own: an image for another platform is named by its digest only.
    unnamed: bool,
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
                "unnamed" => parsed.unnamed = value == "1" || value == "true",
                "changes" => parsed.changes.extend(value.lines().filter(|l| !l.trim().is_empty()).map(str::to_string)),
                _ => {}
            }
        }
        parsed
    }

    fn platform(&self) -> ApiResult<Option<Platform>> {
        if self.platform.is_empty() { Ok(None) } else { Ok(Some(Platform::parse(&self.platform)?)) }
    }

    fn import_options(&self) -> ApiResult<ImportOptions> {
        let reference = if self.repo.is_empty() { None } else { Some(Reference::parse_with_tag(&self.repo, &self.tag)?) };
        let message = Some(self.message.clone()).filter(|message| !message.is_empty());
        Ok(ImportOptions { changes: self.changes.clone(), message, platform: self.platform()?, reference })
    }
}

/// Pulls (`fromImage`) or imports (`fromSrc`: `-`, and the body is the tar, or a URL of it).
pub async fn create(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap, body: Body) -> ApiResult<Response> {
    let query = CreateQuery::parse(query.as_deref().unwrap_or_default());
    match (query.from_image.as_str(), query.from_src.as_str()) {
        ("", "-") => import_body(app, &query, body).await,
        ("", "") => Err(ApiError::bad_request("one of fromImage and fromSrc is needed")),
        ("", url) => import_url(app, &query, url).await,
        _ => pull(app, &query, super::credentials(&headers)?).await,
    }
}

async fn import_body(app: App, query: &CreateQuery, body: Body) -> ApiResult<Response> {
    // Before anything can be refused: the rest of a refused body is drained by it.
    let reader = reader_of(body);
    let options = query.import_options()?;
    respond(move |lines| import_from(app, reader, options, lines)).await
}

async fn import_url(app: App, query: &CreateQuery, url: &str) -> ApiResult<Response> {
    // As dockerd reads it.
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let shown = redacted(&url);
    let mut options = query.import_options()?;
    options.message.get_or_insert_with(|| format!("Imported from {shown}"));
    respond(move |lines| async move {
        let Answer::Content(download) = app.images.downloader.open(&url, &Validators::default()).await? else {
            return Err(ApiError::bad_request(format!("{shown} answered that nothing changed, though nothing was known of it")));
        };
        lines.send(json!({ "status": format!("Downloading from {shown}") }));
        let (sender, reader) = chunks(AHEAD);
        let sending = forward(*download, sender, lines.clone());
        let importing = import_from(app, reader, options, lines);
        let (sent, imported) = tokio::join!(sending, importing);
        // The download's own failure says more than the archive that broke off because of it.
        sent?;
        imported
    })
    .await
}

const REPORT_EVERY: Duration = Duration::from_millis(100);

async fn forward(download: Download, to: ChunkSender, lines: Lines) -> ApiResult<()> {
    let (length, report) = (download.length, lines.reporter());
    let last = Cell::new(Instant::now());
    let progress = move |done: u64| {
        if last.get().elapsed() >= REPORT_EVERY || Some(done) == length {
            last.set(Instant::now());
            report(Progress { id: None, status: "Importing".into(), bytes: Some((done, length.unwrap_or(0))) });
        }
    };
    Ok(download.forward(to, progress).await?)
}

async fn import_from(app: App, reader: ChunkReader, options: ImportOptions, lines: Lines) -> ApiResult<()> {
    let layers = app.images.layers.clone();
    let image = blocking(move || import(&layers, reader, &options)).await?;
    let id = image.record.id.to_string();
    app.images.event("import", &id, &id);
    lines.send(json!({ "status": id }));
    Ok(())
}

async fn pull(app: App, query: &CreateQuery, credentials: Option<Credentials>) -> ApiResult<Response> {
    let reference = Reference::parse_with_tag(&query.from_image, &query.tag)?;
    let pull = Pull { reference, platform: query.platform()?, unnamed: query.unnamed, credentials };
    respond(move |lines| async move {
        let (name, short) = (pull.reference.familiar(), pull.reference.familiar_name());
        app.images.client.pull(&app.images.layers, pull, lines.reporter()).await?;
        app.images.event("pull", &name, &short);
        Ok(())
    })
    .await
}
