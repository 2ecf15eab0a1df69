//! Which hierarchies this host has mounted, read from `/proc/self/mountinfo`.
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// `["cpu", "cpuacct"]`: controllers mounted together share one directory tree.
    pub controllers: Vec<String>,
    pub mount: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Separate hierarchies; also the hybrid layout, whose v2 tree has no controllers.
    V1(Vec<Hierarchy>),
    V2 {
        mount: PathBuf,
    },
}

/// Controllers a group joins on v1. Each costs a directory and a write per container; blkio, net_cls, hugetlb and the
/// named hierarchies carry no limit of ours.
const JOINED: [&str; 7] = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids"];

impl Layout {
    pub fn detect() -> Result<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), |option| JOINED.contains(&option))
    }

    /// With the hierarchies that carry no limit of ours, too: every controller there is, and the named ones.
    pub(crate) fn detect_all() -> Result<Self> {
        let controllers = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let known: Vec<&str> = controllers.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::parse(&mounts, |option| known.contains(&option) || option.starts_with("name="))
    }

    fn parse(mountinfo: &str, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let mut v1 = Vec::new();
        let mut v2 = None;
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(mount) = left.split(' ').nth(4) else { continue };
            let mut right = right.split(' ');
            match (right.next(), right.nth(1)) {
                (Some("cgroup2"), _) if v2.is_none() => v2 = Some(PathBuf::from(mount)),
                (Some("cgroup"), Some(options)) => {
                    let controllers: Vec<String> = options.split(',').filter(|o| wanted(o)).map(String::from).collect();
                    let known = v1.iter().any(|h: &Hierarchy| h.controllers == controllers);
                    if !controllers.is_empty() && !known {
                        v1.push(Hierarchy { controllers, mount: mount.into() });
                    }
                }
                _ => {}
            }
        }
        match (v1.is_empty(), v2) {
            (false, _) => Ok(Self::V1(v1)),
            (true, Some(mount)) => Ok(Self::V2 { mount }),
            (true, None) => Err(Error::NotMounted),
        }
    }

    /// The directory of `relative` in the hierarchy that has `controller`; on v2 the one directory.
    pub(crate) fn dir(&self, controller: &str, relative: &Path) -> Option<PathBuf> {
        match self {
            Self::V1(hierarchies) => {
                hierarchies.iter().find(|h| h.controllers.iter().any(|c| c == controller)).map(|h| h.mount.join(relative))
            }
            Self::V2 { mount } => Some(mount.join(relative)),
        }
    }

    pub fn is_v2(&self) -> bool {
        matches!(self, Self::V2 { .. })
    }

    /// What `docker info` calls the version.
    pub fn version(&self) -> &'static str {
        if self.is_v2() { "2" } else { "1" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(mountinfo: &str) -> Result<Layout> {
        Layout::parse(mountinfo, |option| JOINED.contains(&option))
    }

    #[test]
    fn hybrid_hosts_are_driven_as_v1() {
        let text = "30 24 0:26 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n\
                    31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                    32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                    33 24 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let layout = parse(text).unwrap();
        assert!(!layout.is_v2());
        assert_eq!(layout.dir("cpuacct", Path::new("a")), Some("/sys/fs/cgroup/cpu,cpuacct/a".into()));
        assert_eq!(layout.dir("pids", Path::new("a")), None);
    }

    #[test]
    fn pure_v2() {
        let layout = parse("30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n").unwrap();
        assert_eq!(layout, Layout::V2 { mount: "/sys/fs/cgroup".into() });
        assert!(parse("").is_err());
    }
}
