//! The tree on disk, below the data root:
//!
//! ```text
//! content/
//!   blobs/sha256/<hex>       verified blobs
//!   ingest/<random>          bytes on their way in; emptied at start
//!   corrupt/<hex>            blobs that failed a check, kept for a look, replaced by the next one
//! meta/
//!   images/<hex>.json        one record per image id (config digest)
//!   refs/<hex>.json          one record per name; <hex> is the sha256 of the canonical name
//!   leases/<id>.json         what work in flight and the build cache hold
//!   pending/<boot>.<kind>.<hex>   content that is visible but not yet known to be on the platters
//! ```

use std::path::{Path, PathBuf};

use crate::Digest;

#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub root: PathBuf,
}

impl Paths {
    pub fn new(root: &Path) -> Paths {
        Paths { root: root.to_path_buf() }
    }
    pub fn blobs(&self) -> PathBuf {
        self.root.join("content/blobs/sha256")
    }
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }
    pub fn ingest(&self) -> PathBuf {
        self.root.join("content/ingest")
    }
    pub fn corrupt(&self) -> PathBuf {
        self.root.join("content/corrupt")
    }
    pub fn images(&self) -> PathBuf {
        self.root.join("meta/images")
    }
    pub fn image(&self, id: &Digest) -> PathBuf {
        self.images().join(format!("{}.json", id.hex()))
    }
    pub fn refs(&self) -> PathBuf {
        self.root.join("meta/refs")
    }
    pub fn reference(&self, canonical: &str) -> PathBuf {
        self.refs().join(format!("{}.json", Digest::of(canonical.as_bytes()).hex()))
    }
    pub fn leases(&self) -> PathBuf {
        self.root.join("meta/leases")
    }
    pub fn lease(&self, id: &str) -> PathBuf {
        // Ids may come from callers' keys; hashing keeps any of them a plain file name.
        self.leases().join(format!("{}.json", Digest::of(id.as_bytes()).hex()))
    }
    pub fn pending(&self) -> PathBuf {
        self.root.join("meta/pending")
    }
    pub fn all(&self) -> [PathBuf; 7] {
        [self.blobs(), self.ingest(), self.corrupt(), self.images(), self.refs(), self.leases(), self.pending()]
    }
}
