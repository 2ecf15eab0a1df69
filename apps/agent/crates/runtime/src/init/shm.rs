//! `/dev/shm`: the container's own, the host's, or that of the container whose IPC namespace it shares.
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use slipway_sys as sys;

use super::filesystems::{attach, make};
use super::root::Root;
use super::{Stage, Step};
use crate::spec::LaunchSpec;

const SHM: &str = "/dev/shm";

/// Joins the IPC namespace `ipc`, and copies the mount of shared memory out of `mounts`, another container's.
pub(super) fn join(ipc: &OwnedFd, mounts: &OwnedFd) -> Step<OwnedFd> {
    sys::process::setns(ipc.as_fd(), libc::CLONE_NEWIPC).stage("join the IPC namespace")?;
    let stage = "take the shared memory";
    let own = File::open("/proc/self/ns/mnt").stage(stage)?;
    sys::process::setns(mounts.as_fd(), libc::CLONE_NEWNS).stage(stage)?;
    // Its owner may have put anything there, but it can only be something of its own.
    let tree = clone();
    sys::process::setns(own.as_fd(), libc::CLONE_NEWNS).stage(stage)?;
    tree.stage(stage)
}

/// The mount at `/dev/shm` of this process' mount namespace, not attached anywhere.
fn clone() -> Result<OwnedFd, rustix::io::Errno> {
    let fd = rustix::fs::openat2(CWD, SHM, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    rustix::mount::open_tree(&fd, "", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH)
}

pub(super) fn mount(spec: &LaunchSpec, root: &Root, shared: Option<OwnedFd>) -> Step<()> {
    let stage = "mount /dev/shm";
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = match (shared, spec.namespaces.ipc_host, spec.shm_size) {
        (Some(shared), ..) => shared,
        (None, true, _) => clone().stage(stage)?,
        (None, false, 0) => return Ok(()),
        (None, false, size) => make("tmpfs", &[("source", "shm"), ("mode", "1777"), ("size", &size.to_string())], flags).stage(stage)?,
    };
    let point = root.open_plain(SHM).stage(stage)?;
    attach(&mount, &point).stage(stage)
}
