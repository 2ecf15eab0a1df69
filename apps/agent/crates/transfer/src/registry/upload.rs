use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use slipway_store::{Descriptor, Store};
use tokio::sync::mpsc::channel;

use crate::registry::blob::short;
use crate::registry::client::{Body, full, text_header};
use crate::registry::pull::blocking;
use crate::registry::session::{Ask, Session};
use crate::{Error, Progress, Reporter, Result};

const PIECE: usize = 512 << 10;
const PIECES_AHEAD: usize = 4;

impl Session {
    /// Uploads a blob in one piece (distribution-spec, "POST then PUT").
    pub async fn upload(&self, store: &Store, blob: &Descriptor, report: Option<&Reporter>) -> Result<()> {
        let start = self
            .send(Ask { method: Method::POST, target: "blobs/uploads/", headers: &[(CONTENT_LENGTH, "0".into())], body: &|| full("") })
            .await?;
        if start.status() != StatusCode::ACCEPTED {
            return Err(self.protocol(&format!("it answered {} to the start of an upload", start.status())));
        }
        let location = text_header(start.headers(), LOCATION).ok_or_else(|| self.protocol("it started an upload without Location"))?;
        let url = self.resolve(&self.origin()?, location)?.to_string();
        let separator = if url.contains('?') { '&' } else { '?' };
        let target = format!("{url}{separator}digest={}", blob.digest);
        let headers = [(CONTENT_LENGTH, blob.size.to_string()), (CONTENT_TYPE, "application/octet-stream".to_string())];
        // A blob that is gone is our failure, not the registry's: found before the request starts.
        store.open_blob(&blob.digest)?;
        let sent = Arc::new(AtomicU64::new(0));
        let body = || file_body(store.clone(), blob.clone(), sent.clone());
        let ask = Ask { method: Method::PUT, target: &target, headers: &headers, body: &body };
        let finished = tokio::select! {
            finished = self.send(ask) => finished,
            stalled = self.watch(&sent, blob, report) => Err(stalled),
        };
        match finished {
            Ok(_) => Ok(()),
            Err(error) => {
                // If the blob is damaged, that is the cause: whatever the registry said about it.
                let (store, digest) = (store.clone(), blob.digest);
                blocking(move || Ok(store.verify_blob(&digest)?)).await?;
                Err(error)
            }
        }
    }

    /// Ends when nothing moved for too long. After the last byte the registry has longer, to store what it got.
    async fn watch(&self, sent: &AtomicU64, blob: &Descriptor, report: Option<&Reporter>) -> Error {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = sent.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
                if let Some(report) = report {
                    report(Progress::bytes(short(&blob.digest), "Pushing", now, blob.size));
                }
            }
            let patience = if now >= blob.size { self.client.timeouts.answer } else { self.client.timeouts.stall };
            if since.elapsed() > patience {
                return Error::Stalled { host: self.host.clone(), seconds: patience.as_secs() };
            }
        }
    }
}

/// The blob as a request body, read on a blocking thread.
fn file_body(store: Store, blob: Descriptor, sent: Arc<AtomicU64>) -> Body {
    let (sender, receiver) = channel::<io::Result<Bytes>>(PIECES_AHEAD);
    sent.store(0, Ordering::Relaxed);
    tokio::task::spawn_blocking(move || {
        let mut file = match store.open_blob(&blob.digest) {
            Ok(file) => file,
            Err(error) => {
                let _ = sender.blocking_send(Err(io::Error::other(error)));
                return;
            }
        };
        loop {
            let mut piece = vec![0; PIECE];
            let message = file.read(&mut piece).map(|n| {
                piece.truncate(n);
                Bytes::from(piece)
            });
            let last = !matches!(&message, Ok(piece) if !piece.is_empty());
            if matches!(&message, Ok(piece) if piece.is_empty()) || sender.blocking_send(message).is_err() || last {
                return;
            }
        }
    });
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) });
    let frames = pieces.map(move |piece| {
        piece.map(|bytes| {
            sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Frame::data(bytes)
        })
    });
    StreamBody::new(frames).boxed_unsync()
}
