use std::fs;
use std::io::{self, BufRead, Read, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use slipway_store::{Descriptor, Digest, Hasher, Lease, Resource, Writer};

use crate::compress::LayerSink;
use crate::decompress::{MAGIC, Packing, read_full};
use crate::extract::{Extracted, extract};
use crate::{Compression, Error, Layer, Layers, Limits, NewLayer, Result, tree};

/// Inflated data moves in pieces of this size from the inflating thread to the one that hashes and writes.
const PIECE: usize = 512 << 10;
const PIECES_AHEAD: usize = 4;

impl Layers {
    /// Unpacks a compressed layer stream: inflates, hashes and extracts in one pass, and checks `diff_id` before the layer
    /// becomes visible. The reader's own digest is its giver's to check. When the layer is there already (or another thread
    /// is making it), the reader may not be read at all.
    pub fn unpack(&self, lease: &Lease, reader: impl Read + Send, media_type: &str, diff_id: &Digest) -> Result<Layer> {
        let packing = Packing::of_media_type(media_type)?;
        self.hold(lease, diff_id)?;
        self.once(diff_id, || {
            let temp = self.temp_dir()?;
            let made = self.unpack_into(&temp, reader, packing, Pass::Hash(Hasher::new())).and_then(|(extracted, pass)| {
                let (_, actual) = pass.finish()?;
                if actual != *diff_id {
                    return Err(Error::DiffIdMismatch { expected: *diff_id, actual });
                }
                self.commit(&temp, diff_id, extracted.bytes)
            });
            discard_failed(&made, &temp);
            made
        })
    }

    /// Unpacks a layer whose blob is in the store, checking the blob's digest too: a damaged blob is set aside and reported
    /// as `BLOB_CORRUPT`.
    pub fn unpack_blob(&self, lease: &Lease, blob: &Descriptor, diff_id: &Digest) -> Result<Layer> {
        self.hold(lease, diff_id)?;
        if let Some(layer) = self.get(diff_id) {
            return Ok(layer);
        }
        let file = self.store().open_blob(&blob.digest)?;
        self.unpack(lease, file, &blob.media_type, diff_id).map_err(|error| {
            // Whatever the unpacker stumbled over: if the blob is damaged, that is the cause to report.
            match self.store().verify_blob(&blob.digest) {
                Err(damaged @ slipway_store::Error::Corrupt(_)) => Error::Store(damaged),
                _ => error,
            }
        })
    }

    /// Inflates a blob of the store to see whether it is the layer that `diff_id` names, whatever is unpacked under that name.
    pub fn check_diff_id(&self, blob: &Descriptor, diff_id: &Digest) -> Result<()> {
        let file = self.store().open_blob(&blob.digest)?;
        let mut reader = Packing::of_media_type(&blob.media_type)?.reader(file)?.take(self.limits().bytes.saturating_add(1));
        let (mut hasher, mut piece) = (Hasher::new(), vec![0; PIECE]);
        loop {
            let n = reader.read(&mut piece).map_err(Error::Source)?;
            if n == 0 {
                break;
            }
            hasher.update(&piece[..n]);
        }
        match hasher.finish() {
            actual if actual == *diff_id => Ok(()),
            actual => Err(Error::DiffIdMismatch { expected: *diff_id, actual }),
        }
    }

    /// Takes an archive of unknown compression (none, gzip, zstd, xz, bzip2) that is no blob yet: unpacks it and writes it into the store
    /// as a layer, in one pass. The blob and the layer are held by the lease.
    pub fn ingest(&self, lease: &Lease, mut reader: impl Read + Send, compression: Compression) -> Result<NewLayer> {
        let mut first = [0; MAGIC];
        let n = read_full(&mut reader, &mut first).map_err(Error::Source)?;
        self.ingest_as(lease, (&first[..n]).chain(reader), Packing::of_magic(&first[..n]), compression)
    }

    /// As [`Layers::ingest`], of a known compression.
    pub(crate) fn ingest_as(
        &self,
        lease: &Lease,
        reader: impl Read + Send,
        packing: Packing,
        compression: Compression,
    ) -> Result<NewLayer> {
        let temp = self.temp_dir()?;
        let sink = Box::new(LayerSink::new(self.store().writer(lease)?, compression));
        let made = self.unpack_into(&temp, reader, packing, Pass::Pack(sink)).and_then(|(extracted, pass)| {
            let (blob, diff_id) = pass.finish()?;
            let blob = blob.ok_or_else(|| Error::InvalidArchive("it was not written to the store".into()))?.commit(None, None)?;
            self.hold(lease, &diff_id)?;
            self.once(&diff_id, || self.commit(&temp, &diff_id, extracted.bytes))?;
            let descriptor = Descriptor::new(compression.media_type(), blob.digest, blob.size);
            Ok(NewLayer { descriptor, diff_id, unpacked_size: extracted.bytes, entries: extracted.entries })
        });
        // When the layer was there before, the new copy is still in the temporary directory.
        let removed = tree::remove(&temp);
        made.and_then(|layer| removed.map(|()| layer))
    }

    fn hold(&self, lease: &Lease, diff_id: &Digest) -> Result<()> {
        Ok(lease.hold(Resource::Layer(*diff_id))?)
    }

    fn unpack_into(&self, temp: &Path, reader: impl Read + Send, packing: Packing, pass: Pass) -> Result<(Extracted, Pass)> {
        let root = temp.join("fs");
        fs::create_dir(&root).map_err(Error::io(&root))?;
        tree::chmod(&root, 0o755)?;
        pipeline(reader, packing, pass, &root, self.limits())
    }
}

/// What else happens to the inflated stream while it is extracted.
enum Pass {
    Hash(Hasher),
    Pack(Box<LayerSink>),
}

impl Pass {
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Pass::Hash(hasher) => hasher.update(piece),
            Pass::Pack(sink) => sink.write_all(piece)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(Option<Writer>, Digest)> {
        match self {
            Pass::Hash(hasher) => Ok((None, hasher.finish())),
            Pass::Pack(sink) => sink.finish().map(|(blob, diff_id)| (Some(blob), diff_id)),
        }
    }
}

fn discard_failed(made: &Result<Layer>, temp: &Path) {
    if made.is_err()
        && let Err(error) = tree::remove(temp)
    {
        tracing::error!(%error, "a half unpacked layer could not be removed; the next start does");
    }
}

/// One thread inflates, this one hashes and writes.
fn pipeline(reader: impl Read + Send, packing: Packing, pass: Pass, root: &Path, limits: Limits) -> Result<(Extracted, Pass)> {
    let (full, pieces) = sync_channel::<io::Result<Vec<u8>>>(PIECES_AHEAD);
    let (empty, spares) = sync_channel::<Vec<u8>>(PIECES_AHEAD + 2);
    std::thread::scope(|scope| {
        let inflate = std::thread::Builder::new().name("slipway-inflate".into());
        inflate.spawn_scoped(scope, move || send_pieces(reader, packing, &full, &spares)).map_err(Error::Source)?;
        let mut source = Pieces { pieces, spares: empty, current: Vec::new(), at: 0, pass, left: limits.bytes, end: false };
        let extracted = extract(&mut source, root, limits)?;
        Ok((extracted, source.pass))
    })
}

fn send_pieces(reader: impl Read + Send, packing: Packing, full: &SyncSender<io::Result<Vec<u8>>>, spares: &Receiver<Vec<u8>>) {
    let mut source = match packing.reader(reader) {
        Ok(source) => source,
        Err(error) => {
            let _ = full.send(Err(io::Error::other(error)));
            return;
        }
    };
    loop {
        let mut piece = spares.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let read = read_full(&mut *source, &mut piece);
        let last = !matches!(&read, Ok(n) if *n == PIECE);
        let message = read.map(|n| {
            piece.truncate(n);
            piece
        });
        // The receiver goes away when extraction fails: then there is nothing left to do.
        if full.send(message).is_err() || last {
            return;
        }
    }
}

/// The inflated stream as a `BufRead` that hands each piece to its pass as it arrives.
struct Pieces {
    pieces: Receiver<io::Result<Vec<u8>>>,
    spares: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    pass: Pass,
    /// Bytes that may still come.
    left: u64,
    end: bool,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.current.len() && !self.end {
            let used = std::mem::take(&mut self.current);
            let _ = self.spares.try_send(used);
            self.at = 0;
            match self.pieces.recv() {
                Ok(piece) => self.current = piece?,
                Err(_) => self.end = true,
            }
            self.pass.take(&self.current)?;
            self.left = self.left.checked_sub(self.current.len() as u64).ok_or_else(|| io::Error::other("it inflates beyond the limit"))?;
        }
        Ok(&self.current[self.at..])
    }
    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buffer.len());
        buffer[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}
