//! Layers as directories, stacked by overlayfs.
//!
//! The life of a layer: [`Layers::unpack`] takes a compressed tar stream, inflates, hashes and extracts it in one pass into a
//! temporary directory, checks the diff id, and renames it to `layers/<diff id>`. Images share it read-only.
//! [`Snapshots::prepare`] puts an upper directory on a stack of layers for a container or a build step; the caller mounts it.
//! [`Layers::diff`] turns an upper directory back into a layer blob, and [`Layers::adopt`] makes the same directory the
//! unpacked layer, without extracting it again.
//!
//! ```no_run
//! # fn example(image: slipway_store::Image) -> Result<(), Box<dyn std::error::Error>> {
//! let store = slipway_store::Store::open("/var/lib/slipway/agent".as_ref())?;
//! let layers = slipway_snapshot::Layers::open(&store)?;
//! let dirs = layers.snapshots().prepare("build-7-step-2", &image.record.diff_ids)?;
//! // mount -t overlay -o lowerdir=…,upperdir=…,workdir=… and run the step, then unmount
//! let lease = store.lease("build");
//! let made = layers.diff(&lease, &dirs.upper, &Default::default())?;
//! layers.adopt(&lease, &dirs.upper, &made)?;
//! layers.snapshots().remove("build-7-step-2")?;
//! # Ok(()) }
//! ```
//!
//! Everything here blocks: call it from a blocking thread.

mod archive;
mod base;
mod beneath;
mod changes;
mod commit;
mod compress;
mod decompress;
mod diff;
mod error;
mod extract;
mod files;
mod layers;
mod listing;
mod owners;
mod pack;
mod snapshots;
mod tar;
mod tree;
mod unpack;
mod walk;

pub use archive::{ArchiveEntry, ArchiveReader, ArchiveWriter};
pub use changes::{Change, ChangeKind};
pub use error::{Error, Result};
pub use files::{FileStat, Named, PutOptions, Tree, go_mode};
pub use layers::{Compression, DiffOptions, Layer, Layers, Limits, NewLayer, Stopped};
pub use listing::{Listed, ListedKind, ListingLimits, Look, copy_entry, list};
pub use owners::Owners;
pub use pack::Repacked;
pub use snapshots::{OverlayDirs, Snapshots, Usage};
