//! Volumes: directories that outlive containers, in `<data root>/volumes/<name>/_data`.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slipway_runtime::{clock, fault};

use crate::error::{ApiError, ApiResult};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    pub name: String,
    pub created: i64,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub anonymous: bool,
    #[serde(skip)]
    pub path: PathBuf,
}

impl Volume {
    pub fn json(&self) -> Value {
        json!({
            "Name": self.name,
            "Driver": "local",
            "Mountpoint": self.path,
            "CreatedAt": clock::rfc3339(self.created),
            "Labels": self.labels,
            "Scope": "local",
            "Options": {},
        })
    }
}

pub struct Volumes {
    root: PathBuf,
    all: Mutex<BTreeMap<String, Volume>>,
}

const META: &str = "volume.json";
/// Begins the name of a folder that is being deleted; names of volumes begin with a letter or digit.
const REMOVED: &str = ".removed-";

impl Volumes {
    pub fn open(data_root: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let root = data_root.join("volumes");
        fs::create_dir_all(&root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
        // Mounts take paths without symlinks, and the folder may have been moved to another disk behind one.
        let root = root.canonicalize()?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            let dir = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(REMOVED.as_bytes()) {
                if let Err(error) = fs::remove_dir_all(&dir) {
                    tracing::warn!(%error, dir = %dir.display(), "cannot delete what is left of a volume");
                }
                continue;
            }
            match read(&dir) {
                // The daemon was killed while it made it, so nobody can have written to it.
                Err(_) if is_unfinished(&dir) => drop(fs::remove_dir_all(&dir).inspect_err(|error| {
                    tracing::warn!(%error, dir = %dir.display(), "cannot delete a half made volume");
                })),
                Ok(volume) => drop(all.insert(volume.name.clone(), volume)),
                // Never deleted by itself: it may hold the only copy of somebody's data.
                Err(error) => tracing::error!(%error, dir = %dir.display(), "this volume is not readable and is left alone"),
            }
        }
        Ok(Self { root, all: Mutex::new(all) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Volume>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn list(&self) -> Vec<Volume> {
        self.lock().values().cloned().collect()
    }

    pub fn get(&self, name: &str) -> ApiResult<Volume> {
        self.lock().get(name).cloned().ok_or_else(|| ApiError::not_found(format!("get {name}: no such volume")))
    }

    /// Gives the volume of that name, made now if there is none. The second value is true when it is new.
    pub fn ensure(&self, name: &str, labels: BTreeMap<String, String>, anonymous: bool) -> ApiResult<(Volume, bool)> {
        check_name(name)?;
        let mut all = self.lock();
        if let Some(volume) = all.get(name) {
            return Ok((volume.clone(), false));
        }
        let volume = Volume { name: name.to_owned(), created: clock::now(), labels, anonymous, path: self.root.join(name).join("_data") };
        self.write(&volume).map_err(|error| ApiError::internal(format!("cannot make the volume {name}"), error))?;
        all.insert(name.to_owned(), volume.clone());
        Ok((volume, true))
    }

    fn write(&self, volume: &Volume) -> io::Result<()> {
        let dir = self.root.join(&volume.name);
        fs::create_dir_all(&volume.path)?;
        fault::point("volume.made");
        let temporary = dir.join(format!("{META}.new"));
        let mut file = fs::File::create(&temporary)?;
        io::Write::write_all(&mut file, &serde_json::to_vec(volume)?)?;
        // A power cut after the answer must not leave an empty record.
        file.sync_all()?;
        fault::point("volume.written");
        fs::rename(temporary, dir.join(META))?;
        fault::point("volume.recorded");
        fs::File::open(&dir)?.sync_all()?;
        fs::File::open(&self.root)?.sync_all()
    }

    /// Deletes the volume and all its data. Whether it is in use is the caller's to know. Blocking.
    pub fn remove(&self, name: &str) -> ApiResult<()> {
        self.get(name)?;
        let failed = |error| ApiError::internal(format!("cannot remove the volume {name}"), error);
        // A removal that is cut off must leave no half of a volume.
        let removed = self.root.join(format!("{REMOVED}{name}"));
        match fs::rename(self.root.join(name), &removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        self.lock().remove(name);
        match fs::remove_dir_all(removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// Without a record, and nothing in it.
fn is_unfinished(dir: &Path) -> bool {
    let empty = |data: io::Result<fs::ReadDir>| match data {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    dir.is_dir() && !dir.join(META).exists() && empty(fs::read_dir(dir.join("_data")))
}

fn read(dir: &Path) -> io::Result<Volume> {
    let mut volume: Volume = serde_json::from_slice(&fs::read(dir.join(META))?).map_err(io::Error::other)?;
    volume.path = dir.join("_data").canonicalize()?;
    Ok(volume)
}

/// Names become directories.
fn check_name(name: &str) -> ApiResult<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && rest && (2..=255).contains(&name.len()) {
        return Ok(());
    }
    if first && rest && name.len() == 1 {
        return Err(ApiError::bad_request("volume name is too short, names should be at least two alphanumeric characters"));
    }
    Err(ApiError::bad_request(format!(
        "create {name}: \"{name}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
         allowed. If you intended to pass a host directory, use absolute path"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_folder() {
        for bad in ["", "a", "../x", "a/b", ".hidden", "a\0b"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("app_1.data-2").is_ok());
    }

    #[test]
    fn survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(dir.path()).unwrap();
        let (made, new) = volumes.ensure("data", BTreeMap::new(), false).unwrap();
        assert!(new && made.path.is_dir());
        let volumes = Volumes::open(dir.path()).unwrap();
        assert!(!volumes.ensure("data", BTreeMap::new(), false).unwrap().1);
        volumes.remove("data").unwrap();
        assert_eq!(volumes.get("data").unwrap_err().status, 404);
    }
}
