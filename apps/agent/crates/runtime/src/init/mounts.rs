//! Volumes, bind mounts and tmpfs of the user; then masking and read-only paths.
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use slipway_sys as sys;

use super::filesystems::{attach, make};
use super::root::Root;
use super::{Stage, Step, populate};
use crate::spec::{IdRange, LaunchSpec, Mount, MountKind, Propagation};
use crate::users::show_owners;

/// `users`: the container's user namespace.
pub(crate) fn attach_all(spec: &LaunchSpec, root: &Root, users: Option<&OwnedFd>) -> Step<()> {
    let ids = spec.users.as_ref().map(|users| users.ids);
    for (index, mount) in spec.mounts.iter().enumerate() {
        one(mount, root, users.zip(ids), &spec.dir.join(format!("mount.{index}")))?;
    }
    Ok(())
}

/// `aside`: not there yet; where something may be put together before a part of it is mounted in the container. It is of the
/// host's file system, which the container leaves.
fn one(mount: &Mount, root: &Root, users: Option<(&OwnedFd, IdRange)>, aside: &Path) -> Step<()> {
    let stage = format!("mount {}", mount.target);
    match &mount.kind {
        MountKind::Bind { source, recursive, propagation, populate, subpath, only_top_readonly, own } => {
            // With a user namespace a folder of the host is not for this root to fill.
            let populate = *populate && (*own || users.is_none());
            let users = users.map(|(namespace, _)| namespace).filter(|_| *own);
            let tree = clone_part(source, subpath, *recursive).stage(&format!("open {}", source.join(subpath).display()))?;
            if let Some(users) = users {
                show_owners(&tree, users).stage(&stage)?;
            }
            let set = if mount.readonly { sys::mount::RDONLY } else { 0 };
            let propagation = match propagation {
                Propagation::Private => sys::mount::PRIVATE,
                Propagation::Slave => sys::mount::SLAVE,
                Propagation::Shared => sys::mount::SHARED,
            };
            sys::mount::set_attributes(tree.as_fd(), c"", set, 0, propagation, *recursive && !only_top_readonly).stage(&stage)?;
            if *recursive && *only_top_readonly {
                sys::mount::set_attributes(tree.as_fd(), c"", 0, 0, propagation, true).stage(&stage)?;
            }
            let is_dir = rustix::fs::fstat(&tree).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()).stage(&stage)?;
            let point = if is_dir { root.make_dir(&mount.target) } else { root.make_file(&mount.target) };
            let point = point.stage(&stage)?;
            // The kernel's own view is no deception: `-v /proc:/proc`.
            if !on_proc(&tree).stage(&stage)? {
                outside_of_proc(&mount.target, &point)?;
            }
            if populate {
                let fill = || populate::fill(root, &mount.target, &volume(source, users)?, is_mount(source)?);
                fill().stage(&format!("fill the volume at {}", mount.target))?;
            }
            attach(&tree, &point).stage(&stage)
        }
        MountKind::Layers { lower, upper, work, subpath } => {
            std::fs::create_dir(aside).stage(&stage)?;
            super::root::overlay(Path::new("/"), lower, upper, work, aside, true)?;
            let tree = clone_part(aside, subpath, false).stage(&format!("open {subpath} of the layers for {}", mount.target))?;
            place(&tree, mount, root)
        }
        MountKind::File { data, mode, uid, gid, executable } => {
            let mut flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
            if !executable {
                flags |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
            }
            let memory = make("tmpfs", &[("mode", "700"), ("nr_inodes", "2")], flags).stage(&stage)?;
            std::fs::create_dir(aside).stage(&stage)?;
            let point = rustix::fs::open(aside, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).stage(&stage)?;
            attach(&memory, &point).stage(&stage)?;
            let path = aside.join("file");
            std::fs::write(&path, data).stage(&stage)?;
            std::os::unix::fs::chown(&path, Some(*uid), Some(*gid)).stage(&stage)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).stage(&stage)?;
            let tree = clone_tree(&path, false).stage(&stage)?;
            place(&tree, mount, root)
        }
        MountKind::Tmpfs { size, mode, exec, options: more, suid, devices } => {
            let mode = format!("{mode:o}");
            let size = size.map(|size| size.to_string());
            let mut options = vec![("mode", mode.as_str())];
            options.extend(size.as_deref().map(|size| ("size", size)));
            let more = more.iter().map(|(key, value)| Ok((key.as_str(), owner(key, value, users)?))).collect::<Step<Vec<_>>>()?;
            options.extend(more.iter().map(|(key, value)| (*key, value.as_str())));
            let mut flags = MountAttrFlags::empty();
            for (allowed, flag) in [
                (exec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
                (suid, MountAttrFlags::MOUNT_ATTR_NOSUID),
                (devices, MountAttrFlags::MOUNT_ATTR_NODEV),
            ] {
                if !allowed {
                    flags |= flag;
                }
            }
            if mount.readonly {
                flags |= MountAttrFlags::MOUNT_ATTR_RDONLY;
            }
            let tmpfs = make("tmpfs", &options, flags).stage(&stage)?;
            let point = root.make_dir(&mount.target).stage(&stage)?;
            outside_of_proc(&mount.target, &point)?;
            attach(&tmpfs, &point).stage(&stage)
        }
    }
}

/// A tmpfs option as the host's ids have it.
fn owner(key: &str, value: &str, users: Option<(&OwnedFd, IdRange)>) -> Step<String> {
    let id = value.parse().unwrap_or(u32::MAX);
    let host = match (key, users) {
        ("uid", Some((_, ids))) => ids.host_uid(id),
        ("gid", Some((_, ids))) => ids.host_gid(id),
        _ => return Ok(value.to_owned()),
    };
    host.map(|id| id.to_string()).ok_or("the container has no such user").stage(&format!("use {key}={value}"))
}

/// The directory of a volume, to write to as the container does.
fn volume(source: &Path, users: Option<&OwnedFd>) -> std::io::Result<OwnedFd> {
    const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    let Some(users) = users else {
        return Ok(rustix::fs::openat(CWD, source, DIRECTORY, Mode::empty())?);
    };
    let tree = clone_tree(source, false)?;
    show_owners(&tree, users)?;
    Ok(rustix::fs::openat(&tree, ".", DIRECTORY, Mode::empty())?)
}

/// Mounts a part of what was put together aside.
fn place(tree: &OwnedFd, mount: &Mount, root: &Root) -> Step<()> {
    let stage = format!("mount {}", mount.target);
    let set = if mount.readonly { sys::mount::RDONLY } else { 0 };
    sys::mount::set_attributes(tree.as_fd(), c"", set, 0, sys::mount::PRIVATE, false).stage(&stage)?;
    let is_dir = rustix::fs::fstat(tree).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()).stage(&stage)?;
    let point = if is_dir { root.make_dir(&mount.target) } else { root.make_file(&mount.target) }.stage(&stage)?;
    outside_of_proc(&mount.target, &point)?;
    attach(tree, &point).stage(&stage)
}

/// Whether something is mounted at `path`.
fn is_mount(path: &Path) -> std::io::Result<bool> {
    let stat = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::TYPE)?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// What tools like lxcfs put over the kernel's figures; nothing that confines anybody.
const IN_PROC: [&str; 9] = ["cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps", "uptime"];

fn on_proc(fd: &OwnedFd) -> Result<bool, rustix::io::Errno> {
    Ok(rustix::fs::fstatfs(fd)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// A volume in place of `/proc`, maybe through a link of the image, would make masking and read-only paths cover the
/// volume's files instead of the kernel's (CVE-2019-16884, CVE-2019-19921).
pub fn outside_of_proc(target: &str, point: &OwnedFd) -> Step<()> {
    let stage = format!("mount {target}");
    if !on_proc(point).stage(&stage)? || target.strip_prefix("/proc/").is_some_and(|name| IN_PROC.contains(&name)) {
        return Ok(());
    }
    Err("it is inside of /proc, where nothing may be mounted").stage(&stage)
}

/// `source` has no symlinks, as it was resolved when the policy looked at it. One that is there now was put there since,
/// maybe by a container that has a folder above it mounted, and may lead anywhere.
fn clone_tree(source: &Path, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    let fd = rustix::fs::openat2(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    clone_mount(&fd, recursive)
}

/// A new mount of what `fd` is, not yet attached anywhere.
pub fn clone_mount(fd: &OwnedFd, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(fd, "", flags)
}

/// Of a volume only a part, which whoever wrote to it may have made a link: that leads nowhere but inside.
fn clone_part(source: &Path, subpath: &str, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    if subpath.is_empty() {
        return clone_tree(source, recursive);
    }
    let resolve = ResolveFlags::NO_SYMLINKS;
    let whole = rustix::fs::openat2(CWD, source, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let part = rustix::fs::openat2(&whole, subpath, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(&part, "", if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags })
}

/// Last, when every mount is there.
pub(super) fn protect(spec: &LaunchSpec, root: &Root) -> Step<()> {
    protect_paths(&spec.readonly_paths, &spec.masked_paths, root)?;
    if spec.readonly_root {
        sys::mount::set_attributes(root.fd().as_fd(), c"", sys::mount::RDONLY, 0, 0, false).stage("make the root file system read-only")?;
    }
    Ok(())
}

/// Hides what no container may read, locks what it may not write.
pub fn protect_paths(readonly: &[String], masked: &[String], root: &Root) -> Step<()> {
    for path in readonly {
        let stage = format!("make {path} read-only");
        let Some(point) = existing(root, path).stage(&stage)? else { continue };
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE;
        let tree = rustix::mount::open_tree(&point, "", flags).stage(&stage)?;
        let set = sys::mount::RDONLY | sys::mount::NOSUID | sys::mount::NODEV | sys::mount::NOEXEC;
        sys::mount::set_attributes(tree.as_fd(), c"", set, 0, 0, true).stage(&stage)?;
        attach(&tree, &point).stage(&stage)?;
    }
    for path in masked {
        let stage = format!("mask {path}");
        let Some(point) = existing(root, path).stage(&stage)? else { continue };
        let is_dir = rustix::fs::fstat(&point).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()).stage(&stage)?;
        let cover = match is_dir {
            true => {
                let flags = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
                make("tmpfs", &[("nr_blocks", "1"), ("nr_inodes", "1")], flags).stage(&stage)?
            }
            // The host's /dev/null, not the container's: nobody inside can have replaced it.
            false => clone_tree(Path::new("/dev/null"), false).stage(&stage)?,
        };
        attach(&cover, &point).stage(&stage)?;
    }
    Ok(())
}

fn existing(root: &Root, path: &str) -> Result<Option<OwnedFd>, rustix::io::Errno> {
    match root.open(path, OFlags::PATH) {
        Ok(fd) => Ok(Some(fd)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}
