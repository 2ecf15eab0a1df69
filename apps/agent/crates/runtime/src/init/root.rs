//! The container's root file system, and opening paths beneath it.
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use slipway_sys as sys;

use super::{FromInit, Stage, Step, StepError};
use crate::spec::{LaunchSpec, Rootfs};
use crate::users::show_owners;

/// A descriptor of the root directory. Every lookup stays beneath it, whatever symlinks the image holds.
pub struct Root {
    fd: OwnedFd,
}

/// Mounts the root file system in this (private) mount namespace. `users`: the container's user namespace.
pub(crate) fn mount(spec: &LaunchSpec, users: Option<&OwnedFd>) -> Step<Root> {
    // Slave: mounts the host takes away go here too, so that a container pins no disk; nothing travels outwards.
    sys::mount::set_attributes(CWD, c"/", 0, 0, sys::mount::SLAVE, true).stage("detach mount propagation")?;
    let target = match &spec.rootfs {
        Rootfs::Overlay { base, lower, upper, work, at } => {
            let target = match at {
                Some(at) => at.clone(),
                None => make_mount_point(&spec.dir)?,
            };
            let stack = |target: &Path| overlay(base, lower, upper, work, target, spec.ephemeral);
            match (users, &spec.users) {
                (Some(namespace), Some(users)) => with_owners(&users.store, namespace, &target, stack)?,
                _ => stack(&target)?,
            }
            target
        }
        Rootfs::Directory(path) => return directory(path),
    };
    open_root(&target)
}

/// Mounts the directory `path`, with what is mounted beneath it, over itself: the root of a container, in a mount namespace
/// of its own.
pub fn directory(path: &Path) -> Step<Root> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, path, flags).stage("clone the root directory")?;
    rustix::mount::move_mount(&tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).stage("mount the root directory")?;
    open_root(path)
}

/// Overlayfs itself cannot show other owners, but it takes layers that do. While `stack` mounts them at `target`, the whole
/// `store` lies over itself with the container's owners; nothing that is mounted later finds it.
fn with_owners(store: &Path, users: &OwnedFd, target: &Path, stack: impl FnOnce(&Path) -> Step<()>) -> Step<()> {
    let stage = "mount the image's layers for other users";
    // Of the store as it is: the overlay stays there.
    let point = rustix::fs::open(target, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).stage(stage)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, store, flags).stage(stage)?;
    show_owners(&tree, users).stage(stage)?;
    rustix::mount::move_mount(&tree, "", CWD, store, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).stage(stage)?;
    stack(Path::new(&format!("/proc/self/fd/{}", point.as_raw_fd()))).map_err(|error| StepError {
        message: format!("{} (for users of its own this takes Linux 5.19; --userns=host does without)", error.message),
        ..error
    })?;
    rustix::mount::unmount(store, UnmountFlags::DETACH).stage(stage)
}

fn open_root(target: &Path) -> Step<Root> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(target, flags, Mode::empty()).stage("open the root file system")?;
    Ok(Root { fd })
}

fn make_mount_point(dir: &Path) -> Step<PathBuf> {
    let target = dir.join("rootfs");
    match std::fs::create_dir(&target) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error).stage("make the mount point"),
        _ => Ok(target),
    }
}

/// Layers are read back by diffing the upper directory, so nothing in it may refer elsewhere.
const PLAIN: [(&str, &str); 3] = [("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")];

/// `volatile` is for files that nobody needs after a power cut, like a build step's: it makes fsync free, and keeps the
/// end of the mount from writing back everything the whole disk has in memory.
///
/// `mount(2)` works on every kernel but takes a page of options at most; longer lists need `lowerdir+` of Linux 6.5.
pub(super) fn overlay(base: &Path, lower: &[PathBuf], upper: &Path, work: &Path, target: &Path, volatile: bool) -> Step<()> {
    let stage = "mount the image's layers";
    let mut options = b"lowerdir=".to_vec();
    for (index, path) in lower.iter().enumerate() {
        if index > 0 {
            options.push(b':');
        }
        escape(path.as_os_str().as_bytes(), b"\\:,", &mut options);
    }
    for (key, path) in [("upperdir", upper), ("workdir", work)] {
        options.extend_from_slice(format!(",{key}=").as_bytes());
        escape(path.as_os_str().as_bytes(), b"\\,", &mut options);
    }
    for (key, value) in PLAIN {
        options.extend_from_slice(format!(",{key}={value}").as_bytes());
    }
    if volatile {
        options.extend_from_slice(b",volatile");
    }
    std::env::set_current_dir(base).stage("enter the image store")?;
    if options.len() < 4_096 {
        let options = std::ffi::CString::new(options).stage(stage)?;
        rustix::mount::mount("overlay", target, "overlay", MountFlags::empty(), options.as_c_str()).stage(stage)?;
    } else {
        let mount = many_layers(lower, upper, work, volatile).stage(stage)?;
        rustix::mount::move_mount(&mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).stage(stage)?;
    }
    std::env::set_current_dir("/").stage("leave the image store")
}

fn many_layers(lower: &[PathBuf], upper: &Path, work: &Path, volatile: bool) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for path in lower {
        rustix::mount::fsconfig_set_string(&context, "lowerdir+", path)?;
    }
    rustix::mount::fsconfig_set_string(&context, "upperdir", upper)?;
    rustix::mount::fsconfig_set_string(&context, "workdir", work)?;
    for (key, value) in PLAIN {
        rustix::mount::fsconfig_set_string(&context, key, value)?;
    }
    if volatile {
        rustix::mount::fsconfig_set_flag(&context, "volatile")?;
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn escape(path: &[u8], special: &[u8], out: &mut Vec<u8>) {
    for byte in path {
        if special.contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

/// Links followed to the end of one path.
const MAX_LINKS: usize = 16;

fn components(path: &str) -> Vec<&str> {
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

impl Root {
    /// Gives the shim a descriptor too.
    pub fn show(&self, sync: &OwnedFd) -> Step<()> {
        let message = serde_json::to_vec(&FromInit::Root).stage("hand over the root")?;
        sys::fdpass::send(sync.as_fd(), &message, &[self.fd.as_fd()]).stage("hand over the root")
    }

    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Opens beneath the root. Symlinks resolve within it; the kernel's magic links (`/proc/self/fd/…`) are refused.
    pub fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.open_with(path, flags, ResolveFlags::empty())
    }

    /// As `open`, refusing any symlink on the way: for the mount points of the kernel's file systems.
    pub fn open_plain(&self, path: &str) -> Result<OwnedFd, Errno> {
        self.open_with(path, OFlags::PATH, ResolveFlags::NO_SYMLINKS)
    }

    fn open_with(&self, path: &str, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
        let resolve = resolve | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = components(path).join("/");
        let path = if path.is_empty() { "." } else { &path };
        loop {
            match rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {} // a rename raced with the lookup
                other => return other,
            }
        }
    }

    /// The directory `path`, made (0755, root) with its parents when missing.
    pub fn make_dir(&self, path: &str) -> Result<OwnedFd, Errno> {
        let parts = components(path);
        // Usually it is there, or only its last part is missing.
        let (mut there, mut parent) = (parts.len(), self.open_dir(&parts));
        while let (Err(Errno::NOENT), true) = (&parent, there > 0) {
            there -= 1;
            parent = self.open_dir(&parts[..there]);
        }
        let mut parent = parent?;
        for end in there + 1..=parts.len() {
            match rustix::fs::mkdirat(&parent, parts[end - 1], Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            parent = self.open_dir(&parts[..end])?;
        }
        Ok(parent)
    }

    fn open_dir(&self, parts: &[&str]) -> Result<OwnedFd, Errno> {
        self.open(&parts.join("/"), OFlags::PATH | OFlags::DIRECTORY)
    }

    /// The file `path`, made empty when missing: the mount point of a file. Where a link of the image leads nowhere yet
    /// (`/etc/resolv.conf` → `/run/…` is common), the file is made at its end, within the root.
    pub fn make_file(&self, path: &str) -> Result<OwnedFd, Errno> {
        let mut end = components(path).join("/");
        for _ in 0..MAX_LINKS {
            match self.open(path, OFlags::PATH) {
                Err(Errno::NOENT) => {}
                other => return other,
            }
            let parts = components(&end);
            let Some((name, parents)) = parts.split_last() else { return Err(Errno::ISDIR) };
            let parents = parents.join("/");
            let parent = self.make_dir(&parents)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            end = match rustix::fs::openat(&parent, *name, flags, Mode::from_raw_mode(0o644)) {
                Ok(_) => continue,
                Err(Errno::EXIST) => {
                    let target = rustix::fs::readlinkat(&parent, *name, Vec::new())?;
                    let target = target.to_str().map_err(|_| Errno::ILSEQ)?;
                    if target.starts_with('/') { target.to_owned() } else { format!("{parents}/{target}") }
                }
                Err(error) => return Err(error),
            };
        }
        Err(Errno::LOOP)
    }

    /// Makes this the root of the process and lets go of the host's.
    pub fn enter(self) -> sys::Result<()> {
        rustix::process::fchdir(self.fd.as_fd()).map_err(|e| sys::Errno::from_raw(e.raw_os_error()))?;
        drop(self.fd);
        sys::mount::pivot_root_here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(dir: &tempfile::TempDir) -> Root {
        Root { fd: rustix::fs::open(dir.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap() }
    }

    #[test]
    fn hostile_paths_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
        std::os::unix::fs::symlink("../../../../etc", dir.path().join("up")).unwrap();
        let root = root(&dir);
        // The absolute symlink means a path inside the root, which is not there.
        assert!(root.make_dir("/out/x").is_err());
        assert!(root.make_dir("/up/x").is_err());
        root.make_dir("/../../a/../b/c").unwrap();
        assert!(dir.path().join("b/c").is_dir());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!(root.open_plain("/up").unwrap_err(), Errno::LOOP);
        root.make_file("/etc/hosts").unwrap();
        assert!(dir.path().join("etc/hosts").is_file());
        for (name, target) in [("etc/resolv.conf", "../run/stub/resolv.conf"), ("etc/out", "/../../new"), ("etc/a", "b"), ("etc/b", "a")] {
            std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap();
        }
        root.make_file("/etc/resolv.conf").unwrap();
        root.make_file("/etc/out").unwrap();
        assert!(dir.path().join("run/stub/resolv.conf").is_file() && dir.path().join("new").is_file());
        assert_eq!(root.make_file("/etc/a").unwrap_err(), Errno::LOOP);
    }

    #[test]
    fn separators_in_paths_are_escaped() {
        let mut out = Vec::new();
        escape(b"a:b,c\\", b"\\:,", &mut out);
        assert_eq!(out, b"a\\:b\\,c\\\\");
    }
}
