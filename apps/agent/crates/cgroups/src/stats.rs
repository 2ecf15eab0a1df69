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
    /// Of each block device that was read or written. Empty where the group's hierarchy does not count it.
    pub io: Vec<DeviceIo>,
}

/// Bytes and operations of one block device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceIo {
    pub major: u32,
    pub minor: u32,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

fn device(text: &str) -> Option<DeviceIo> {
    let (major, minor) = text.split_once(':')?;
    Some(DeviceIo { major: major.parse().ok()?, minor: minor.parse().ok()?, ..DeviceIo::default() })
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …` (io.stat of v2).
fn parse_v2_io(text: &str) -> Vec<DeviceIo> {
    let line = |line: &str| {
        let (name, figures) = line.split_once(' ')?;
        let mut io = device(name)?;
        for (key, value) in figures.split_whitespace().filter_map(|pair| pair.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match key {
                "rbytes" => io.read_bytes = value,
                "wbytes" => io.written_bytes = value,
                "rios" => io.reads = value,
                "wios" => io.writes = value,
                _ => {}
            }
        }
        Some(io)
    };
    text.lines().filter_map(line).collect()
}

/// `8:0 Read 1` (blkio.throttle.… of v1), of bytes and of operations.
fn parse_v1_io(bytes: &str, operations: &str) -> Vec<DeviceIo> {
    let mut all: Vec<DeviceIo> = Vec::new();
    for (text, is_bytes) in [(bytes, true), (operations, false)] {
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, kind, value] = fields[..] else { continue };
            let (Some(found), Ok(value)) = (device(name), value.parse()) else { continue };
            let at = all.iter().position(|io| (io.major, io.minor) == (found.major, found.minor)).unwrap_or_else(|| {
                all.push(found);
                all.len() - 1
            });
            match (kind, is_bytes) {
                ("Read", true) => all[at].read_bytes = value,
                ("Write", true) => all[at].written_bytes = value,
                ("Read", false) => all[at].reads = value,
                ("Write", false) => all[at].writes = value,
                _ => {}
            }
        }
    }
    all
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
        stats.io = parse_v2_io(&fs::read_to_string(dir.join("io.stat")).unwrap_or_default());
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
    if let Some(dir) = group.dir("blkio") {
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        stats.io = parse_v1_io(&read("blkio.throttle.io_service_bytes_recursive"), &read("blkio.throttle.io_serviced_recursive"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_a_device_alike() {
        let expected = vec![DeviceIo { major: 254, minor: 16, read_bytes: 4_096, written_bytes: 8_192, reads: 1, writes: 2 }];
        assert_eq!(parse_v2_io("254:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\nnonsense\n"), expected);
        let bytes = "254:16 Read 4096\n254:16 Write 8192\n254:16 Sync 8192\n254:16 Total 12288\nTotal 12288\n";
        assert_eq!(parse_v1_io(bytes, "254:16 Read 1\n254:16 Write 2\n"), expected);
    }
}
