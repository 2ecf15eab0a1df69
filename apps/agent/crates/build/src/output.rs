//! A RUN's output on its way to the client. The process writes into a pipe; nobody reads it faster than the client takes
//! events, so a slow client slows the process down and memory stays bounded.
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::event::{BuildEvent, Events, Stream, now_ms};

/// The contract's limit of one event's text, in bytes.
const MAX_CHUNK: usize = 16 << 10;
/// Output is gathered this long, so that a burst of short lines does not become a burst of events.
const GATHER: Duration = Duration::from_millis(20);

/// A pipe whose read end is for [`forward`] and whose write end is for the process.
///
/// # Errors
/// When the process is out of file descriptors.
pub fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&read, rustix::fs::OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// Sends what comes out of `pipe` as log events until its end. Keeps the last line that says something, for an error.
///
/// # Errors
/// When the pipe cannot be read.
pub async fn forward(pipe: OwnedFd, vertex: &str, stream: Stream, events: &Events) -> std::io::Result<()> {
    let mut pipe = Receiver::from_owned_fd(pipe)?;
    let mut buffer = vec![0; MAX_CHUNK];
    let mut length = 0;
    loop {
        let count = pipe.read(&mut buffer[length..]).await?;
        length += count;
        let mut ended = count == 0;
        let deadline = Instant::now() + GATHER;
        while !ended && length < MAX_CHUNK / 2 {
            let Ok(count) = tokio::time::timeout_at(deadline, pipe.read(&mut buffer[length..])).await else { break };
            let count = count?;
            length += count;
            ended = count == 0;
        }
        let (whole, rest) = split_at_character(&buffer[..length], ended);
        for data in chunks(&String::from_utf8_lossy(whole)) {
            events.send(BuildEvent::Log { id: vertex.to_owned(), at: now_ms(), stream, data: data.to_owned() }).await;
        }
        let kept = rest.len();
        buffer.copy_within(length - kept..length, 0);
        length = kept;
        if ended {
            return Ok(());
        }
    }
}

/// Splits off a character whose last bytes have not arrived yet (at most three bytes).
fn split_at_character(bytes: &[u8], ended: bool) -> (&[u8], &[u8]) {
    let incomplete = bytes.utf8_chunks().last().map_or(0, |last| {
        let tail = last.invalid();
        let unfinished = bytes.len() < 4 || !tail.is_empty();
        if unfinished && !tail.is_empty() && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none()) { tail.len() } else { 0 }
    });
    if ended { (bytes, &[]) } else { bytes.split_at(bytes.len() - incomplete) }
}

/// Pieces of at most [`MAX_CHUNK`] bytes, split between characters. Replacing invalid bytes makes text longer.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (chunk, after) = rest.split_at(rest.floor_char_boundary(MAX_CHUNK));
        rest = after;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn characters_survive_chunks() {
        let text = "äöü€😀\n".repeat(20_000);
        let (read, write) = pipe().unwrap();
        let (events, mut receiver) = Events::channel();
        let expected = text.clone();
        let writer = std::thread::spawn(move || {
            let mut file = std::fs::File::from(write);
            for piece in text.as_bytes().chunks(4093) {
                file.write_all(piece).unwrap();
            }
        });
        let forwarder = tokio::spawn(async move { forward(read, "v1", Stream::Stdout, &events).await });
        let mut seen = String::new();
        while let Some(BuildEvent::Log { data, .. }) = receiver.recv().await {
            assert!(data.len() <= MAX_CHUNK);
            seen.push_str(&data);
        }
        assert_eq!(seen, expected);
        writer.join().unwrap();
        forwarder.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn invalid_bytes_are_replaced_and_kept_small() {
        let (read, write) = pipe().unwrap();
        let (events, mut receiver) = Events::channel();
        std::thread::spawn(move || std::fs::File::from(write).write_all(&[b"ok".as_slice(), &[0xff; 40_000], b"\xe2\x82"].concat()));
        tokio::spawn(async move { forward(read, "v1", Stream::Stderr, &events).await });
        let mut seen = String::new();
        while let Some(BuildEvent::Log { data, .. }) = receiver.recv().await {
            assert!(data.len() <= MAX_CHUNK);
            seen.push_str(&data);
        }
        assert!(seen.starts_with("ok\u{fffd}"));
        assert_eq!(seen.chars().filter(|c| *c == '\u{fffd}').count(), 40_001);
    }
}
