//! Device filters of cgroup v2: eBPF programs that say which device nodes the processes of a group may use.
//!
//! The only programs loaded are made here, from a list of character devices, so nothing of what the verifier must refuse
//! can come from outside.
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::{Result, check};

const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_QUERY: libc::c_long = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
/// Groups above and below may have programs too; all must agree.
const ALLOW_MULTI: u32 = 2;

/// `struct bpf_cgroup_dev_ctx`: offsets of its fields, and the values in the first one.
const ACCESS_AND_TYPE: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;
const CHARACTER: i32 = 2;
const READ_OR_WRITE: i32 = 2 | 4;

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xbf;
const SET: u8 = 0xb7;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_EQUAL: u8 = 0x15;
const JUMP_DIFFERENT: u8 = 0x55;
const EXIT: u8 = 0x95;

/// `struct bpf_insn`
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    /// Source in the upper half, destination in the lower.
    registers: u8,
    offset: i16,
    value: i32,
}

fn op(code: u8, destination: u8, source: u8, offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, value }
}

/// Making nodes is allowed; using them only when they are character devices of the list: major, and minor or any.
fn program(allowed: &[(u32, Option<u32>)]) -> Vec<Instruction> {
    let (result, context, kind, access, major, minor) = (0, 1, 2, 3, 4, 5);
    let checks: usize = allowed.iter().map(|(_, minor)| if minor.is_some() { 2 } else { 1 }).sum();
    // From the instruction after number `at` to the last two, which allow; the two before refuse.
    let allow = |at: usize| (9 + checks + 2 - (at + 1)) as i16;
    let mut code = vec![
        op(LOAD_WORD, kind, context, ACCESS_AND_TYPE, 0),
        op(MOVE, access, kind, 0, 0),
        op(SHIFT_RIGHT, access, 0, 0, 16),
        op(AND, access, 0, 0, READ_OR_WRITE),
        op(JUMP_EQUAL, access, 0, allow(4), 0),
        op(AND, kind, 0, 0, 0xffff),
        op(JUMP_DIFFERENT, kind, 0, allow(6) - 2, CHARACTER),
        op(LOAD_WORD, major, context, MAJOR, 0),
        op(LOAD_WORD, minor, context, MINOR, 0),
    ];
    for (wanted, exact) in allowed {
        match exact {
            Some(exact) => {
                code.push(op(JUMP_DIFFERENT, major, 0, 1, *wanted as i32));
                code.push(op(JUMP_EQUAL, minor, 0, allow(code.len()), *exact as i32));
            }
            None => code.push(op(JUMP_EQUAL, major, 0, allow(code.len()), *wanted as i32)),
        }
    }
    code.extend([op(SET, result, 0, 0, 0), op(EXIT, 0, 0, 0, 0), op(SET, result, 0, 0, 1), op(EXIT, 0, 0, 0, 0)]);
    code
}

/// The parts of `union bpf_attr` that are used.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct AttachAttr {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct QueryAttr {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// Confines the processes of the v2 group behind `group`, and of all groups below it, to these character devices: major,
/// and minor or any. Lasts as long as the group; does nothing when the group has a program already.
pub fn confine_devices(group: BorrowedFd<'_>, allowed: &[(u32, Option<u32>)]) -> Result<()> {
    let target = group.as_raw_fd() as u32;
    let mut query = QueryAttr { target, kind: ATTACH_CGROUP_DEVICE, ..QueryAttr::default() };
    // SAFETY: the structure is the start of `union bpf_attr` for this command, which needs no more, and is writable.
    check(unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut query, size_of::<QueryAttr>()) })?;
    if query.count > 0 {
        return Ok(());
    }
    let code = program(allowed);
    let load = LoadAttr {
        kind: TYPE_CGROUP_DEVICE,
        count: code.len() as u32,
        instructions: code.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..LoadAttr::default()
    };
    // SAFETY: as above; the program and the license outlive the call, and the kernel copies both.
    let loaded = check(unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const load, size_of::<LoadAttr>()) })?;
    // SAFETY: the kernel returned a new descriptor that nothing else owns.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded as RawFd) };
    let attach = AttachAttr { target, program: loaded.as_raw_fd() as u32, kind: ATTACH_CGROUP_DEVICE, flags: ALLOW_MULTI };
    // SAFETY: as above; no pointers in it.
    check(unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attach, size_of::<AttachAttr>()) }).map(drop)
}
