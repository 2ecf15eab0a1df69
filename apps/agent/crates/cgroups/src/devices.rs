//! Which device nodes may be opened. Rules are inherited, so they are set once per instance, on the parent of all confined
//! groups, and a container's start sets none. v1 takes a list in control files, v2 an eBPF program.
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

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

pub(crate) fn restrict_v1(dir: &Path) -> Result<()> {
    write(&dir.join("devices.deny"), "a")?;
    let allow = |rule: &str| write(&dir.join("devices.allow"), rule);
    ["c *:* m", "b *:* m"].into_iter().try_for_each(allow)?;
    for (major, minor) in ALLOWED {
        allow(&format!("c {major}:{} rwm", minor.map_or("*".into(), |minor| minor.to_string())))?;
    }
    Ok(())
}

pub(crate) fn restrict_v2(dir: &Path) -> Result<()> {
    let failed = |source: std::io::Error| Error::Devices { path: dir.into(), source };
    let group = File::open(dir).map_err(failed)?;
    slipway_sys::bpf::confine_devices(group.as_fd(), &ALLOWED).map_err(|error| failed(error.into()))
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
        let free = run();
        let outcome = restrict_v2(&group).and_then(|()| restrict_v2(&group)).map(|()| run());
        std::fs::remove_dir(&group).unwrap();
        assert!(free.contains("kmsg\n"), "{free}");
        assert_eq!(outcome.unwrap(), "made\nnull\nwritten\n");
    }
}
