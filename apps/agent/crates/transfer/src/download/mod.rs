//! Fetches URLs on behalf of users (`docker import`, ADD in a Dockerfile): from the Internet only, unless the settings allow
//! more, with a limit on everything that a server decides. Dropping a future cancels.

mod error;
mod resolver;
mod target;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Body as _, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioExecutor;
use slipway_store::Digest;

use crate::channel::{ChunkReader, ChunkSender, chunks};
use crate::network::body::{Broke, next_piece, root_cause};
use crate::network::depth::plain_host;
use crate::network::pace::{Pace, STALLS};
use crate::network::place::Place;
use crate::network::tls::https;
use crate::{Error, Result};

pub use error::DownloadError;
use resolver::{Guard, GuardedResolver, LiesInside};
use target::Target;
pub use target::redacted;

const MAX_REDIRECTS: usize = 10;
const CHUNKS_AHEAD: usize = 16;
/// Longest ETag or date that is kept.
const MAX_VALIDATOR: usize = 1024;

/// What a server may take and send.
#[derive(Debug, Clone, Copy)]
pub struct DownloadLimits {
    pub connect: Duration,
    /// From the request to the head of the answer, for each redirect anew.
    pub answer: Duration,
    /// Between two pieces of a body; four times as long may pass with less than a kilobyte a second.
    pub stall: Duration,
    /// For all of it.
    pub total: Duration,
    pub bytes: u64,
}

impl Default for DownloadLimits {
    fn default() -> DownloadLimits {
        let seconds = Duration::from_secs;
        DownloadLimits { connect: seconds(10), answer: seconds(60), stall: seconds(30), total: seconds(3600), bytes: 16 << 30 }
    }
}

/// What is known of a URL from the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    /// As the server wrote it.
    pub last_modified: Option<String>,
}

/// Fetches URLs. Cheap to clone; keeps connections open between requests.
#[derive(Clone)]
pub struct Downloader {
    http: HyperClient<HttpsConnector<HttpConnector<GuardedResolver>>, Empty<Bytes>>,
    guard: Guard,
    limits: DownloadLimits,
}

/// The answer to [`Downloader::open`].
pub enum Answer {
    /// The server says that what is known is still right.
    NotModified,
    Content(Box<Download>),
}

/// A body that is coming.
pub struct Download {
    host: String,
    body: Incoming,
    limits: DownloadLimits,
    started: Instant,
    pace: Pace,
    received: u64,
    /// When the server tells it.
    pub length: Option<u64>,
    pub validators: Validators,
}

/// What [`Download::save`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    pub digest: Digest,
    pub size: u64,
}

impl Downloader {
    /// `inside`: addresses, networks (`10.0.0.0/8`) and host names inside this network that may be fetched from. None is by
    /// default; link-local ones never are.
    ///
    /// # Errors
    /// For a text that is none of these.
    pub fn new(inside: &[String], limits: DownloadLimits) -> Result<Downloader> {
        let parse = |text: &String| {
            let reason = "downloadInside takes addresses, networks like 10.0.0.0/8, and host names".to_string();
            Place::parse(text).ok_or_else(|| DownloadError::Url { url: text.clone(), reason })
        };
        let guard = Guard(inside.iter().map(parse).collect::<std::result::Result<_, _>>()?);
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver { inner: GaiResolver::new(), guard: guard.clone() });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits.connect));
        let http = HyperClient::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(https(tcp));
        Ok(Downloader { http, guard, limits })
    }

    /// Asks for a URL and follows its redirects; the body is still to come. With `known` the server may say that nothing
    /// changed.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn open(&self, url: &str, known: &Validators) -> Result<Answer> {
        let started = Instant::now();
        let mut target = Target::parse(url)?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&target)?;
            let response = self.ask(&target, known).await?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED {
                return Ok(Answer::NotModified);
            }
            if status.is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                let nowhere = || DownloadError::Redirect { host: target.host(), reason: "without saying where to".into() };
                target = target.resolve(location.ok_or_else(nowhere)?)?;
                continue;
            }
            if status != StatusCode::OK {
                let refused = DownloadError::Refused { host: target.host(), status: status.to_string(), code: status.as_u16() };
                return Err(refused.into());
            }
            return self.content(&target, response, known, started);
        }
        Err(DownloadError::Redirect { host: target.host(), reason: format!("more than {MAX_REDIRECTS} times") }.into())
    }

    fn content(&self, target: &Target, response: Response<Incoming>, known: &Validators, started: Instant) -> Result<Answer> {
        let validators = validators(response.headers());
        // Some servers answer in full all the same; a strong ETag names the content.
        if validators.etag.is_some() && validators.etag == known.etag && !validators.etag.as_deref().unwrap_or("W/").starts_with("W/") {
            return Ok(Answer::NotModified);
        }
        let body = response.into_body();
        let length = body.size_hint().exact();
        if length.is_some_and(|length| length > self.limits.bytes) {
            return Err(DownloadError::TooLarge { host: target.host(), limit: self.limits.bytes }.into());
        }
        let (host, limits) = (target.host(), self.limits);
        let download = Download { host, body, limits, started, pace: Pace::default(), received: 0, length, validators };
        Ok(Answer::Content(Box::new(download)))
    }

    /// Addresses that are written as such never reach the resolver.
    fn check(&self, target: &Target) -> Result<(), DownloadError> {
        let name = plain_host(&target.uri);
        match name.parse::<IpAddr>() {
            Ok(address) if !self.guard.allows(&name, address) => {
                Err(DownloadError::Inside { host: target.host(), address: address.to_string() })
            }
            _ => Ok(()),
        }
    }

    async fn ask(&self, target: &Target, known: &Validators) -> Result<Response<Incoming>, DownloadError> {
        let host = target.host();
        let mut request = Request::builder().uri(&target.uri).header(USER_AGENT, concat!("slipway-agent/", env!("CARGO_PKG_VERSION")));
        // What is hashed and kept is the file itself, not a form of it for the way.
        request = request.header(ACCEPT_ENCODING, "identity");
        for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if let Some(mut value) = target.basic.as_deref().and_then(|basic| HeaderValue::from_str(basic).ok()) {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let unreachable = |reason: String| DownloadError::Unreachable { host: host.clone(), reason };
        let request = request.body(Empty::new()).map_err(|error| unreachable(error.to_string()))?;
        match tokio::time::timeout(self.limits.answer, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match lies_inside(&error) {
                Some(address) => DownloadError::Inside { host, address: address.to_string() },
                None => unreachable(root_cause(&error)),
            }),
            Err(_) => Err(DownloadError::Stalled { host, seconds: self.limits.answer.as_secs() }),
        }
    }
}

fn lies_inside(error: &(dyn std::error::Error + 'static)) -> Option<IpAddr> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(LiesInside(address)) = error.downcast_ref() {
            return Some(*address);
        }
        cause = error.source();
    }
    None
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.filter(|value| !value.is_empty() && value.len() <= MAX_VALIDATOR).map(str::to_string)
    };
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

impl Validators {
    /// Unix seconds of the server's date; `None` when it told none, or one that is no HTTP date.
    pub fn modified_at(&self) -> Option<i64> {
        let time = httpdate::parse_http_date(self.last_modified.as_deref()?).ok()?;
        time.duration_since(std::time::UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok())
    }
}

impl Download {
    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let host = || self.host.clone();
        let (asked, window) = (Instant::now(), self.limits.stall * STALLS);
        let left = self.limits.total.checked_sub(self.started.elapsed());
        let too_slow = |seconds| DownloadError::TooSlow { host: host(), seconds };
        let Some(left) = left else { return Err(too_slow(self.limits.total.as_secs()).into()) };
        let piece = match tokio::time::timeout(left, next_piece(&mut self.body, self.limits.stall)).await {
            Err(_) => return Err(too_slow(self.limits.total.as_secs()).into()),
            Ok(Err(Broke::Stalled)) => return Err(DownloadError::Stalled { host: host(), seconds: self.limits.stall.as_secs() }.into()),
            Ok(Err(Broke::Lost(reason))) => return Err(DownloadError::Unreachable { host: host(), reason }.into()),
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(piece))) => piece,
        };
        self.received += piece.len() as u64;
        if self.received > self.limits.bytes {
            return Err(DownloadError::TooLarge { host: host(), limit: self.limits.bytes }.into());
        }
        if !self.pace.keeps_up(asked.elapsed(), piece.len() as u64, window) {
            return Err(too_slow(window.as_secs()).into());
        }
        Ok(Some(piece))
    }

    /// Sends the pieces on to a blocking reader; `progress` takes the bytes so far.
    ///
    /// # Errors
    /// As [`Download::next`]; the reader sees a stream that broke off.
    pub async fn forward(mut self, to: ChunkSender, progress: impl Fn(u64)) -> Result<()> {
        while let Some(piece) = self.next().await? {
            if !to.send(piece).await {
                // Whoever reads has ended, and tells why.
                return Ok(());
            }
            progress(self.received);
        }
        to.finish().await;
        Ok(())
    }

    /// Writes all of it into a new file and hashes it on the way. What a failure leaves there is the caller's to remove.
    ///
    /// # Errors
    /// As [`Download::next`], and when the file cannot be written.
    pub async fn save(self, file: &Path) -> Result<Saved> {
        let (sender, reader) = chunks(CHUNKS_AHEAD);
        let path = file.to_path_buf();
        let writing = tokio::task::spawn_blocking(move || write(reader, &path));
        let sent = self.forward(sender, |_| ()).await;
        let written = writing.await.map_err(|error| Error::Aborted(error.to_string()))?;
        // The download's own failure says more than the stream that broke off because of it.
        sent?;
        Ok(written.map_err(slipway_store::Error::io(file))?)
    }
}

fn write(mut reader: ChunkReader, path: &Path) -> std::io::Result<Saved> {
    let mut file = std::fs::File::create_new(path)?;
    let (mut hasher, mut size) = (slipway_store::Hasher::new(), 0);
    while let Some(chunk) = reader.next_chunk()? {
        file.write_all(&chunk)?;
        hasher.update(&chunk);
        size += chunk.len() as u64;
    }
    Ok(Saved { digest: hasher.finish(), size })
}
