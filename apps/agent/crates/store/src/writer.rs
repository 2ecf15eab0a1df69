use std::fs::{self, File};
use std::io::{self, Write};

use slipway_sys::fault;
use tempfile::NamedTempFile;

use crate::pending::Kind;
use crate::{Digest, Error, Hasher, Lease, Resource, Result, Store};

/// Ingests one blob: bytes go to a temporary file and through the hash; nothing is visible before [`Writer::commit`].
/// Dropping it deletes the temporary file. Give it large chunks: it does not buffer.
pub struct Writer {
    store: Store,
    lease: String,
    temp: NamedTempFile,
    hasher: Hasher,
    written: u64,
    limit: u64,
}

/// A blob that is now in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub digest: Digest,
    pub size: u64,
}

impl Writer {
    pub(crate) fn new(store: &Store, lease: &Lease) -> Result<Writer> {
        let dir = store.paths().ingest();
        let temp = NamedTempFile::new_in(&dir).map_err(Error::io(&dir))?;
        Ok(Writer { store: store.clone(), lease: lease.id().to_string(), temp, hasher: Hasher::new(), written: 0, limit: u64::MAX })
    }

    /// Refuses to take more than `bytes`, so that a sender who lies about the length cannot fill the disk.
    pub fn limit(mut self, bytes: u64) -> Writer {
        self.limit = bytes;
        self
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends a chunk.
    pub fn append(&mut self, chunk: &[u8]) -> Result<()> {
        let written = self.written + chunk.len() as u64;
        if written > self.limit {
            return Err(Error::SizeMismatch { expected: self.limit, actual: written });
        }
        self.temp.write_all(chunk).map_err(Error::io(self.temp.path()))?;
        self.hasher.update(chunk);
        self.written = written;
        Ok(())
    }

    /// Checks size and digest and makes the blob visible and held by the lease. A blob that is already there stays.
    pub fn commit(self, expected: Option<&Digest>, size: Option<u64>) -> Result<Committed> {
        if let Some(expected) = size.filter(|s| *s != self.written) {
            return Err(Error::SizeMismatch { expected, actual: self.written });
        }
        let digest = self.hasher.finish();
        if let Some(expected) = expected.filter(|e| **e != digest) {
            return Err(Error::DigestMismatch { expected: *expected, actual: digest });
        }
        let committed = Committed { digest, size: self.written };
        let path = self.store.paths().blob(&digest);
        // Held first: gc takes the same lock, so it cannot see the blob without its holder.
        self.store.hold_on(&self.lease, Resource::Blob(digest))?;
        if fs::metadata(&path).is_ok_and(|m| m.len() == self.written) {
            return Ok(committed);
        }
        set_read_only(self.temp.as_file()).map_err(Error::io(self.temp.path()))?;
        // The data reaches the disk in the background; until then a marker makes the start after a power cut look again.
        self.store.pending().mark(Kind::Blob, &digest)?;
        fault::point("blob.marked");
        self.temp.persist(&path).map_err(|e| Error::io(&path)(e.error))?;
        fault::point("blob.visible");
        Ok(committed)
    }
}

impl Write for Writer {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        self.append(chunk).map_err(|error| match error {
            Error::Io { source, .. } => source,
            Error::DiskFull { .. } => io::Error::from(io::ErrorKind::StorageFull),
            other => io::Error::other(other),
        })?;
        Ok(chunk.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn set_read_only(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o444))
}
