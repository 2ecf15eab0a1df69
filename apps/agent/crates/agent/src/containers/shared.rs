//! Namespaces of other containers: `--network`, `--pid` and `--ipc container:…`. The other must run when this one starts;
//! what was joined stays as it was when the other is started again, as with Docker.
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use slipway_runtime::spec::{LaunchSpec, MountKind};

use super::lifecycle::wait_until;
use super::model::{Config, HostConfig};
use super::record::{Record, Status};
use super::{Container, Containers, restarting, spec};
use crate::error::{ApiError, ApiResult};

/// Containers that share a network through each other.
const LONGEST_CHAIN: usize = 16;
/// After a restart of the host, for those that others share to run again.
const RESUME_PATIENCE: Duration = Duration::from_secs(60);

/// Descriptors of other containers' namespaces.
#[derive(Default)]
pub(super) struct Shared {
    pub pidns: Option<OwnedFd>,
    /// IPC and mount namespace.
    pub ipc: Option<[OwnedFd; 2]>,
}

/// Options that say nothing, or the opposite, where a namespace is not the container's own. Asked before the image's
/// settings are merged in.
pub(super) fn check(config: &Config, host: &HostConfig) -> ApiResult<()> {
    let bad = |message: &str| Err(ApiError::bad_request(message));
    let links = host.rest.get("Links").and_then(|links| links.as_array()).is_some_and(|links| !links.is_empty());
    let mac = config.rest.get("MacAddress").and_then(|mac| mac.as_str()).is_some_and(|mac| !mac.is_empty());
    let shares = host.network_mode == "container" || host.network_mode.starts_with("container:");
    match () {
        () if host.uts_mode == "host" && !config.hostname.is_empty() => bad("conflicting options: hostname and the UTS mode"),
        () if host.uts_mode == "host" && !config.domainname.is_empty() => bad("conflicting options: domainname and the UTS mode"),
        () if (shares || host.network_mode == "host") && mac => bad("conflicting options: mac-address and the network mode"),
        () if !shares => Ok(()),
        () if !config.hostname.is_empty() => bad("conflicting options: hostname and the network mode"),
        () if links => bad("conflicting options: container type network can't be used with links. This would result in undefined behavior"),
        () if !host.dns.is_empty() => bad("conflicting options: dns and the network mode"),
        () if !host.extra_hosts.is_empty() => bad("conflicting options: custom host-to-IP mapping and the network mode"),
        () if !host.port_bindings.is_empty() || host.publish_all_ports => {
            bad("conflicting options: port publishing and the container type network mode")
        }
        () if !config.exposed_ports.is_empty() => bad("conflicting options: port exposing and the container type network mode"),
        () => Ok(()),
    }
}

/// The descriptor of one of its namespaces, and not of a process that got its pid later.
pub(super) fn open(container: &Container, name: &str) -> ApiResult<OwnedFd> {
    let gone = || ApiError::conflict(format!("container {} is not running", container.id));
    let state = container.state();
    let file = File::open(format!("/proc/{}/ns/{name}", state.pid)).map_err(|_| gone())?;
    let now = container.state();
    let same = now.is_running() && now.pid == state.pid && now.run == state.run && state.pid > 0;
    if same && container.shim().is_some() { Ok(file.into()) } else { Err(gone()) }
}

impl Containers {
    /// Writes ids in place of names, so that a container is meant whatever it is called later.
    pub(super) fn pin_shared(&self, host: &mut HostConfig) -> ApiResult<()> {
        for mode in [&mut host.network_mode, &mut host.pid_mode, &mut host.ipc_mode] {
            if let Some(name) = spec::container(mode) {
                // Not 404: at a creation that stands for the image, and clients begin to pull it.
                let other = self.get(name).map_err(|error| ApiError::bad_request(error.message))?;
                *mode = format!("container:{}", other.id);
            }
        }
        Ok(())
    }

    /// The container whose network this one has, and so its hosts file and host name.
    pub(super) fn network_owner(&self, record: &Record) -> Option<Arc<Container>> {
        let mut owner = self.get(spec::container(&record.host_config.network_mode)?).ok()?;
        for _ in 0..LONGEST_CHAIN {
            let Some(next) = spec::container(&owner.record().host_config.network_mode).map(|name| self.get(name)) else { break };
            owner = next.ok()?;
        }
        Some(owner)
    }

    pub(super) fn shared_network(&self, own: &str, name: &str) -> ApiResult<OwnedFd> {
        let other = self.get(name)?;
        if other.id == own {
            return Err(ApiError::bad_request("cannot join own network"));
        }
        match other.state().status {
            Status::Running => open(&other, "net"),
            Status::Restarting => Err(restarting(&other)),
            _ => Err(ApiError::conflict(format!("cannot join network of a non running container: {}", other.id))),
        }
    }

    pub(super) fn shared(&self, record: &Record) -> ApiResult<Shared> {
        let host = &record.host_config;
        let running = |name: &str, what: &str| {
            let other = self.get(name).map_err(|error| ApiError { message: format!("{what}: {}", error.message), ..error })?;
            match other.state().status {
                Status::Running => Ok(other),
                Status::Restarting => Err(restarting(&other)),
                _ => Err(ApiError::conflict(format!("{what}: container {} is not running", other.id))),
            }
        };
        let mut shared = Shared::default();
        if let Some(name) = spec::container(&host.pid_mode) {
            shared.pidns = Some(open(&*running(name, &format!("cannot join PID namespace of container {name}"))?, "pid")?);
        }
        if let Some(name) = spec::container(&host.ipc_mode) {
            let what = format!("can't join IPC of container {name}");
            let other = running(name, &what)?;
            // The host's, or one of a third that allows it, is no secret of this one.
            if !matches!(other.record().host_config.ipc_mode.as_str(), "shareable" | "host") {
                return Err(ApiError::bad_request(format!(
                    "{what}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
                )));
            }
            shared.ipc = Some([open(&other, "ipc")?, open(&other, "mnt")?]);
        }
        Ok(shared)
    }

    /// The record as a run has it: a container without a network of its own has the host name of whose it is.
    pub(super) fn named_by_owner(&self, mut record: Record) -> Record {
        if let Some(owner) = self.network_owner(&record) {
            record.config.hostname = spec::hostname(&owner.record());
        }
        record
    }

    /// The files of `/etc` that tell names and addresses are those of the network's owner.
    pub(super) fn use_owners_files(&self, record: &Record, container: &Container, launch: &mut LaunchSpec) {
        let Some(owner) = self.network_owner(record) else { return };
        for mount in &mut launch.mounts {
            let MountKind::Bind { source, .. } = &mut mount.kind else { continue };
            if let (Some(parent), Some(name)) = (source.parent(), source.file_name())
                && parent == container.dir
            {
                *source = owner.dir.join(name);
            }
        }
    }

    /// After a restart of the host, or the agent, containers start in any order; this one's start waits for the others'.
    pub(super) async fn await_shared(&self, record: &Record) {
        let host = &record.host_config;
        for mode in [&host.network_mode, &host.pid_mode, &host.ipc_mode] {
            let Some(other) = spec::container(mode).and_then(|name| self.get(name).ok()) else { continue };
            let state = other.state();
            if state.resume || state.status == Status::Restarting {
                wait_until(&other, RESUME_PATIENCE, |state| state.is_running() && state.pid > 0).await;
            }
        }
    }
}
