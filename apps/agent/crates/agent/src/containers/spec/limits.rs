//! What a container may use: memory, CPUs, processes, rlimits.
use slipway_cgroups::Limits;
use slipway_runtime::is_rlimit;
use slipway_runtime::spec::Rlimit;

use super::{bad, devices};
use crate::containers::model::{HostConfig, Ulimit};
use crate::error::ApiResult;

/// Docker's smallest memory limit; less kills the container before it runs.
const SMALLEST_MEMORY: i64 = 6 << 20;

/// The limits in the units of the kernel; also checks them.
pub fn limits(host: &HostConfig) -> ApiResult<Limits> {
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let text = |value: &String| (!value.is_empty()).then(|| value.clone());
    if host.memory != 0 && host.memory < SMALLEST_MEMORY {
        return Err(bad("Minimum memory limit allowed is 6MB"));
    }
    if host.memory_swap > 0 && host.memory_swap < host.memory {
        return Err(bad("Minimum memoryswap limit should be larger than memory limit, see usage"));
    }
    if host.nano_cpus != 0 && (host.cpu_quota != 0 || host.cpu_period != 0) {
        return Err(bad("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set"));
    }
    if host.nano_cpus < 0 {
        return Err(bad("the number of CPUs must be positive"));
    }
    let mut limits = Limits {
        memory: positive(host.memory),
        memory_swap: (host.memory_swap != 0).then_some(host.memory_swap),
        cpu_quota: positive(host.cpu_quota),
        cpu_period: positive(host.cpu_period),
        cpu_shares: positive(host.cpu_shares),
        cpuset_cpus: text(&host.cpuset_cpus),
        cpuset_mems: text(&host.cpuset_mems),
        pids: host.pids_limit.and_then(positive),
        all_devices: host.privileged,
        devices: devices::rules(host)?,
    };
    if let Some(nano) = positive(host.nano_cpus) {
        limits.set_nano_cpus(nano);
    }
    Ok(limits)
}

pub fn rlimits(host: &HostConfig) -> ApiResult<Vec<Rlimit>> {
    let value = |n: i64| u64::try_from(n).unwrap_or(u64::MAX); // -1 is unlimited
    let convert = |limit: &Ulimit| match is_rlimit(&limit.name) {
        true if limit.hard >= 0 && (limit.soft < 0 || limit.soft > limit.hard) => {
            Err(bad(format!("ulimit {}: the soft limit is above the hard one", limit.name)))
        }
        true => Ok(Rlimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }),
        false => Err(bad(format!("unknown ulimit {:?}", limit.name))),
    };
    host.ulimits.iter().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limits_are_checked_as_docker_does() {
        let host = |memory, swap| HostConfig { memory, memory_swap: swap, ..HostConfig::default() };
        assert!(limits(&host(1 << 20, 0)).is_err());
        assert!(limits(&host(64 << 20, 32 << 20)).is_err());
        assert_eq!(limits(&host(64 << 20, -1)).unwrap().memory_swap, Some(-1));
        let cpus = HostConfig { nano_cpus: 1_500_000_000, ..HostConfig::default() };
        assert_eq!(limits(&cpus).unwrap().cpu_quota, Some(150_000));
    }
}
