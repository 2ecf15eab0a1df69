//! User namespaces: whether a container has one of its own, and how a run gets it.
//!
//! Unlike with dockerd the ids on disk are never shifted (layers and volumes are shown with other owners while they are
//! mounted), so that a container may be remapped in one run and not in the next.
use std::os::fd::OwnedFd;

use slipway_runtime::spec::{IdRange, LaunchSpec, Network, Users};

use super::model::HostConfig;
use super::record::Record;
use super::{Containers, shared, spec};
use crate::error::{ApiError, ApiResult};

/// The word for a user namespace of one's own; `host` and nothing are Docker's. Its command line knows only these, and
/// passes on `--security-opt userns=remap`.
const REMAP: &str = "remap";

/// What a run needs of its user namespace.
pub(super) struct RunUsers {
    pub ids: IdRange,
    pub namespace: OwnedFd,
    /// Empty, and its root's to use; none where the container has another's network.
    pub network: Option<OwnedFd>,
}

/// What was asked for, by either way.
fn mode(host: &HostConfig) -> ApiResult<&str> {
    let option = host.security_opt.iter().find_map(|option| option.strip_prefix("userns=").or(option.strip_prefix("userns:")));
    let mode = match (host.userns_mode.as_str(), option) {
        ("", option) => option.unwrap_or_default(),
        (mode, None) => mode,
        (mode, Some(option)) if mode == option => mode,
        (mode, Some(option)) => {
            return Err(ApiError::bad_request(format!("conflicting options: --userns={mode} and --security-opt userns={option}")));
        }
    };
    match mode {
        "" | "host" | REMAP => Ok(mode),
        other => Err(ApiError::bad_request(format!("invalid userns mode {other:?}: it is host, remap, or nothing for the host's default"))),
    }
}

impl Containers {
    fn is_remapped(&self, host: &HostConfig) -> ApiResult<bool> {
        Ok(match mode(host)? {
            "" => self.deps.config.file.userns_remap.is_some(),
            mode => mode == REMAP,
        })
    }

    /// The ids that a container would run with now; none: the host's. Refuses, in dockerd's words, what cannot go with them.
    pub(super) fn ids(&self, host: &HostConfig) -> ApiResult<Option<IdRange>> {
        if !self.is_remapped(host)? {
            return Ok(None);
        }
        let why = match host {
            host if host.privileged => {
                "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode"
            }
            host if host.network_mode == "host" => "cannot share the host's network namespace when user namespaces are enabled",
            host if host.pid_mode == "host" => "cannot share the host PID namespace when user namespaces are enabled",
            _ => return Ok(Some(self.deps.config.users)),
        };
        Err(ApiError::bad_request(format!("{why} (--userns=host)")))
    }

    /// Says in the spec which users the run has.
    pub(super) fn set_users(&self, spec: &mut LaunchSpec, ids: Option<IdRange>) {
        let Some(ids) = ids else { return };
        spec.users = Some(Users { ids, store: self.deps.images.layers.store_root().to_owned() });
        if spec.namespaces.network == Network::Loopback {
            // It is there already.
            spec.namespaces.network = Network::Given;
        }
    }

    /// The user namespace for a run: a new one, or that of the containers whose namespaces it shares.
    pub(super) async fn users(&self, record: &Record) -> ApiResult<Option<RunUsers>> {
        let host = &record.host_config;
        let ids = self.ids(host)?;
        let mut owner: Option<(IdRange, OwnedFd)> = None;
        for mode in [&host.network_mode, &host.pid_mode, &host.ipc_mode] {
            // One that is not there, or does not run, is told by whoever joins it.
            let Some(other) = spec::container(mode).and_then(|name| self.get(name).ok()).filter(|other| other.state().is_running()) else {
                continue;
            };
            let theirs = other.state().users;
            let namespace = shared::open(&other, "user")?;
            let same = |first: &OwnedFd| inode(first).is_some_and(|first| Some(first) == inode(&namespace));
            if theirs.is_some() != ids.is_some() || owner.as_ref().is_some_and(|(_, first)| !same(first)) {
                return Err(ApiError::conflict(format!(
                    "cannot share namespaces of container {}: who shares a namespace shares the user namespace too (--userns)",
                    other.id
                )));
            }
            if let (Some(theirs), None) = (theirs, &owner) {
                owner = Some((theirs, namespace));
            }
        }
        let failed = |error: slipway_runtime::Error| ApiError::internal("cannot make a user namespace", error);
        let shares_network = spec::container(&host.network_mode).is_some();
        match (ids, owner) {
            (None, _) => Ok(None),
            (Some(_), Some((ids, namespace))) => {
                let network = match shares_network {
                    true => None,
                    false => Some(self.deps.runtime.make_network(&namespace).await.map_err(failed)?),
                };
                Ok(Some(RunUsers { ids, namespace, network }))
            }
            (Some(ids), None) => {
                let made = self.deps.runtime.make_users(ids).await.map_err(failed)?;
                Ok(Some(RunUsers { ids, namespace: made.users, network: (!shares_network).then_some(made.network) }))
            }
        }
    }
}

fn inode(namespace: &OwnedFd) -> Option<u64> {
    rustix::fs::fstat(namespace).ok().map(|stat| stat.st_ino)
}
