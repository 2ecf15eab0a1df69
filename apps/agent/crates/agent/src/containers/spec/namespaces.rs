//! Which namespaces are the container's own, and the kernel settings that belong to them.
use std::collections::BTreeMap;

use slipway_runtime::spec::{Namespaces, Network};

use super::bad;
use crate::containers::model::HostConfig;
use crate::error::ApiResult;

/// How a container is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// The default network.
    Bridge,
    None,
    Host,
    /// Another container's, by its id; before creation also by its name.
    Container(String),
    /// A network of the user's, by name or id.
    Named(String),
}

pub fn network_mode(host: &HostConfig) -> ApiResult<NetworkMode> {
    match host.network_mode.as_str() {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "none" => Ok(NetworkMode::None),
        "host" => Ok(NetworkMode::Host),
        mode if mode == "container" || mode.starts_with("container:") => match container(mode) {
            Some(name) => Ok(NetworkMode::Container(name.to_owned())),
            None => Err(bad("invalid container format container:<name|id>")),
        },
        name => Ok(NetworkMode::Named(name.to_owned())),
    }
}

/// Of `container:<name or id>` what follows the colon.
pub fn container(mode: &str) -> Option<&str> {
    mode.strip_prefix("container:").filter(|name| !name.is_empty())
}

/// Only settings that belong to the container's own namespaces.
pub(super) fn sysctls(host: &HostConfig, names: &Namespaces) -> ApiResult<BTreeMap<String, String>> {
    let own_network = names.network != Network::Host && container(&host.network_mode).is_none();
    for name in host.sysctls.keys() {
        let ipc =
            name.starts_with("kernel.msg") || name.starts_with("kernel.shm") || name == "kernel.sem" || name.starts_with("fs.mqueue.");
        let net = name.starts_with("net.");
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) && !name.contains("..");
        if !plain || !((ipc && !names.ipc_host && !names.ipc_given) || (net && own_network)) {
            return Err(bad(format!("sysctl {name:?} is not in a separate kernel namespace")));
        }
    }
    Ok(host.sysctls.clone())
}

pub(super) fn namespaces(host: &HostConfig) -> ApiResult<Namespaces> {
    let network = network_mode(host)?;
    let host_namespace = |mode: &str, private: &[&str], what: &str| match mode {
        "host" => Ok(true),
        mode if mode.is_empty() || private.contains(&mode) => Ok(false),
        mode => Err(bad(format!("Invalid {what} mode: {mode}"))),
    };
    let (pid, ipc) = (container(&host.pid_mode), container(&host.ipc_mode));
    Ok(Namespaces {
        network: match network {
            NetworkMode::Bridge | NetworkMode::Named(_) | NetworkMode::Container(_) => Network::Given,
            NetworkMode::None => Network::Loopback,
            NetworkMode::Host => Network::Host,
        },
        pid_given: pid.is_some(),
        pid_host: pid.is_none() && host_namespace(&host.pid_mode, &[], "PID")?,
        ipc_given: ipc.is_some(),
        ipc_host: ipc.is_none() && host_namespace(&host.ipc_mode, &["private", "shareable", "none"], "IPC")?,
        uts_host: host_namespace(&host.uts_mode, &[], "UTS")?,
        cgroup_host: host_namespace(&host.cgroupns_mode, &["private"], "cgroup namespace")?,
    })
}
