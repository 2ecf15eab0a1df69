//! Capabilities of the calling thread.
use crate::{Errno, Result, check};

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// The five sets as bit masks, bit n = capability number n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

pub fn set(sets: Sets) -> Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |n: u32| Data {
        effective: (sets.effective >> n) as u32,
        permitted: (sets.permitted >> n) as u32,
        inheritable: (sets.inheritable >> n) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: header and data have the layout of version 3 (two data words) and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

/// The permitted set of this thread.
pub fn permitted() -> Result<u64> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: as in `set`; the kernel writes exactly two data words for version 3.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    Ok(u64::from(data[0].permitted) | u64::from(data[1].permitted) << 32)
}

/// Removes every capability that is not in `keep` from the bounding set.
pub fn limit_bounding(keep: u64) -> Result<()> {
    for number in (0..64u32).filter(|number| keep & (1 << number) == 0) {
        // SAFETY: integer arguments only.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) } as libc::c_long) {
            Ok(_) => {} // also when it was not in the set
            // The end of what this kernel knows.
            Err(Errno::EINVAL) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Adds `set` to the ambient set; each must be permitted and inheritable.
pub fn raise_ambient(set: u64) -> Result<()> {
    for number in (0..64u32).filter(|number| set & (1 << number) != 0) {
        // SAFETY: integer arguments only.
        let raised =
            unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, libc::c_ulong::from(number), 0, 0) };
        check(raised as libc::c_long)?;
    }
    Ok(())
}

/// Clears the ambient set.
pub fn clear_ambient() -> Result<()> {
    // SAFETY: integer arguments only.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0, 0, 0) } as libc::c_long).map(drop)
}
