//! What v1 has control files for beyond [`slipway_cgroups::Limits`].
use slipway_cgroups::Group;

use super::Setting;
use crate::config::resources::{BlockIo, Resources, ThrottleDevice};
use crate::error::{Error, Result};

pub fn settings(group: &Group, resources: &Resources) -> Result<Vec<Setting>> {
    if !resources.unified.is_empty() {
        return Err(Error::Told("unified resources need cgroup v2, and this host has v1".into()));
    }
    let mut settings: Vec<Setting> = Vec::new();
    let memory = &resources.memory;
    let mut set = |controller: &'static str, file: &str, value: Option<String>| {
        settings.extend(value.map(|value| (controller, file.to_owned(), value)));
    };
    set("memory", "memory.soft_limit_in_bytes", memory.reservation.map(|v| v.to_string()));
    set("memory", "memory.swappiness", memory.swappiness.map(|v| v.to_string()));
    set("memory", "memory.oom_control", memory.disable_oom_killer.filter(|on| *on).map(|_| "1".into()));
    let cpu = &resources.cpu;
    set("cpu", "cpu.rt_period_us", cpu.realtime_period.filter(|v| *v > 0).map(|v| v.to_string()));
    set("cpu", "cpu.rt_runtime_us", cpu.realtime_runtime.filter(|v| *v != 0).map(|v| v.to_string()));
    set("cpu", "cpu.cfs_burst_us", cpu.burst.map(|v| v.to_string()));
    set("cpu", "cpu.idle", cpu.idle.map(|v| v.to_string()));
    set("net_cls", "net_cls.classid", resources.network.class_id.filter(|v| *v > 0).map(|v| v.to_string()));
    for priority in &resources.network.priorities {
        set("net_prio", "net_prio.ifpriomap", Some(format!("{} {}", priority.name, priority.priority)));
    }
    for pages in &resources.hugepage_limits {
        set("hugetlb", &format!("hugetlb.{}.limit_in_bytes", page_size(&pages.page_size)?), Some(pages.limit.to_string()));
    }
    for (device, limit) in &resources.rdma {
        set("rdma", "rdma.max", Some(super::v2::rdma(device, limit)?));
    }
    kernel_memory(group, &mut settings, "memory.kmem.limit_in_bytes", memory.kernel);
    kernel_memory(group, &mut settings, "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp);
    block_io(group, &resources.block_io, &mut settings);
    Ok(settings)
}

/// Newer kernels have no such limit; runc leaves it out then, too.
fn kernel_memory(group: &Group, settings: &mut Vec<Setting>, file: &str, value: Option<i64>) {
    let Some(value) = value.filter(|value| *value != 0) else { return };
    if group.dir("memory").is_some_and(|dir| dir.join(file).exists()) {
        settings.push(("memory", file.into(), value.to_string()));
    }
}

/// Weights belong to the scheduler of the device, which calls its files by its own name when it is BFQ.
fn block_io(group: &Group, io: &BlockIo, settings: &mut Vec<Setting>) {
    let exists = |file: &str| group.dir("blkio").is_some_and(|dir| dir.join(file).exists());
    let weight = if exists("blkio.weight") { "blkio.weight" } else { "blkio.bfq.weight" };
    let weight_device = if exists("blkio.weight_device") { "blkio.weight_device" } else { "blkio.bfq.weight_device" };
    let mut set = |file: &str, value: String| settings.push(("blkio", file.to_owned(), value));
    if let Some(value) = io.weight.filter(|v| *v > 0) {
        set(weight, value.to_string());
    }
    if let Some(value) = io.leaf_weight.filter(|v| *v > 0) {
        set("blkio.leaf_weight", value.to_string());
    }
    for device in &io.weight_device {
        let name = format!("{}:{}", device.major, device.minor);
        if let Some(value) = device.weight.filter(|v| *v > 0) {
            set(weight_device, format!("{name} {value}"));
        }
        if let Some(value) = device.leaf_weight.filter(|v| *v > 0) {
            set("blkio.leaf_weight_device", format!("{name} {value}"));
        }
    }
    let line = |device: &ThrottleDevice| format!("{}:{} {}", device.major, device.minor, device.rate);
    for (file, devices) in [
        ("blkio.throttle.read_bps_device", &io.throttle_read_bps_device),
        ("blkio.throttle.write_bps_device", &io.throttle_write_bps_device),
        ("blkio.throttle.read_iops_device", &io.throttle_read_iops_device),
        ("blkio.throttle.write_iops_device", &io.throttle_write_iops_device),
    ] {
        devices.iter().for_each(|device| set(file, line(device)));
    }
}

/// It becomes part of a file's name.
pub fn page_size(text: &str) -> Result<&str> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { Ok(text) } else { Err(Error::Told(format!("invalid huge page size {text:?}"))) }
}
