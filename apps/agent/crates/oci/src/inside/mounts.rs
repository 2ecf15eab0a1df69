//! The mounts of the config, in its order.
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::MountAttrFlags;
use slipway_runtime::inside::{Root, Stage, Step, attach, clone_mount, directory, make, outside_of_proc};
use slipway_sys::mount as attr;

use super::options::{Options, parse};
use crate::config::Mount;

/// For a container without a mount namespace: the root is mounted over itself in the caller's, which is not changed otherwise.
pub fn root_on_host(rootfs: &Path) -> Step<Root> {
    let root = directory(rootfs)?;
    attr::set_attributes(root.fd().as_fd(), c"", 0, 0, attr::PRIVATE, false).stage("keep the root's mounts to itself")?;
    Ok(root)
}

/// Mounts the root over itself, after cutting this namespace's ties to the host as far as `propagation` (of the config) says.
pub fn root(rootfs: &Path, propagation: &str) -> Step<Root> {
    let stage = "detach mount propagation";
    let kind = match propagation.strip_prefix('r').unwrap_or(propagation) {
        // Mounts made over shared ones shall reach the host then; those of the root itself never do.
        "shared" => None,
        "private" | "unbindable" => Some(attr::PRIVATE),
        _ => Some(attr::SLAVE),
    };
    match kind {
        Some(kind) => attr::set_attributes(CWD, c"/", 0, 0, kind, true).stage(stage)?,
        None => detach_parent(rootfs).stage(stage)?,
    }
    directory(rootfs)
}

/// Makes the mount that holds `path` private: the nearest directory above that is a mount's root.
fn detach_parent(path: &Path) -> Result<(), slipway_sys::Errno> {
    for dir in path.ancestors() {
        let fd = rustix::fs::open(dir, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| slipway_sys::Errno::from_raw(error.raw_os_error()))?;
        match attr::set_attributes(fd.as_fd(), c"", 0, 0, attr::PRIVATE, false) {
            Err(slipway_sys::Errno::EINVAL) => {}
            other => return other,
        }
    }
    Ok(())
}

/// What is to be done when the devices have been made: `/dev` becomes read-only then.
pub type Later = Vec<(OwnedFd, u64)>;

/// `cgroup`: the directories of the container's group, see [`super::cgroup`].
pub fn attach_all(mounts: &[Mount], bundle: &Path, cgroup: &[(PathBuf, Vec<String>)], root: &Root) -> Step<Later> {
    let mut later = Vec::new();
    for mount in mounts {
        let stage = format!("error mounting {:?} to rootfs at {:?}", mount.source, mount.destination);
        let mut options = parse(&mount.options);
        let bind = options.bind || mount.kind == "bind";
        if mount.kind == "cgroup" && !bind {
            super::cgroup::mount(mount, &options, cgroup, root)?;
            continue;
        }
        let is_dev = !bind && mount.destination.trim_end_matches('/') == "/dev";
        let postponed = if is_dev { options.set & attr::RDONLY } else { 0 };
        options.set &= !postponed;
        let tree = match bind {
            true => self::bind(mount, &options, bundle).stage(&stage)?,
            false => filesystem(mount, &options).stage(&stage)?,
        };
        let point = self::point(mount, &tree, root).stage(&stage)?;
        allowed(mount, &tree, &point)?;
        if options.copy_up {
            copy_up(root, &mount.destination, &tree).stage(&stage)?;
        }
        attach(&tree, &point).stage(&stage)?;
        propagate(&tree, &options).stage(&stage)?;
        if postponed != 0 {
            later.push((tree, postponed));
        }
    }
    Ok(later)
}

pub fn finish(later: Later) -> Step<()> {
    let protect = |(tree, set): (OwnedFd, u64)| attr::set_attributes(tree.as_fd(), c"", set, 0, 0, false);
    later.into_iter().try_for_each(protect).stage("make /dev read-only")
}

fn bind(mount: &Mount, options: &Options, bundle: &Path) -> std::io::Result<OwnedFd> {
    // Relative to the bundle, as the spec says.
    let source = rustix::fs::open(bundle.join(&mount.source), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let tree = clone_mount(&source, options.recursive)?;
    attr::set_attributes(tree.as_fd(), c"", options.set, options.clear, 0, false)?;
    if (options.set_recursive, options.clear_recursive) != (0, 0) {
        attr::set_attributes(tree.as_fd(), c"", options.set_recursive, options.clear_recursive, 0, true)?;
    }
    Ok(tree)
}

fn filesystem(mount: &Mount, options: &Options) -> Result<OwnedFd, rustix::io::Errno> {
    let mut pairs: Vec<(&str, &str)> = options.data.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if !mount.source.is_empty() {
        pairs.insert(0, ("source", &mount.source));
    }
    let set = options.set | options.set_recursive;
    make(&mount.kind, &pairs, MountAttrFlags::from_bits_retain(set as u32))
}

/// Where it goes: made when missing, a file for what is no directory. The kernel's file systems follow no symlink of the image.
fn point(mount: &Mount, tree: &OwnedFd, root: &Root) -> Result<OwnedFd, rustix::io::Errno> {
    if matches!(mount.kind.as_str(), "proc" | "sysfs") {
        return match root.open_plain(&mount.destination) {
            Err(rustix::io::Errno::NOENT) => root.make_dir(&mount.destination),
            other => other,
        };
    }
    let kind = FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
    if kind.is_dir() { root.make_dir(&mount.destination) } else { root.make_file(&mount.destination) }
}

/// The kernel's own view may be anywhere; anything else stays out of `/proc`.
fn allowed(mount: &Mount, tree: &OwnedFd, point: &OwnedFd) -> Step<()> {
    let stage = format!("mount {}", mount.destination);
    let is_proc = rustix::fs::fstatfs(tree).stage(&stage)?.f_type == rustix::fs::PROC_SUPER_MAGIC;
    if is_proc { Ok(()) } else { outside_of_proc(&mount.destination, point) }
}

fn propagate(tree: &OwnedFd, options: &Options) -> Result<(), slipway_sys::Errno> {
    options.propagation.iter().try_for_each(|(kind, recursive)| attr::set_attributes(tree.as_fd(), c"", 0, 0, *kind, *recursive))
}

/// `tmpcopyup`: plain files, directories and links of the image go into the tmpfs that will hide them.
fn copy_up(root: &Root, destination: &str, tree: &OwnedFd) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let from = match root.open(destination, OFlags::PATH | OFlags::DIRECTORY) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let (from, to) = (format!("/proc/self/fd/{}", from.as_raw_fd()), format!("/proc/self/fd/{}", tree.as_raw_fd()));
    super::copy::tree(Path::new(&from), Path::new(&to))
}
