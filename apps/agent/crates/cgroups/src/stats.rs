//! What a group uses now.
use std::fs;

use crate::file::{read_keyed, read_u64};
use crate::group::Group;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Nanoseconds of CPU time, in all, in user and in kernel mode.
    pub cpu_total: u64,
    pub cpu_user: u64,
    pub cpu_system: u64,
    pub throttled_periods: u64,
    pub throttled_time: u64,
    /// Bytes, page cache included.
    pub memory: u64,
    /// Bytes of inactive page cache: Docker shows `memory - inactive_file`.
    pub memory_inactive_file: u64,
    pub memory_peak: u64,
    pub memory_limit: Option<u64>,
    pub pids: u64,
    pub oom_kills: u64,
}

/// "No limit" on v1 is the largest page-aligned number.
const V1_UNLIMITED: u64 = i64::MAX as u64 - 0xfff;

pub(crate) fn read(group: &Group) -> Stats {
    let mut stats = Stats { oom_kills: group.oom_kills(), ..Stats::default() };
    if group.is_v2() {
        let Some(dir) = group.dir("memory") else { return stats };
        let cpu = |key| read_keyed(&dir.join("cpu.stat"), key).unwrap_or(0);
        stats.cpu_total = cpu("usage_usec") * 1_000;
        stats.cpu_user = cpu("user_usec") * 1_000;
        stats.cpu_system = cpu("system_usec") * 1_000;
        stats.throttled_periods = cpu("nr_throttled");
        stats.throttled_time = cpu("throttled_usec") * 1_000;
        stats.memory = read_u64(&dir.join("memory.current")).unwrap_or(0);
        stats.memory_peak = read_u64(&dir.join("memory.peak")).unwrap_or(stats.memory);
        stats.memory_limit = read_u64(&dir.join("memory.max"));
        stats.memory_inactive_file = read_keyed(&dir.join("memory.stat"), "inactive_file").unwrap_or(0);
        stats.pids = read_u64(&dir.join("pids.current")).unwrap_or(0);
        return stats;
    }
    if let Some(dir) = group.dir("cpuacct") {
        stats.cpu_total = read_u64(&dir.join("cpuacct.usage")).unwrap_or(0);
        stats.cpu_user = read_u64(&dir.join("cpuacct.usage_user")).unwrap_or(0);
        stats.cpu_system = read_u64(&dir.join("cpuacct.usage_sys")).unwrap_or(0);
    }
    if let Some(dir) = group.dir("cpu") {
        stats.throttled_periods = read_keyed(&dir.join("cpu.stat"), "nr_throttled").unwrap_or(0);
        stats.throttled_time = read_keyed(&dir.join("cpu.stat"), "throttled_time").unwrap_or(0);
    }
    if let Some(dir) = group.dir("memory") {
        stats.memory = read_u64(&dir.join("memory.usage_in_bytes")).unwrap_or(0);
        stats.memory_peak = read_u64(&dir.join("memory.max_usage_in_bytes")).unwrap_or(0);
        stats.memory_limit = read_u64(&dir.join("memory.limit_in_bytes")).filter(|limit| *limit < V1_UNLIMITED);
        stats.memory_inactive_file = read_keyed(&dir.join("memory.stat"), "total_inactive_file").unwrap_or(0);
    }
    if let Some(dir) = group.dir("pids") {
        stats.pids = read_u64(&dir.join("pids.current")).unwrap_or(0);
    }
    stats
}

/// Nanoseconds of CPU time of the whole host and its number of CPUs, for Docker's percentage.
pub fn host_cpu() -> (u64, usize) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let total: u64 =
        text.lines().next().map_or(0, |line| line.split_whitespace().skip(1).take(8).filter_map(|v| v.parse::<u64>().ok()).sum());
    let cpus = text.lines().filter(|line| line.starts_with("cpu") && line.as_bytes().get(3).is_some_and(u8::is_ascii_digit)).count();
    (total * 10_000_000, cpus.max(1)) // USER_HZ is 100 on every Linux ABI
}
