//! Content-addressed blobs, the images that name them, and what keeps them alive.
//!
//! The life of a blob: a [`Lease`] is taken, a [`Writer`] under it ingests bytes into a temporary file while hashing
//! them, [`Writer::commit`] checks digest and size and makes the blob visible, [`Store::put_image`] records an image that
//! reaches it, and the lease is dropped. [`Store::collect`] deletes what no image, lease or hold reaches.
//!
//! Everything here blocks: call it from a blocking thread.

mod blobs;
mod clock;
mod digest;
mod error;
mod gc;
mod images;
mod lease;
mod oci;
mod paths;
mod pending;
mod record;
mod reference;
mod store;
mod writer;

pub use clock::{from_unix, now_unix_nanos, parse_rfc3339, rfc3339};
pub use digest::{Digest, Hasher};
pub use error::{Error, Result};
pub use gc::{Live, Reclaimed};
pub use images::{Image, ImageIndex, ImageRecord, parse_image};
pub use lease::{Lease, Resource};
pub use oci::{
    ContainerConfig, Descriptor, HealthConfig, HistoryEntry, ImageConfig, Index, MAX_MANIFEST_BYTES, Manifest, Platform, RootFs, media_type,
};
pub use pending::{Kind, Pending, Recovered};
pub use reference::Reference;
pub use store::Store;
pub use writer::{Committed, Writer};
