//! Control groups of containers and builds, on cgroup v2 and on v1 or hybrid hosts.
//!
//! [`Groups`] is one instance's subtree (`slipway-<instance>`); [`Group`] is one container's group in it. On v1 a
//! group is one directory per joined hierarchy, on v2 a single directory.
mod anywhere;
mod cpu;
mod cpuset;
mod devices;
mod error;
mod favor;
mod file;
mod freezer;
mod group;
mod io;
mod layout;
mod memory;
mod oom;
mod pids;
mod stats;
mod warm;

pub use devices::{DeviceRule, default_devices};
pub use error::Error;
pub use group::{Group, Groups, Join};
pub use layout::Layout;
pub use oom::{OomNotice, Told};
pub use stats::{DeviceIo, Stats, host_cpu};

use serde::{Deserialize, Serialize};

/// What one group may use. `None` is "no limit of its own".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory plus swap together, as Docker counts; -1 is unlimited swap. `None`: twice `memory`.
    pub memory_swap: Option<i64>,
    /// Bytes that are taken last when memory runs short.
    pub memory_reservation: Option<u64>,
    /// 0 to 100; v1 only.
    pub memory_swappiness: Option<u64>,
    /// Out of memory, processes wait instead of being killed; v1 only.
    pub oom_kill_disable: bool,
    /// 10 to 1,000.
    pub io_weight: Option<u64>,
    pub io_limits: Vec<IoLimit>,
    /// Microseconds of CPU time per `cpu_period`.
    pub cpu_quota: Option<u64>,
    /// Microseconds; 100,000 unless told.
    pub cpu_period: Option<u64>,
    /// Relative weight, v1 scale (2 to 262,144; 1,024 is normal).
    pub cpu_shares: Option<u64>,
    /// List format: `0-2,7`.
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
    /// `u64::MAX` takes a limit away.
    pub pids: Option<u64>,
    /// Access to every device (privileged). Otherwise Docker's default list.
    pub all_devices: bool,
    /// More than that list, for this group alone. Set once, when it is made.
    pub devices: Vec<DeviceRule>,
}

/// What one group may read from, or write to, one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoLimit {
    pub major: u32,
    pub minor: u32,
    /// v2's name: `rbps`, `wbps`, `riops`, `wiops`.
    pub kind: IoKind,
    /// Bytes or operations per second.
    pub rate: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IoKind {
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}

impl Limits {
    /// Whether the group's devices differ from the default list, which all other groups inherit.
    pub fn own_devices(&self) -> bool {
        self.all_devices || !self.devices.is_empty()
    }

    /// `--cpus` in billionths of a CPU.
    pub fn set_nano_cpus(&mut self, nano_cpus: u64) {
        let period = 100_000;
        self.cpu_period = Some(period);
        self.cpu_quota = Some((nano_cpus.saturating_mul(period) / 1_000_000_000).max(1_000));
    }
}
