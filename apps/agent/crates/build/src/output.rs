//! A RUN's output on its way to the client. The process writes into a pipe; nobody reads it faster than the client takes
//! events, so a slow client slows the process down and memory stays bounded.
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::event::{BuildEvent, Events, Stream, now_ms};
use crate::secrets::Masks;

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

/// Sends what comes out of both pipes as log events, in the order in which it comes, until both end.
///
/// # Errors
/// When a pipe cannot be read.
pub async fn forward(stdout: OwnedFd, stderr: OwnedFd, vertex: &str, events: &Events, masks: &Masks) -> std::io::Result<()> {
    let mut pipes = [Pipe::new(stdout, Stream::Stdout)?, Pipe::new(stderr, Stream::Stderr)?];
    let mut deadline = None;
    // Pipes do not tell which was written to first. Programs end with their error more often than with their result, so
    // standard output goes first, but not for ever.
    let mut streak = 0;
    while !(pipes[0].ended && pipes[1].ended) {
        let first = usize::from(streak >= 16);
        let read = next(&mut pipes, first, deadline).await;
        let Some((at, count)) = read else {
            flush(&mut pipes, vertex, events, masks).await;
            deadline = None;
            continue;
        };
        streak = if at == 0 { streak + 1 } else { 0 };
        let count = count?;
        if pipes[1 - at].length > 0 {
            pipes[1 - at].send(vertex, events, masks).await;
        }
        pipes[at].length += count;
        pipes[at].ended = count == 0;
        if pipes[at].ended || pipes[at].length >= MAX_CHUNK / 2 {
            pipes[at].send(vertex, events, masks).await;
        }
        deadline = (pipes[at].length > 0).then(|| deadline.unwrap_or_else(|| Instant::now() + GATHER));
    }
    flush(&mut pipes, vertex, events, masks).await;
    Ok(())
}

struct Pipe {
    stream: Stream,
    receiver: Receiver,
    buffer: Vec<u8>,
    /// Bytes of the buffer not sent yet.
    length: usize,
    ended: bool,
}

impl Pipe {
    fn new(fd: OwnedFd, stream: Stream) -> std::io::Result<Self> {
        Ok(Self { stream, receiver: Receiver::from_owned_fd(fd)?, buffer: vec![0; MAX_CHUNK], length: 0, ended: false })
    }

    async fn read(&mut self) -> std::io::Result<usize> {
        self.receiver.read(&mut self.buffer[self.length..]).await
    }

    async fn send(&mut self, vertex: &str, events: &Events, masks: &Masks) {
        let (shown, held) = masks.apply(&self.buffer[..self.length], self.ended);
        let (whole, rest) = split_at_character(&shown, self.ended);
        for data in chunks(&String::from_utf8_lossy(whole)) {
            events.send(BuildEvent::Log { id: vertex.to_owned(), at: now_ms(), stream: self.stream, data: data.to_owned() }).await;
        }
        let kept = [rest, held].concat();
        self.buffer[..kept.len()].copy_from_slice(&kept);
        self.length = kept.len();
    }
}

async fn flush(pipes: &mut [Pipe; 2], vertex: &str, events: &Events, masks: &Masks) {
    for pipe in pipes {
        pipe.send(vertex, events, masks).await;
    }
}

/// Which pipe was read, and how much; `None` when the deadline came first.
async fn next(pipes: &mut [Pipe; 2], first: usize, deadline: Option<Instant>) -> Option<(usize, std::io::Result<usize>)> {
    let [out, err] = pipes;
    let (one, two, second) = if first == 0 { (out, err, 1) } else { (err, out, 0) };
    let (one_open, two_open) = (!one.ended, !two.ended);
    let late = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        count = one.read(), if one_open => Some((first, count)),
        count = two.read(), if two_open => Some((second, count)),
        () = late => None,
    }
}

/// Splits off a character whose last bytes have not arrived yet (at most three bytes).
fn split_at_character(bytes: &[u8], ended: bool) -> (&[u8], &[u8]) {
    let incomplete = bytes.utf8_chunks().last().map_or(0, |last| {
        let tail = last.invalid();
        let unfinished = bytes.len() < 4 || !tail.is_empty();
        if unfinished && !tail.is_empty() && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none()) {
            tail.len()
        } else {
            0
        }
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

    fn closed() -> OwnedFd {
        pipe().unwrap().0
    }

    #[tokio::test]
    async fn streams_keep_their_order() {
        let ((out, mut stdout), (err, mut stderr)) = (pipe().map(writer).unwrap(), pipe().map(writer).unwrap());
        let (events, mut receiver) = Events::channel();
        stdout.write_all(b"before\n").unwrap();
        stderr.write_all(b"oops\n").unwrap();
        let forwarder = tokio::spawn(async move { forward(out, err, "v1", &events, &Masks::default()).await });
        let mut seen = Vec::new();
        for _ in 0..2 {
            if let Some(BuildEvent::Log { data, stream, .. }) = receiver.recv().await {
                seen.push((stream, data));
            }
        }
        assert_eq!(seen, [(Stream::Stdout, "before\n".to_owned()), (Stream::Stderr, "oops\n".to_owned())]);
        stdout.write_all(b"half a line").unwrap();
        assert!(matches!(receiver.recv().await, Some(BuildEvent::Log { data, .. }) if data == "half a line"), "shown before its end");
        drop((stdout, stderr));
        assert!(receiver.recv().await.is_none());
        forwarder.await.unwrap().unwrap();
    }

    fn writer((read, write): (OwnedFd, OwnedFd)) -> (OwnedFd, std::fs::File) {
        (read, write.into())
    }

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
        let forwarder = tokio::spawn(async move { forward(read, closed(), "v1", &events, &Masks::default()).await });
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
        tokio::spawn(async move { forward(closed(), read, "v1", &events, &Masks::default()).await });
        let mut seen = String::new();
        while let Some(BuildEvent::Log { data, .. }) = receiver.recv().await {
            assert!(data.len() <= MAX_CHUNK);
            seen.push_str(&data);
        }
        assert!(seen.starts_with("ok\u{fffd}"));
        assert_eq!(seen.chars().filter(|c| *c == '\u{fffd}').count(), 40_001);
    }
}
