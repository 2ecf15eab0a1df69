//! What is inside a layer that is nowhere unpacked: its blob comes as the request's body.
//!
//! - `POST /slipway/v1/layers/listing`: its entries and packages as one JSON document of columns, packed with gzip
//!   (`packages/contracts/src/agent/layer-listing.ts`).
//! - `POST /slipway/v1/layers/file?entry=<number>`: the content of one of its files. It breaks off when the layer has none.
//!
//! The blob may be as it is, or compressed by gzip or zstd.
use std::io::Write as _;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use slipway_sbom::Collector;
use slipway_snapshot::{Listed, ListedKind, ListingLimits, Look, copy_entry, list};
use tokio::sync::Semaphore;

use crate::body::{produced, reader_of};
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

pub fn router() -> Router<App> {
    // A layer is as large as it is: what is read of it has limits of its own.
    let unlimited = DefaultBodyLimit::disable();
    Router::new().route("/layers/listing", post(listing).layer(unlimited)).route("/layers/file", post(file).layer(unlimited))
}

/// Each may hold a program or a database of packages in memory, and keeps a core busy.
static LISTINGS: Semaphore = Semaphore::const_new(2);
static FILES: Semaphore = Semaphore::const_new(4);

async fn listing(body: Body) -> ApiResult<Response> {
    let _turn = LISTINGS.acquire().await.map_err(|error| ApiError::internal("the daemon is stopping", error))?;
    let reader = reader_of(body);
    let work = move || -> Result<Vec<u8>, slipway_snapshot::Error> {
        let mut packages = Packages::default();
        let entries = list(reader, ListingLimits::default(), &mut packages)?;
        document(&entries, packages.collector).map_err(slipway_snapshot::Error::Source)
    };
    let made = tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("the layer could not be listed", error))?;
    let bytes = made.map_err(|error| refused(&error))?;
    Ok(([(header::CONTENT_TYPE, "application/gzip")], bytes).into_response())
}

async fn file(params: Params, body: Body) -> ApiResult<Response> {
    let entry = params.text("entry").and_then(|text| text.parse().ok());
    let entry = entry.ok_or_else(|| ApiError::bad_request("entry must be the number of a file in the layer"))?;
    let turn = FILES.acquire().await.map_err(|error| ApiError::internal("the daemon is stopping", error))?;
    let reader = reader_of(body);
    let body = produced("a file of a layer", move |out| {
        let _turn = turn;
        copy_entry(reader, entry, ListingLimits::default(), out).map(drop)
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// 422 is the layer's fault and stays so; a stream that broke off may be whole the next time.
fn refused(error: &slipway_snapshot::Error) -> ApiError {
    match error {
        slipway_snapshot::Error::Source(cause) if cause.kind() == std::io::ErrorKind::TimedOut => {
            ApiError::new(StatusCode::REQUEST_TIMEOUT, error.to_string())
        }
        error => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    }
}

#[derive(Default)]
struct Packages {
    collector: Collector,
    mode: u32,
}

impl Look for Packages {
    fn wanted(&mut self, path: &str, mode: u32, size: u64) -> u64 {
        self.mode = mode;
        self.collector.wanted(path, mode, size)
    }

    fn take(&mut self, path: &str, bytes: Vec<u8>) {
        self.collector.take(path, self.mode, &bytes);
    }
}

/// Columns: numbers of one kind beside each other pack three times as well as objects do, and are read faster.
#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    paths: Vec<&'a str>,
    /// One letter per entry.
    kinds: String,
    modes: Vec<u32>,
    uids: Vec<u32>,
    gids: Vec<u32>,
    sizes: Vec<u64>,
    mtimes: Vec<i64>,
    entries: Vec<u32>,
    /// Index of the entry and its target.
    links: Vec<(usize, &'a str)>,
    /// 16 bytes for each file and hard link, in base64; zeros where it is not known.
    digests: String,
    packages: Vec<Package<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Package<'a> {
    r#type: &'a str,
    name: &'a str,
    version: &'a str,
    licence: Option<&'a str>,
    path: &'a str,
}

fn document(entries: &[Listed], collector: Collector) -> std::io::Result<Vec<u8>> {
    let (packages, notes) = collector.finish();
    let content = entries.iter().filter(|one| matches!(one.kind, ListedKind::File | ListedKind::HardLink));
    let digests: Vec<u8> = content.flat_map(|one| one.digest.unwrap_or_default()).collect();
    let column = |of: fn(&Listed) -> u32| entries.iter().map(of).collect();
    let document = Document {
        v: 1,
        paths: entries.iter().map(|one| one.path.as_str()).collect(),
        kinds: entries.iter().map(|one| letter(one.kind)).collect(),
        modes: column(|one| one.mode),
        uids: column(|one| one.uid),
        gids: column(|one| one.gid),
        sizes: entries.iter().map(|one| one.size).collect(),
        mtimes: entries.iter().map(|one| one.mtime).collect(),
        entries: column(|one| one.ordinal),
        links: entries.iter().enumerate().filter_map(|(at, one)| Some((at, one.link.as_deref()?))).collect(),
        digests: BASE64_STANDARD.encode(digests),
        packages: packages
            .iter()
            .map(|one| Package {
                r#type: one.kind.name(),
                name: &one.name,
                version: &one.version,
                licence: one.licence.as_deref(),
                path: &one.path,
            })
            .collect(),
        notes,
    };
    let mut out = GzEncoder::new(Vec::new(), Compression::new(6));
    serde_json::to_writer(std::io::BufWriter::new(&mut out), &document)?;
    out.flush()?;
    out.finish()
}

fn letter(kind: ListedKind) -> char {
    match kind {
        ListedKind::Whiteout => 'w',
        ListedKind::Opaque => 'o',
        ListedKind::Directory => 'd',
        ListedKind::File => 'f',
        ListedKind::HardLink => 'h',
        ListedKind::Symlink => 'l',
        ListedKind::Char => 'c',
        ListedKind::Block => 'b',
        ListedKind::Fifo => 'p',
    }
}
