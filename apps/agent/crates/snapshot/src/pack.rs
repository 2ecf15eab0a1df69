use std::path::Path;

use slipway_store::{Descriptor, Lease};

use crate::compress::LayerSink;
use crate::{Compression, Layers, Result};

impl Layers {
    /// Writes a plain layer blob into the store once more, compressed; the new blob is held by the lease. The same bytes for
    /// the same layer on every machine. A damaged blob is set aside and reported as `BLOB_CORRUPT`.
    pub fn pack(&self, lease: &Lease, plain: &Descriptor, compression: Compression) -> Result<Descriptor> {
        let mut sink = LayerSink::new(self.store().writer(lease)?, compression);
        self.store().copy_blob(&plain.digest, &mut sink, Path::new("the content store"))?;
        let blob = sink.finish()?.0.commit(None, None)?;
        Ok(Descriptor::new(compression.media_type(), blob.digest, blob.size))
    }
}
