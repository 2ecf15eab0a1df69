//! The part of the mount API that `rustix` lacks.
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::{Result, check};

pub const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
pub const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

/// Propagation types for [`set_attributes`].
pub const PRIVATE: u64 = libc::MS_PRIVATE;
pub const SLAVE: u64 = libc::MS_SLAVE;
pub const SHARED: u64 = libc::MS_SHARED;

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `mount_setattr(2)` on the mount behind `fd`, or on all beneath it too. `propagation` 0 leaves it as it is.
pub fn set_attributes(fd: BorrowedFd<'_>, path: &CStr, set: u64, clear: u64, propagation: u64, recursive: bool) -> Result<()> {
    let attr = MountAttr { attr_set: set, attr_clr: clear, propagation, userns_fd: 0 };
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: `attr` has the kernel's version 0 layout and outlives the call; `path` is a C string.
    check(unsafe { libc::syscall(libc::SYS_mount_setattr, fd.as_raw_fd(), path.as_ptr(), flags, &raw const attr, size_of::<MountAttr>()) })
        .map(drop)
}

/// Shows the files of the detached mount behind `fd` with the owners that `users`, a user namespace, has for their ids
/// (an idmapped mount). On disk the ids stay what they are.
pub fn set_owners(fd: BorrowedFd<'_>, users: BorrowedFd<'_>) -> Result<()> {
    let attr = MountAttr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd: users.as_raw_fd() as u64 };
    let size = size_of::<MountAttr>();
    // SAFETY: as in `set_attributes`; both descriptors are open.
    check(unsafe { libc::syscall(libc::SYS_mount_setattr, fd.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, &raw const attr, size) })
        .map(drop)
}

/// `pivot_root(".", ".")` followed by detaching the old root: leaves no mount of the host behind and needs no folder
/// inside the new root. The current directory must be the new root.
pub fn pivot_root_here() -> Result<()> {
    nix::unistd::pivot_root(".", ".")?;
    // The old root is now stacked over the new one at "."; it goes without touching other namespaces.
    nix::mount::mount(None::<&str>, ".", None::<&str>, nix::mount::MsFlags::MS_PRIVATE | nix::mount::MsFlags::MS_REC, None::<&str>)?;
    nix::mount::umount2(".", nix::mount::MntFlags::MNT_DETACH)?;
    nix::unistd::chdir("/")
}
