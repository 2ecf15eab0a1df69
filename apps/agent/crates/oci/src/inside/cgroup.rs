//! A mount of type `cgroup`: the container's own groups, in the layout the host has.
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountAttrFlags;
use slipway_runtime::inside::{Root, Stage, Step, attach, clone_mount, make};
use slipway_sys::mount as attr;

use super::options::Options;
use crate::config::Mount;

/// `groups`: directory and controllers of each hierarchy; no controllers means v2.
pub fn mount(mount: &Mount, options: &Options, groups: &[(PathBuf, Vec<String>)], root: &Root) -> Step<()> {
    let stage = format!("mount the control groups at {}", mount.destination);
    let point = root.make_dir(&mount.destination).stage(&stage)?;
    let readonly = options.set & attr::RDONLY;
    if let [(dir, controllers)] = groups
        && controllers.is_empty()
    {
        return attach(&group(dir, options.set).stage(&stage)?, &point).stage(&stage);
    }
    let set = MountAttrFlags::from_bits_retain((options.set & !readonly) as u32);
    let top = make("tmpfs", &[("source", "tmpfs"), ("mode", "755")], set).stage(&stage)?;
    attach(&top, &point).stage(&stage)?;
    for (dir, controllers) in groups {
        let name = controllers.join(",");
        // Named hierarchies are called `name=systemd` by the kernel and `systemd` by everybody else.
        let name = name.strip_prefix("name=").unwrap_or(&name);
        // The tmpfs is new and nobody else's, so nothing of the image is on this way.
        rustix::fs::mkdirat(&top, name, Mode::from_raw_mode(0o755)).stage(&stage)?;
        let way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(&top, name, way, Mode::empty()).stage(&stage)?;
        attach(&group(dir, options.set).stage(&stage)?, &place).stage(&stage)?;
        if controllers.len() > 1 {
            for controller in controllers {
                rustix::fs::symlinkat(name, &top, controller).stage(&stage)?;
            }
        }
    }
    attr::set_attributes(top.as_fd(), c"", readonly, 0, 0, false).stage(&stage)
}

fn group(dir: &Path, set: u64) -> std::io::Result<OwnedFd> {
    let fd = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let tree = clone_mount(&fd, false)?;
    attr::set_attributes(tree.as_fd(), c"", set, 0, attr::PRIVATE, false)?;
    Ok(tree)
}
