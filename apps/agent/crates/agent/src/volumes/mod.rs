//! Volumes: directories that outlive containers, in `<data root>/volumes/<name>/_data`.
//!
//! With options of the `local` driver something else is mounted there, in the host's mount namespace, for as long as anybody
//! *holds* the volume: a container from its start to its end, a copy while it lasts. Holders are told again after a restart
//! of the daemon; whether it is mounted only the kernel knows, and is asked. What is mounted is somebody's data: it is taken
//! away before a volume is removed, and the removal enters no mount.
mod mount;
pub mod options;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slipway_runtime::{clock, fault};
use slipway_sys::remove::remove_tree;

use crate::error::{ApiError, ApiResult};
use crate::policy::Policy;
use options::Options;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    pub name: String,
    pub created: i64,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub anonymous: bool,
    /// Of the driver, as they were given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: Options,
    #[serde(skip)]
    pub path: PathBuf,
}

impl Volume {
    /// Its files are not in the data root.
    pub fn is_elsewhere(&self) -> bool {
        options::plan(&self.options).is_some()
    }

    pub fn json(&self) -> Value {
        json!({
            "Name": self.name,
            "Driver": "local",
            "Mountpoint": self.path,
            "CreatedAt": clock::rfc3339(self.created),
            "Labels": self.labels,
            "Scope": "local",
            "Options": self.options,
        })
    }
}

pub struct Volumes {
    root: PathBuf,
    policy: Policy,
    all: Mutex<BTreeMap<String, Volume>>,
    places: Mutex<HashMap<String, Place>>,
}

/// Who holds a volume. Locked while it is mounted, unmounted or removed.
type Place = Arc<Mutex<BTreeSet<String>>>;

/// What is asked for when a volume is made.
#[derive(Debug, Default)]
pub struct NewVolume<'a> {
    pub name: &'a str,
    pub labels: BTreeMap<String, String>,
    /// Nobody gave it its name.
    pub anonymous: bool,
    pub options: Options,
}

const META: &str = "volume.json";
const DATA: &str = "_data";
/// Begins the name of a folder that is being deleted; names of volumes begin with a letter or digit.
const REMOVED: &str = ".removed-";

impl Volumes {
    pub fn open(data_root: &Path, policy: Policy) -> io::Result<Self> {
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
                if let Err(error) = remove_tree(&dir) {
                    tracing::warn!(%error, dir = %dir.display(), "cannot delete what is left of a volume");
                }
                continue;
            }
            match read(&dir) {
                // The daemon was killed while it made it, so nobody can have written to it.
                Err(_) if is_unfinished(&dir) => drop(remove_tree(&dir).inspect_err(|error| {
                    tracing::warn!(%error, dir = %dir.display(), "cannot delete a half made volume");
                })),
                Ok(volume) => drop(all.insert(volume.name.clone(), volume)),
                // Never deleted by itself: it may hold the only copy of somebody's data.
                Err(error) => tracing::error!(%error, dir = %dir.display(), "this volume is not readable and is left alone"),
            }
        }
        Ok(Self { root, policy, all: Mutex::new(all), places: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Volume>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn list(&self) -> Vec<Volume> {
        self.lock().values().cloned().collect()
    }

    pub fn get(&self, name: &str) -> ApiResult<Volume> {
        self.lock().get(name).cloned().ok_or_else(|| ApiError::not_found(format!("get {name}: no such volume")))
    }

    /// Gives the volume of that name, made now if there is none. The second value is true when it is new.
    pub fn ensure(&self, new: NewVolume<'_>) -> ApiResult<(Volume, bool)> {
        let NewVolume { name, labels, anonymous, options } = new;
        check_name(name)?;
        options::check(name, &options)?;
        // What is not there yet is looked at when it is to be mounted.
        let source = options::plan(&options).and_then(|plan| plan.source().ok());
        let mut all = self.lock();
        if let Some(volume) = all.get(name) {
            return Ok((volume.clone(), false));
        }
        let allowed = source.map_or(Ok(()), |source| self.policy.check_volume(&source));
        allowed.map_err(|why| ApiError::forbidden(format!("create {name}: {why}")))?;
        let path = self.root.join(name).join(DATA);
        let volume = Volume { name: name.to_owned(), created: clock::now(), labels, anonymous, options, path };
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

    fn place(&self, name: &str) -> Place {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }

    /// Mounts what the volume's options say, unless it is mounted already, until `holder` gives it back. Nothing is to be done
    /// for a volume without. Blocking, for as long as another host takes to answer.
    pub fn hold(&self, name: &str, holder: &str) -> ApiResult<()> {
        if self.elsewhere(name).is_none() {
            return Ok(());
        }
        let place = self.place(name);
        let mut holders = place.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been removed while somebody else had it.
        let Some((volume, plan)) = self.elsewhere(name) else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| {
            let options = mount::describe(&volume.options);
            format!("error while mounting volume '{}': failed to mount local volume: {options}: {error}", volume.path.display())
        };
        let internal = |error: io::Error| ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, failed(&error));
        if !mount::is_mounted(&volume.path).map_err(internal)? {
            let source = plan.source().map_err(internal)?;
            // Asked again: links may lead elsewhere by now, and the policy may have been tightened.
            self.policy.check_volume(&source).map_err(|why| ApiError::forbidden(failed(&why)))?;
            mount::mount(&plan, &source, &volume.path).map_err(internal)?;
        }
        holders.insert(holder.to_owned());
        Ok(())
    }

    /// Notes a holder from before a restart of the daemon. What it has stays as it is.
    pub fn held(&self, name: &str, holder: &str) {
        if self.elsewhere(name).is_some() {
            self.place(name).lock().unwrap_or_else(PoisonError::into_inner).insert(holder.to_owned());
        }
    }

    /// Gives the volume back; the last holder's end unmounts it. Blocking.
    pub fn give_back(&self, name: &str, holder: &str) {
        let Some((volume, _)) = self.elsewhere(name) else { return };
        let place = self.place(name);
        let mut holders = place.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.remove(holder) && holders.is_empty() {
            unmount(&volume);
        }
    }

    /// Unmounts what nobody holds: left by a daemon that was killed. Blocking.
    pub fn unmount_unheld(&self) {
        for volume in self.list().iter().filter(|volume| volume.is_elsewhere()) {
            let place = self.place(&volume.name);
            let holders = place.lock().unwrap_or_else(PoisonError::into_inner);
            if holders.is_empty() {
                unmount(volume);
            }
        }
    }

    fn elsewhere(&self, name: &str) -> Option<(Volume, options::Plan)> {
        let volume = self.lock().get(name).cloned()?;
        let plan = options::plan(&volume.options)?;
        Some((volume, plan))
    }

    /// Deletes the volume and all its data, but nothing that is mounted there. Whether a container has it is the caller's to
    /// know. Blocking.
    pub fn remove(&self, name: &str) -> ApiResult<()> {
        let place = self.place(name);
        let holders = place.lock().unwrap_or_else(PoisonError::into_inner);
        let volume = self.get(name)?;
        let failed = |error| ApiError::internal(format!("cannot remove the volume {name}"), error);
        let in_use = |why: String| Err(ApiError::conflict(format!("remove {name}: volume is in use - {why}")));
        if !holders.is_empty() {
            return in_use(format!("[{}]", holders.iter().cloned().collect::<Vec<_>>().join(", ")));
        }
        if volume.is_elsewhere() {
            mount::unmount(&volume.path).map_err(failed)?;
        }
        let dir = self.root.join(name);
        if let Some(point) = mount::beneath(&dir).map_err(failed)?.first() {
            return in_use(format!("something is mounted at {}; unmount it first", point.display()));
        }
        // A removal that is cut off must leave no half of a volume.
        let removed = self.root.join(format!("{REMOVED}{name}"));
        match fs::rename(dir, &removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        self.lock().remove(name);
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        match remove_tree(&removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// Unmounts what the volumes of a data root have mounted, whoever holds them: of an agent that is gone. Blocking.
pub fn unmount_all(data_root: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(data_root.join("volumes")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let volumes = entries.flatten().filter_map(|entry| read(&entry.path().canonicalize().ok()?).ok());
    volumes.filter(Volume::is_elsewhere).try_for_each(|volume| mount::unmount(&volume.path))
}

fn unmount(volume: &Volume) {
    if let Err(error) = mount::unmount(&volume.path) {
        tracing::error!(%error, volume = %volume.name, "cannot unmount the volume");
    }
}

/// Without a record, and nothing in it.
fn is_unfinished(dir: &Path) -> bool {
    let empty = |data: io::Result<fs::ReadDir>| match data {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    dir.is_dir() && !dir.join(META).exists() && empty(fs::read_dir(dir.join(DATA)))
}

fn read(dir: &Path) -> io::Result<Volume> {
    let mut volume: Volume = serde_json::from_slice(&fs::read(dir.join(META))?).map_err(io::Error::other)?;
    volume.path = dir.join(DATA);
    // Looking at what another host has would wait for it.
    if !volume.is_elsewhere() {
        volume.path = volume.path.canonicalize()?;
    }
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
        let open = || Volumes::open(dir.path(), Policy::default()).unwrap();
        let tmpfs = || Options::from([("type".into(), "tmpfs".into()), ("device".into(), "tmpfs".into())]);
        let (made, new) = open().ensure(NewVolume { name: "data", options: tmpfs(), ..NewVolume::default() }).unwrap();
        assert!(new && made.path.is_dir());
        let volumes = open();
        let (found, new) = volumes.ensure(NewVolume { name: "data", ..NewVolume::default() }).unwrap();
        assert!(!new && found.options == tmpfs());
        volumes.remove("data").unwrap();
        assert_eq!(volumes.get("data").unwrap_err().status, 404);
    }
}
