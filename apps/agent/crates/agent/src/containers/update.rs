//! Changing limits and the restart policy of a container that exists, at once also when it runs.
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value};
use slipway_cgroups::{Group, Limits};

use super::model::{HostConfig, RestartPolicy, nullable};
use super::record::{self, Status};
use super::{Container, Containers, spec};
use crate::error::{ApiError, ApiResult};

/// The body of `POST /containers/{id}/update`. Zero and empty: as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateRequest {
    #[serde(deserialize_with = "nullable")]
    memory: i64,
    #[serde(deserialize_with = "nullable")]
    memory_swap: i64,
    #[serde(deserialize_with = "nullable")]
    nano_cpus: i64,
    #[serde(deserialize_with = "nullable")]
    cpu_shares: i64,
    #[serde(deserialize_with = "nullable")]
    cpu_period: i64,
    #[serde(deserialize_with = "nullable")]
    cpu_quota: i64,
    #[serde(deserialize_with = "nullable")]
    cpuset_cpus: String,
    #[serde(deserialize_with = "nullable")]
    cpuset_mems: String,
    pids_limit: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    memory_reservation: i64,
    #[serde(deserialize_with = "nullable")]
    restart_policy: RestartPolicy,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl UpdateRequest {
    /// The container's settings with these changes.
    fn over(&self, old: &HostConfig) -> ApiResult<HostConfig> {
        let mut new = old.clone();
        if self.nano_cpus != 0 && (old.cpu_period != 0 || old.cpu_quota != 0) {
            return Err(ApiError::bad_request(
                "Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota has already been set",
            ));
        }
        if (self.cpu_period != 0 || self.cpu_quota != 0) && old.nano_cpus != 0 {
            return Err(ApiError::bad_request(
                "Conflicting options: CPU Period and Quota cannot be updated as NanoCPUs has already been set",
            ));
        }
        if self.memory > 0 && old.memory_swap > 0 && self.memory > old.memory_swap && self.memory_swap == 0 {
            return Err(ApiError::bad_request(
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
            ));
        }
        for (new, wanted) in [
            (&mut new.memory, self.memory),
            (&mut new.memory_swap, self.memory_swap),
            (&mut new.memory_reservation, self.memory_reservation),
            (&mut new.nano_cpus, self.nano_cpus),
            (&mut new.cpu_shares, self.cpu_shares),
            (&mut new.cpu_period, self.cpu_period),
            (&mut new.cpu_quota, self.cpu_quota),
        ] {
            if wanted != 0 {
                *new = wanted;
            }
        }
        for (new, wanted) in [(&mut new.cpuset_cpus, &self.cpuset_cpus), (&mut new.cpuset_mems, &self.cpuset_mems)] {
            if !wanted.is_empty() {
                new.clone_from(wanted);
            }
        }
        new.pids_limit = self.pids_limit.or(old.pids_limit);
        if !self.restart_policy.name.is_empty() {
            check_policy(&self.restart_policy)?;
            if old.auto_remove && self.restart_policy.name != "no" {
                return Err(ApiError::bad_request("Restart policy cannot be updated because AutoRemove is enabled for the container"));
            }
            new.restart_policy = self.restart_policy.clone();
        }
        Ok(new)
    }

    /// What is asked for and cannot be had here.
    fn warnings(&self) -> Vec<String> {
        let given = |value: &Value| match value {
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::Array(list) => !list.is_empty(),
            _ => false,
        };
        let unknown = self.rest.iter().filter(|(_, value)| given(value)).map(|(key, _)| key);
        unknown.map(|key| format!("This engine cannot change {key}; it stays as it is.")).collect()
    }
}

/// Also asked at creation.
pub(super) fn check_policy(policy: &RestartPolicy) -> ApiResult<()> {
    match policy.name.as_str() {
        "on-failure" => Ok(()),
        "" | "no" | "always" | "unless-stopped" if policy.maximum_retry_count == 0 => Ok(()),
        "" | "no" | "always" | "unless-stopped" => {
            Err(ApiError::bad_request("invalid restart policy: maximum retry count can only be used with 'on-failure'"))
        }
        other => Err(ApiError::bad_request(format!(
            "invalid restart policy: unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ))),
    }
}

/// A limit below what is in use now would kill the container (v2), or be refused by the kernel without a reason (v1).
fn fits(group: &Group, new: &Limits) -> ApiResult<()> {
    let Some(limit) = new.memory else { return Ok(()) };
    let stats = group.stats();
    let used = stats.memory.saturating_sub(stats.memory_inactive_file);
    if stats.memory_limit.is_none_or(|old| limit < old) && used > limit {
        return Err(ApiError::conflict(format!(
            "cannot lower the memory limit to {limit} bytes: the container uses {used} bytes now; stop it first, or choose a higher limit"
        )));
    }
    Ok(())
}

fn apply(group: &Group, old: &Limits, new: &Limits) -> ApiResult<()> {
    fits(group, new)?;
    let Err(error) = group.apply(new) else { return Ok(()) };
    if let Err(error) = group.apply(old) {
        tracing::warn!(%error, "cannot go back to the limits a container had");
    }
    Err(ApiError::internal("cannot update the container's limits", error))
}

impl Containers {
    /// Gives warnings for the user.
    pub async fn update(self: &Arc<Self>, container: &Arc<Container>, request: UpdateRequest) -> ApiResult<Vec<String>> {
        let _operation = container.operations.lock().await;
        let state = container.state();
        if state.removed || state.status == Status::Removing {
            return Err(ApiError::conflict(format!("Container {} is being removed", container.id)));
        }
        let mut record = container.record();
        let new = request.over(&record.host_config)?;
        let (old_limits, mut limits) = (spec::limits(&record.host_config)?, spec::limits(&new)?);
        if old_limits.pids.is_some() && limits.pids.is_none() {
            limits.pids = Some(u64::MAX);
        }
        spec::discard(&mut limits, &self.deps.groups);
        if state.is_running() {
            let group = self.group(container);
            let applied = tokio::task::spawn_blocking(move || apply(&group, &old_limits, &limits)).await;
            applied.map_err(|error| ApiError::internal("the update was cut off", error))??;
        }
        record.host_config = new;
        record::save_record(&container.dir, &record).map_err(|error| ApiError::internal("cannot write the container's files", error))?;
        *container.record.write().unwrap_or_else(PoisonError::into_inner) = record;
        self.event(container, "update", &[]);
        Ok(request.warnings())
    }
}
