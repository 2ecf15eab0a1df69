//! `/proc`, `/sys`, `/dev` and what is beneath, as Docker sets them up.
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

use super::root::Root;
use super::{Stage, Step};
use crate::spec::LaunchSpec;

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// The group that terminals belong to.
const TTY: u32 = 5;

/// Name, major, minor: the nodes every container has.
pub const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Target and name: the links of `/dev` that every container has.
pub const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
    ("/proc/kcore", "core"),
];

/// A new file system, not yet attached anywhere.
pub fn make(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd, rustix::io::Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    // What `df` and `mount` show of it.
    if !options.iter().any(|(key, _)| *key == "source") {
        rustix::mount::fsconfig_set_string(&context, "source", kind)?;
    }
    for (key, value) in options {
        match value.is_empty() {
            true => rustix::mount::fsconfig_set_flag(&context, *key)?,
            false => rustix::mount::fsconfig_set_string(&context, *key, *value)?,
        }
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Attaches a mount over what `target` is, a descriptor: no path is looked up again.
pub fn attach(mount: &OwnedFd, target: &OwnedFd) -> Result<(), rustix::io::Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", target, "", flags)
}

pub(super) fn mount_all(spec: &LaunchSpec, root: &Root) -> Step<()> {
    let sys_mode = if spec.privileged { MountAttrFlags::empty() } else { RDONLY };
    place(root, "/proc", "proc", &[], NOSUID | NODEV | NOEXEC)?;
    dev(spec, root)?;
    place(root, "/sys", "sysfs", &[], NOSUID | NODEV | NOEXEC | sys_mode)?;
    cgroups(spec, root, sys_mode)?;
    place(root, "/dev/mqueue", "mqueue", &[], NOSUID | NODEV | NOEXEC)
}

/// The image may hold symlinks where the kernel's file systems belong; following one would put `/proc` somewhere
/// else and leave the image's own, unprotected tree in its place.
fn place(root: &Root, target: &str, kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Step<()> {
    let stage = format!("mount {target}");
    match root.open_plain(target) {
        Err(rustix::io::Errno::NOENT) => drop(root.make_dir(target).stage(&stage)?),
        other => drop(other.stage(&stage)?),
    }
    let mount = make(kind, options, attributes).stage(&stage)?;
    let point = root.open_plain(target).stage(&stage)?;
    attach(&mount, &point).stage(&stage)
}

fn dev(spec: &LaunchSpec, root: &Root) -> Step<()> {
    place(root, "/dev", "tmpfs", &[("mode", "755"), ("size", "65536k")], NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME)?;
    let dev = root.open_plain("/dev").stage("open /dev")?;
    for (name, major, minor) in DEVICES {
        let device = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(&dev, name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), device)
            .stage(&format!("make /dev/{name}"))?;
    }
    for (target, name) in LINKS {
        rustix::fs::symlinkat(target, &dev, name).stage(&format!("link /dev/{name}"))?;
    }
    // `--ipc none`: not even a folder where others have their shared memory.
    let without_shm = spec.shm_size == 0 && !spec.namespaces.ipc_host;
    for name in ["pts", "shm", "mqueue"].into_iter().filter(|name| *name != "shm" || !without_shm) {
        rustix::fs::mkdirat(&dev, name, Mode::from_raw_mode(0o755)).stage(&format!("make /dev/{name}"))?;
    }
    if spec.privileged {
        host_devices(&dev)?;
    }
    let ids = spec.users.as_ref().map(|users| users.ids);
    super::devices::make_all(&spec.devices, ids, root)?;
    let terminals = ids.and_then(|ids| ids.host_gid(TTY)).unwrap_or(TTY).to_string();
    let options = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", terminals.as_str())];
    place(root, "/dev/pts", "devpts", &options, NOSUID | NOEXEC)
}

/// Privileged containers see the host's device nodes.
fn host_devices(dev: &OwnedFd) -> Step<()> {
    let entries = std::fs::read_dir("/dev").stage("read the host's /dev")?;
    for entry in entries.flatten() {
        let stat = match rustix::fs::statat(CWD, entry.path(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(_) => continue, // unplugged meanwhile
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            continue;
        }
        match rustix::fs::mknodat(dev, entry.file_name(), kind, Mode::from_raw_mode(stat.st_mode & 0o7777), stat.st_rdev) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).stage(&format!("make {}", entry.path().display())),
        }
    }
    Ok(())
}

/// Shows the container its own control groups, read-only.
fn cgroups(spec: &LaunchSpec, root: &Root, mode: MountAttrFlags) -> Step<()> {
    let flags = NOSUID | NODEV | NOEXEC | mode;
    let point = "/sys/fs/cgroup";
    if root.open(point, OFlags::PATH).is_err() {
        return Ok(()); // a kernel built without
    }
    if spec.cgroup.v1_mounts.is_empty() {
        return place(root, point, "cgroup2", &[], flags);
    }
    place(root, point, "tmpfs", &[("mode", "755")], NOSUID | NODEV | NOEXEC)?;
    let tmpfs = root.open_plain(point).stage("open /sys/fs/cgroup")?;
    for controllers in &spec.cgroup.v1_mounts {
        let name = controllers.join(",");
        let stage = format!("mount {point}/{name}");
        let options: Vec<(&str, &str)> = controllers.iter().map(|name| (name.as_str(), "")).collect();
        let mount = make("cgroup", &options, flags).stage(&stage)?;
        // The tmpfs is new and nobody else's, so nothing of the image is on this way.
        rustix::fs::mkdirat(&tmpfs, &name, Mode::from_raw_mode(0o755)).stage(&stage)?;
        let way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        attach(&mount, &rustix::fs::openat(&tmpfs, &name, way, Mode::empty()).stage(&stage)?).stage(&stage)?;
    }
    for controllers in spec.cgroup.v1_mounts.iter().filter(|c| c.len() > 1) {
        for name in controllers {
            rustix::fs::symlinkat(controllers.join(","), &tmpfs, name).stage("link the controllers")?;
        }
    }
    let set = slipway_sys::mount::set_attributes(std::os::fd::AsFd::as_fd(&tmpfs), c"", u64::from(mode.bits()), 0, 0, false);
    set.stage("protect /sys/fs/cgroup")
}
