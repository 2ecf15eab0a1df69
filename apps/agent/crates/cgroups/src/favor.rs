//! `favordynmods`, the kernel's own remedy for slow moves between groups (Linux 6.0 and later; cgroup v1 and v2).
//!
//! Moving a process between v1 groups first waits for an RCU grace period, 5 to 20 ms, with the lock held that making a
//! group takes too. With `favordynmods` on any hierarchy that wait is gone for all of them, and a fork or exit anywhere
//! pays a memory barrier for it. No hierarchy of the host is touched: the option is set on a named hierarchy of our own
//! that has no controllers, no groups and no mount point, and that is there for as long as its descriptor is open. Processes
//! see it as a line `name=slipway-<instance>:/` in their `/proc/<pid>/cgroup`. (Linux 6.18 and later go on moving that way
//! until the next boot, once told.)
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::layout::Layout;

/// Held: moves are fast. `None` on v2, where processes are born into their group, and on kernels that know no such option
/// or do not let us.
pub(crate) fn hold(layout: &Layout, instance: &str) -> Option<OwnedFd> {
    let Layout::V1(_) = layout else { return None };
    match own_hierarchy(instance) {
        Ok(held) => Some(held),
        Err(error) => {
            tracing::debug!(%error, "favordynmods is not to be had; moves into control groups are prepared for instead");
            None
        }
    }
}

fn own_hierarchy(instance: &str) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen("cgroup", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_flag(&context, "none")?;
    rustix::mount::fsconfig_set_string(&context, "name", format!("slipway-{instance}"))?;
    rustix::mount::fsconfig_set_flag(&context, "favordynmods")?;
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> bool {
        std::fs::read_to_string("/proc/self/cgroup").unwrap().contains(&format!("name=slipway-{name}:"))
    }

    #[test]
    fn the_hierarchy_goes_with_its_descriptor() {
        let name = format!("test-favor-{}", std::process::id());
        let Ok(held) = own_hierarchy(&name) else { return }; // a kernel without; then there is nothing to leave behind
        assert!(known(&name));
        assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&name));
        drop(held);
        // The kernel takes it down a moment later.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while known(&name) {
            assert!(std::time::Instant::now() < end, "it is still there");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
