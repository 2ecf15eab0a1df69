use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use slipway_store::{Descriptor, Digest, Kind, Lease, Reclaimed, Resource, Store};
use slipway_sys::fault;

use crate::snapshots::{SnapshotRecord, Snapshots};
use crate::tree;
use crate::{Error, Result, base};

/// The unpacked layers of one data root:
///
/// ```text
/// layers/
///   <diff id hex>/fs          the layer; whiteouts and opaque marks in overlayfs's form
///   <diff id hex>/layer.json
///   l/<short>                 symlinks to ../<hex>/fs, for mount options of many layers
///   tmp/ trash/               on the way in and out; emptied at start
///   empty/                    the lower directory of an image without layers
/// mounts/
///   base/                     mount points that every container needs, below all its layers (`base.rs`)
///   root/                     where each container mounts its root, in its own mount namespace; always empty
/// ```
///
/// A directory per diff id, not per chain: overlayfs's whiteouts and opaque marks belong to one layer each, so equal layers
/// are shared whatever they are stacked on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Layers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    root: PathBuf,
    snapshots: PathBuf,
    limits: Limits,
    state: Mutex<State>,
    unpacked: Condvar,
    next_temp: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    layers: HashMap<Digest, Layer>,
    unpacking: HashSet<Digest>,
    snapshots: HashMap<String, SnapshotRecord>,
}

/// An unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub diff_id: Digest,
    /// Read-only by agreement: many images and containers share it.
    pub dir: PathBuf,
    /// The short name in [`Layers::link_dir`].
    pub link: String,
    /// Sum of the file sizes in bytes, as the Engine API counts a layer.
    pub size: u64,
}

/// A layer made from a directory: its blob is in the store, held by the lease.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLayer {
    /// Media type, digest and size of the compressed blob.
    pub descriptor: Descriptor,
    pub diff_id: Digest,
    /// Sum of the file sizes in bytes.
    pub unpacked_size: u64,
    /// Entries written; 0 says the step changed nothing.
    pub entries: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    None,
    /// Members of 1 MiB, compressed in parallel; the same bytes on every machine.
    #[default]
    Gzip,
    /// 1 (fast) to 9 (small).
    GzipAt(u32),
    /// Frames of 1 MiB, compressed in parallel as `Gzip`'s members.
    Zstd,
    /// 1 (fast) to 22 (small, slow).
    ZstdAt(i32),
}

#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    pub compression: Compression,
    /// Sets every entry's mtime (seconds since 1970); `None` keeps them.
    pub mtime: Option<i64>,
    /// Asked between two pieces of a file; whether to give up.
    pub stopped: Option<Stopped>,
}

#[derive(Clone)]
pub struct Stopped(pub Arc<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Stopped")
    }
}

/// What a layer may contain at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: u64,
    /// Of the uncompressed stream, and of the apparent size of its files together (a sparse file counts in full).
    pub bytes: u64,
    /// Of the paths of its directories, which are remembered until the end: a million of the longest would take 4 GiB.
    pub directory_paths: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { entries: 1_000_000, bytes: 128 << 30, directory_paths: 256 << 20 }
    }
}

#[derive(Serialize, Deserialize)]
struct LayerRecord {
    link: String,
    size: u64,
}

impl Layers {
    /// Opens the layers below the store's root; empties `tmp` and `trash`, drops what a crash of the machine left half written.
    pub fn open(store: &Store) -> Result<Layers> {
        Layers::open_with(store, Limits::default())
    }

    pub fn open_with(store: &Store, limits: Limits) -> Result<Layers> {
        let (root, snapshots, mounts) = (store.root().join("layers"), store.root().join("snapshots"), store.root().join("mounts"));
        for dir in
            [root.clone(), root.join("l"), root.join("tmp"), root.join("trash"), root.join("empty"), mounts.join("root"), snapshots.clone()]
        {
            fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        }
        // Layers hold setuid programs and device nodes: other users of the host must not reach them.
        tree::chmod(&root, 0o700)?;
        tree::chmod(&mounts, 0o700)?;
        tree::chmod(&snapshots, 0o711)?;
        tree::spread(&root.join("tmp"))?;
        let inner = Inner {
            store: store.clone(),
            root,
            snapshots,
            limits,
            state: Mutex::default(),
            unpacked: Condvar::new(),
            // Not from 0: by its name ext4 chooses where a directory goes, and the last daemon's may just have been deleted.
            next_temp: AtomicU64::new(slipway_store::now_unix_nanos() as u64),
        };
        let layers = Layers { inner: Arc::new(inner) };
        base::prepare(&mounts.join("base"))?;
        layers.recover()?;
        Ok(layers)
    }

    fn recover(&self) -> Result<()> {
        for lost in self.inner.store.lost_layers() {
            let dir = self.layer_dir(lost);
            if dir.exists() {
                fs::rename(&dir, self.trash_path()).map_err(Error::io(&dir))?;
            }
            self.inner.store.pending().settle(Kind::Layer, lost)?;
        }
        for area in ["tmp", "trash"] {
            for path in entries_of(&self.inner.root.join(area))? {
                tree::remove(&path)?;
            }
        }
        let mut state = self.lock();
        for path in entries_of(&self.inner.root)? {
            let Ok(diff_id) = Digest::from_hex(&name_of(&path)) else { continue };
            match read_json::<LayerRecord>(&path.join("layer.json")) {
                Ok(record) => {
                    self.make_link(&diff_id, &record.link)?;
                    let layer = Layer { diff_id, dir: path.join("fs"), link: record.link, size: record.size };
                    state.layers.insert(diff_id, layer);
                }
                Err(error) => {
                    tracing::error!(%diff_id, %error, "dropped a layer without a readable record; it is unpacked again when needed");
                    tree::remove(&path)?;
                }
            }
        }
        for path in entries_of(&self.inner.snapshots)? {
            if let Some(record) = crate::snapshots::recover(&path)? {
                state.snapshots.insert(record.id.clone(), record);
            }
        }
        Ok(())
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The writable snapshots on top of these layers.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots { layers: self.clone() }
    }

    /// The layer, if it is unpacked.
    pub fn get(&self, diff_id: &Digest) -> Option<Layer> {
        self.lock().layers.get(diff_id).cloned()
    }

    /// All of a stack, lowest first, or [`Error::LayerNotFound`] for the first that is not unpacked.
    pub fn stack(&self, diff_ids: &[Digest]) -> Result<Vec<Layer>> {
        let state = self.lock();
        diff_ids.iter().map(|d| state.layers.get(d).cloned().ok_or(Error::LayerNotFound(*d))).collect()
    }

    /// The lower directories of a stack (given lowest first), topmost first as overlayfs wants them, in full and as short
    /// names in [`Layers::link_dir`]. Repeated layers are named once, at their topmost place: overlayfs refuses duplicates.
    pub fn lower(&self, diff_ids: &[Digest]) -> Result<(Vec<PathBuf>, Vec<String>)> {
        let mut seen = HashSet::new();
        let stack = self.stack(diff_ids)?;
        let (mut dirs, mut links): (Vec<_>, Vec<_>) =
            stack.into_iter().rev().filter(|l| seen.insert(l.diff_id)).map(|l| (l.dir, l.link)).unzip();
        if dirs.is_empty() {
            dirs.push(self.inner.root.join("empty"));
            links.push("../empty".to_string());
        }
        Ok((dirs, links))
    }

    /// The directory of short names.
    pub fn link_dir(&self) -> PathBuf {
        self.inner.root.join("l")
    }

    /// The lowest of a container's lower directories, relative to [`Layers::link_dir`]; see `base.rs`.
    pub fn base_link(&self) -> PathBuf {
        "../../mounts/base".into()
    }

    /// A directory to mount on, for whoever has a mount namespace of its own.
    pub fn mount_point(&self) -> PathBuf {
        self.inner.store.root().join("mounts/root")
    }

    /// The folder above all layers and snapshots.
    pub fn store_root(&self) -> &Path {
        self.inner.store.root()
    }

    /// All unpacked layers.
    pub fn list(&self) -> Vec<Layer> {
        self.lock().layers.values().cloned().collect()
    }

    /// Makes a directory the unpacked layer `made` (from [`Layers::diff`] of that same directory), by renaming it. The
    /// directory must be on the data root's file system, unmounted and no longer written to. When the layer exists already,
    /// the directory stays where it is.
    pub fn adopt(&self, lease: &Lease, upper: &Path, made: &NewLayer) -> Result<Layer> {
        lease.hold(Resource::Layer(made.diff_id))?;
        self.once(&made.diff_id, || {
            let temp = self.temp_dir()?;
            let moved = fs::rename(upper, temp.join("fs")).map_err(Error::io(upper));
            if moved.is_err() {
                tree::remove(&temp)?;
            }
            moved.and_then(|()| self.commit(&temp, &made.diff_id, made.unpacked_size))
        })
    }

    /// Deletes blobs and layers that no image, lease, hold or snapshot reaches.
    pub fn collect(&self) -> Result<Reclaimed> {
        let mut dead = Vec::new();
        let mut failed = None;
        let reclaimed = self.inner.store.collect(|live| {
            let mut state = self.lock();
            let mut keep: HashSet<Digest> = state.snapshots.values().flat_map(|s| s.parents.clone()).collect();
            keep.extend(&live.layers);
            keep.extend(&state.unpacking);
            let (mut gone, mut bytes) = (Vec::new(), 0);
            let doomed: Vec<Layer> = state.layers.values().filter(|l| !keep.contains(&l.diff_id)).cloned().collect();
            for layer in doomed {
                let trash = self.trash_path();
                if let Err(error) = fs::rename(self.layer_dir(&layer.diff_id), &trash) {
                    failed = Some(Error::io(&layer.dir)(error));
                    break;
                }
                let _ = fs::remove_file(self.link_dir().join(&layer.link));
                state.layers.remove(&layer.diff_id);
                gone.push(layer.diff_id);
                bytes += layer.size;
                dead.push(trash);
            }
            Ok((gone, bytes))
        })?;
        // The slow part, outside of every lock.
        for path in dead {
            tree::remove(&path)?;
        }
        failed.map_or(Ok(reclaimed), Err)
    }

    /// Runs `make` unless the layer is there, one at a time per layer; the others wait and find it made, or try themselves.
    pub(crate) fn once(&self, diff_id: &Digest, make: impl FnOnce() -> Result<Layer>) -> Result<Layer> {
        let mut state = self.lock();
        while state.unpacking.contains(diff_id) {
            state = self.inner.unpacked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(layer) = state.layers.get(diff_id) {
            return Ok(layer.clone());
        }
        state.unpacking.insert(*diff_id);
        drop(state);
        let _claim = Claim { layers: self, diff_id };
        make()
    }

    /// Renames a finished temporary directory into place and registers it.
    pub(crate) fn commit(&self, temp: &Path, diff_id: &Digest, size: u64) -> Result<Layer> {
        let record = LayerRecord { link: self.next_link(), size };
        let bytes = serde_json::to_vec(&record).map_err(|e| Error::InvalidArchive(e.to_string()))?;
        fs::write(temp.join("layer.json"), bytes).map_err(Error::io(temp))?;
        let dir = self.layer_dir(diff_id);
        self.inner.store.pending().mark(Kind::Layer, diff_id)?;
        fault::point("layer.marked");
        fs::rename(temp, &dir).map_err(Error::io(&dir))?;
        fault::point("layer.visible");
        self.make_link(diff_id, &record.link)?;
        let layer = Layer { diff_id: *diff_id, dir: dir.join("fs"), link: record.link, size };
        self.lock().layers.insert(*diff_id, layer.clone());
        Ok(layer)
    }

    /// A fresh directory under `tmp/`; whoever made it removes it when it does not become a layer.
    pub(crate) fn temp_dir(&self) -> Result<PathBuf> {
        let dir = self.inner.root.join("tmp").join(self.unique());
        fs::create_dir(&dir).map_err(Error::io(&dir))?;
        Ok(dir)
    }

    pub(crate) fn trash_path(&self) -> PathBuf {
        self.inner.root.join("trash").join(self.unique())
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.limits
    }

    fn unique(&self) -> String {
        format!("{}", self.inner.next_temp.fetch_add(1, Ordering::Relaxed))
    }

    /// Short and unused; never derived from the digest, or crafted layers could share one.
    fn next_link(&self) -> String {
        let state = self.lock();
        let taken: HashSet<&str> = state.layers.values().map(|l| l.link.as_str()).collect();
        loop {
            let number = (slipway_store::now_unix_nanos() as u64).wrapping_add(self.inner.next_temp.fetch_add(1, Ordering::Relaxed));
            let link = format!("{:x}", number % (1 << 40));
            if !taken.contains(link.as_str()) && !self.link_dir().join(&link).is_symlink() {
                return link;
            }
        }
    }

    fn make_link(&self, diff_id: &Digest, link: &str) -> Result<()> {
        let path = self.link_dir().join(link);
        match std::os::unix::fs::symlink(format!("../{}/fs", diff_id.hex()), &path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::io(&path)(e)),
            _ => Ok(()),
        }
    }

    fn layer_dir(&self, diff_id: &Digest) -> PathBuf {
        self.inner.root.join(diff_id.hex())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot_dir(&self, id: &str) -> PathBuf {
        self.inner.snapshots.join(id)
    }

    pub(crate) fn snapshot(&self, id: &str) -> Option<SnapshotRecord> {
        self.lock().snapshots.get(id).cloned()
    }

    pub(crate) fn snapshot_ids(&self) -> Vec<String> {
        self.lock().snapshots.keys().cloned().collect()
    }

    pub(crate) fn register_snapshot(&self, record: SnapshotRecord) -> Result<()> {
        let mut state = self.lock();
        if state.snapshots.contains_key(&record.id) {
            return Err(Error::SnapshotExists(record.id));
        }
        state.snapshots.insert(record.id.clone(), record);
        Ok(())
    }

    pub(crate) fn unregister_snapshot(&self, id: &str) {
        self.lock().snapshots.remove(id);
    }
}

/// Marks a layer as being made; clears the mark and wakes the waiting even when making it fails.
struct Claim<'a> {
    layers: &'a Layers,
    diff_id: &'a Digest,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.layers.lock().unpacking.remove(self.diff_id);
        self.layers.inner.unpacked.notify_all();
    }
}

fn entries_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(Error::io(dir))?;
    entries.map(|e| e.map(|e| e.path()).map_err(Error::io(dir))).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::io(path)(std::io::Error::other(e)))
}
