//! What v2 has control files for beyond [`slipway_cgroups::Limits`].
use super::Setting;
use super::v1::page_size;
use crate::config::resources::{BlockIo, Rdma, Resources};
use crate::error::{Error, Result};

/// On v2 there is one directory, so the controller is only a word here.
const ANY: &str = "";

pub fn settings(resources: &Resources) -> Result<Vec<Setting>> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut set = |file: &str, value: Option<String>| settings.extend(value.map(|value| (ANY, file.to_owned(), value)));
    set("memory.low", resources.memory.reservation.map(|v| if v < 0 { "max".into() } else { v.to_string() }));
    set("cpu.max.burst", resources.cpu.burst.map(|v| v.to_string()));
    set("cpu.idle", resources.cpu.idle.map(|v| v.to_string()));
    for pages in &resources.hugepage_limits {
        set(&format!("hugetlb.{}.max", page_size(&pages.page_size)?), Some(pages.limit.to_string()));
    }
    for (device, limit) in &resources.rdma {
        set("rdma.max", Some(rdma(device, limit)?));
    }
    block_io(&resources.block_io, &mut settings);
    for (file, value) in &resources.unified {
        if file.contains('/') || !file.contains('.') {
            return Err(Error::Told(format!("unified resource {file:?} must be a file name")));
        }
        settings.push((ANY, file.clone(), value.clone()));
    }
    Ok(settings)
}

pub fn rdma(device: &str, limit: &Rdma) -> Result<String> {
    let handles = limit.hca_handles.map(|v| format!(" hca_handle={v}")).unwrap_or_default();
    let objects = limit.hca_objects.map(|v| format!(" hca_object={v}")).unwrap_or_default();
    match device.contains(char::is_whitespace) {
        true => Err(Error::Told(format!("invalid RDMA device {device:?}"))),
        false => Ok(format!("{device}{handles}{objects}")),
    }
}

fn block_io(io: &BlockIo, settings: &mut Vec<Setting>) {
    let mut set = |file: &str, value: String| settings.push((ANY, file.to_owned(), value));
    if let Some(weight) = io.weight.filter(|v| *v > 0) {
        // 10 to 1,000 become 1 to 10,000.
        set("io.weight", format!("default {}", 1 + (u64::from(weight).clamp(10, 1_000) - 10) * 9_999 / 990));
    }
    for (key, devices) in [
        ("rbps", &io.throttle_read_bps_device),
        ("wbps", &io.throttle_write_bps_device),
        ("riops", &io.throttle_read_iops_device),
        ("wiops", &io.throttle_write_iops_device),
    ] {
        devices.iter().for_each(|device| set("io.max", format!("{}:{} {key}={}", device.major, device.minor, device.rate)));
    }
}
