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
        let received = self.receiver.blocking_recv();
        self.take(received)
    }
}

impl ChunkReader {
    /// As [`ChunkReader::next_chunk`], on an async thread.
    pub async fn next_chunk_async(&mut self) -> io::Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let received = self.receiver.recv().await;
        self.take(received)
    }

    fn take(&mut self, received: Option<io::Result<Option<Bytes>>>) -> io::Result<Option<Bytes>> {
        match received {
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

/// A blocking writer whose bytes leave as chunks.
#[derive(Debug)]
pub struct ChunkWriter {
    sender: ChunkSender,
    buffer: Vec<u8>,
}

const CHUNK: usize = 256 << 10;

impl ChunkWriter {
    pub fn new(sender: ChunkSender) -> ChunkWriter {
        ChunkWriter { sender, buffer: Vec::with_capacity(CHUNK) }
    }

    /// Sends what is left and ends the stream as complete.
    pub fn finish(mut self) -> io::Result<()> {
        io::Write::flush(&mut self)?;
        self.sender.blocking_finish();
        Ok(())
    }
}

impl io::Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        if self.sender.blocking_send(chunk.into()) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}
