use std::collections::HashSet;
use std::fs;

use crate::store::State;
use crate::{Digest, Error, Resource, Result, Store};

/// What something still reaches.
#[derive(Debug, Default)]
pub struct Live {
    pub blobs: HashSet<Digest>,
    /// Diff ids.
    pub layers: HashSet<Digest>,
}

/// What gc deleted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    pub blobs: Vec<Digest>,
    pub layers: Vec<Digest>,
    /// Bytes of both.
    pub bytes: u64,
}

impl Store {
    /// Deletes every blob that no image, lease or hold reaches. `sweep_layers` is called under the same lock with what is
    /// live, and detaches dead layers (renames them away; deleting them can wait); it gives their diff ids and bytes.
    /// Holding the lock throughout is what makes "look whether it exists, then use it" safe for whoever holds a lease.
    pub fn collect(&self, sweep_layers: impl FnOnce(&Live) -> Result<(Vec<Digest>, u64)>) -> Result<Reclaimed> {
        let state = self.lock();
        let live = state.mark();
        let (layers, bytes) = sweep_layers(&live)?;
        let mut reclaimed = Reclaimed { blobs: Vec::new(), layers, bytes };
        for (digest, size) in self.blobs()? {
            if live.blobs.contains(&digest) {
                continue;
            }
            let path = self.blob_path(&digest);
            fs::remove_file(&path).map_err(Error::io(&path))?;
            reclaimed.blobs.push(digest);
            reclaimed.bytes += size;
        }
        Ok(reclaimed)
    }
}

impl State {
    fn mark(&self) -> Live {
        let mut live = Live::default();
        for image in self.images.values() {
            live.blobs.extend([image.manifest.digest, image.config.digest]);
            live.blobs.extend(image.layers.iter().map(|l| l.digest));
            live.layers.extend(&image.diff_ids);
        }
        for reference in self.refs.values() {
            live.blobs.extend(reference.form.iter().flat_map(|image| image.blobs()).map(|blob| blob.digest));
            if let Some(index) = &reference.index {
                live.blobs.insert(index.descriptor.digest);
                live.blobs.extend(index.images.iter().flat_map(|image| image.blobs()).map(|blob| blob.digest));
            }
        }
        let held = self.leases.values().flatten().chain(self.holds.values().flat_map(|h| &h.resources));
        for resource in held {
            match resource {
                Resource::Blob(digest) => live.blobs.insert(*digest),
                Resource::Layer(diff_id) => live.layers.insert(*diff_id),
            };
        }
        live
    }
}
