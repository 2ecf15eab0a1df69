use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slipway_store::Digest;

use crate::layers::{Layers, read_json};
use crate::tree;
use crate::{Error, Result};

/// The writable layers of containers and build steps:
///
/// ```text
/// snapshots/<id>/
///   snapshot.json   the diff ids below; gc keeps those layers for as long as the snapshot exists
///   upper/ work/    overlayfs's own; on one file system with the layers
/// ```
///
/// Nothing here is synced, nor is a container's own record: a creation does not wait for the disk. A power cut may take a
/// container that was made in the seconds before it, never an image or a volume, and what it leaves is told apart by
/// `recover`.
#[derive(Debug, Clone)]
pub struct Snapshots {
    pub(crate) layers: Layers,
}

/// What an overlay mount needs. Mount with `redirect_dir=off,metacopy=off,index=off`, or the upper directory cannot become a
/// layer. Without `fsconfig(lowerdir+)` (kernel 6.5) the option string is limited to a page: then change to `link_dir` (in a
/// process of one thread) and use the short `lower_links`, which fit more than 300 layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayDirs {
    /// Absolute, topmost layer first; never empty (an image without layers gets one empty directory).
    pub lower: Vec<PathBuf>,
    /// The same directories as short names relative to `link_dir`.
    pub lower_links: Vec<String>,
    pub link_dir: PathBuf,
    pub upper: PathBuf,
    pub work: PathBuf,
    /// Where it may be mounted; whoever does makes the directory.
    pub merged: PathBuf,
}

/// What a directory tree takes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Allocated bytes, as `du` counts them; hardlinks once.
    pub bytes: u64,
    pub inodes: u64,
    /// Sum of the file sizes, as the Engine API tells it; hardlinks once.
    pub files: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SnapshotRecord {
    pub id: String,
    /// Lowest first.
    pub parents: Vec<Digest>,
}

impl Snapshots {
    /// Makes a writable snapshot on a stack of unpacked layers (diff ids, lowest first).
    pub fn prepare(&self, id: &str, parents: &[Digest]) -> Result<OverlayDirs> {
        check_id(id)?;
        let record = SnapshotRecord { id: id.to_string(), parents: parents.to_vec() };
        let dir = self.layers.snapshot_dir(id);
        // Registered first, so that gc sees the parents as used before they are looked up.
        self.layers.register_snapshot(record.clone())?;
        let made = self.layers.stack(parents).and_then(|_| {
            fs::create_dir(&dir).map_err(Error::io(&dir))?;
            for name in ["upper", "work"] {
                fs::create_dir(dir.join(name)).map_err(Error::io(&dir))?;
            }
            tree::chmod(&dir.join("upper"), 0o755)?;
            let bytes = serde_json::to_vec(&record).map_err(|e| Error::InvalidArchive(e.to_string()))?;
            fs::write(dir.join("snapshot.json"), bytes).map_err(Error::io(&dir))?;
            self.dirs(id)
        });
        if made.is_err() {
            let _ = self.remove(id);
        }
        made
    }

    /// The directories of an existing snapshot.
    pub fn dirs(&self, id: &str) -> Result<OverlayDirs> {
        let record = self.layers.snapshot(id).ok_or_else(|| Error::SnapshotNotFound(id.to_string()))?;
        let dir = self.layers.snapshot_dir(id);
        let (lower, lower_links) = self.layers.lower(&record.parents)?;
        let link_dir = self.layers.link_dir();
        Ok(OverlayDirs { lower, lower_links, link_dir, upper: dir.join("upper"), work: dir.join("work"), merged: dir.join("merged") })
    }

    /// The layers below a snapshot, lowest first.
    pub fn parents(&self, id: &str) -> Result<Vec<Digest>> {
        self.layers.snapshot(id).map(|record| record.parents).ok_or_else(|| Error::SnapshotNotFound(id.to_string()))
    }

    /// Deletes a snapshot (unmount it first); fine when there is none. The upper directory may have been adopted already.
    pub fn remove(&self, id: &str) -> Result<()> {
        check_id(id)?;
        let dir = self.layers.snapshot_dir(id);
        let trash = self.layers.trash_path();
        match fs::rename(&dir, &trash) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io(&dir)(e)),
        }
        self.layers.unregister_snapshot(id);
        tree::remove(&trash)
    }

    /// What the snapshot's upper directory takes on disk.
    pub fn usage(&self, id: &str) -> Result<Usage> {
        if self.layers.snapshot(id).is_none() {
            return Err(Error::SnapshotNotFound(id.to_string()));
        }
        tree::usage(&self.layers.snapshot_dir(id).join("upper"))
    }

    /// The ids of all snapshots; the owner removes those it no longer knows.
    pub fn list(&self) -> Vec<String> {
        self.layers.snapshot_ids()
    }
}

/// Reads the record of a snapshot that an earlier process made. Without a readable one it was made only in part, and is
/// deleted if nothing was ever written to it; else a power cut or the disk took the record, and what the container wrote
/// is left alone.
pub(crate) fn recover(dir: &Path) -> Result<Option<SnapshotRecord>> {
    let error = match read_json::<SnapshotRecord>(&dir.join("snapshot.json")) {
        Ok(record) => return Ok(Some(record)),
        Err(error) => error,
    };
    let upper = dir.join("upper");
    let untouched = match fs::read_dir(&upper) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    };
    if untouched {
        tree::remove(dir)?;
    } else {
        tracing::error!(%error, dir = %dir.display(), "this writable layer has no readable record and is left alone");
    }
    Ok(None)
}

/// Ids become directory names.
fn check_id(id: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let valid = (1..=128).contains(&id.len()) && !id.starts_with('.') && id.bytes().all(plain);
    if valid { Ok(()) } else { Err(Error::InvalidId(id.chars().take(140).collect())) }
}
