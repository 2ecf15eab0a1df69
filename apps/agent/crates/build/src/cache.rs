//! The layer cache on disk, one tree per scope, and the locks that let two builds do equal work once.
//!
//! ```text
//! build-cache/<scope>/            first 32 hex digits of the scope's SHA-256, mode 0700
//!   entries/<key>.json            a finished vertex, and a line break for each use; its time is when it was last used
//!   slots/<slot>.json             what a vertex was last made from, for the reason of a miss
//!   selections/<hash>.json        checksums of files in an output, so that COPY --from needs no second read
//!   downloads/<hash>.json         what a URL gave the last time, with its ETag and date
//!   repacked/<hash>.json          a layer in another form: compression, times (see `repack.rs`)
//!   mounts/                       see `cache_dirs.rs`
//! build-cache/once-<build>.<n>/   the same, of a build that may read its scope but not write it; goes with the build
//! ```
//!
//! An entry is only a claim: it is believed when its blob is in the store. Files are written aside and renamed; one that
//! cannot be read (a power cut) is a miss.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slipway_store::{Descriptor, Digest, Lease, Resource, Store};
use slipway_sys::fault;
use slipway_sys::remove::remove_tree;

use crate::cache_dirs::CacheDirs;
use crate::cache_files::{count_use, files, make_private, read, remove, touch, write};
use crate::error::{BuildError, Result};
use crate::key::KeyHash;
use crate::layer::Output;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    /// Output id.
    pub output: String,
    /// `None`: the vertex changed nothing (WORKDIR of a directory that was there).
    pub layer: Option<CachedLayer>,
    /// RFC 3339, when it was built.
    pub created: String,
    /// Missing in entries of older agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// What an entry is, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The instruction, or a cache mount's id; at most [`MAX_ABOUT`] characters.
    pub text: String,
    /// The repository of the image that was built: `slipway.local/acme/shop`. Empty when the image got no name.
    pub app: String,
}

const MAX_ABOUT: usize = 200;

impl About {
    pub fn new(text: &str, app: &str) -> Self {
        Self { text: text.chars().take(MAX_ABOUT).collect(), app: app.chars().take(MAX_ABOUT).collect() }
    }
}

/// Where a build reads and where it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// Folder of what the build may write.
    own: String,
    /// Folder of what it may only read, when that is another.
    beneath: Option<String>,
}

impl Scopes {
    /// `scope` for both.
    pub fn shared(scope: &str) -> Self {
        Self { own: scope_dir(scope), beneath: None }
    }

    /// Writes go to a folder of this build alone.
    pub fn reading(scope: &str, build_dir: &str) -> Self {
        Self { own: format!("{ONCE}{build_dir}"), beneath: Some(scope_dir(scope)) }
    }

    /// The folder of what the build writes.
    pub fn own(&self) -> &str {
        &self.own
    }

    /// Whether [`Cache::end`] has something to do.
    pub fn end_with_build(&self) -> bool {
        self.beneath.is_some()
    }

    fn readable(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.own.as_str()).chain(self.beneath.as_deref())
    }
}

/// Begins the names of folders that end with their build. No scope's folder has a dash.
const ONCE: &str = "once-";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedLayer {
    pub descriptor: Descriptor,
    pub diff_id: Digest,
    pub unpacked_size: u64,
    /// See [`OutputOptions::form`](crate::output_options::OutputOptions::form).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
}

#[derive(Debug)]
pub struct Cache {
    pub(crate) root: PathBuf,
    pub(crate) store: Store,
    flights: Mutex<HashMap<String, Arc<Flight>>>,
    /// What cache mounts keep.
    pub dirs: CacheDirs,
}

/// Equal work of several builds: one does it, the others wait for the lock and find what it made.
#[derive(Debug, Default)]
pub struct Flight {
    pub lock: tokio::sync::Mutex<()>,
    made: Mutex<Option<Output>>,
}

impl Flight {
    /// What was made, until it is at its final place.
    pub fn made(&self) -> Option<Output> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn land(&self, output: Option<Output>) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = output;
    }
}

impl Cache {
    /// `root` is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: PathBuf, store: Store) -> std::io::Result<Self> {
        make_private(&root)?;
        Ok(Self { dirs: CacheDirs::open(root.clone()), root, store, flights: Mutex::default() })
    }

    /// Releases what is held for entries that a crash kept from being written, or that somebody deleted, and removes the
    /// files that a crash kept from their place, and what builds were allowed to write for themselves only.
    pub fn release_lost(&self) {
        for scope in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let name = scope.file_name().to_string_lossy().into_owned();
            if name.starts_with(ONCE) {
                self.remove_folder(&name);
            }
        }
        for scope in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let aside = KINDS.iter().flat_map(|kind| files(&scope.path().join(kind)));
            aside.filter(|(path, _)| path.extension().is_some_and(|end| end == "tmp")).for_each(|(path, _)| remove(&path));
        }
        for (id, _) in self.store.holds() {
            let Some((scope, key)) = id.strip_prefix(HOLD_PREFIX).and_then(|rest| rest.split_once('/')) else { continue };
            if !self.root.join(scope).join("entries").join(format!("{key}.json")).exists()
                && let Err(error) = self.store.release(&id)
            {
                tracing::warn!(%error, id, "what a lost cache entry held could not be released");
            }
        }
    }

    /// The entry for a key, held by `lease` from now on; `None` when there is none or its layer is gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lookup(&self, lease: &Lease, scopes: &Scopes, key: &str) -> Result<Option<Entry>> {
        for folder in scopes.readable() {
            if let Some(entry) = self.lookup_in(lease, folder, folder == scopes.own, key)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The entry for a key, without a use of it.
    pub fn peek(&self, scopes: &Scopes, key: &str) -> Option<Entry> {
        let found = scopes.readable().find_map(|folder| read::<Entry>(&self.path(folder, "entries", key)));
        found.filter(|entry| entry.key == key)
    }

    fn lookup_in(&self, lease: &Lease, folder: &str, counts: bool, key: &str) -> Result<Option<Entry>> {
        let path = self.path(folder, "entries", key);
        let Some(entry) = read::<Entry>(&path).filter(|entry| entry.key == key) else { return Ok(None) };
        if let Some(layer) = &entry.layer {
            let failed = |error| BuildError::internal("looking into the build cache", error);
            lease.hold(Resource::Blob(layer.descriptor.digest)).map_err(failed)?;
            lease.hold(Resource::Layer(layer.diff_id)).map_err(failed)?;
            if self.store.stat(&layer.descriptor.digest).map_err(failed)? != Some(layer.descriptor.size) {
                return Ok(None);
            }
        }
        if counts {
            count_use(&path);
        }
        Ok(Some(entry))
    }

    /// Remembers a finished vertex and holds its layer until it is trimmed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn insert(&self, scopes: &Scopes, entry: &Entry) -> Result<()> {
        if let Some(layer) = &entry.layer {
            let resources = vec![Resource::Blob(layer.descriptor.digest), Resource::Layer(layer.diff_id)];
            self.store
                .hold(&hold_id(&scopes.own, &entry.key), resources)
                .map_err(|error| BuildError::internal("writing the build cache", error))?;
        }
        fault::point("cache.held");
        write(&self.path(&scopes.own, "entries", &entry.key), entry)
    }

    /// What was remembered under a name; `kind` is `slots`, `selections`, `downloads` or `repacked`.
    pub fn recall<T: DeserializeOwned>(&self, scopes: &Scopes, kind: &str, name: &str) -> Option<T> {
        scopes.readable().find_map(|folder| {
            let path = self.path(folder, kind, name);
            let found = read(&path)?;
            if folder == scopes.own {
                touch(&path);
            }
            Some(found)
        })
    }

    /// # Errors
    /// When it cannot be written.
    pub fn remember<T: Serialize>(&self, scopes: &Scopes, kind: &str, name: &str, value: &T) -> Result<()> {
        write(&self.path(&scopes.own, kind, name), value)
    }

    /// Takes away what a build was allowed to write for itself only. Blocks.
    pub fn end(&self, scopes: &Scopes) {
        if scopes.beneath.is_some() {
            self.remove_folder(&scopes.own);
        }
    }

    fn remove_folder(&self, folder: &str) {
        for (path, _) in files(&self.root.join(folder).join("entries")) {
            if let Some(key) = path.file_stem().and_then(|stem| stem.to_str()) {
                self.release(folder, key);
            }
        }
        if let Err(error) = remove_tree(&self.root.join(folder))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder, "what a build cached for itself could not be removed; the next start tries again");
        }
    }

    pub(crate) fn release(&self, folder: &str, key: &str) {
        if let Err(error) = self.store.release(&hold_id(folder, key)) {
            tracing::warn!(%error, "a cache entry's hold could not be released");
        }
    }

    /// A key's flight; it exists while somebody holds it. Whoever gets its lock looks again before working.
    pub fn flight(&self, scopes: &Scopes, key: &str) -> Arc<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        flights.entry(format!("{}/{key}", scopes.own)).or_default().clone()
    }

    /// What another build has made for a key and still keeps at hand.
    pub fn in_flight(&self, scopes: &Scopes, key: &str) -> Option<Output> {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.readable().find_map(|folder| flights.get(&format!("{folder}/{key}")).and_then(|flight| flight.made()))
    }

    pub(crate) fn path(&self, folder: &str, kind: &str, name: &str) -> PathBuf {
        self.root.join(folder).join(kind).join(format!("{name}.json"))
    }
}

pub fn scope_dir(scope: &str) -> String {
    let mut name = KeyHash::new("scope").field(scope).finish();
    name.truncate(32);
    name
}

/// Folders of a scope.
const KINDS: [&str; 5] = ["entries", "slots", "selections", "downloads", "repacked"];
const HOLD_PREFIX: &str = "build-cache/";

fn hold_id(scope_dir: &str, key: &str) -> String {
    format!("{HOLD_PREFIX}{scope_dir}/{key}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cache_files::uses;

    pub fn entry(store: &Store, lease: &Lease, key: &str, bytes: usize) -> Entry {
        let blob = store.put_bytes(lease, &vec![key.as_bytes()[0]; bytes]).unwrap();
        let descriptor = Descriptor::new(slipway_store::media_type::OCI_LAYER_GZIP, blob.digest, blob.size);
        let layer = CachedLayer { descriptor, diff_id: blob.digest, unpacked_size: 1, form: None };
        Entry { key: key.into(), output: "o".into(), layer: Some(layer), created: String::new(), about: Some(About::new("RUN x", "app")) }
    }

    #[test]
    fn keeps_scopes_apart_and_believes_only_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease("test");
        let cache = Cache::open(dir.path().join("cache"), store.clone()).unwrap();
        let (org, other) = (Scopes::shared("org"), Scopes::shared("other"));
        cache.insert(&org, &entry(&store, &lease, "a", 100)).unwrap();
        assert!(cache.lookup(&lease, &org, "a").unwrap().is_some());
        assert!(cache.lookup(&lease, &org, "a").unwrap().is_some());
        assert_eq!(uses(&std::fs::read(cache.path(org.own(), "entries", "a")).unwrap()), 2);
        assert!(cache.lookup(&lease, &other, "a").unwrap().is_none());
        let gone = entry(&store, &lease, "d", 10);
        cache.insert(&org, &gone).unwrap();
        store.delete_blob(&gone.layer.unwrap().descriptor.digest).unwrap();
        assert!(cache.lookup(&lease, &org, "d").unwrap().is_none(), "an entry without its blob is a miss");
        std::fs::remove_file(cache.path(org.own(), "entries", "d")).unwrap();
        let held = store.holds().len();
        cache.release_lost();
        assert_eq!(store.holds().len(), held - 1);
        std::fs::write(cache.path(org.own(), "entries", "a"), b"{").unwrap();
        assert!(cache.lookup(&lease, &org, "a").unwrap().is_none(), "half a file is a miss");
    }

    #[test]
    fn what_may_only_read_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease("test");
        let cache = Cache::open(dir.path().join("cache"), store.clone()).unwrap();
        let (org, fork) = (Scopes::shared("org"), Scopes::reading("org", "b1.1"));
        cache.insert(&org, &entry(&store, &lease, "a", 100)).unwrap();
        assert!(cache.lookup(&lease, &fork, "a").unwrap().is_some());
        assert_eq!(uses(&std::fs::read(cache.path(org.own(), "entries", "a")).unwrap()), 0, "not even its use is written");
        cache.insert(&fork, &entry(&store, &lease, "b", 100)).unwrap();
        cache.remember(&fork, "slots", "s", &1).unwrap();
        assert!(cache.lookup(&lease, &fork, "b").unwrap().is_some());
        assert!(cache.lookup(&lease, &org, "b").unwrap().is_none() && cache.recall::<u32>(&org, "slots", "s").is_none());
        cache.end(&org);
        assert!(cache.lookup(&lease, &org, "a").unwrap().is_some());
        let held = store.holds().len();
        cache.end(&fork);
        assert_eq!(store.holds().len(), held - 1);
        assert!(cache.lookup(&lease, &fork, "b").unwrap().is_none());
        cache.insert(&fork, &entry(&store, &lease, "b", 100)).unwrap();
        cache.release_lost();
        assert!(!dir.path().join("cache/once-b1.1").exists(), "a killed daemon's too");
    }
}
