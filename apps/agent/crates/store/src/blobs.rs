use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::{Committed, Digest, Error, Hasher, Lease, Result, Store};

const CHUNK: usize = 1 << 20;

impl Store {
    /// Where the blob is or would be. Read it; never write there.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.paths().blob(digest)
    }

    /// The blob's size in bytes, or `None` when it is not here. Does not hash it.
    pub fn stat(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.blob_path(digest);
        match fs::metadata(&path) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(&path)(e)),
        }
    }

    /// Opens a blob for streaming. The bytes are not checked: whoever streams them hashes them (unpack and push do) and calls
    /// [`Store::set_aside`] when they do not match.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob_path(digest);
        File::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::BlobNotFound(*digest),
            _ => Error::io(&path)(e),
        })
    }

    /// Reads a small blob (manifest, config) and checks it against its digest; a damaged one is set aside.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.open_blob(digest)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| self.unreadable(digest, error))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge { what: format!("blob {digest}"), limit });
        }
        if Digest::of(&bytes) != *digest {
            return Err(self.set_aside(digest)?);
        }
        Ok(bytes)
    }

    /// Hashes a whole blob; gives its size. A damaged one is set aside.
    pub fn verify_blob(&self, digest: &Digest) -> Result<u64> {
        let mut file = self.open_blob(digest)?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; CHUNK];
        let mut size = 0;
        loop {
            let n = file.read(&mut buffer).map_err(|error| self.unreadable(digest, error))?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
            size += n as u64;
        }
        if hasher.finish() != *digest {
            return Err(self.set_aside(digest)?);
        }
        Ok(size)
    }

    /// What a failed read means: bytes that the disk cannot give back are as damaged as wrong ones.
    fn unreadable(&self, digest: &Digest, error: std::io::Error) -> Error {
        if error.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error()) {
            return Error::io(self.blob_path(digest))(error);
        }
        tracing::error!(%digest, %error, "the disk cannot read a blob");
        self.set_aside(digest).unwrap_or_else(|error| error)
    }

    /// Takes a damaged blob out of the way, so that the next pull fetches it again, and gives the error to return.
    pub fn set_aside(&self, digest: &Digest) -> Result<Error> {
        let path = self.blob_path(digest);
        tracing::error!(%digest, "a blob does not match its digest; set aside");
        match fs::rename(&path, self.paths().corrupt().join(digest.hex())) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(&path)(e)),
            _ => Ok(Error::Corrupt(*digest)),
        }
    }

    /// Deletes a blob whether or not something reaches it; gc is the usual way.
    pub fn delete_blob(&self, digest: &Digest) -> Result<()> {
        crate::record::remove(&self.blob_path(digest))
    }

    /// Stores bytes that are already in memory.
    pub fn put_bytes(&self, lease: &Lease, bytes: &[u8]) -> Result<Committed> {
        let mut writer = self.writer(lease)?;
        writer.append(bytes)?;
        writer.commit(None, None)
    }

    /// Every blob with its size.
    pub fn blobs(&self) -> Result<Vec<(Digest, u64)>> {
        let dir = self.paths().blobs();
        let mut all = Vec::new();
        for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
            let entry = entry.map_err(Error::io(&dir))?;
            if let (Ok(digest), Ok(meta)) = (Digest::from_hex(&entry.file_name().to_string_lossy()), entry.metadata()) {
                all.push((digest, meta.len()));
            }
        }
        Ok(all)
    }

    /// Copies a blob into `out`, checking it on the way. On a mismatch the output must be thrown away.
    pub fn copy_blob(&self, digest: &Digest, out: &mut dyn std::io::Write, out_name: &Path) -> Result<u64> {
        let mut file = self.open_blob(digest)?;
        let (mut hasher, mut buffer, mut size) = (Hasher::new(), vec![0; CHUNK], 0);
        loop {
            let n = file.read(&mut buffer).map_err(|error| self.unreadable(digest, error))?;
            if n == 0 {
                break;
            }
            hasher.write_all(&buffer[..n]).map_err(Error::io(out_name))?;
            out.write_all(&buffer[..n]).map_err(Error::io(out_name))?;
            size += n as u64;
        }
        if hasher.finish() != *digest {
            return Err(self.set_aside(digest)?);
        }
        Ok(size)
    }
}
