use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Lease};

use crate::channel::{ChunkReader, ChunkSender, chunks};
use crate::network::pace::{Pace, STALLS, wanted};
use crate::registry::client::text_header;
use crate::registry::session::{Session, header_number, is_transient};
use crate::{Error, Progress, Reporter, Result};

const CHUNKS_AHEAD: usize = 32;
/// Attempts without any progress before giving up.
const MAX_FRUITLESS: u32 = 5;
/// And in all: a registry that breaks off after every byte must not keep us for ever.
const MAX_ATTEMPTS: u32 = 50;
const REPORT_EVERY_MS: u128 = 100;
impl Session {
    /// Brings a blob into the store, held by the lease, and with `unpack` also unpacks it as it streams by.
    pub async fn fetch_blob(
        &self,
        layers: &Layers,
        lease: &Arc<Lease>,
        blob: &Descriptor,
        unpack: Option<Digest>,
        report: &Reporter,
    ) -> Result<()> {
        let (sender, reader) = chunks(CHUNKS_AHEAD);
        let sink = {
            let (layers, lease, blob) = (layers.clone(), lease.clone(), blob.clone());
            tokio::task::spawn_blocking(move || receive(&layers, &lease, reader, &blob, unpack.as_ref()))
        };
        let sent = self.download(blob, sender, report).await;
        let received = sink.await.map_err(|e| Error::Aborted(e.to_string()))?;
        match (sent, received) {
            // The download's own failure says more than the stream that broke off because of it.
            (Err(error), _) => Err(error),
            (Ok(()), received) => received,
        }
    }

    async fn download(&self, blob: &Descriptor, sender: ChunkSender, report: &Reporter) -> Result<()> {
        let received = AtomicU64::new(0);
        let (mut fruitless, mut attempts, mut pace) = (0, 0, Pace::default());
        loop {
            let before = received.load(Ordering::Relaxed);
            match self.download_from(blob, before, &received, &mut pace, &sender, report).await {
                Ok(()) => {
                    sender.finish().await;
                    return Ok(());
                }
                Err(error) => {
                    attempts += 1;
                    fruitless = if received.load(Ordering::Relaxed) > before { 0 } else { fruitless + 1 };
                    if !is_transient(&error) || fruitless >= MAX_FRUITLESS || attempts >= MAX_ATTEMPTS {
                        return Err(error);
                    }
                    tracing::warn!(digest = %blob.digest, at = before, %error, "a download broke off; trying again");
                    tokio::time::sleep(self.client.timeouts.back_off * 2u32.pow(fruitless.min(6))).await;
                }
            }
        }
    }

    /// Sends the blob's bytes from `start` on. Whoever receives too many, too few or wrong ones notices.
    async fn download_from(
        &self,
        blob: &Descriptor,
        start: u64,
        received: &AtomicU64,
        pace: &mut Pace,
        sender: &ChunkSender,
        report: &Reporter,
    ) -> Result<()> {
        if start > blob.size {
            return Err(slipway_store::Error::SizeMismatch { expected: blob.size, actual: start }.into());
        }
        if start > 0 && start == blob.size {
            return Ok(());
        }
        let headers = if start > 0 { vec![(RANGE, format!("bytes={start}-"))] } else { Vec::new() };
        let response = self.get(&format!("blobs/{}", blob.digest), &headers).await?;
        let resumed = response.status() == StatusCode::PARTIAL_CONTENT;
        if resumed && !text_header(response.headers(), CONTENT_RANGE).unwrap_or_default().starts_with(&format!("bytes {start}-")) {
            return Err(self.protocol("it sent another range than the one that was asked for"));
        }
        // Without range support the blob comes from its start; what we have is skipped.
        let mut skip = if resumed { 0 } else { start };
        let length = header_number(response.headers(), CONTENT_LENGTH);
        let expected = if resumed { blob.size - start } else { blob.size };
        if let Some(actual) = length.filter(|l| *l != expected) {
            return Err(slipway_store::Error::SizeMismatch { expected, actual }.into());
        }
        let mut body = response.into_body();
        let mut reported = Instant::now();
        loop {
            let asked = Instant::now();
            let came = self.client.next_piece(&self.host, &mut body).await;
            let (window, length) =
                (self.client.timeouts.stall * STALLS, came.as_ref().map_or(0, |piece| piece.as_ref().map_or(0, Bytes::len)));
            if !matches!(came, Ok(None)) && !pace.keeps_up(asked.elapsed(), length as u64, window) {
                let what = format!("{} bytes of a layer or config", wanted(window));
                return Err(Error::TooSlow { host: self.host.clone(), what, seconds: window.as_secs() });
            }
            let Some(mut piece) = came? else { return Ok(()) };
            let dropped = skip.min(piece.len() as u64);
            skip -= dropped;
            let piece = piece.split_off(dropped as usize);
            if piece.is_empty() {
                continue;
            }
            let length = piece.len() as u64;
            if !sender.send(piece).await {
                // Whoever stores it has ended, and tells why.
                return Ok(());
            }
            let done = received.fetch_add(length, Ordering::Relaxed) + length;
            if reported.elapsed().as_millis() >= REPORT_EVERY_MS {
                reported = Instant::now();
                report(Progress::bytes(short(&blob.digest), "Downloading", done, blob.size));
            }
        }
    }
}

/// The blocking side: each chunk goes to the blob's file and hash, and to the unpacker on a thread of its own.
fn receive(layers: &Layers, lease: &Lease, mut reader: ChunkReader, blob: &Descriptor, unpack: Option<&Digest>) -> Result<()> {
    let mut writer = layers.store().writer(lease)?.limit(blob.size);
    let broke_off = |error: std::io::Error| Error::Aborted(error.to_string());
    let Some(diff_id) = unpack else {
        while let Some(chunk) = reader.next_chunk().map_err(broke_off)? {
            writer.append(&chunk)?;
        }
        writer.commit(Some(&blob.digest), Some(blob.size))?;
        return Ok(());
    };
    std::thread::scope(|scope| {
        let (sender, unpacker) = chunks(CHUNKS_AHEAD);
        let unpacking = scope.spawn(move || layers.unpack(lease, unpacker, &blob.media_type, diff_id));
        let mut listening = true;
        while let Some(chunk) = reader.next_chunk().map_err(broke_off)? {
            writer.append(&chunk)?;
            // The unpacker stops listening when it failed, or when the layer is there already; the blob is wanted anyway.
            listening = listening && sender.blocking_send(chunk);
        }
        sender.blocking_finish();
        writer.commit(Some(&blob.digest), Some(blob.size))?;
        let unpacked = unpacking.join().map_err(|_| Error::Aborted("the unpacking thread ended early".into()))?;
        unpacked?;
        Ok(())
    })
}

/// The id that Docker's clients show for a layer.
pub(crate) fn short(digest: &Digest) -> String {
    digest.hex()[..12].to_string()
}
