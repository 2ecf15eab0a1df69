use serde::{Deserialize, Serialize};

use crate::{Digest, Result, Store};

/// Something that gc must leave alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Blob(Digest),
    /// An unpacked layer, by diff id.
    Layer(Digest),
}

/// Holds what one pull, build or load has brought in until an image or a hold reaches it; released when dropped.
///
/// It lives in memory only: the work it protects dies with the daemon, and gc runs nowhere else. What must outlive the
/// daemon is a [`Store::hold`].
#[derive(Debug)]
pub struct Lease {
    store: Store,
    id: String,
}

impl Lease {
    pub(crate) fn new(store: Store, id: String) -> Lease {
        Lease { store, id }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Holds one more thing. For a blob or layer that is already there: hold it first, then look whether it exists.
    pub fn hold(&self, resource: Resource) -> Result<()> {
        self.store.hold_on(&self.id, resource)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.store.drop_lease(&self.id);
    }
}

/// A hold on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HoldRecord {
    pub id: String,
    pub resources: Vec<Resource>,
    pub since: i64,
}
