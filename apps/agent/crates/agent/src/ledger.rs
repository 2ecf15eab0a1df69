//! Where the disk's bytes are, by kind: each byte in one of them, as `du` counts (allocated blocks, hardlinks once).
//! Trees are walked only when somebody asks, on a blocking thread, one asker at a time.
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use slipway_store::Digest;

use crate::error::{ApiError, ApiResult};
use crate::images::Images;
use crate::state::App;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Blobs and unpacked layers that images have, shared ones once.
    pub images: u64,
    /// Writable layers.
    pub containers: u64,
    pub volumes: u64,
    /// What containers wrote to their standard streams.
    pub logs: u64,
    /// Layers and blobs that no image has, files that clients sent to build from, and the cache's own records.
    pub build_cache: u64,
    #[serde(skip)]
    pub of_containers: BTreeMap<String, u64>,
    #[serde(skip)]
    pub of_volumes: BTreeMap<String, u64>,
    #[serde(skip)]
    pub of_cache: Vec<Cached>,
}

/// Of what `RUN --mount=type=cache` keeps.
pub const CACHE_MOUNT: &str = "files of a cache mount";

/// A part of the build cache.
#[derive(Debug)]
pub struct Cached {
    /// Hex of a digest or diff id; scope and folder of a cache mount.
    pub id: String,
    pub description: &'static str,
    pub bytes: u64,
    /// Nanoseconds since the epoch.
    pub made: i64,
}

static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub async fn take(app: &App) -> ApiResult<Ledger> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (images, root) = (app.images.clone(), app.config.data_root.clone());
    let containers: Vec<(String, PathBuf)> = app.containers.list().iter().map(|c| (c.id.clone(), c.dir.clone())).collect();
    // What others mounted there takes nothing of this disk, or is counted where it is.
    let volumes = app.volumes.list().into_iter().filter(|volume| !volume.is_elsewhere());
    let volumes: Vec<(String, PathBuf)> = volumes.map(|volume| (volume.name, volume.path)).collect();
    let work = tokio::task::spawn_blocking(move || read(&images, &root, &containers, &volumes));
    work.await
        .map_err(|error| ApiError::internal("the count of the disk's bytes was cut off", error))?
        .map_err(|error| ApiError::internal("cannot count the disk's bytes", error))
}

fn read(images: &Arc<Images>, root: &Path, containers: &[(String, PathBuf)], volumes: &[(String, PathBuf)]) -> std::io::Result<Ledger> {
    let mut ledger = Ledger::default();
    content(images, root, &mut ledger)?;
    for (id, dir) in containers {
        // One that is removed meanwhile takes nothing.
        let own = images.layers.snapshots().usage(id).map_or(0, |usage| usage.bytes);
        ledger.containers += own;
        ledger.of_containers.insert(id.clone(), own);
        ledger.logs += logs(dir)?;
    }
    for (name, path) in volumes {
        let bytes = du(path)?;
        ledger.volumes += bytes;
        ledger.of_volumes.insert(name.clone(), bytes);
    }
    Ok(ledger)
}

/// Blobs and layers: an image's, or else the build cache's.
fn content(images: &Images, root: &Path, ledger: &mut Ledger) -> std::io::Result<()> {
    let (mut blobs, mut diffs) = (HashSet::<Digest>::new(), HashSet::<Digest>::new());
    for image in images.store.images() {
        blobs.extend([image.record.manifest.digest, image.record.config.digest]);
        blobs.extend(image.record.layers.iter().map(|layer| layer.digest));
        diffs.extend(&image.record.diff_ids);
    }
    let mut cached = |id: String, description: &'static str, path: &Path, bytes: u64| {
        let made = fs::metadata(path).map_or(0, |meta| meta.mtime().saturating_mul(1_000_000_000));
        ledger.build_cache += bytes;
        ledger.of_cache.push(Cached { id, description, bytes, made });
    };
    let mut own = 0;
    for entry in fs::read_dir(root.join("content/blobs/sha256"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = du(&entry.path())?;
        match Digest::from_hex(&name).is_ok_and(|digest| blobs.contains(&digest)) {
            true => own += bytes,
            false => cached(name, "a compressed layer", &entry.path(), bytes),
        }
    }
    for layer in images.layers.list() {
        let dir = layer.dir.parent().unwrap_or(&layer.dir);
        let bytes = du(dir)?;
        match diffs.contains(&layer.diff_id) {
            true => own += bytes,
            false => cached(layer.diff_id.hex().to_string(), "an unpacked layer", dir, bytes),
        }
    }
    let contexts = root.join("contexts");
    if fs::read_dir(&contexts)?.flatten().any(|entry| entry.path().is_dir()) {
        let bytes = du(&contexts)?;
        cached("contexts".to_owned(), "files to build from", &contexts, bytes);
    }
    let records = root.join("build-cache");
    if fs::read_dir(&records)?.next().is_none() {
        ledger.images = own;
        return Ok(());
    }
    let mut mounts = 0;
    for scope in fs::read_dir(&records)? {
        let (scope, name) = scope.map(|scope| (scope.path(), scope.file_name()))?;
        for dir in fs::read_dir(scope.join("mounts")).into_iter().flatten() {
            let dir = dir?;
            let bytes = du(&dir.path())?;
            mounts += bytes;
            let id = format!("{}/{}", name.to_string_lossy(), dir.file_name().to_string_lossy());
            cached(id, CACHE_MOUNT, &dir.path(), bytes);
        }
    }
    let bytes = du(&records)?.saturating_sub(mounts);
    cached("records".to_owned(), "what was built from what", &records, bytes);
    ledger.images = own;
    Ok(())
}

fn logs(dir: &Path) -> std::io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("container.log") {
            bytes += du(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// Allocated bytes of everything at and below `root`, without what is mounted beneath.
pub fn du(root: &Path) -> std::io::Result<u64> {
    use rustix::fs::{AtFlags, CWD, FileType, StatxFlags};
    let (mut bytes, mut linked, mut open, mut mount) = (0, HashSet::new(), vec![root.to_path_buf()], None);
    while let Some(path) = open.pop() {
        let meta = match rustix::fs::statx(CWD, &path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID) {
            // Files go while we count.
            Err(rustix::io::Errno::NOENT) => continue,
            other => other?,
        };
        // Not the device: a folder of the same disk may be mounted.
        if *mount.get_or_insert(meta.stx_mnt_id) != meta.stx_mnt_id {
            continue;
        }
        if FileType::from_raw_mode(u32::from(meta.stx_mode)).is_dir() {
            match fs::read_dir(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => open.extend(entries?.flatten().map(|entry| entry.path())),
            }
        } else if meta.stx_nlink > 1 && !linked.insert(meta.stx_ino) {
            continue;
        }
        bytes += meta.stx_blocks * 512;
    }
    Ok(bytes)
}
