//! What a container may use: memory, CPUs, processes, rlimits.
use slipway_cgroups::{Groups, IoKind, IoLimit, Limits};
use slipway_runtime::is_rlimit;
use slipway_runtime::spec::Rlimit;

use super::{bad, devices};
use crate::containers::model::{HostConfig, ThrottleDevice, Ulimit};
use crate::error::ApiResult;

/// Docker's smallest memory limit; less kills the container before it runs.
const SMALLEST_MEMORY: i64 = 6 << 20;
/// `NanoCpus` of one CPU.
const NANO: i64 = 1_000_000_000;

/// The limits in the units of the kernel; also checks them.
pub fn limits(host: &HostConfig) -> ApiResult<Limits> {
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let text = |value: &String| (!value.is_empty()).then(|| value.clone());
    if host.memory != 0 && host.memory < SMALLEST_MEMORY {
        return Err(bad("Minimum memory limit allowed is 6MB"));
    }
    if host.memory_reservation != 0 && host.memory_reservation < SMALLEST_MEMORY {
        return Err(bad("Minimum memory reservation allowed is 6MB"));
    }
    if host.memory > 0 && host.memory_reservation > host.memory {
        return Err(bad("Minimum memory limit can not be less than memory reservation limit, see usage"));
    }
    let swappiness = host.memory_swappiness.filter(|percent| *percent != -1);
    if let Some(percent) = swappiness.filter(|percent| !(0..=100).contains(percent)) {
        return Err(bad(format!("Invalid value: {percent}, valid memory swappiness range is 0-100")));
    }
    if host.cpu_realtime_period != 0 || host.cpu_realtime_runtime != 0 {
        return Err(bad("Your kernel does not support CPU real-time scheduler"));
    }
    if host.blkio_weight != 0 && !(10..=1_000).contains(&host.blkio_weight) {
        return Err(bad("Range of blkio weight is from 10 to 1000"));
    }
    if host.memory_swap > 0 && host.memory_swap < host.memory {
        return Err(bad("Minimum memoryswap limit should be larger than memory limit, see usage"));
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return Err(bad("You should always set the Memory limit when using Memoryswap limit, see usage"));
    }
    if host.nano_cpus != 0 && (host.cpu_quota != 0 || host.cpu_period != 0) {
        return Err(bad("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set"));
    }
    check_cpus(host)?;
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
        memory_reservation: positive(host.memory_reservation),
        memory_swappiness: swappiness.and_then(|percent| u64::try_from(percent).ok()),
        oom_kill_disable: host.oom_kill_disable == Some(true),
        io_weight: positive(host.blkio_weight),
        io_limits: io_limits(host)?,
    };
    if let Some(nano) = positive(host.nano_cpus) {
        limits.set_nano_cpus(nano);
    }
    Ok(limits)
}

fn io_limits(host: &HostConfig) -> ApiResult<Vec<IoLimit>> {
    let lists = [
        (IoKind::ReadBytes, &host.blkio_device_read_bps),
        (IoKind::WriteBytes, &host.blkio_device_write_bps),
        (IoKind::ReadOperations, &host.blkio_device_read_iops),
        (IoKind::WriteOperations, &host.blkio_device_write_iops),
    ];
    let mut limits = Vec::new();
    for (kind, ThrottleDevice { path, rate }) in lists.iter().flat_map(|(kind, list)| list.iter().map(move |device| (*kind, device))) {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let meta = std::fs::metadata(path).map_err(|error| bad(format!("cannot limit the device {path}: {error}")))?;
        if !meta.file_type().is_block_device() {
            return Err(bad(format!("cannot limit {path}: it is not a block device")));
        }
        let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
        limits.push(IoLimit { major, minor, kind, rate: *rate });
    }
    Ok(limits)
}

/// What this host cannot give, in dockerd's words, is taken out of the limits.
pub fn discard(limits: &mut Limits, groups: &Groups) -> Vec<String> {
    let mut warnings = Vec::new();
    let v2 = groups.layout().is_v2();
    if v2 && std::mem::take(&mut limits.oom_kill_disable) {
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".to_owned());
    }
    if v2 && limits.memory_swappiness.take().is_some() {
        warnings.push(
            "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.".into(),
        );
    }
    if limits.oom_kill_disable && limits.memory.is_none() {
        warnings.push(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
                .into(),
        );
    }
    if limits.io_weight.is_some() || !limits.io_limits.is_empty() {
        let (weight, throttle) = groups.has_io();
        if !weight && limits.io_weight.take().is_some() {
            warnings.push("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.".into());
        }
        if !throttle && !std::mem::take(&mut limits.io_limits).is_empty() {
            warnings.push(
                "Your kernel does not support BPS or IOPS Block I/O limits or the cgroup is not mounted. Block I/O limits discarded."
                    .into(),
            );
        }
    }
    warnings
}

/// What the kernel would refuse with a number for a reason.
fn check_cpus(host: &HostConfig) -> ApiResult<()> {
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as i64);
    if host.nano_cpus != 0 && !(NANO / 100..=cpus * NANO).contains(&host.nano_cpus) {
        return Err(bad(format!("Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available")));
    }
    if host.cpu_period != 0 && !(1_000..=1_000_000).contains(&host.cpu_period) {
        return Err(bad("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"));
    }
    if host.cpu_quota > 0 && host.cpu_quota < 1_000 {
        return Err(bad("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
    }
    for (kind, long, wanted) in [("cpus", "CPUs", &host.cpuset_cpus), ("mems", "memory nodes", &host.cpuset_mems)] {
        let Some(asked) = parse_set(wanted) else {
            return Err(bad(format!("Invalid value {wanted} for cpuset {kind}: invalid format: {wanted}")));
        };
        let file = if kind == "cpus" { "/sys/devices/system/cpu/online" } else { "/sys/devices/system/node/online" };
        // A host that does not say leaves the answer to the kernel.
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        let (text, available) = (text.trim(), parse_set(text.trim()).unwrap_or_default());
        let has = |range: &(u32, u32)| available.iter().any(|(first, last)| *first <= range.0 && range.1 <= *last);
        if !asked.iter().all(has) {
            return Err(bad(format!("Requested {long} are not available - requested {wanted}, available: {text}")));
        }
    }
    Ok(())
}

/// `0-2,7` as ranges, both ends included; nothing is an empty set.
fn parse_set(text: &str) -> Option<Vec<(u32, u32)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some((first, last))
    };
    text.split(',').filter(|_| !text.is_empty()).map(range).collect()
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
        assert!(limits(&host(0, 64 << 20)).is_err());
        let cpus = |nano_cpus| HostConfig { nano_cpus, ..HostConfig::default() };
        assert_eq!(limits(&cpus(500_000_000)).unwrap().cpu_quota, Some(50_000));
        assert!([-1, 1, 1_000_000 * NANO].into_iter().all(|nano| limits(&cpus(nano)).is_err()));
    }

    #[test]
    fn sets_of_cpus() {
        assert_eq!(parse_set("0-2,7"), Some(vec![(0, 2), (7, 7)]));
        assert_eq!(parse_set(""), Some(vec![]));
        assert!(["x", "1-", "3-1", "1,", "-1", "99999999999"].into_iter().all(|text| parse_set(text).is_none()));
        let host = |set: &str| HostConfig { cpuset_cpus: set.into(), ..HostConfig::default() };
        assert!(limits(&host("0")).is_ok());
        assert!(limits(&host("0,70000")).unwrap_err().message.starts_with("Requested CPUs are not available - requested 0,70000"));
    }
}
