//! Loading a compiled filter.
use crate::{Errno, Result, check};

/// Installs a classic BPF program given as the kernel's `struct sock_filter` array in native byte order. Needs
/// no_new_privs or CAP_SYS_ADMIN.
pub fn install(program: &[u8]) -> Result<()> {
    install_with(program, 0)
}

/// As `install`, with `SECCOMP_FILTER_FLAG_*` that return nothing.
pub fn install_with(program: &[u8], flags: u32) -> Result<()> {
    let size = size_of::<libc::sock_filter>();
    if program.is_empty() || !program.len().is_multiple_of(size) || program.len() / size > u16::MAX.into() {
        return Err(Errno::EINVAL);
    }
    // Copied into a vector of the right type: a byte slice need not be aligned for it.
    let mut filter = program
        .chunks_exact(size)
        .map(|b| libc::sock_filter {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        })
        .collect::<Vec<_>>();
    let prog = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: `prog` points at `filter`, which outlives the call; the kernel validates and copies the program.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const prog) }).map(drop)
}
