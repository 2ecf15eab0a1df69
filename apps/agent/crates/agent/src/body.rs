//! Bodies for blocking code: a request's as a reader, a response's as a writer.
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt as _;
use slipway_transfer::{ChunkReader, ChunkWriter, chunks};

/// Chunks that wait between the connection and the reader.
const AHEAD: usize = 16;

/// A client that is still sending when the answer comes must be able to read it: closing at once would reset the
/// connection and lose the reason.
const DRAIN_BYTES: usize = 256 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Reads the body on a task of its own. A client that breaks off reads as an error, never as the end. What the reader leaves
/// is drained, up to a limit.
pub fn reader_of(body: Body) -> ChunkReader {
    let (sender, reader) = chunks(AHEAD);
    tokio::spawn(async move {
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    if !sender.send(chunk).await {
                        let _ = tokio::time::timeout(DRAIN_TIME, drain(stream)).await;
                        return;
                    }
                }
                Err(error) => return sender.fail(std::io::Error::other(error)).await,
            }
        }
        sender.finish().await;
    });
    reader
}

/// A body that a blocking thread writes. When the work fails the stream breaks off, so that what came is never taken for
/// all of it; `what` is for the log.
pub fn produced<E, W>(what: &'static str, work: W) -> Body
where
    E: std::fmt::Display,
    W: FnOnce(&mut ChunkWriter) -> Result<(), E> + Send + 'static,
{
    let (sender, reader) = chunks(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut out = ChunkWriter::new(sender);
        match work(&mut out) {
            Ok(()) => {
                let _ = out.finish(); // the client may be gone
            }
            Err(error) => tracing::warn!(%error, "{what} broke off"),
        }
    });
    let stream = futures::stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next_chunk_async().await {
            Ok(Some(chunk)) => Some((Ok::<Bytes, std::io::Error>(chunk), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Body::from_stream(stream)
}

/// Reads what is left of a body, up to a limit, and forgets it.
pub async fn discard(body: Body) {
    let _ = tokio::time::timeout(DRAIN_TIME, drain(body.into_data_stream())).await; // a courtesy that may end early
}

async fn drain(mut stream: BodyDataStream) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(chunk)) = stream.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
