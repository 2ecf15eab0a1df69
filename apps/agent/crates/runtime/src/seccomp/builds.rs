//! Filters of build steps: as those of containers, but disk space is to be had by writing only.
//!
//! A guard ends a step when the disk of the host runs full. It looks some fifty times a second, in which a program writes a
//! few dozen megabytes, and reserves a terabyte by one call. So calls that reserve space are told that the file system cannot,
//! as ZFS and NFS tell: the C library's `posix_fallocate` then writes the blocks (glibc) or says so (musl), and whoever
//! calls `fallocate` itself has to cope with it anyway. Calls that give space back are as ever. io_uring, which could do the
//! same past a filter, is in no build's list. A step with `--security=insecure`, which a host must
//! allow, has no filter, as with Docker.
use super::bpf::{Outcome, Program};
use super::default_rules;

/// Modes of `fallocate(2)` that take nothing: FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE.
const TAKE_NOTHING: u32 = 0x02 | 0x08 | 0x20;

/// `_IOW('X', number, size)`.
const fn iow_x(number: u32, size: u32) -> u32 {
    1 << 30 | size << 16 | (b'X' as u32) << 8 | number
}

/// Bytes of `struct space_resv` (XFS: `xfs_flock64`) and of `struct fsxattr`.
const RANGE: u32 = 48;
const ATTRIBUTES: u32 = 28;

/// The older names of `fallocate`, of every file system (RESVSP, RESVSP64, ZERO_RANGE) and of XFS alone (ALLOCSP, ALLOCSP64),
/// and FSSETXATTR, by which a file on XFS takes gigabytes with the first byte that is written.
const RESERVING: [u32; 6] =
    [iow_x(40, RANGE), iow_x(42, RANGE), iow_x(57, RANGE), iow_x(10, RANGE), iow_x(36, RANGE), iow_x(32, ATTRIBUTES)];

fn rules() -> [(u32, Outcome); 2] {
    [(libc::SYS_fallocate as u32, Outcome::SecondHas(TAKE_NOTHING)), (libc::SYS_ioctl as u32, Outcome::SecondNotIn(RESERVING.to_vec()))]
}

/// For a step that has `capabilities` (bit mask), as bytes for `slipway_sys::seccomp`.
pub fn build_filter(capabilities: u64) -> Vec<u8> {
    Program::compile(all_rules(capabilities)).bytes()
}

fn all_rules(capabilities: u64) -> Vec<(u32, Outcome)> {
    let own = rules();
    let mut all = default_rules(capabilities);
    all.retain(|(number, _)| own.iter().all(|(own, _)| own != number));
    all.extend(own);
    all
}

#[cfg(test)]
mod tests {
    use super::super::bpf::tests::run;
    use super::*;
    use crate::caps;

    const UNSUPPORTED: u32 = libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32;

    #[test]
    fn space_is_to_be_had_by_writing_only() {
        let program = Program::compile(all_rules(caps::default_set()));
        let fallocate = |mode: u32| run(&program, libc::SYS_fallocate as u32, [3, mode]);
        // Plain, KEEP_SIZE, ZERO_RANGE, UNSHARE_RANGE, WRITE_ZEROES.
        for mode in [0, 1, 0x10, 0x11, 0x40, 0x80] {
            assert_eq!(fallocate(mode), UNSUPPORTED, "{mode:#x}");
        }
        for mode in [0x03, 0x08, 0x20] {
            assert_eq!(fallocate(mode), libc::SECCOMP_RET_ALLOW, "{mode:#x}");
        }
        let ioctl = |request: u32| run(&program, libc::SYS_ioctl as u32, [3, request]);
        for request in [0x4030_5828, 0x4030_582a, 0x4030_5839, 0x4030_580a, 0x4030_5824, 0x401c_5820] {
            assert_eq!(ioctl(request), UNSUPPORTED, "{request:#x}");
        }
        // Terminals, flags of files (`chattr`), giving space back (UNRESVSP).
        for request in [0x5401, 0x5413, 0x4008_6602, 0x4030_582b] {
            assert_eq!(ioctl(request), libc::SECCOMP_RET_ALLOW, "{request:#x}");
        }
    }

    #[test]
    fn all_else_is_as_in_containers_and_without_io_uring() {
        let (own, containers) = (Program::compile(all_rules(caps::default_set())), Program::compile(default_rules(caps::default_set())));
        for number in (0..600).filter(|number| ![libc::SYS_fallocate as u32, libc::SYS_ioctl as u32].contains(number)) {
            assert_eq!(run(&own, number, [0; 2]), run(&containers, number, [0; 2]), "call {number}");
        }
        assert_ne!(run(&own, libc::SYS_io_uring_setup as u32, [0; 2]), libc::SECCOMP_RET_ALLOW);
    }
}
