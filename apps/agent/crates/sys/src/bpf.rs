//! Device filters of cgroup v2: eBPF programs that say which device nodes the processes of a group may use.
//!
//! The only programs loaded are made here, from lists of rules, so nothing of what the verifier must refuse can come from
//! outside.
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

/// Bits of an access.
pub const MAKE: u32 = 1;
pub const READ: u32 = 2;
pub const WRITE: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    Any,
    Block,
    Character,
}

/// What a group's processes may do, or not do, with some device nodes. Of several rules the last that matches holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    pub allow: bool,
    pub kind: DeviceKind,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Bits of [`MAKE`], [`READ`] and [`WRITE`].
    pub access: u32,
}

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

/// From the last rule to the first; an access that none of them answers is refused.
fn program(rules: &[DeviceRule]) -> Vec<Instruction> {
    let (context, kind, access, major, minor) = (1, 2, 3, 4, 5);
    let mut code = vec![
        op(LOAD_WORD, kind, context, ACCESS_AND_TYPE, 0),
        op(MOVE, access, kind, 0, 0),
        op(SHIFT_RIGHT, access, 0, 0, 16),
        op(AND, kind, 0, 0, 0xffff),
        op(LOAD_WORD, major, context, MAJOR, 0),
        op(LOAD_WORD, minor, context, MINOR, 0),
    ];
    rules.iter().rev().for_each(|rule| code.extend(one(rule)));
    code.extend(end(false));
    code
}

fn end(allow: bool) -> [Instruction; 2] {
    [op(SET, 0, 0, 0, i32::from(allow)), op(EXIT, 0, 0, 0, 0)]
}

/// Ends with an answer, or goes on behind itself.
fn one(rule: &DeviceRule) -> Vec<Instruction> {
    let (scratch, kind, access, major, minor) = (1, 2, 3, 4, 5);
    let mut code = end(rule.allow).to_vec();
    // Made from its end, so that each jump knows how far the next rule is.
    let mut before = |instruction: &dyn Fn(i16) -> Instruction| code.insert(0, instruction(code.len() as i16));
    for (register, wanted) in [(minor, rule.minor), (major, rule.major)] {
        if let Some(wanted) = wanted {
            before(&|next| op(JUMP_DIFFERENT, register, 0, next, wanted as i32));
        }
    }
    match rule.allow {
        // All that is asked for must be allowed, but one part that is refused refuses the whole.
        true => {
            before(&|next| op(JUMP_DIFFERENT, scratch, 0, next, 0));
            before(&|_| op(AND, scratch, 0, 0, !(rule.access as i32)));
        }
        false => {
            before(&|next| op(JUMP_EQUAL, scratch, 0, next, 0));
            before(&|_| op(AND, scratch, 0, 0, rule.access as i32));
        }
    }
    before(&|_| op(MOVE, scratch, access, 0, 0));
    match rule.kind {
        DeviceKind::Any => {}
        DeviceKind::Block => before(&|next| op(JUMP_DIFFERENT, kind, 0, next, 1)),
        DeviceKind::Character => before(&|next| op(JUMP_DIFFERENT, kind, 0, next, 2)),
    }
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

/// Confines the processes of the v2 group behind `group`, and of all groups below it, to what these rules allow.
/// Lasts as long as the group; does nothing when the group has a program already.
pub fn confine_devices(group: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<()> {
    let target = group.as_raw_fd() as u32;
    let mut query = QueryAttr { target, kind: ATTACH_CGROUP_DEVICE, ..QueryAttr::default() };
    // SAFETY: the structure is the start of `union bpf_attr` for this command, which needs no more, and is writable.
    check(unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut query, size_of::<QueryAttr>()) })?;
    if query.count > 0 {
        return Ok(());
    }
    let code = program(rules);
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
