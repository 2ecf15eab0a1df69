//! The layer cache on disk, one tree per scope, and the locks that let two builds do equal work once.
//!
//! ```text
//! build-cache/<scope>/            first 32 hex digits of the scope's SHA-256, mode 0700
//!   entries/<key>.json            a finished vertex; its time is when it was last used
//!   slots/<slot>.json             what a vertex was last made from, for the reason of a miss
//!   selections/<hash>.json        checksums of files in an output, so that COPY --from needs no second read
//!   downloads/<hash>.json         what a URL gave the last time, with its ETag and date
//!   repacked/<hash>.json          a layer in another form: compression, times (see `repack.rs`)
//!   mounts/                       see `cache_dirs.rs`
//! ```
//!
//! An entry is only a claim: it is believed when its blob is in the store. Files are written aside and renamed; one that
//! cannot be read (a power cut) is a miss.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slipway_store::{Descriptor, Digest, Lease, Resource, Store};
use slipway_sys::fault;

use crate::cache_dirs::{CacheDirs, Listed};
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
}

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
    root: PathBuf,
    store: Store,
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

/// What [`Cache::trim`] looks at.
enum Kept {
    /// Scope's directory, its own path.
    Entry(String, PathBuf, Box<Entry>),
    Mount(Listed),
}

/// What [`Cache::trim`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    pub entries: usize,
    /// Compressed bytes of their layers.
    pub bytes: u64,
    /// Bytes of disk that cache mounts gave back.
    pub mount_bytes: u64,
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
    /// files that a crash kept from their place.
    pub fn release_lost(&self) {
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
    pub fn lookup(&self, lease: &Lease, scope: &str, key: &str) -> Result<Option<Entry>> {
        let path = self.path(scope, "entries", key);
        let Some(entry) = read::<Entry>(&path).filter(|entry| entry.key == key) else { return Ok(None) };
        if let Some(layer) = &entry.layer {
            let failed = |error| BuildError::internal("looking into the build cache", error);
            lease.hold(Resource::Blob(layer.descriptor.digest)).map_err(failed)?;
            lease.hold(Resource::Layer(layer.diff_id)).map_err(failed)?;
            if self.store.stat(&layer.descriptor.digest).map_err(failed)? != Some(layer.descriptor.size) {
                return Ok(None);
            }
        }
        touch(&path);
        Ok(Some(entry))
    }

    /// Remembers a finished vertex and holds its layer until it is trimmed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn insert(&self, scope: &str, entry: &Entry) -> Result<()> {
        if let Some(layer) = &entry.layer {
            let resources = vec![Resource::Blob(layer.descriptor.digest), Resource::Layer(layer.diff_id)];
            self.store
                .hold(&hold_id(&scope_dir(scope), &entry.key), resources)
                .map_err(|error| BuildError::internal("writing the build cache", error))?;
        }
        fault::point("cache.held");
        write(&self.path(scope, "entries", &entry.key), entry)
    }

    /// What was remembered under a name; `kind` is `slots`, `selections`, `downloads` or `repacked`.
    pub fn recall<T: DeserializeOwned>(&self, scope: &str, kind: &str, name: &str) -> Option<T> {
        let path = self.path(scope, kind, name);
        let found = read(&path)?;
        touch(&path);
        Some(found)
    }

    /// # Errors
    /// When it cannot be written.
    pub fn remember<T: Serialize>(&self, scope: &str, kind: &str, name: &str, value: &T) -> Result<()> {
        write(&self.path(scope, kind, name), value)
    }

    /// A key's flight; it exists while somebody holds it. Whoever gets its lock looks again before working.
    pub fn flight(&self, scope: &str, key: &str) -> Arc<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        flights.entry(format!("{}/{key}", scope_dir(scope))).or_default().clone()
    }

    /// What another build has made for a key and still keeps at hand.
    pub fn in_flight(&self, scope: &str, key: &str) -> Option<Output> {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.get(&format!("{}/{key}", scope_dir(scope))).and_then(|flight| flight.made())
    }

    /// Forgets the least recently used entries and cache mounts until the layers of the rest (compressed, equal ones once)
    /// and what the mounts hold take at most `max_bytes`, and records of slots, selections, downloads and repacked layers that were not used for 30 days. The blobs go with the store's gc.
    ///
    /// # Errors
    /// When the cache cannot be listed.
    pub fn trim(&self, max_bytes: u64) -> std::io::Result<Trimmed> {
        let mut entries = Vec::new();
        let month_ago = SystemTime::now().checked_sub(std::time::Duration::from_secs(30 * 86_400)).unwrap_or(SystemTime::UNIX_EPOCH);
        for scope in std::fs::read_dir(&self.root)?.flatten() {
            for (path, used) in files(&scope.path().join("entries")) {
                match read::<Entry>(&path) {
                    Some(entry) => {
                        entries.push((used, Kept::Entry(scope.file_name().to_string_lossy().into_owned(), path, Box::new(entry))))
                    }
                    None => remove(&path),
                }
            }
            for kind in ["slots", "selections", "downloads", "repacked"] {
                for (path, used) in files(&scope.path().join(kind)) {
                    if used < month_ago {
                        remove(&path);
                    }
                }
            }
        }
        entries.extend(self.dirs.list().into_iter().map(|dir| (dir.used, Kept::Mount(dir))));
        entries.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        let (mut kept, mut total, mut trimmed) = (std::collections::HashSet::new(), 0, Trimmed::default());
        for (_, item) in entries {
            let (scope, path, entry) = match item {
                Kept::Mount(dir) if total + dir.bytes > max_bytes && self.dirs.remove(&dir.path) => {
                    trimmed.mount_bytes += dir.bytes;
                    continue;
                }
                Kept::Mount(dir) => {
                    total += dir.bytes;
                    continue;
                }
                Kept::Entry(scope, path, entry) => (scope, path, entry),
            };
            let Some(layer) = &entry.layer else { continue };
            let new = !kept.contains(&layer.descriptor.digest);
            if !new || total + layer.descriptor.size <= max_bytes {
                total += if new { layer.descriptor.size } else { 0 };
                kept.insert(layer.descriptor.digest);
                continue;
            }
            remove(&path);
            if let Err(error) = self.store.release(&hold_id(&scope, &entry.key)) {
                tracing::warn!(%error, "a cache entry's hold could not be released");
            }
            trimmed.entries += 1;
            trimmed.bytes += layer.descriptor.size;
        }
        Ok(trimmed)
    }

    fn path(&self, scope: &str, kind: &str, name: &str) -> PathBuf {
        self.root.join(scope_dir(scope)).join(kind).join(format!("{name}.json"))
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

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let failed = |error: std::io::Error| BuildError::io("writing the build cache", &error);
    let bytes = serde_json::to_vec(value).map_err(|error| BuildError::internal("writing the build cache", error))?;
    let aside = path.with_extension(format!("{}.tmp", slipway_store::now_unix_nanos()));
    let attempt = || {
        std::fs::write(&aside, &bytes)?;
        fault::point("cache.aside");
        std::fs::rename(&aside, path)
    };
    match attempt() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_private(path.parent().unwrap_or(Path::new("/"))).and_then(|()| attempt()).map_err(failed)
        }
        Err(error) => {
            remove(&aside);
            Err(failed(error))
        }
        Ok(()) => Ok(()),
    }
}

pub fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn touch(path: &Path) {
    let now = std::fs::FileTimes::new().set_modified(SystemTime::now());
    let touched = std::fs::File::options().write(true).open(path).and_then(|file| file.set_times(now));
    if let Err(error) = touched {
        tracing::debug!(%error, path = %path.display(), "a cache entry's time could not be set");
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a cache file could not be removed");
    }
}

pub fn files(dir: &Path) -> Vec<(PathBuf, SystemTime)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.modified().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(store: &Store, lease: &Lease, key: &str, bytes: usize) -> Entry {
        let blob = store.put_bytes(lease, &vec![key.as_bytes()[0]; bytes]).unwrap();
        let descriptor = Descriptor::new(slipway_store::media_type::OCI_LAYER_GZIP, blob.digest, blob.size);
        let layer = CachedLayer { descriptor, diff_id: blob.digest, unpacked_size: 1, form: None };
        Entry { key: key.into(), output: "o".into(), layer: Some(layer), created: String::new() }
    }

    #[test]
    fn keeps_scopes_apart_and_trims_the_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease("test");
        let cache = Cache::open(dir.path().join("cache"), store.clone()).unwrap();
        for key in ["a", "b", "c"] {
            cache.insert("org", &entry(&store, &lease, key, 100)).unwrap();
        }
        assert!(cache.lookup(&lease, "org", "a").unwrap().is_some());
        assert!(cache.lookup(&lease, "other", "a").unwrap().is_none());
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let path = cache.path("org", "entries", "b");
        std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        assert_eq!(cache.trim(250).unwrap(), Trimmed { entries: 1, bytes: 100, mount_bytes: 0 });
        assert!(cache.lookup(&lease, "org", "b").unwrap().is_none());
        assert!(cache.lookup(&lease, "org", "c").unwrap().is_some());
        let gone = entry(&store, &lease, "d", 10);
        cache.insert("org", &gone).unwrap();
        store.delete_blob(&gone.layer.unwrap().descriptor.digest).unwrap();
        assert!(cache.lookup(&lease, "org", "d").unwrap().is_none(), "an entry without its blob is a miss");
        std::fs::remove_file(cache.path("org", "entries", "d")).unwrap();
        let held = store.holds().len();
        cache.release_lost();
        assert_eq!(store.holds().len(), held - 1);
        std::fs::write(cache.path("org", "entries", "c"), b"{").unwrap();
        assert!(cache.lookup(&lease, "org", "c").unwrap().is_none(), "half a file is a miss");
    }
}
