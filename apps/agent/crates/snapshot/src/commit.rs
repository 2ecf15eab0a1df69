//! `docker commit`: a container's upper directory as a layer, while the container keeps it.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::fs::Mode;
use slipway_store::Lease;

use crate::compress::write_error;
use crate::decompress::Packing;
use crate::tar::TarWriter;
use crate::walk::{DIRECTORY, Form, Walk};
use crate::{Compression, Error, Layers, NewLayer, Result};

const PIECE: usize = 512 << 10;
const PIECES_AHEAD: usize = 4;

impl Layers {
    /// Makes a layer of the upper directory of a container, or of any directory in overlayfs's form: one pass reads it, and
    /// writes both the blob and the unpacked layer. The directory stays, and may be in use: what changes meanwhile is taken
    /// as it is found. Mount points that the engine made are left out. Both are held by the lease.
    pub fn commit_upper(&self, lease: &Lease, upper: &Path) -> Result<NewLayer> {
        let root = rustix::fs::open(upper, DIRECTORY, Mode::empty()).map_err(Error::io(upper))?;
        let (full, pieces) = sync_channel(PIECES_AHEAD);
        std::thread::scope(|scope| {
            let walker = std::thread::Builder::new().name("slipway-walk".into());
            let walker = walker
                .spawn_scoped(scope, move || {
                    let out = PieceWriter { full, piece: Vec::with_capacity(PIECE) };
                    let mut walk = Walk::new(TarWriter::new(out), Form::Container, None);
                    walk.tree(root, Vec::new())?;
                    let entries = walk.entries;
                    walk.tar.finish().and_then(PieceWriter::end).map_err(write_error)?;
                    Ok(entries)
                })
                .map_err(Error::Source)?;
            let made =
                self.ingest_as(lease, PieceReader { pieces, piece: Vec::new(), at: 0, ended: false }, Packing::Plain, Compression::Gzip);
            let walked: Result<u64> = walker.join().map_err(|_| Error::Source(io::Error::other("the reading thread ended early")))?;
            match (made, walked) {
                (Ok(made), Ok(entries)) => Ok(NewLayer { entries, ..made }),
                // The reader's own failure is the cause of the stream that broke off, unless it was the one that was left.
                (Err(error), Err(Error::Io { source, .. })) if source.kind() == io::ErrorKind::BrokenPipe => Err(error),
                (_, Err(error)) | (Err(error), _) => Err(error),
            }
        })
    }
}

struct PieceWriter {
    full: SyncSender<Option<Vec<u8>>>,
    piece: Vec<u8>,
}

impl PieceWriter {
    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.full.send(None).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.full.send(Some(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

struct PieceReader {
    pieces: Receiver<Option<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            match self.pieces.recv() {
                Ok(Some(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(None) => self.ended = true,
                Err(_) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the directory could not be read to its end")),
            }
        }
        let n = buffer.len().min(self.piece.len() - self.at);
        buffer[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
