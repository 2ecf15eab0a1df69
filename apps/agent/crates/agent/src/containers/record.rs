//! What is kept on disk of a container, in `<data root>/containers/<id>/`:
//!
//! ```text
//! config.json      what it is; written at creation, again when renamed
//! state.json       what became of it; written at every change
//! volumes.new      anonymous volumes made for it, until config.json is there
//! exit.json        the shim's record of how the last run ended
//! shim.sock        the shim's control socket, while it runs
//! container.log    its output (container.log.1, … when rotated)
//! resolv.conf hosts hostname   bound into it
//! ```
//! Files are replaced whole (write, rename), but for the state, which changes several times in a run and fits into one page:
//! that page is overwritten, in one call that happens whole or not at all whoever is killed. (A file made and another
//! deleted for each change makes every later file dearer: ext4 without a journal passes over inodes deleted in the last minutes.)
//! They are not synced: after a power cut nothing runs any more anyway, and a start does not wait for the disk.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slipway_net::{Endpoint, PublishedPort, Target};
use slipway_runtime::spec::IdRange;

use super::model::{Config, EndpointSettings, HostConfig};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub name: String,
    /// Nanoseconds since the epoch.
    pub created: i64,
    /// Digest of the image's config.
    pub image_id: String,
    /// The image's own defaults are merged in already.
    pub config: Config,
    pub host_config: HostConfig,
    pub mounts: Vec<MountPoint>,
    /// By name; absent: the default network.
    #[serde(default)]
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    pub kind: MountKind,
    /// Of a volume.
    pub name: String,
    /// On the host; empty for tmpfs.
    pub source: PathBuf,
    pub destination: String,
    pub readonly: bool,
    pub recursive: bool,
    /// `rprivate`, `rslave`, `rshared` and their plain forms; empty is `rprivate`.
    pub propagation: String,
    /// Made for this container only, so removed with it when asked (`docker rm -v`).
    pub anonymous: bool,
    /// A volume whose options bind a folder of the host: that has the host's owners, whoever looks.
    #[serde(default)]
    pub bound: bool,
    /// Filled from the image while the volume is empty.
    pub populate: bool,
    pub tmpfs_size: Option<u64>,
    pub tmpfs_mode: Option<u32>,
    pub tmpfs_exec: bool,
    /// `uid`, `gid`, `nr_inodes`, …, as the kernel takes them.
    #[serde(default)]
    pub tmpfs_options: Vec<(String, String)>,
    #[serde(default)]
    pub tmpfs_suid: bool,
    #[serde(default)]
    pub tmpfs_devices: bool,
    /// The part of a volume that is mounted.
    #[serde(default)]
    pub subpath: String,
    /// Mounts beneath a read-only one stay writable.
    #[serde(default)]
    pub only_top_readonly: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    Bind,
    Volume,
    Tmpfs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Created,
    Running,
    /// Waiting for its next start by the restart policy.
    Restarting,
    Exited,
    Removing,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub status: Status,
    /// Counts starts.
    pub run: u64,
    pub pid: i32,
    /// Nanoseconds since the epoch; 0 is never.
    pub started_at: i64,
    pub finished_at: i64,
    pub exit_code: i32,
    pub error: String,
    pub oom_killed: bool,
    pub restart_count: u32,
    /// Pauses between restarts so far, each twice the one before; begun anew after a steady run.
    pub backoff: u32,
    /// A person stopped it, so the restart policy keeps still.
    pub stopped_by_user: bool,
    /// Every process stands still; only while it runs.
    pub paused: bool,
    /// It stands still for a commit only: the next daemon lets it go on.
    pub committing: bool,
    /// It ran when the agent was shut down, and is to run again with the agent.
    pub resume: bool,
    /// Its places in networks, while it runs.
    pub endpoints: Vec<Endpoint>,
    /// Id of the network that leads elsewhere, and that its ports are published in.
    pub gateway: Option<String>,
    /// It has a name server at 127.0.0.11.
    pub dns: bool,
    /// Ids of the host that its users have, while it runs; none: the host's.
    pub users: Option<IdRange>,
    pub ports: Vec<PublishedPort>,
    /// Its removal, once begun, takes its anonymous volumes along.
    pub remove_volumes: bool,
    /// The boot it was started in.
    pub boot: String,
    /// Runs that have ended since the daemon started; tells waiters of one end from the next.
    #[serde(skip)]
    pub ends: u64,
    #[serde(skip)]
    pub removed: bool,
    #[serde(skip)]
    pub health: Option<Health>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy`.
    pub status: &'static str,
    pub failing_streak: u32,
    /// The last five, oldest first.
    pub log: Vec<Probe>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub start: i64,
    pub end: i64,
    pub exit_code: i32,
    pub output: String,
}

impl State {
    pub fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    /// Where published ports lead.
    pub fn target(&self) -> Option<Target> {
        let endpoint = self.endpoints.iter().find(|endpoint| Some(&endpoint.network) == self.gateway.as_ref())?;
        Some(Target { address: endpoint.address, address6: endpoint.address6 })
    }

    /// What clients read as the status.
    pub fn name(&self) -> &'static str {
        if self.paused && self.is_running() { "paused" } else { self.status.name() }
    }
}

const MAKING: &str = "volumes.new";
const CONFIG: &str = "config.json";
const STATE: &str = "state.json";
/// Bytes that are written whole or not at all: the smallest page of any machine.
const PAGE: usize = 4096;

pub fn log_path(dir: &Path) -> PathBuf {
    dir.join("container.log")
}

pub fn save_record(dir: &Path, record: &Record) -> io::Result<()> {
    write(dir, CONFIG, record)
}

pub fn save_state(dir: &Path, state: &State) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(state)?;
    match fs::OpenOptions::new().write(true).open(dir.join(STATE)) {
        Ok(file) if bytes.len() <= PAGE && file.metadata()?.len() <= PAGE as u64 => {
            // Padded, so that nothing of a longer state before is left behind it.
            bytes.resize(PAGE, b'\n');
            file.write_all_at(&bytes, 0)
        }
        _ => replace(dir, STATE, &bytes),
    }
}

/// Tells which volumes were made for a container that may never come to be.
pub fn save_making(dir: &Path, volumes: &[String]) -> io::Result<()> {
    fs::write(dir.join(MAKING), volumes.join("\n"))
}

/// The volumes of a container whose creation was cut off.
pub fn load_making(dir: &Path) -> Vec<String> {
    fs::read_to_string(dir.join(MAKING)).unwrap_or_default().lines().map(String::from).collect()
}

/// The container is there now, and its volumes are its own.
pub fn end_making(dir: &Path) -> io::Result<()> {
    absent(fs::remove_file(dir.join(MAKING)))
}

/// Removes all of it; what makes it a container first, so that a removal that is cut off is finished and not taken for
/// a container without a past.
pub fn remove_all(dir: &Path) -> io::Result<()> {
    end_making(dir)?;
    absent(fs::remove_file(dir.join(CONFIG)))?;
    absent(slipway_sys::remove::remove_tree(dir))
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub fn load(dir: &Path) -> io::Result<(Record, State)> {
    let state = match read(dir, STATE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
        // A power cut may have torn it. What the container is matters more than what it did last.
        Err(error) => {
            tracing::warn!(%error, dir = %dir.display(), "a container's state is not readable; it counts as ended");
            State { status: Status::Exited, ..State::default() }
        }
        Ok(state) => state,
    };
    Ok((read(dir, CONFIG)?, state))
}

fn write<T: Serialize>(dir: &Path, name: &str, value: &T) -> io::Result<()> {
    replace(dir, name, &serde_json::to_vec(value)?)
}

fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    fs::write(&temporary, bytes)?;
    fs::rename(temporary, dir.join(name))
}

fn read<T: DeserializeOwned>(dir: &Path, name: &str) -> io::Result<T> {
    serde_json::from_slice(&fs::read(dir.join(name))?).map_err(io::Error::other)
}

/// Differs after every reboot of the host.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_overwritten_whole() {
        let dir = tempfile::tempdir().unwrap();
        save_record(
            dir.path(),
            &serde_json::from_value(serde_json::json!({
                "id": "a", "name": "b", "created": 0, "image_id": "", "config": {}, "host_config": {}, "mounts": []
            }))
            .unwrap(),
        )
        .unwrap();
        let lengths = [0, 1_000, 10, 9_000, 20, 0];
        for (run, length) in lengths.into_iter().enumerate() {
            let state = State { run: run as u64, error: "e".repeat(length), ..State::default() };
            save_state(dir.path(), &state).unwrap();
            assert_eq!(load(dir.path()).unwrap().1, state);
        }
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
