//! One small JSON file per record: written to a temporary file, synced, renamed, and the directory synced.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Whether a record must outlive a power cut. Records of work in flight need not: that work dies with the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Durably,
    UntilReboot,
}

pub(crate) fn write(path: &Path, value: &impl Serialize, keep: Keep) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir).map_err(Error::io(dir))?;
    let bytes = serde_json::to_vec(value).map_err(|e| Error::invalid("a record", e))?;
    temp.write_all(&bytes).map_err(Error::io(path))?;
    if keep == Keep::Durably {
        temp.as_file().sync_data().map_err(Error::io(path))?;
    }
    temp.persist(path).map_err(|e| Error::io(path)(e.error))?;
    if keep == Keep::Durably {
        sync_dir(dir)?;
    }
    Ok(())
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(e)),
        _ => Ok(()),
    }
}

pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io(dir))
}

/// Reads every record of a directory. A record that does not parse is renamed to `*.bad` and logged: one damaged file must
/// not keep the daemon from starting.
pub(crate) fn read_all<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(".tmp-") {
            remove(&path)?;
        }
        if !name.ends_with(".json") || name.starts_with('.') {
            continue;
        }
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        match serde_json::from_slice(&bytes) {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "set aside a record that does not parse");
                fs::rename(&path, path.with_extension("bad")).map_err(Error::io(&path))?;
            }
        }
    }
    Ok(records)
}
