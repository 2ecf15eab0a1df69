//! ADD of a URL: what the file behind it is now, with as little traffic as the server allows, and its layer.
//!
//! The key of such a vertex is made of the content's checksum and date, so a mirror that serves the same bytes is a hit. What
//! a URL gave the last time is kept with the server's ETag and date: the server is asked whether that is still right, and with
//! `--checksum` it is not asked at all.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use slipway_transfer::{Answer, Download, Error, Validators, redacted};

use crate::build::{Build, blocking};
use crate::error::{BuildError, ErrorCode, Result, is_disk_full};
use crate::event::{BuildEvent, Status, Stream, VertexEvent, now_ms};
use crate::exec::short;
use crate::key;
use crate::plan::{HttpOp, Vertex};

/// The file behind a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `sha256:…`
    pub digest: String,
    /// Unix seconds; 0 when the server tells no date, as BuildKit has it.
    pub mtime: i64,
}

/// What a URL gave the last time; `downloads/` of the cache.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    content: Content,
    etag: Option<String>,
    last_modified: Option<String>,
}

#[derive(Debug)]
pub struct Fetched {
    pub content: Content,
    /// Where it was downloaded to; `None` when it need not be.
    pub file: Option<PathBuf>,
    /// When the download was told to have begun, in Unix milliseconds.
    pub told: Option<u64>,
}

/// Names what is known of a URL. With a checksum the place does not matter.
pub fn name(op: &HttpOp) -> String {
    key::download_name(op.checksum.as_deref().unwrap_or(&op.url))
}

/// Finds out what the URL has now; downloads it unless the cache has its layer.
///
/// # Errors
/// `DOWNLOAD_FAILED` naming the line, `DISK_FULL`, `CANCELED`, `INTERNAL`.
pub async fn fetch(build: &Arc<Build>, vertex: &Vertex, op: &HttpOp) -> Result<Fetched> {
    let known = known(build, op)?;
    if let (Some(known), Some(_)) = (&known, &op.checksum) {
        return Ok(Fetched { content: known.content.clone(), file: None, told: None });
    }
    tokio::select! {
        fetched = ask(build, vertex, op, known) => fetched,
        () = build.stop.cancelled() => Err(BuildError::canceled()),
    }
}

/// What the cache has a layer of.
fn known(build: &Build, op: &HttpOp) -> Result<Option<Known>> {
    if build.request.no_cache {
        return Ok(None);
    }
    let Some(known) = build.cache.recall::<Known>(&build.scopes, "downloads", &name(op)) else { return Ok(None) };
    let key = key::http_key(op, &known.content);
    let at_hand = build.cache.in_flight(&build.scopes, &key).is_some() || build.cache.lookup(&build.lease, &build.scopes, &key)?.is_some();
    Ok(at_hand.then_some(known))
}

async fn ask(build: &Arc<Build>, vertex: &Vertex, op: &HttpOp, known: Option<Known>) -> Result<Fetched> {
    let validators = known.as_ref().map(|known| Validators { etag: known.etag.clone(), last_modified: known.last_modified.clone() });
    let failed = |error: Error| download_error(vertex, op, &error);
    let answer = build.downloader.open(&op.url, &validators.unwrap_or_default()).await.map_err(failed)?;
    let download = match (answer, known) {
        (Answer::NotModified, Some(known)) => return Ok(Fetched { content: known.content, file: None, told: None }),
        (Answer::NotModified, None) => {
            return Err(failure(vertex, op, "the server says that nothing changed, though nothing was known of it"));
        }
        (Answer::Content(download), _) => download,
    };
    let told = tell(build, vertex, op, &download).await;
    let validators = download.validators.clone();
    let dir = build.dir.path().join("steps").join(&vertex.id);
    std::fs::create_dir_all(&dir).map_err(|error| BuildError::io("preparing a step's files", &error))?;
    let file = dir.join("download");
    let counted = build.uses.count(vertex, vec![dir], Vec::new());
    let saved = download.save(&file).await.map_err(failed)?;
    let (checked, of) = (build.clone(), vertex.clone());
    blocking(move || checked.check_disk(&of)).await?;
    drop(counted);
    let digest = saved.digest.to_string();
    if let Some(wanted) = op.checksum.as_ref().filter(|wanted| **wanted != digest) {
        return Err(failure(vertex, op, &format!("its content has the checksum {digest}, not {wanted}, as --checksum says")));
    }
    let content = Content { digest, mtime: validators.modified_at().unwrap_or(0) };
    let known = Known { content: content.clone(), etag: validators.etag, last_modified: validators.last_modified };
    build.cache.remember(&build.scopes, "downloads", &name(op), &known)?;
    Ok(Fetched { content, file: Some(file), told: Some(told) })
}

/// A download may take long: people see that it goes on.
async fn tell(build: &Build, vertex: &Vertex, op: &HttpOp, download: &Download) -> u64 {
    let event = VertexEvent::new(&vertex.id, Status::Running);
    let at = event.at;
    build.events.vertex(event).await;
    let size = download.length.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
    let data = format!("Downloading {}{size}\n", redacted(&op.url));
    build.events.send(BuildEvent::Log { id: vertex.id.clone(), at: now_ms(), stream: Stream::Stdout, data }).await;
    at
}

/// The layer: the file alone, mode 0600 and root's, as Docker has it.
///
/// # Errors
/// As [`fetch`]; the file is downloaded when it was not.
pub async fn make(build: &Arc<Build>, vertex: &Vertex, op: &HttpOp, fetched: Fetched) -> Result<PathBuf> {
    let (mut content, mut file) = (fetched.content, fetched.file);
    if file.is_none() {
        // The cache lost its layer in between.
        let again = tokio::select! {
            again = ask(build, vertex, op, None) => again?,
            () = build.stop.cancelled() => return Err(BuildError::canceled()),
        };
        if again.content.digest != content.digest {
            return Err(failure(vertex, op, "the file behind the URL changed while it was fetched; build again"));
        }
        (content, file) = (again.content, again.file);
    }
    let Some(file) = file else { return Err(BuildError::internal("fetching a URL", "there is no file")) };
    let upper = file.with_file_name("upper");
    let (name, mtime) = (op.filename.clone(), u64::try_from(content.mtime).unwrap_or(0));
    blocking(move || {
        let place = || {
            use std::os::unix::fs::PermissionsExt;
            std::fs::create_dir_all(&upper)?;
            let target = upper.join(name);
            std::fs::rename(&file, &target)?;
            let opened = std::fs::File::options().write(true).open(&target)?;
            opened.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            opened.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(mtime))?;
            Ok(upper)
        };
        place().map_err(|error: std::io::Error| BuildError::io("keeping a download", &error))
    })
    .await
}

fn failure(vertex: &Vertex, op: &HttpOp, text: &str) -> BuildError {
    let message = format!("`{}` (line {}) failed: {}: {text}.", short(vertex), vertex.line, redacted(&op.url));
    BuildError::new(ErrorCode::DownloadFailed, message)
}

fn download_error(vertex: &Vertex, op: &HttpOp, error: &Error) -> BuildError {
    match error {
        Error::Download(error) => failure(vertex, op, &error.to_string()),
        Error::Store(slipway_store::Error::DiskFull { .. }) => BuildError::disk_full(error.to_string()),
        Error::Store(slipway_store::Error::Io { source, .. }) if is_disk_full(source) => BuildError::disk_full(error.to_string()),
        _ => BuildError::internal("fetching a URL", error),
    }
}
