use std::path::Path;

use rustix::fs::Mode;
use slipway_store::{Descriptor, Lease};

use crate::compress::{LayerSink, write_error};
use crate::tar::TarWriter;
use crate::walk::{DIRECTORY, Form, Walk};
use crate::{DiffOptions, Error, Layers, NewLayer, Result};

impl Layers {
    /// Writes the upper directory of an overlay (not mounted, or quiet) as an OCI layer into the store: sorted names,
    /// overlay whiteouts and opaque marks translated to `.wh.` entries, xattrs, hardlinks, sparse files stored densely; what no other machine would unpack (see [`crate::Limits`]) is refused.
    /// The same directory gives the same bytes on every machine.
    pub fn diff(&self, lease: &Lease, upper: &Path, options: &DiffOptions) -> Result<NewLayer> {
        let sink = LayerSink::new(self.store().writer(lease)?, options.compression);
        let mut walk = Walk::new(TarWriter::new(sink), Form::Layer, options.mtime);
        walk.stopped.clone_from(&options.stopped);
        walk.most_bytes = self.limits().bytes;
        let root = rustix::fs::open(upper, DIRECTORY, Mode::empty()).map_err(Error::io(upper))?;
        walk.tree(root, Vec::new())?;
        let (entries, bytes) = (walk.entries, walk.bytes);
        let (blob, diff_id) = walk.tar.finish().map_err(write_error)?.finish()?;
        let blob = blob.commit(None, None)?;
        let descriptor = Descriptor::new(options.compression.media_type(), blob.digest, blob.size);
        Ok(NewLayer { descriptor, diff_id, unpacked_size: bytes, entries })
    }
}
