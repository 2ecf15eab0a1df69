//! Making processes, and what a process does to itself before it becomes a container.
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use std::sync::atomic::{AtomicBool, Ordering};

use nix::unistd::Pid;

use crate::{Errno, Result, check};

/// libc has this constant in a type that is too small for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Both sides of a fork.
pub enum Forked {
    Child,
    Parent { pid: Pid, pidfd: OwnedFd },
}

/// `clone3(2)` without `CLONE_VM`: a fork that also makes the namespaces in `flags`, gives a pidfd, and on cgroup v2
/// may be born inside `cgroup`. With `CLONE_PARENT` in `flags` the child becomes a sibling, so no exit signal is set.
///
/// Refuses to run unless `assert_single_threaded` held: only the calling thread would exist in the child, and any
/// lock another thread held (the allocator's, for one) would stay locked for ever.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked> {
    if !SINGLE_THREADED.load(Ordering::Relaxed) {
        return Err(Errno::EDEADLK);
    }
    let mut pidfd: RawFd = -1;
    // SAFETY: `clone_args` is plain integers; all zero is its documented empty value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = if flags & libc::CLONE_PARENT as u64 != 0 { 0 } else { libc::SIGCHLD as u64 };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the arguments live on this stack and the kernel only writes the pidfd. Without CLONE_VM the child has
    // its own copy of memory, and the promise checked above guarantees that no other thread's state is lost by it.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the kernel stored a new descriptor that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Forked::Parent { pid: Pid::from_raw(pid as i32), pidfd })
}

static SINGLE_THREADED: AtomicBool = AtomicBool::new(false);

/// Promises, after looking, that this process has one thread and never starts another. Needed before `clone3`.
pub fn assert_single_threaded() -> Result<()> {
    // Each thread is a directory here, and each directory's ".." is a link.
    let threads = nix::sys::stat::stat("/proc/self/task")?.st_nlink.saturating_sub(2);
    if threads != 1 {
        return Err(Errno::EDEADLK);
    }
    SINGLE_THREADED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: RawFd) -> Result<()> {
    // SAFETY: closing descriptors is memory-safe; callers are about to exec or own nothing above `first`.
    check(unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0) }).map(drop)
}

/// Sets close-on-exec on every descriptor from `first` on.
pub fn cloexec_from(first: RawFd) -> Result<()> {
    // SAFETY: only changes descriptor flags.
    check(unsafe { libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Makes `fd` the descriptor `target` (0, 1 or 2), without close-on-exec.
pub fn install_fd(fd: impl AsFd, target: RawFd) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    if fd == target {
        // SAFETY: clearing FD_CLOEXEC on an open descriptor.
        return check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } as libc::c_long).map(drop);
    }
    // SAFETY: `fd` is open; `target` is one of the standard streams, which no Rust object owns.
    check(unsafe { libc::dup2(fd, target) } as libc::c_long).map(drop)
}

/// Takes ownership of an inherited descriptor, for example standard input handed over by the parent.
pub fn take_inherited_fd(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: `fcntl` fails cleanly when the descriptor is not open; the duplicate has no other owner.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) } as libc::c_long)?;
    // SAFETY: just duplicated, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// Sends a signal through a pidfd: never hits a recycled pid.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    // SAFETY: no pointers but a null siginfo, which means "as kill(2)".
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0) })
        .map(drop)
}

/// Joins all namespaces in `flags` of the process behind `pidfd` at once.
pub fn setns(fd: BorrowedFd<'_>, flags: i32) -> Result<()> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::setns(fd.as_raw_fd(), flags) } as libc::c_long).map(drop)
}

/// A fresh session keyring, so that the container does not share the daemon's.
pub fn new_session_keyring() -> Result<()> {
    // SAFETY: KEYCTL_JOIN_SESSION_KEYRING with a null name makes an anonymous keyring.
    check(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) }).map(drop)
}

/// `setgroups`, `setresgid`, `setresuid` as raw calls of this one thread (the process has only one).
pub fn set_ids(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    // SAFETY: the slice is valid for its length during the call.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Files that this thread makes from now on belong to these ids. What it may do stays as it is.
pub fn set_file_ids(uid: u32, gid: u32) -> Result<()> {
    nix::unistd::setfsgid(nix::unistd::Gid::from_raw(gid));
    nix::unistd::setfsuid(nix::unistd::Uid::from_raw(uid));
    // Root's power over others' files went with that.
    let permitted = crate::caps::permitted()?;
    crate::caps::set(crate::caps::Sets { effective: permitted, permitted, inheritable: 0 })
}

/// `PR_SET_DUMPABLE`: 0 hides `/proc/<pid>` of this process from everyone but real root until the next exec.
pub fn set_dumpable(on: bool) -> Result<()> {
    // SAFETY: integer arguments only.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on), 0, 0, 0) } as libc::c_long).map(drop)
}

/// `PR_SET_KEEPCAPS`: keep permitted capabilities over the coming change of user id.
pub fn set_keep_caps(on: bool) -> Result<()> {
    // SAFETY: integer arguments only.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, libc::c_ulong::from(on), 0, 0, 0) } as libc::c_long).map(drop)
}

pub fn set_no_new_privs() -> Result<()> {
    // SAFETY: integer arguments only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0, 0, 0) } as libc::c_long).map(drop)
}

/// 32-bit programs' view of the machine, for [`set_personality`]; 0 is the ordinary one.
pub const PER_LINUX32: libc::c_ulong = 8;

/// `personality(2)`: execution domain and flags of this process and what it starts.
pub fn set_personality(persona: libc::c_ulong) -> Result<()> {
    // SAFETY: an integer argument only.
    check(unsafe { libc::personality(persona) } as libc::c_long).map(drop)
}

/// The NIS domain name of this UTS namespace.
pub fn set_domain_name(name: &str) -> Result<()> {
    // SAFETY: the pointer is valid for the length given, and the kernel copies.
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) } as libc::c_long).map(drop)
}

/// The name shown by `ps`, at most 15 bytes.
pub fn set_name(name: &CStr) {
    // SAFETY: `name` is a valid C string; the kernel copies it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr() as libc::c_ulong, 0, 0, 0) };
}

/// Ends this process at once: no destructors, no exit handlers, nothing of the parent's copied state is flushed.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` never returns and touches no memory.
    unsafe { libc::_exit(code) }
}

/// The allocator keeps memory apart for at most `count` groups of threads, instead of eight per CPU: what one group freed,
/// another uses. Call it before there are threads.
pub fn limit_arenas(count: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: a setting of the allocator, which guards it with its own lock.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, count);
    }
}

/// Gives freed heap back to the kernel; a shim lives long and small.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only the allocator's own bookkeeping.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Closes every descriptor from `first` on but those of `keep`.
///
/// The caller must not use, or drop, any other descriptor it still owns: it is about to exec or to exit.
pub fn close_from_but(first: RawFd, keep: &[BorrowedFd<'_>]) -> Result<()> {
    let mut keep: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).filter(|fd| *fd >= first).collect();
    keep.sort_unstable();
    let mut next = first;
    for fd in keep {
        if fd > next {
            // SAFETY: closing descriptors is memory-safe; by the contract above none of these is used again.
            check(unsafe { libc::syscall(libc::SYS_close_range, next, fd - 1, 0) })?;
        }
        next = next.max(fd + 1);
    }
    close_from(next)
}

/// Closes every descriptor but the standard streams and `keep`.
///
/// The caller must not use, or drop, any other descriptor it still owns: it is about to exec or to exit.
pub fn close_all_but(keep: &OwnedFd) -> Result<()> {
    let keep = keep.as_raw_fd();
    if keep > 3 {
        // SAFETY: closing descriptors is memory-safe; nothing above standard error but `keep` is used again.
        check(unsafe { libc::syscall(libc::SYS_close_range, 3, keep - 1, 0) })?;
    }
    close_from(keep + 1)
}
