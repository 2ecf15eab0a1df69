use std::io::{self, BufReader, Read};
use std::path::Path;

use slipway_store::{Descriptor, Digest, Hasher, Lease};

use crate::compress::{LayerSink, write_error};
use crate::decompress::Packing;
use crate::tar::{EntryKind, TarReader, TarWriter};
use crate::{Compression, Error, Layers, Result};

/// A layer's blob in another form.
#[derive(Debug, Clone, PartialEq)]
pub struct Repacked {
    /// Media type, digest and size of the new blob, which the lease holds.
    pub descriptor: Descriptor,
    /// Another than before only when times were changed.
    pub diff_id: Digest,
}

const BUFFER: usize = 256 << 10;

impl Layers {
    /// Writes a plain layer blob into the store once more, compressed; the new blob is held by the lease. The same bytes for
    /// the same layer on every machine. A damaged blob is set aside and reported as `BLOB_CORRUPT`.
    pub fn pack(&self, lease: &Lease, plain: &Descriptor, compression: Compression) -> Result<Descriptor> {
        let mut sink = LayerSink::new(self.store().writer(lease)?, compression);
        self.store().copy_blob(&plain.digest, &mut sink, Path::new("the content store"))?;
        let blob = sink.finish()?.0.commit(None, None)?;
        Ok(Descriptor::new(compression.media_type(), blob.digest, blob.size))
    }

    /// Writes a layer blob of any compression into the store once more. `latest`: no entry is to be younger (seconds since
    /// 1970); `None` keeps all times, and with them the diff id. What is read is checked against `diff_id`; a damaged blob
    /// is set aside and reported as `BLOB_CORRUPT`.
    pub fn repack(
        &self,
        lease: &Lease,
        blob: &Descriptor,
        diff_id: &Digest,
        compression: Compression,
        latest: Option<i64>,
    ) -> Result<Repacked> {
        let packing = Packing::of_media_type(&blob.media_type)?;
        let file = self.store().open_blob(&blob.digest)?;
        let mut inflated = Hashed { source: packing.reader(file)?, hasher: Hasher::new(), left: self.limits().bytes };
        let sink = LayerSink::new(self.store().writer(lease)?, compression);
        let copied = match latest {
            None => copy(&mut inflated, sink),
            Some(latest) => copy_clamped(&mut inflated, sink, latest),
        };
        let actual = inflated.hasher.finish();
        let damaged = |error| match self.store().verify_blob(&blob.digest) {
            Err(damaged @ slipway_store::Error::Corrupt(_)) => Error::Store(damaged),
            _ => error,
        };
        let sink = copied.map_err(damaged)?;
        if actual != *diff_id {
            return Err(damaged(Error::DiffIdMismatch { expected: *diff_id, actual }));
        }
        let (blob, diff_id) = sink.finish()?;
        let blob = blob.commit(None, None)?;
        Ok(Repacked { descriptor: Descriptor::new(compression.media_type(), blob.digest, blob.size), diff_id })
    }
}

fn copy(from: &mut impl Read, mut sink: LayerSink) -> Result<LayerSink> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = from.read(&mut buffer).map_err(Error::reading)?;
        if n == 0 {
            return Ok(sink);
        }
        io::Write::write_all(&mut sink, &buffer[..n]).map_err(write_error)?;
    }
}

/// Entry by entry. A layer of this crate's own writer keeps all but its times.
fn copy_clamped(from: &mut impl Read, sink: LayerSink, latest: i64) -> Result<LayerSink> {
    let mut from = TarReader::new(BufReader::with_capacity(BUFFER, from));
    let mut to = TarWriter::new(sink);
    while let Some(mut entry) = from.next_entry()? {
        if entry.sparse.is_some() {
            return Err(Error::NotDiffable(format!("{} is sparse in its archive", String::from_utf8_lossy(&entry.path))));
        }
        // Whole seconds, as they are written: a moment later in the same second is the same time.
        entry.mtime = (entry.mtime.0.min(latest), 0);
        to.entry(&entry).map_err(write_error)?;
        if entry.kind != EntryKind::File {
            continue;
        }
        loop {
            let piece = from.fill_data(u64::MAX)?;
            let n = piece.len();
            if n == 0 {
                break;
            }
            to.data(piece).map_err(write_error)?;
            from.consume(n);
        }
        to.end_data(entry.size).map_err(write_error)?;
    }
    from.drain()?;
    to.finish().map_err(write_error)
}

/// The inflated stream, hashed on the way and of a limited length.
struct Hashed<R> {
    source: R,
    hasher: Hasher,
    left: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other("it inflates beyond the limit"))?;
        Ok(n)
    }
}
