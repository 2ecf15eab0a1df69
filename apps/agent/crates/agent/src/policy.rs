//! What containers may be given, checked on the final spec: whatever path a request took to get there, the same rules
//! hold. Set in the settings file under `policy`; by default everything is allowed, because only root reaches the socket.
use std::path::PathBuf;

use serde::Deserialize;
use slipway_runtime::caps;
use slipway_runtime::spec::{LaunchSpec, Mount, MountKind, Network};

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Policy {
    pub allow_privileged: bool,
    /// The host's network, pid, ipc, uts or cgroup namespace.
    pub allow_host_namespaces: bool,
    /// Folders beneath which bind mounts may have their source; absent: anywhere.
    pub bind_sources: Option<Vec<PathBuf>>,
    /// Capabilities a container may have at most; absent: any.
    pub capabilities: Option<Vec<String>>,
    /// Whether the seccomp filter may be turned off.
    pub allow_unconfined: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow_privileged: true, allow_host_namespaces: true, bind_sources: None, capabilities: None, allow_unconfined: true }
    }
}

impl Policy {
    /// `Err` says what is not allowed. Of the mounts only those whose source is a path that the user named are looked at.
    pub fn check(&self, spec: &LaunchSpec, confined: bool, users: impl Fn(&Mount) -> bool) -> Result<(), String> {
        self.check_process(spec.privileged, confined, spec.process.capabilities)?;
        let names = &spec.namespaces;
        let host = [
            (names.network == Network::Host, "network"),
            (names.pid_host, "pid"),
            (names.ipc_host, "ipc"),
            (names.uts_host, "uts"),
            (names.cgroup_host, "cgroup"),
        ];
        if let (false, Some((_, name))) = (self.allow_host_namespaces, host.iter().find(|(used, _)| *used)) {
            return Err(format!("the host's {name} namespace is not allowed on this host"));
        }
        if let Some(allowed) = &self.bind_sources {
            for mount in spec.mounts.iter().filter(|mount| users(mount)) {
                let MountKind::Bind { source, .. } = &mount.kind else { continue };
                if !allowed.iter().any(|folder| source.starts_with(folder)) {
                    return Err(format!("mounting {} is not allowed on this host", source.display()));
                }
            }
        }
        Ok(())
    }

    /// What any process may have, the first of a container or one started in it later.
    pub fn check_process(&self, privileged: bool, confined: bool, capabilities: u64) -> Result<(), String> {
        if privileged && !self.allow_privileged {
            return Err("privileged containers are not allowed on this host".into());
        }
        if !confined && !self.allow_unconfined {
            return Err("containers without a seccomp filter are not allowed on this host".into());
        }
        if capabilities & !self.most_capabilities() != 0 {
            return Err("these capabilities are not allowed on this host".into());
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
