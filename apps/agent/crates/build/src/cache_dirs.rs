//! What `RUN --mount=type=cache` keeps from step to step, beside the layer cache and with its scopes.
//!
//! ```text
//! build-cache/<scope>/mounts/<name>.<n>/   name: of the cache's id (and what it begins with); n > 0: for `private`
//!   data/                                  what steps see; written by them, so everything in it is hostile
//!   record.json                            its bytes; its time is when it was last used
//! ```
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::cache::About;
use crate::cache_files::{files, make_private, read};
use crate::error::{BuildError, Result};
use crate::mount::Sharing;
use crate::select::MAX_DEPTH;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Folders of one `private` cache.
const MAX_PRIVATE: usize = 64;

#[derive(Debug)]
pub struct CacheDirs {
    root: PathBuf,
    locks: Mutex<HashMap<PathBuf, Arc<RwLock<()>>>>,
    /// Two steps may want a cache that neither has.
    making: Mutex<()>,
}

/// A cache in use; nobody removes it meanwhile.
#[derive(Debug)]
pub struct CacheDir {
    pub path: PathBuf,
    _lock: Lock,
}

#[derive(Debug)]
enum Lock {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

/// One that may be removed.
#[derive(Debug)]
pub struct Listed {
    pub path: PathBuf,
    pub bytes: u64,
    pub made: SystemTime,
    pub used: SystemTime,
    /// Steps that had it.
    pub uses: u64,
    pub about: Option<About>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    bytes: u64,
    #[serde(default)]
    uses: u64,
    #[serde(default)]
    about: Option<About>,
}

impl CacheDirs {
    /// Removes what a killed daemon was about to make or to remove.
    pub fn open(root: PathBuf) -> Self {
        for (path, _) in dirs(&root) {
            let half_removed = path.extension().is_some_and(|extension| extension == "old");
            let half_made = path.join("data.new");
            for leftover in [half_removed.then_some(path), half_made.exists().then_some(half_made)].into_iter().flatten() {
                remove_tree(&leftover);
            }
        }
        Self { root, locks: Mutex::default(), making: Mutex::default() }
    }

    /// Waits until the cache may be used as `sharing` wants it.
    ///
    /// # Errors
    /// When a private cache is in use too often.
    pub async fn acquire(&self, scope_dir: &str, name: &str, sharing: Sharing) -> Result<CacheDir> {
        let path = |n: usize| self.root.join(scope_dir).join("mounts").join(format!("{name}.{n}"));
        let first = path(0);
        match sharing {
            Sharing::Shared => {
                let guard = self.lock(&first).read_owned().await;
                Ok(CacheDir { path: first, _lock: Lock::Shared { _guard: guard } })
            }
            Sharing::Locked => {
                let guard = self.lock(&first).write_owned().await;
                Ok(CacheDir { path: first, _lock: Lock::Alone { _guard: guard } })
            }
            Sharing::Private => {
                for path in (0..MAX_PRIVATE).map(path) {
                    if let Ok(guard) = self.lock(&path).try_write_owned() {
                        return Ok(CacheDir { path, _lock: Lock::Alone { _guard: guard } });
                    }
                }
                Err(BuildError::internal("taking a private cache", format!("{MAX_PRIVATE} steps use it at once")))
            }
        }
    }

    fn lock(&self, path: &Path) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(path.to_path_buf()).or_default().clone()
    }

    /// The folder that the step sees. A new one is filled by `fill` first. Blocks.
    ///
    /// # Errors
    /// When it cannot be made, and what `fill` returns.
    pub fn data(&self, dir: &CacheDir, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let failed = |error: std::io::Error| BuildError::io("making a cache", &error);
        let data = dir.path.join("data");
        let _one_at_a_time = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if !data.exists() {
            make_private(&dir.path).map_err(failed)?;
            let new = dir.path.join("data.new");
            if new.exists() {
                slipway_sys::remove::remove_tree(&new).map_err(failed)?;
            }
            std::fs::create_dir(&new).map_err(failed)?;
            fill(&new)?;
            std::fs::rename(&new, &data).map_err(failed)?;
        }
        Ok(data)
    }

    /// Remembers the use and the size. Blocks.
    pub fn record(&self, dir: &CacheDir, about: About) {
        let path = dir.path.join("record.json");
        let before = read::<Record>(&path).map_or(0, |record| record.uses);
        let record = Record { bytes: usage(&dir.path), uses: before.saturating_add(1), about: Some(about) };
        let written = serde_json::to_vec(&record).map_err(std::io::Error::other).and_then(|json| std::fs::write(&path, json));
        if let Err(error) = written {
            tracing::warn!(%error, path = %dir.path.display(), "the size of a cache could not be written");
        }
    }

    pub fn list(&self) -> Vec<Listed> {
        let listed = |(path, made): (PathBuf, SystemTime)| {
            let file = path.join("record.json");
            let used = file.metadata().and_then(|meta| meta.modified()).unwrap_or(made);
            let made = path.metadata().and_then(|meta| meta.created()).unwrap_or(made);
            let known = read::<Record>(&file);
            let (bytes, uses, about) = known.map_or_else(|| (usage(&path), 0, None), |known| (known.bytes, known.uses, known.about));
            Listed { bytes, path, made, used, uses, about }
        };
        let gone = |path: &Path| path.extension().is_some_and(|extension| extension == "old");
        dirs(&self.root).into_iter().filter(|(path, _)| !gone(path)).map(listed).collect()
    }

    /// What it held after its last use.
    pub fn bytes(dir: &CacheDir) -> u64 {
        read::<Record>(&dir.path.join("record.json")).map_or_else(|| usage(&dir.path), |record| record.bytes)
    }

    pub fn in_use(&self, path: &Path) -> bool {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.get(path).is_some_and(|lock| lock.try_write().is_err())
    }

    /// False when it is in use.
    pub fn remove(&self, path: &Path) -> bool {
        let lock = self.lock(path);
        let Ok(_alone) = lock.try_write() else { return false };
        // Out of the way at once: removing many files takes a while.
        let mut aside = path.as_os_str().to_owned();
        aside.push(".old");
        let aside = PathBuf::from(aside);
        match std::fs::rename(path, &aside) {
            Ok(()) => remove_tree(&aside),
            Err(error) => tracing::warn!(%error, path = %path.display(), "a cache could not be removed"),
        }
        true
    }
}

fn dirs(root: &Path) -> Vec<(PathBuf, SystemTime)> {
    let scopes = std::fs::read_dir(root).into_iter().flatten().flatten();
    scopes.flat_map(|scope| files(&scope.path().join("mounts"))).collect()
}

fn remove_tree(path: &Path) {
    if let Err(error) = slipway_sys::remove::remove_tree(path) {
        tracing::warn!(%error, path = %path.display(), "a cache could not be removed; the next start tries again");
    }
}

/// What a file takes at least: inodes run out, too.
const LEAST: u64 = 4096;

/// Allocated bytes, without following links, and at least [`LEAST`] for each file. `u64::MAX` for directories nested deeper than [`MAX_DEPTH`], in which much could be hidden.
pub fn burden(path: &Path) -> u64 {
    count(path, LEAST)
}

/// Allocated bytes, without following links.
pub fn usage(path: &Path) -> u64 {
    count(path, 0)
}

fn count(path: &Path, least: u64) -> u64 {
    let Ok(meta) = path.symlink_metadata() else { return 0 };
    let own = meta.blocks() * 512;
    if !meta.is_dir() {
        return own.max(least);
    }
    let Ok(top) = rustix::fs::open(path, DIRECTORY, Mode::empty()) else { return own };
    let (mut bytes, mut levels) = (own.max(least), vec![]);
    levels.extend(Dir::new(top).ok());
    loop {
        let depth = levels.len();
        let Some(dir) = levels.last_mut() else { return bytes };
        let Some(entry) = dir.next() else {
            levels.pop();
            continue;
        };
        // What is gone meanwhile takes nothing.
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(at) = dir.fd() else { continue };
        let Ok(stat) = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        bytes += (u64::try_from(stat.st_blocks).unwrap_or(0) * 512).max(least);
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if depth == MAX_DEPTH {
                return u64::MAX;
            }
            let below = rustix::fs::openat(at, name, DIRECTORY, Mode::empty()).and_then(Dir::new);
            levels.extend(below.ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn shared_together_locked_in_turn_private_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = CacheDirs::open(dir.path().to_path_buf());
        let shared = [dirs.acquire("s", "a", Sharing::Shared).await.unwrap(), dirs.acquire("s", "a", Sharing::Shared).await.unwrap()];
        assert_eq!(shared[0].path, shared[1].path);
        let mut locked = Box::pin(dirs.acquire("s", "a", Sharing::Locked));
        assert!((&mut locked).now_or_never().is_none(), "waits for those who share");
        let private = [dirs.acquire("s", "p", Sharing::Private).await.unwrap(), dirs.acquire("s", "p", Sharing::Private).await.unwrap()];
        assert_ne!(private[0].path, private[1].path);
        drop(shared);
        let locked = locked.await.unwrap();
        assert!(dirs.acquire("s", "a", Sharing::Locked).now_or_never().is_none());
        assert!(!dirs.remove(&locked.path), "in use");
        assert_ne!(dirs.acquire("t", "a", Sharing::Locked).await.unwrap().path, locked.path, "scopes share nothing");
    }

    #[tokio::test]
    async fn is_filled_once_counted_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = CacheDirs::open(dir.path().to_path_buf());
        let held = dirs.acquire("s", "a", Sharing::Shared).await.unwrap();
        let fill = |path: &Path| std::fs::write(path.join("f"), vec![1; 100_000]).map_err(|error| BuildError::io("x", &error));
        let data = dirs.data(&held, fill).unwrap();
        assert_eq!(dirs.data(&held, |_| panic!("twice")).unwrap(), data);
        dirs.record(&held, About::new("npm", "app"));
        let listed = dirs.list();
        assert!(listed.len() == 1 && listed[0].bytes >= 100_000 && listed[0].uses == 1 && dirs.in_use(&listed[0].path), "{listed:?}");
        drop(held);
        std::os::unix::fs::symlink(dir.path(), data.join("link")).unwrap();
        assert!(dirs.remove(&listed[0].path) && dir.path().join("s/mounts").read_dir().unwrap().next().is_none());
    }
}
