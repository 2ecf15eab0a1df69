//! Bodies for blocking code: a request's as a reader, a response's as a writer.
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt as _;
use slipway_transfer::{ChunkReader, ChunkSender, ChunkWriter, chunks};

/// Chunks that wait between the connection and the reader.
pub const AHEAD: usize = 16;

/// A client that is still sending when the answer comes must be able to read it: closing at once would reset the
/// connection and lose the reason.
const DRAIN_BYTES: usize = 256 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what it asked for, or send nothing of what it announced. Work on files of a
/// container that does not run keeps it from being started or removed.
pub const STALLED: Duration = Duration::from_secs(300);

/// Reads the body on a task of its own. A client that breaks off reads as an error, never as the end. What the reader leaves
/// is drained, up to a limit.
pub fn reader_of(body: Body) -> ChunkReader {
    reader_within(STALLED, body)
}

fn reader_within(patience: Duration, body: Body) -> ChunkReader {
    let (sender, reader) = chunks(AHEAD);
    tokio::spawn(async move {
        let mut stream = body.into_data_stream();
        loop {
            let chunk = match tokio::time::timeout(patience, stream.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return sender.finish().await,
                Err(_) => return sender.fail(stalled("sent")).await,
            };
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
    });
    reader
}

fn stalled(what: &str) -> std::io::Error {
    let text = format!("the client {what} nothing for too long");
    std::io::Error::new(std::io::ErrorKind::TimedOut, text)
}

/// A body that a blocking thread writes. When the work fails the stream breaks off, so that what came is never taken for
/// all of it; `what` is for the log.
pub fn produced<E, W>(what: &'static str, work: W) -> Body
where
    E: std::fmt::Display,
    W: FnOnce(&mut ChunkWriter) -> Result<(), E> + Send + 'static,
{
    produced_within(STALLED, what, work)
}

fn produced_within<E, W>(patience: Duration, what: &'static str, work: W) -> Body
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
    // Of its own, because nothing asks for the body of an answer while its client takes nothing.
    let (taken, given) = chunks(1);
    tokio::spawn(forward(patience, what, reader, taken));
    let stream = futures::stream::unfold(Some(given), |reader| async move {
        let mut reader = reader?;
        match reader.next_chunk_async().await {
            Ok(Some(chunk)) => Some((Ok::<Bytes, std::io::Error>(chunk), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Body::from_stream(stream)
}

/// Ends when either side does, or when nothing is taken for too long: then the work's next write fails.
async fn forward(patience: Duration, what: &'static str, mut from: ChunkReader, to: ChunkSender) {
    loop {
        match from.next_chunk_async().await {
            Ok(Some(chunk)) => match tokio::time::timeout(patience, to.send(chunk)).await {
                Ok(true) => {}
                Ok(false) => return, // the client left
                Err(_) => {
                    tracing::warn!("{what} broke off: {}", stalled("took"));
                    return;
                }
            },
            Ok(None) => return to.finish().await,
            Err(error) => return to.fail(error).await,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_stops_reading_holds_nothing_for_ever() {
        let (told, ended) = mpsc::channel();
        let body = produced_within(SOON, "a test", move |out| {
            let outcome = (0..10_000).try_for_each(|_| out.write_all(&[0; 64 << 10]));
            told.send(outcome.is_err()).unwrap();
            outcome
        });
        let ended = tokio::task::spawn_blocking(move || ended.recv_timeout(LATE)).await.unwrap();
        assert_eq!(ended, Ok(true), "the work goes on");
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err(), "a part is taken for all of it");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_stops_sending_holds_nothing_for_ever() {
        let body = Body::from_stream(futures::stream::pending::<std::io::Result<Bytes>>());
        let mut reader = reader_within(SOON, body);
        let read = tokio::task::spawn_blocking(move || reader.read(&mut [0; 10])).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_taken_comes_whole() {
        let body = produced_within(LATE, "a test", |out| (0..100).try_for_each(|_| out.write_all(&[7; 10_000])));
        assert_eq!(axum::body::to_bytes(body, usize::MAX).await.unwrap().len(), 1_000_000);
    }
}
