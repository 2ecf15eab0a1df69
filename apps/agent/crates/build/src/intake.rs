//! The body of a request, from the socket to a reader that may block.
use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

const CHUNK_DEADLINE: Duration = Duration::from_secs(60);

/// A client that stalls does not keep a build waiting for ever.
pub async fn next_chunk<S, E>(body: &mut S) -> Option<io::Result<Bytes>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    match tokio::time::timeout(CHUNK_DEADLINE, body.next()).await {
        Ok(chunk) => chunk.map(|chunk| chunk.map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()))),
        Err(_) => Some(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing arrived for a minute"))),
    }
}

/// The request's chunks as a blocking reader.
pub struct ChunkReader {
    pub chunks: mpsc::Receiver<io::Result<Bytes>>,
    pub current: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
