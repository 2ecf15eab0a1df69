//! `linux.resources` as control files.
mod devices;
mod v1;
mod v2;

use slipway_cgroups::{Group, Limits};

use crate::config::resources::{Cpu, Memory, Resources};
use crate::error::{Error, Result};

/// One control file: controller, file, value.
type Setting = (&'static str, String, String);

/// Sets everything that is asked for, or fails: a limit that is not kept is worse than none.
pub fn apply(group: &Group, resources: &Resources) -> Result<()> {
    group.apply(&limits(&resources.cpu, &resources.memory, resources.pids.as_ref().map(|pids| pids.limit))?)?;
    let settings = match group.is_v2() {
        true => v2::settings(resources)?,
        false => v1::settings(group, resources)?,
    };
    for (controller, file, value) in settings {
        group.set(controller, &file, &value)?;
    }
    devices::apply(group, &resources.devices)
}

/// What the containers of the API can have, too.
fn limits(cpu: &Cpu, memory: &Memory, pids: Option<i64>) -> Result<Limits> {
    let positive = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    if let (Some(limit), Some(swap)) = (memory.limit, memory.swap)
        && limit > 0
        && swap > 0
        && swap < limit
    {
        return Err(Error::Told("memory+swap limit should be >= memory limit".into()));
    }
    Ok(Limits {
        memory: positive(memory.limit),
        memory_swap: Some(memory.swap.filter(|swap| *swap != 0).unwrap_or(-1)),
        cpu_quota: positive(cpu.quota).filter(|quota| *quota > 0),
        cpu_period: cpu.period.filter(|period| *period > 0),
        cpu_shares: cpu.shares.filter(|shares| *shares > 0),
        cpuset_cpus: cpu.cpus.clone().filter(|cpus| !cpus.is_empty()),
        cpuset_mems: cpu.mems.clone().filter(|mems| !mems.is_empty()),
        pids: pids.map(|limit| u64::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(u64::MAX)),
        all_devices: true,
        ..Limits::default()
    })
}
