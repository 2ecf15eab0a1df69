//! The files of the build cache: written aside and renamed, read whole or not at all, with their uses counted.
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use slipway_sys::fault;

use crate::error::{BuildError, Result};

pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
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

/// Uses counted of one entry; beyond them only the time is set.
const MAX_USES: u64 = 4096;

/// A line break at the end of JSON means nothing. An entry that was removed meanwhile is not made again.
pub fn count_use(path: &Path) {
    use std::io::Write;
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > MAX_ENTRY + MAX_USES) {
        return touch(path);
    }
    let counted = std::fs::File::options().append(true).open(path).and_then(|mut file| file.write_all(b"\n"));
    if let Err(error) = counted {
        tracing::debug!(%error, path = %path.display(), "the use of a cache entry could not be counted");
    }
}

/// Bytes of an entry's JSON, rounded up.
const MAX_ENTRY: u64 = 4096;

/// How often an entry's file says that it was used.
pub fn uses(json: &[u8]) -> u64 {
    json.iter().rev().take_while(|byte| **byte == b'\n').count() as u64
}

pub fn touch(path: &Path) {
    let now = std::fs::FileTimes::new().set_modified(SystemTime::now());
    let touched = std::fs::File::options().write(true).open(path).and_then(|file| file.set_times(now));
    if let Err(error) = touched {
        tracing::debug!(%error, path = %path.display(), "a cache entry's time could not be set");
    }
}

pub fn remove(path: &Path) {
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
