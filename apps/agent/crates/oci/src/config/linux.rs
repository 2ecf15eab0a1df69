//! The `linux` object.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::resources::Resources;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Linux {
    pub uid_mappings: Vec<IdMapping>,
    pub gid_mappings: Vec<IdMapping>,
    pub sysctl: BTreeMap<String, String>,
    pub resources: Option<Resources>,
    pub cgroups_path: String,
    pub namespaces: Vec<Namespace>,
    pub devices: Vec<Device>,
    /// Compiled by `slipway_runtime::seccomp`.
    pub seccomp: Option<Value>,
    /// shared | slave | private | unbindable, with or without `r` before it; empty is as if `rslave`.
    pub rootfs_propagation: String,
    pub masked_paths: Vec<String>,
    pub readonly_paths: Vec<String>,
    pub mount_label: String,
    pub intel_rdt: Option<Value>,
    pub personality: Option<Personality>,
    pub time_offsets: Option<Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IdMapping {
    #[serde(rename = "containerID")]
    pub container_id: u32,
    #[serde(rename = "hostID")]
    pub host_id: u32,
    pub size: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    #[serde(rename = "type")]
    pub kind: String,
    /// One that exists; without it a new one is made.
    pub path: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Device {
    /// c | u | b | p
    #[serde(rename = "type")]
    pub kind: String,
    pub path: String,
    pub major: i64,
    pub minor: i64,
    pub file_mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Personality {
    /// LINUX | LINUX32
    pub domain: String,
    pub flags: Vec<String>,
}

/// Kind as the spec calls it, name in `/proc/<pid>/ns`, flag.
pub const NAMESPACES: [(&str, &str, i32); 7] = [
    ("user", "user", libc::CLONE_NEWUSER),
    ("ipc", "ipc", libc::CLONE_NEWIPC),
    ("uts", "uts", libc::CLONE_NEWUTS),
    ("network", "net", libc::CLONE_NEWNET),
    ("pid", "pid", libc::CLONE_NEWPID),
    ("mount", "mnt", libc::CLONE_NEWNS),
    ("cgroup", "cgroup", libc::CLONE_NEWCGROUP),
];

/// The flag of a kind of namespace.
pub fn namespace_flag(kind: &str) -> Option<i32> {
    NAMESPACES.iter().find(|(name, _, _)| *name == kind).map(|(_, _, flag)| *flag)
}

impl Linux {
    fn namespace(&self, kind: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.kind == kind)
    }

    pub fn has_namespace(&self, kind: &str) -> bool {
        self.namespace(kind).is_some()
    }

    /// One of its own, not one that others have, too.
    pub fn has_new_namespace(&self, kind: &str) -> bool {
        self.namespace(kind).is_some_and(|namespace| namespace.given().is_none())
    }
}

impl Namespace {
    /// The path of the one to join.
    pub fn given(&self) -> Option<&PathBuf> {
        self.path.as_ref().filter(|path| !path.as_os_str().is_empty())
    }
}
