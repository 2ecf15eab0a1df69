use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Moves a body from async code to a blocking reader, with back-pressure.
pub fn chunks(ahead: usize) -> (ChunkSender, ChunkReader) {
    let (sender, receiver) = channel(ahead);
    (ChunkSender(sender), ChunkReader { receiver, current: Bytes::new(), ended: false })
}

#[derive(Debug, Clone)]
pub struct ChunkSender(Sender<io::Result<Option<Bytes>>>);

impl ChunkSender {
    /// False when the reader is gone.
    pub async fn send(&self, chunk: Bytes) -> bool {
        self.0.send(Ok(Some(chunk))).await.is_ok()
    }

    /// Ends the stream as complete. Dropping the sender without it reads as an error, so that a body that broke off is never
    /// taken for a whole one.
    pub async fn finish(self) {
        let _ = self.0.send(Ok(None)).await;
    }

    pub async fn fail(self, error: io::Error) {
        let _ = self.0.send(Err(error)).await;
    }

    /// As [`ChunkSender::send`], from a blocking thread.
    pub fn blocking_send(&self, chunk: Bytes) -> bool {
        self.0.blocking_send(Ok(Some(chunk))).is_ok()
    }

    pub fn blocking_finish(self) {
        let _ = self.0.blocking_send(Ok(None));
    }
}

/// The blocking end; never use it on an async thread.
#[derive(Debug)]
pub struct ChunkReader {
    receiver: Receiver<io::Result<Option<Bytes>>>,
    current: Bytes,
    ended: bool,
}

impl ChunkReader {
    /// The next chunk, or `None` at the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        match self.receiver.blocking_recv() {
            Some(Ok(Some(chunk))) => Ok(Some(chunk)),
            Some(Ok(None)) => {
                self.ended = true;
                Ok(None)
            }
            Some(Err(error)) => Err(error),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream broke off")),
        }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.next_chunk()? {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}
