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
    /// A network of the user's, by name or id.
    Named(String),
}

pub fn network_mode(host: &HostConfig) -> ApiResult<NetworkMode> {
    match host.network_mode.as_str() {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "none" => Ok(NetworkMode::None),
        "host" => Ok(NetworkMode::Host),
        mode if mode.starts_with("container:") => Err(bad("sharing another container's network is not supported")),
        name => Ok(NetworkMode::Named(name.to_owned())),
    }
}

/// Only settings that belong to the container's own namespaces.
pub(super) fn sysctls(host: &HostConfig, names: &Namespaces) -> ApiResult<BTreeMap<String, String>> {
    for name in host.sysctls.keys() {
        let ipc =
            name.starts_with("kernel.msg") || name.starts_with("kernel.shm") || name == "kernel.sem" || name.starts_with("fs.mqueue.");
        let net = name.starts_with("net.");
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) && !name.contains("..");
        if !plain || !((ipc && !names.ipc_host) || (net && names.network != Network::Host)) {
            return Err(bad(format!("sysctl {name:?} is not in a separate kernel namespace")));
        }
    }
    Ok(host.sysctls.clone())
}

pub(super) fn namespaces(host: &HostConfig) -> ApiResult<Namespaces> {
    let network = network_mode(host)?;
    let host_namespace = |mode: &str, what: &str| match mode {
        "" | "private" | "shareable" | "none" => Ok(false),
        "host" => Ok(true),
        other => Err(bad(format!("the {what} mode {other:?} is not supported"))),
    };
    Ok(Namespaces {
        network: match network {
            NetworkMode::Bridge | NetworkMode::Named(_) => Network::Given,
            NetworkMode::None => Network::Loopback,
            NetworkMode::Host => Network::Host,
        },
        pid_host: host_namespace(&host.pid_mode, "pid")?,
        ipc_host: host_namespace(&host.ipc_mode, "ipc")?,
        uts_host: host_namespace(&host.uts_mode, "uts")?,
        cgroup_host: host_namespace(&host.cgroupns_mode, "cgroup namespace")?,
    })
}
