use std::io::Read;

use slipway_store::{Descriptor, Digest, Lease};

use crate::{Error, Layer, Layers, Result};

impl Layers {
    /// Unpacks a compressed layer stream: inflates, hashes and extracts in one pass, and checks `diff_id` before the layer
    /// becomes visible. The reader's own digest is its giver's to check. When the layer is there already (or another thread
    /// is making it), the reader may not be read at all.
    pub fn unpack(&self, lease: &Lease, reader: impl Read + Send, media_type: &str, diff_id: &Digest) -> Result<Layer> {
        let _ = (lease, reader, diff_id);
        Err(Error::UnsupportedMediaType(media_type.to_string()))
    }

    /// Unpacks a layer whose blob is in the store, checking the blob's digest too: a damaged blob is set aside and reported
    /// as `BLOB_CORRUPT`.
    pub fn unpack_blob(&self, lease: &Lease, blob: &Descriptor, diff_id: &Digest) -> Result<Layer> {
        let file = self.store().open_blob(&blob.digest)?;
        self.unpack(lease, file, &blob.media_type, diff_id)
    }
}
