//! Settings of the daemon: the command line plus an optional JSON file. Unknown keys are errors, so that a typo in a
//! security setting never silently means "default".
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use slipway_runtime::spec::IdRange;

use crate::args::DaemonOptions;
use crate::policy::Policy;
use crate::userns::{self, Remap};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfigFile {
    pub network: NetworkSettings,
    pub policy: Policy,
    /// Registry name to `http(s)://host:port`; `--registry` adds to it and wins.
    pub registries: BTreeMap<String, String>,
    /// Registry name to addresses, networks (`10.0.0.0/8`) and host names inside this network that its redirects and its token
    /// service may lead to.
    pub registry_inside: BTreeMap<String, Vec<String>>,
    /// Addresses, networks (`10.0.0.0/8`) and host names inside this network that URLs of users (`docker import`, ADD in a
    /// Dockerfile) may lead to; the worker asks for it and holds Git addresses of a Dockerfile to it. None when absent;
    /// `--download-inside` adds to it.
    pub download_inside: Vec<String>,
    pub build: BuildSettings,
    pub cgroups: CgroupSettings,
    /// Containers have a user namespace of their own unless they ask for the host's.
    pub userns_remap: Option<Remap>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CgroupSettings {
    /// On cgroup v1: spare each start the 5 to 20 ms that the kernel otherwise waits before it moves a process between groups.
    /// Forks and exits on the whole host take some nanoseconds longer while the agent runs.
    pub favor_dynmods: bool,
}

impl Default for CgroupSettings {
    fn default() -> Self {
        Self { favor_dynmods: true }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BuildSettings {
    /// Bytes of disk that the build cache may keep to itself: layers that no image has, and cache mounts; 20 GiB when absent.
    pub cache_bytes: Option<u64>,
    /// What was used within so many days stays, even above `cacheBytes`; 0 when absent.
    pub cache_keep_days: u32,
    /// What was not used for so many days goes, even below `cacheBytes`; 60 when absent.
    pub cache_unused_days: Option<u32>,
    /// Bytes of the data root's disk that builds leave free: caches go first, then the build that eats most is ended. When absent
    /// a twentieth of the disk, at least 2 GiB and at most 20 GiB, and of a small disk no more than a fifth.
    pub reserve_bytes: Option<u64>,
    /// Whether a Dockerfile may say `RUN --network=host`: such a step reaches everything that this host does.
    pub allow_host_network: bool,
    /// Whether a Dockerfile may say `RUN --security=insecure`: such a step may do everything that this host's root may.
    pub allow_insecure: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkSettings {
    /// Fixed subnet of the default bridge (`10.88.0.0/20`); chosen free of existing routes when absent.
    pub subnet: Option<String>,
    /// MTU of the bridge; the MTU of the default route's interface when absent.
    pub mtu: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Canonical, exists.
    pub data_root: PathBuf,
    pub socket: PathBuf,
    pub file: ConfigFile,
    /// Of containers with a user namespace.
    pub users: IdRange,
}

impl Config {
    pub fn load(options: &DaemonOptions) -> anyhow::Result<Self> {
        make_private(&options.data_root).with_context(|| format!("cannot create {}", options.data_root.display()))?;
        let data_root = options.data_root.canonicalize().with_context(|| format!("cannot open {}", options.data_root.display()))?;
        let mut file = match &options.config {
            Some(path) => read_file(path)?,
            None => ConfigFile::default(),
        };
        file.registries.extend(options.registries.iter().cloned());
        file.download_inside.extend(options.download_inside.iter().cloned());
        let users = userns::range(file.userns_remap.as_ref())?;
        Ok(Self { data_root, socket: options.socket.clone(), file, users })
    }
}

/// A new data root is root's alone: images hold what their owners did not publish. One that is there keeps its mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn read_file(path: &Path) -> anyhow::Result<ConfigFile> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a valid settings file", path.display()))
}
