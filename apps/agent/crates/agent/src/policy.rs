//! What containers may be given, checked on the final spec: whatever path a request took to get there, the same rules
//! hold. Set in the settings file under `policy`; by default everything is allowed, because only root reaches the socket.
//! A denial names the rule.
use std::path::PathBuf;

use serde::Deserialize;
use slipway_runtime::caps;
use slipway_runtime::spec::{LaunchSpec, Mount, MountKind, Network};

use crate::volumes::options::Source;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Policy {
    pub allow_privileged: bool,
    /// The host's network, pid, ipc, uts or cgroup namespace.
    pub allow_host_namespaces: bool,
    /// Whether containers may run as the host's users, without a user namespace of their own (`--userns=host`).
    pub allow_host_users: bool,
    /// Folders beneath which bind mounts may have their source; absent: anywhere.
    pub bind_sources: Option<Vec<PathBuf>>,
    /// Capabilities a container may have at most; absent: any.
    pub capabilities: Option<Vec<String>>,
    /// Whether the seccomp filter may be turned off, or be another than the agent's: a profile may allow everything.
    pub allow_unconfined: bool,
    /// Nodes (`/dev/fuse`) or folders of nodes that a container may be given; absent: any. With it no rule for whole groups
    /// of devices (`--device-cgroup-rule`) is allowed.
    pub devices: Option<Vec<PathBuf>>,
    /// Kernel settings by name, or by their beginning (`net.ipv4.*`); absent: any that belongs to the container.
    pub sysctls: Option<Vec<String>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allow_privileged: true,
            allow_host_namespaces: true,
            allow_host_users: true,
            bind_sources: None,
            capabilities: None,
            allow_unconfined: true,
            devices: None,
            sysctls: None,
        }
    }
}

/// What of a request is not in the spec, or not as it was asked for.
pub struct Asked<'a> {
    /// The agent's own filter is in force.
    pub confined: bool,
    /// Real paths of the host's devices (or folders of them).
    pub devices: &'a [PathBuf],
    pub device_rules: bool,
}

impl Policy {
    /// `Err` says what is not allowed. Of the mounts only those whose source is a path that the user named are looked at.
    pub fn check(&self, spec: &LaunchSpec, asked: &Asked<'_>, users: impl Fn(&Mount) -> bool) -> Result<(), String> {
        self.check_process(spec.privileged, asked.confined, spec.process.capabilities)?;
        let names = &spec.namespaces;
        let host = [
            (names.network == Network::Host, "network"),
            (names.pid_host, "pid"),
            (names.ipc_host, "ipc"),
            (names.uts_host, "uts"),
            (names.cgroup_host, "cgroup"),
        ];
        if let (false, Some((_, name))) = (self.allow_host_namespaces, host.iter().find(|(used, _)| *used)) {
            return Err(format!("the host's {name} namespace is not allowed on this host (policy.allowHostNamespaces)"));
        }
        if spec.users.is_none() && !self.allow_host_users {
            return Err("containers without a user namespace are not allowed on this host (policy.allowHostUsers)".into());
        }
        if let Some(allowed) = &self.bind_sources {
            for mount in spec.mounts.iter().filter(|mount| users(mount)) {
                let MountKind::Bind { source, .. } = &mount.kind else { continue };
                if !allowed.iter().any(|folder| source.starts_with(folder)) {
                    return Err(format!("mounting {} is not allowed on this host (policy.bindSources)", source.display()));
                }
            }
        }
        if let Some(allowed) = &self.devices {
            if let Some(path) = asked.devices.iter().find(|path| !allowed.iter().any(|folder| path.starts_with(folder))) {
                return Err(format!("the device {} is not allowed on this host (policy.devices)", path.display()));
            }
            if asked.device_rules {
                return Err("device rules are not allowed on this host, only single devices (policy.devices)".into());
            }
        }
        if let Some(allowed) = &self.sysctls {
            let fits = |name: &str| {
                allowed.iter().any(|rule| rule.strip_suffix('*').map_or(rule == name, |beginning| name.starts_with(beginning)))
            };
            if let Some(name) = spec.sysctls.keys().find(|name| !fits(name)) {
                return Err(format!("the sysctl {name} is not allowed on this host (policy.sysctls)"));
            }
        }
        Ok(())
    }

    /// What the options of a volume mount. `Err` says what is not allowed.
    pub fn check_volume(&self, source: &Source) -> Result<(), String> {
        let beneath = |allowed: &Option<Vec<PathBuf>>, path: &PathBuf| {
            allowed.as_ref().is_none_or(|folders| folders.iter().any(|folder| path.starts_with(folder)))
        };
        match source {
            Source::Memory | Source::Remote => Ok(()),
            Source::Folder(path) if beneath(&self.bind_sources, path) => Ok(()),
            Source::Folder(path) => Err(format!("mounting {} is not allowed on this host (policy.bindSources)", path.display())),
            // The disk that the host's own folders are on would give them all: with a list of folders it takes one of devices.
            Source::Block(path) if beneath(&self.devices, path) && (self.devices.is_some() || self.bind_sources.is_none()) => Ok(()),
            Source::Block(path) => Err(format!("the device {} is not allowed on this host (policy.devices)", path.display())),
            Source::Other if self.bind_sources.is_none() && self.devices.is_none() => Ok(()),
            Source::Other => Err("volumes of this type, or without their device, are not allowed on this host (policy.bindSources)".into()),
        }
    }

    /// What any process may have, the first of a container or one started in it later.
    pub fn check_process(&self, privileged: bool, confined: bool, capabilities: u64) -> Result<(), String> {
        if privileged && !self.allow_privileged {
            return Err("privileged containers are not allowed on this host (policy.allowPrivileged)".into());
        }
        if !confined && !self.allow_unconfined {
            return Err("containers without the agent's seccomp filter are not allowed on this host (policy.allowUnconfined)".into());
        }
        let denied = capabilities & !self.most_capabilities();
        if denied != 0 {
            let names: Vec<&str> =
                caps::names().iter().copied().filter(|name| caps::bit(name).is_some_and(|bit| denied & bit != 0)).collect();
            return Err(format!("the capabilities {} are not allowed on this host (policy.capabilities)", names.join(", ")));
        }
        Ok(())
    }

    pub fn most_capabilities(&self) -> u64 {
        match &self.capabilities {
            Some(allowed) => allowed.iter().filter_map(|name| caps::bit(name)).fold(0, |set, bit| set | bit),
            None => caps::ALL,
        }
    }
}
