//! What is known of a container between two calls: a directory `<root>/<id>` with `state.json`, and while the container is
//! created but not started the socket its init listens on.
//!
//! Nothing in it is believed about life: a process is looked at each time, by pid and start time together, so that a recycled
//! pid is never taken for the container's. A call that is killed leaves a state that the next one can read and `delete` removes.
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{During, Error, Result};
use crate::files;
use crate::process::Process;

/// The version of the spec that `state` answers by.
pub const OCI_VERSION: &str = "1.0.2";
const FILE: &str = "state.json";
/// Where the init of a created container waits.
pub const SOCKET: &str = "start.sock";
const LARGEST: u64 = 32 << 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Absolute.
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// RFC 3339.
    pub created: String,
    pub owner: u32,
    /// As it was at `create`: later changes of the file have no effect.
    pub config: Config,
    /// None before there is one.
    pub init: Option<Process>,
    /// Relative to the mount point of each hierarchy.
    pub cgroup: PathBuf,
    /// The directories that were made for it, parents before children.
    pub cgroup_made: Vec<PathBuf>,
    /// Without a mount namespace: the mount that holds the root before ours is laid over it, by its number.
    pub mount_below: Option<u64>,
    /// `create` has finished.
    pub complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    Stopped,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// As the spec defines it, with runc's additions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State<'a> {
    pub oci_version: &'static str,
    pub id: &'a str,
    pub pid: i32,
    pub status: &'static str,
    pub bundle: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
}

impl Record {
    /// What a hook gets on its standard input: only what the spec names.
    pub fn for_hook(&self, status: Status) -> serde_json::Result<Vec<u8>> {
        let pid = match status {
            Status::Stopped => 0,
            _ => self.init.as_ref().map_or(0, |init| init.pid),
        };
        let annotations = &self.config.annotations;
        let status = status.name();
        let state = State {
            oci_version: OCI_VERSION,
            id: &self.id,
            pid,
            status,
            bundle: &self.bundle,
            rootfs: None,
            created: None,
            annotations,
            owner: None,
        };
        serde_json::to_vec(&state)
    }
}

/// The place of one container's state.
#[derive(Debug, Clone)]
pub struct Store {
    pub dir: PathBuf,
}

impl Store {
    /// Of an existing container or not.
    pub fn of(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        Ok(Self { dir: root.join(id) })
    }

    pub fn load(&self) -> Result<Record> {
        match files::read_limited(&self.dir.join(FILE), LARGEST) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| Error::Told(format!("the container's state is broken: {error}"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NoSuchContainer),
            Err(error) => Err(error).during("read the container's state"),
        }
    }

    pub fn save(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).map_err(std::io::Error::from).during("write the container's state")?;
        files::replace(&self.dir.join(FILE), &text).during("write the container's state")
    }

    /// For who does not hold the lock.
    pub fn status(&self, record: &Record) -> Status {
        match !record.complete && crate::lock::is_held(&self.dir) {
            true => Status::Creating,
            false => self.status_locked(record),
        }
    }

    /// For who holds the lock: no `create` is at work, and what one has not completed has stopped.
    pub fn status_locked(&self, record: &Record) -> Status {
        match &record.init {
            Some(init) if record.complete && init.is_alive() => match crate::socket::connect(&self.dir.join(SOCKET)) {
                Ok(_) => Status::Created,
                // It is there, and busy with a hook while others knock.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Status::Created,
                Err(_) => Status::Running,
            },
            _ => Status::Stopped,
        }
    }

    /// To the init of a created container. None when nobody listens: it has become the program, or has died.
    pub fn connect(&self) -> Option<OwnedFd> {
        crate::socket::connect(&self.dir.join(SOCKET)).ok()
    }

    /// Takes the directory away; what is left of it does no harm.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).during("remove the container's state"),
            _ => Ok(()),
        }
    }
}

/// As runc: it becomes a directory's and maybe a control group's name.
pub fn check_id(id: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'.');
    match id {
        "" => Err(Error::Told("container id cannot be empty".into())),
        "." | ".." => Err(Error::Told("invalid container ID format".into())),
        _ if id.len() > 1_024 || !id.bytes().all(plain) => Err(Error::Told("invalid container ID format".into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_stay_in_their_directory() {
        for good in ["a", "web-1.2_x+y", "..."] {
            super::check_id(good).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a\0"] {
            assert!(super::check_id(bad).is_err(), "{bad:?}");
        }
    }
}
