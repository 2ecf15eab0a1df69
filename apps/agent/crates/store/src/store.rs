use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::images::{ImageRecord, RefRecord};
use crate::lease::HoldRecord;
use crate::paths::Paths;
use crate::pending::{Kind, Pending};
use crate::record::{self, Keep};
use crate::{Digest, Error, Lease, Resource, Result, Writer, now_unix_nanos};

/// The content store of one data root. Cheap to clone; one process at a time may open a root.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    paths: Paths,
    pending: Pending,
    state: Mutex<State>,
    next_lease: AtomicU64,
    lost_layers: Vec<Digest>,
}

/// Everything that decides what is reachable, under one lock: gc sees either before or after a change, never between.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub images: HashMap<Digest, ImageRecord>,
    /// By canonical name.
    pub refs: BTreeMap<String, RefRecord>,
    pub leases: HashMap<String, HashSet<Resource>>,
    pub holds: HashMap<String, HoldRecord>,
}

impl Store {
    /// Opens or creates the store below `root` (the agent's data root). Empties the ingest area, and re-hashes the blobs
    /// that a crash of the machine may have left half written.
    pub fn open(root: &Path) -> Result<Store> {
        let paths = Paths::new(root);
        for dir in paths.all() {
            fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        }
        empty_dir(&paths.ingest())?;
        let (pending, recovered) = Pending::open(paths.pending())?;
        let images = record::read_all::<ImageRecord>(&paths.images())?;
        let refs = record::read_all::<RefRecord>(&paths.refs())?;
        let holds = record::read_all::<HoldRecord>(&paths.leases())?;
        let state = State {
            images: images.into_iter().map(|i| (i.id, i)).collect(),
            refs: refs.into_iter().map(|r| (r.name.clone(), r)).collect(),
            leases: HashMap::new(),
            holds: holds.into_iter().map(|h| (h.id.clone(), h)).collect(),
        };
        let inner = Inner { paths, pending, state: Mutex::new(state), next_lease: AtomicU64::new(1), lost_layers: recovered.layers };
        let store = Store { inner: Arc::new(inner) };
        store.lock().refs.retain(|name, r| store.keep_reference(name, r));
        for digest in recovered.blobs {
            match store.verify_blob(&digest) {
                Ok(_) | Err(Error::Corrupt(_) | Error::BlobNotFound(_)) => store.pending().settle(Kind::Blob, &digest)?,
                Err(error) => return Err(error),
            }
        }
        Ok(store)
    }

    fn keep_reference(&self, name: &str, reference: &RefRecord) -> bool {
        let known = self.inner.paths.image(&reference.image).exists();
        if !known {
            tracing::warn!(name, image = %reference.image, "dropped a name whose image record is gone");
            let _ = record::remove(&self.inner.paths.reference(name));
        }
        known
    }

    /// The data root.
    pub fn root(&self) -> &Path {
        &self.inner.paths.root
    }

    /// The markers of content not yet synced; the layer store uses them too.
    pub fn pending(&self) -> &Pending {
        &self.inner.pending
    }

    /// Diff ids of layers that a crash of the machine may have left half written. The layer store drops them when it opens.
    pub fn lost_layers(&self) -> &[Digest] {
        &self.inner.lost_layers
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease for one piece of work; `owner` is a word for the log (`pull`, `build`, …).
    pub fn lease(&self, owner: &str) -> Lease {
        let id = format!("{owner}-{}", self.inner.next_lease.fetch_add(1, Ordering::Relaxed));
        self.lock().leases.insert(id.clone(), HashSet::new());
        Lease::new(self.clone(), id)
    }

    pub(crate) fn hold_on(&self, lease: &str, resource: Resource) -> Result<()> {
        match self.lock().leases.get_mut(lease) {
            Some(held) => held.insert(resource),
            None => return Err(Error::invalid("the lease", "it has ended")),
        };
        Ok(())
    }

    pub(crate) fn drop_lease(&self, id: &str) {
        self.lock().leases.remove(id);
    }

    /// Holds resources until [`Store::release`], across restarts: a build cache entry, a pin. Replaces an earlier hold of
    /// the same id.
    pub fn hold(&self, id: &str, resources: Vec<Resource>) -> Result<()> {
        let hold = HoldRecord { id: id.to_string(), resources, since: now_unix_nanos() };
        let mut state = self.lock();
        // A hold that a power cut takes away costs a cache miss, no data.
        record::write(&self.paths().lease(id), &hold, Keep::UntilReboot)?;
        state.holds.insert(id.to_string(), hold);
        Ok(())
    }

    /// Ends a hold; fine when there is none.
    pub fn release(&self, id: &str) -> Result<()> {
        let mut state = self.lock();
        record::remove(&self.paths().lease(id))?;
        state.holds.remove(id);
        Ok(())
    }

    /// The ids of all holds, with what each holds.
    pub fn holds(&self) -> Vec<(String, Vec<Resource>)> {
        self.lock().holds.values().map(|h| (h.id.clone(), h.resources.clone())).collect()
    }

    /// Starts to ingest a blob.
    pub fn writer(&self, lease: &Lease) -> Result<Writer> {
        Writer::new(self, lease)
    }
}

fn empty_dir(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io(dir))?.flatten() {
        record::remove(&entry.path())?;
    }
    Ok(())
}
