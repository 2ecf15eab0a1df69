//! The allow-list. It follows Docker's default profile: everything an ordinary program needs, and a few calls more for
//! each capability that would let them succeed anyway. Not listed, so refused: the kernel's key rings, kexec, modules,
//! swap, io_uring, userfaultfd, bpf, perf, new namespaces and mounts, raw I/O, clocks, obsolete calls.
use super::bpf::Outcome;
use crate::caps;

macro_rules! calls {
    ($($name:ident)*) => { vec![$(libc::$name as u32),*] };
}

/// Plain allowances for a container with these capabilities.
pub fn allowed(capabilities: u64) -> Vec<u32> {
    let has = |name: &str| caps::bit(name).is_some_and(|bit| capabilities & bit != 0);
    let mut list = [files(), memory(), processes(), signals_and_time(), sockets(), ipc_and_events(), machine()].concat();
    for (capability, calls) in by_capability() {
        if has(capability) {
            list.extend(calls);
        }
    }
    list
}

/// Bits of `clone(2)` that make namespaces.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// Allowances that look at an argument.
pub fn conditional(capabilities: u64) -> Vec<(u32, Outcome)> {
    let sys_admin = caps::bit("SYS_ADMIN").is_some_and(|bit| capabilities & bit != 0);
    let mut rules = vec![
        // PER_LINUX, PER_LINUX32, with and without UNAME26, and the query.
        (libc::SYS_personality as u32, Outcome::FirstIn(vec![0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff])),
        (libc::SYS_socket as u32, Outcome::FirstNot(libc::AF_VSOCK as u32)),
    ];
    if !sys_admin {
        rules.push((libc::SYS_clone as u32, Outcome::FirstLacks(NAMESPACE_FLAGS)));
        // Its flags are behind a pointer a filter cannot follow; ENOSYS makes the C library use clone.
        rules.push((libc::SYS_clone3 as u32, Outcome::Errno(libc::ENOSYS as u16)));
    }
    rules
}

fn by_capability() -> Vec<(&'static str, Vec<u32>)> {
    let sys_admin = calls! {
        SYS_bpf SYS_clone SYS_clone3 SYS_fanotify_init SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick SYS_lookup_dcookie SYS_mount
        SYS_mount_setattr SYS_move_mount SYS_open_tree SYS_perf_event_open SYS_quotactl SYS_quotactl_fd SYS_setdomainname
        SYS_sethostname SYS_setns SYS_syslog SYS_umount2 SYS_unshare
    };
    vec![
        ("DAC_READ_SEARCH", calls! { SYS_open_by_handle_at }),
        ("SYS_ADMIN", sys_admin),
        ("SYS_BOOT", calls! { SYS_reboot }),
        ("SYS_CHROOT", calls! { SYS_chroot }),
        ("SYS_MODULE", calls! { SYS_delete_module SYS_finit_module SYS_init_module }),
        ("SYS_PACCT", calls! { SYS_acct }),
        ("SYS_PTRACE", calls! { SYS_kcmp SYS_pidfd_getfd SYS_process_madvise SYS_process_vm_readv SYS_process_vm_writev }),
        ("SYS_TIME", calls! { SYS_clock_settime SYS_settimeofday }),
        ("SYS_TTY_CONFIG", calls! { SYS_vhangup }),
        ("SYS_NICE", calls! { SYS_get_mempolicy SYS_mbind SYS_set_mempolicy SYS_set_mempolicy_home_node }),
        ("SYSLOG", calls! { SYS_syslog }),
        ("BPF", calls! { SYS_bpf }),
        ("PERFMON", calls! { SYS_perf_event_open }),
        ("SYS_RAWIO", raw_io()),
    ]
}

fn files() -> Vec<u32> {
    calls! {
        SYS_chdir SYS_close SYS_close_range SYS_copy_file_range SYS_dup SYS_dup3 SYS_faccessat SYS_faccessat2 SYS_fadvise64 SYS_fallocate
        SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_fchown SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr
        SYS_flistxattr SYS_flock SYS_fremovexattr SYS_fsetxattr SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_getcwd SYS_getdents64
        SYS_getxattr SYS_inotify_add_watch SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy SYS_io_getevents
        SYS_io_setup SYS_io_submit SYS_ioctl SYS_lgetxattr SYS_linkat SYS_listxattr SYS_llistxattr SYS_lremovexattr
        SYS_lseek SYS_lsetxattr SYS_mkdirat SYS_mknodat SYS_name_to_handle_at SYS_newfstatat SYS_openat SYS_openat2 SYS_pipe2 SYS_pread64
        SYS_preadv SYS_preadv2 SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_removexattr
        SYS_renameat SYS_renameat2 SYS_sendfile SYS_setxattr SYS_splice SYS_statfs SYS_statx SYS_symlinkat SYS_sync SYS_sync_file_range
        SYS_syncfs SYS_tee SYS_truncate SYS_umask SYS_unlinkat SYS_utimensat SYS_vmsplice SYS_write SYS_writev
    }
}

fn memory() -> Vec<u32> {
    calls! {
        SYS_brk SYS_madvise SYS_membarrier SYS_memfd_create SYS_memfd_secret SYS_mincore SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap
        SYS_mprotect SYS_mremap SYS_msync SYS_munlock SYS_munlockall SYS_munmap SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect
        SYS_process_mrelease SYS_remap_file_pages
    }
}

fn processes() -> Vec<u32> {
    calls! {
        SYS_capget SYS_capset SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_get_robust_list SYS_getcpu SYS_getegid SYS_geteuid
        SYS_getgid SYS_getgroups SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid
        SYS_getrlimit SYS_getrusage SYS_getsid SYS_gettid SYS_getuid SYS_ioprio_get SYS_ioprio_set SYS_kill SYS_landlock_add_rule
        SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_pidfd_open SYS_pidfd_send_signal SYS_prctl SYS_prlimit64 SYS_ptrace
        SYS_rseq SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getaffinity SYS_sched_getattr SYS_sched_getparam
        SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_setattr SYS_sched_setparam
        SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_set_robust_list SYS_set_tid_address SYS_setfsgid SYS_setfsuid SYS_setgid
        SYS_setgroups SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setrlimit SYS_setsid
        SYS_setuid SYS_sysinfo SYS_tgkill SYS_times SYS_tkill SYS_uname SYS_wait4 SYS_waitid
    }
}

fn signals_and_time() -> Vec<u32> {
    calls! {
        SYS_adjtimex SYS_clock_adjtime SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_getitimer SYS_gettimeofday SYS_nanosleep
        SYS_restart_syscall SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend
        SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo SYS_setitimer SYS_sigaltstack SYS_signalfd4 SYS_timer_create SYS_timer_delete
        SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime SYS_timerfd_settime
    }
}

fn sockets() -> Vec<u32> {
    calls! {
        SYS_accept SYS_accept4 SYS_bind SYS_connect SYS_getpeername SYS_getsockname SYS_getsockopt SYS_listen SYS_recvfrom SYS_recvmmsg
        SYS_recvmsg SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_setsockopt SYS_shutdown SYS_socketpair
    }
}

fn ipc_and_events() -> Vec<u32> {
    calls! {
        SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_futex SYS_futex_waitv SYS_mq_getsetattr
        SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd SYS_ppoll
        SYS_pselect6 SYS_semctl SYS_semget SYS_semop SYS_semtimedop SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget
    }
}

#[cfg(target_arch = "x86_64")]
fn machine() -> Vec<u32> {
    calls! {
        SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_ctl_old SYS_epoll_wait
        SYS_epoll_wait_old SYS_eventfd SYS_fork SYS_futimesat SYS_get_thread_area SYS_getdents SYS_getpgrp SYS_inotify_init SYS_lchown
        SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir
        SYS_select SYS_set_thread_area SYS_signalfd SYS_stat SYS_symlink SYS_time SYS_unlink SYS_utime SYS_utimes SYS_vfork
    }
}

#[cfg(target_arch = "aarch64")]
fn machine() -> Vec<u32> {
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
fn raw_io() -> Vec<u32> {
    calls! { SYS_iopl SYS_ioperm }
}

#[cfg(target_arch = "aarch64")]
fn raw_io() -> Vec<u32> {
    Vec::new()
}
