use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use slipway_store::Digest;

use crate::network::body::{Broke, next_piece, root_cause};
use crate::network::tls::https;
use crate::registry::Registries;
use crate::{Error, Result};

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How often the patience for an answer's head a whole small body may take: five minutes for at most 4 MiB.
const SMALL_BODY_ANSWERS: u32 = 5;

/// How long a registry may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub answer: Duration,
    /// Between two pieces of a body, in either direction. Four times as long may pass with less than a kilobyte a second.
    pub stall: Duration,
    /// Before the first retry; doubles with each.
    pub back_off: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts { connect: seconds(10), answer: seconds(60), stall: seconds(30), back_off: Duration::from_millis(250) }
    }
}

/// Talks to registries. Cheap to clone; keeps connections open between requests.
#[derive(Clone)]
pub struct Client {
    http: HyperClient<HttpsConnector<HttpConnector>, Body>,
    pub(crate) registries: Registries,
    pub(crate) timeouts: Timeouts,
    /// One download per blob at a time; the second finds it in the store.
    downloads: Arc<Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>>,
}

impl Client {
    pub fn new(registries: Registries, timeouts: Timeouts) -> Client {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeouts.connect));
        let http = HyperClient::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(https(tcp));
        Client { http, registries, timeouts, downloads: Arc::default() }
    }

    /// One request and the head of its answer; no redirects, no login.
    pub(crate) async fn once(&self, host: &str, request: Request<Body>) -> Result<Response<Incoming>> {
        match tokio::time::timeout(self.timeouts.answer, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Error::Unreachable { host: host.to_string(), reason: root_cause(&error) }),
            Err(_) => Err(Error::Stalled { host: host.to_string(), seconds: self.timeouts.answer.as_secs() }),
        }
    }

    /// As [`Client::once`], for requests with a long body: the caller watches that it moves.
    pub(crate) async fn once_unwatched(&self, host: &str, request: Request<Body>) -> Result<Response<Incoming>> {
        self.http.request(request).await.map_err(|error| Error::Unreachable { host: host.to_string(), reason: root_cause(&error) })
    }

    /// The next piece of a body, or `None` at its end.
    pub(crate) async fn next_piece(&self, host: &str, body: &mut Incoming) -> Result<Option<Bytes>> {
        next_piece(body, self.timeouts.stall).await.map_err(|broke| match broke {
            Broke::Lost(reason) => Error::Unreachable { host: host.to_string(), reason },
            Broke::Stalled => Error::Stalled { host: host.to_string(), seconds: self.timeouts.stall.as_secs() },
        })
    }

    /// A whole small body. One that trickles in, never stalling and never done, is given up as a whole.
    pub(crate) async fn read_small(&self, host: &str, response: Response<Incoming>, limit: u64, what: &str) -> Result<Bytes> {
        let patience = self.timeouts.answer * SMALL_BODY_ANSWERS;
        match tokio::time::timeout(patience, self.read_all(host, response, limit, what)).await {
            Ok(read) => read,
            Err(_) => Err(Error::TooSlow { host: host.to_string(), what: what.to_string(), seconds: patience.as_secs() }),
        }
    }

    async fn read_all(&self, host: &str, response: Response<Incoming>, limit: u64, what: &str) -> Result<Bytes> {
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece(host, &mut body).await? {
            if (bytes.len() + piece.len()) as u64 > limit {
                return Err(slipway_store::Error::TooLarge { what: what.to_string(), limit }.into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    /// The lock of a blob's download.
    pub(crate) fn download_lock(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        downloads.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = downloads.get(digest).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        downloads.insert(*digest, Arc::downgrade(&lock));
        lock
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn text_header(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}
