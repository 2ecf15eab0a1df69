//! Which device nodes may be opened. Rules are inherited, so they are set once per instance, on the parent of all confined
//! groups, and a container's start sets none. v1 takes a list in control files, v2 an eBPF program.
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use serde::{Deserialize, Serialize};
use slipway_sys::bpf;

use crate::error::{Error, Result};
use crate::file::write;

/// Docker's default list: any node may be made, these character devices (major, and minor or any) may be opened.
const ALLOWED: [(u32, Option<u32>); 10] = [
    (1, Some(3)),    // null
    (1, Some(5)),    // zero
    (1, Some(7)),    // full
    (1, Some(8)),    // random
    (1, Some(9)),    // urandom
    (5, Some(0)),    // tty
    (5, Some(1)),    // console
    (5, Some(2)),    // ptmx
    (136, None),     // pts
    (10, Some(200)), // tun
];

/// What one group may do, or not do, with some device nodes; later rules win.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    pub allow: bool,
    /// `a` (any), `b` or `c`.
    pub kind: char,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Letters of `rwm`.
    pub access: String,
}

impl DeviceRule {
    /// As v1's control files take it.
    pub fn line(&self) -> String {
        let number = |number: Option<u32>| number.map_or("*".into(), |number| number.to_string());
        format!("{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }

    fn program_rule(&self) -> bpf::DeviceRule {
        let bits = [('m', bpf::MAKE), ('r', bpf::READ), ('w', bpf::WRITE)];
        bpf::DeviceRule {
            allow: self.allow,
            kind: match self.kind {
                'b' => bpf::DeviceKind::Block,
                'c' => bpf::DeviceKind::Character,
                _ => bpf::DeviceKind::Any,
            },
            major: self.major,
            minor: self.minor,
            access: bits.iter().filter(|(letter, _)| self.access.contains(*letter)).fold(0, |set, (_, bit)| set | bit),
        }
    }
}

/// What every container may use.
pub fn default_devices() -> Vec<DeviceRule> {
    let rule = |kind, major, minor, access: &str| DeviceRule { allow: true, kind, major, minor, access: access.into() };
    let made = ['c', 'b'].map(|kind| rule(kind, None, None, "m"));
    let used = ALLOWED.map(|(major, minor)| rule('c', Some(major), minor, "rwm"));
    made.into_iter().chain(used).collect()
}

/// The default list and `more`. The group must not have a parent that allows less: v1 refuses what that has not.
pub(crate) fn restrict_v1(dir: &Path, more: &[DeviceRule]) -> Result<()> {
    write(&dir.join("devices.deny"), "a")?;
    default_devices().iter().chain(more).try_for_each(|rule| set_v1(dir, rule))
}

fn set_v1(dir: &Path, rule: &DeviceRule) -> Result<()> {
    write(&dir.join(if rule.allow { "devices.allow" } else { "devices.deny" }), &rule.line())
}

/// Exactly these rules, on a new group: what none of them is about may be used.
pub(crate) fn set(dir: &Path, v2: bool, rules: &[DeviceRule]) -> Result<()> {
    if !v2 {
        return rules.iter().try_for_each(|rule| set_v1(dir, rule));
    }
    let any = DeviceRule { allow: true, kind: 'a', major: None, minor: None, access: "rwm".into() };
    load(dir, std::iter::once(&any).chain(rules))
}

pub(crate) fn restrict_v2(dir: &Path, more: &[DeviceRule]) -> Result<()> {
    load(dir, default_devices().iter().chain(more))
}

fn load<'a>(dir: &Path, rules: impl Iterator<Item = &'a DeviceRule>) -> Result<()> {
    let failed = |source: std::io::Error| Error::Devices { path: dir.into(), source };
    let group = File::open(dir).map_err(failed)?;
    let rules: Vec<_> = rules.map(DeviceRule::program_rule).collect();
    slipway_sys::bpf::confine_devices(group.as_fd(), &rules).map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Where cgroup2 is mounted, alone or beside v1.
    fn v2_mount() -> std::path::PathBuf {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).unwrap().split(' ').nth(1).unwrap().into()
    }

    #[test]
    fn only_listed_devices_are_opened_and_any_is_made() {
        let group = v2_mount().join(format!("slipway-test-{}", std::process::id()));
        std::fs::create_dir(&group).unwrap();
        let nodes = tempfile::tempdir().unwrap();
        // The kernel's log and a block device (made, as a container could) against null and a terminal.
        let script = "echo $$ > \"$1/cgroup.procs\"; cd \"$2\"; mknod kmsg c 1 11 && mknod disk b 7 0 && mknod null c 1 3 && echo made; \
                      for node in kmsg disk null; do ( : < $node ) 2>/dev/null && echo $node; done; ( : > null ) && echo written; true";
        let run = || {
            let output = Command::new("sh").args(["-c", script, "sh"]).arg(&group).arg(nodes.path()).output().unwrap();
            for node in ["kmsg", "disk", "null"] {
                std::fs::remove_file(nodes.path().join(node)).unwrap();
            }
            String::from_utf8(output.stdout).unwrap()
        };
        let rule = |access: &str| DeviceRule { allow: true, kind: 'c', major: Some(1), minor: Some(11), access: access.into() };
        let free = run();
        let outcome = restrict_v2(&group, &[]).and_then(|()| restrict_v2(&group, &[])).map(|()| run());
        std::fs::remove_dir(&group).unwrap();
        // The kernel's log may be read, but not written; then not even that.
        let denied = DeviceRule { allow: false, ..rule("r") };
        let with = |rules: &[DeviceRule]| {
            std::fs::create_dir(&group).unwrap();
            let output = restrict_v2(&group, rules).map(|()| run());
            std::fs::remove_dir(&group).unwrap();
            output.unwrap()
        };
        let (read, write, taken) = (with(&[rule("r")]), with(&[rule("w")]), with(&[rule("rw"), denied]));
        assert_eq!((&*read, &*write, &*taken), ("made\nkmsg\nnull\nwritten\n", "made\nnull\nwritten\n", "made\nnull\nwritten\n"));
        // Of a group without the default list: all but what is refused.
        std::fs::create_dir(&group).unwrap();
        let all_but = set(&group, true, &[DeviceRule { allow: false, ..rule("rw") }]).map(|()| run());
        std::fs::remove_dir(&group).unwrap();
        assert_eq!(all_but.unwrap(), free.replace("kmsg\n", ""));
        assert!(free.contains("kmsg\n"), "{free}");
        assert_eq!(outcome.unwrap(), "made\nnull\nwritten\n");
    }
}
