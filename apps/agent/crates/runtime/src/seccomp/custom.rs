//! Filters as `linux.seccomp` of the OCI runtime spec describes them.
//!
//! As with libseccomp, a call with several rules follows the first conditional one that matches, then an unconditional one,
//! then the default. As with runc, calls newer than every one listed get ENOSYS where the default refuses, so that programs fall
//! back. Unlike libseccomp only the machine's own system calls are understood: those of other ABIs (32-bit, x32) are refused,
//! also when their architecture is listed, so that no list of forbidden calls can be walked around.
use serde::Deserialize;

use super::bpf::{AUDIT_ARCH, Instruction, JUMP, JUMP_EQ, JUMP_GE, LOAD, RETURN, bytes_of, op};
use super::compare::{Argument, conditions};
use super::names;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    pub default_action: String,
    pub default_errno_ret: Option<u32>,
    pub architectures: Vec<String>,
    pub flags: Vec<String>,
    pub syscalls: Vec<Rule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    pub names: Vec<String>,
    pub action: String,
    pub errno_ret: Option<u32>,
    pub args: Vec<Argument>,
}

/// Ready for `slipway_sys::seccomp`.
#[derive(Debug)]
pub struct Compiled {
    pub program: Vec<u8>,
    /// `SECCOMP_FILTER_FLAG_*`
    pub flags: u32,
}

/// What the spec calls them, for telling what can be had.
pub const ACTIONS: [&str; 8] = [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
];
pub const FLAGS: [(&str, u32); 3] =
    [("SECCOMP_FILTER_FLAG_TSYNC", 0), ("SECCOMP_FILTER_FLAG_LOG", 2), ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4)];
#[cfg(target_arch = "x86_64")]
pub const ARCHITECTURE: &str = "SCMP_ARCH_X86_64";
#[cfg(target_arch = "aarch64")]
pub const ARCHITECTURE: &str = "SCMP_ARCH_AARCH64";

/// The kernel's limit.
const MOST_INSTRUCTIONS: usize = 4_096;
/// Numbers from here on are of another ABI of the same machine (x32).
const OTHER_ABI: u32 = 0x4000_0000;

fn errno(value: libc::c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | value as u32
}

fn action(name: &str, errno_ret: Option<u32>) -> Result<u32, String> {
    // Sixteen bits go along.
    let data = errno_ret.unwrap_or(libc::EPERM as u32) & 0xffff;
    Ok(match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => libc::SECCOMP_RET_KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => libc::SECCOMP_RET_KILL_PROCESS,
        "SCMP_ACT_TRAP" => libc::SECCOMP_RET_TRAP,
        "SCMP_ACT_ERRNO" => libc::SECCOMP_RET_ERRNO | data,
        "SCMP_ACT_TRACE" => libc::SECCOMP_RET_TRACE | data,
        "SCMP_ACT_ALLOW" => libc::SECCOMP_RET_ALLOW,
        "SCMP_ACT_LOG" => libc::SECCOMP_RET_LOG,
        "SCMP_ACT_NOTIFY" => return Err("the seccomp action SCMP_ACT_NOTIFY is not supported".into()),
        other => return Err(format!("string {other} is not a valid action for seccomp")),
    })
}

/// Everything about one call.
#[derive(Debug, Default)]
struct Call {
    number: u32,
    conditional: Vec<Instruction>,
    always: Option<u32>,
}

/// The error is a sentence.
pub fn compile(filter: &Filter) -> Result<Compiled, String> {
    let default = action(&filter.default_action, filter.default_errno_ret)?;
    if let Some(unknown) = filter.architectures.iter().find(|name| !name.starts_with("SCMP_ARCH_")) {
        return Err(format!("string {unknown} is not a valid arch for seccomp"));
    }
    let mut flags = 0;
    for name in &filter.flags {
        flags |=
            FLAGS.iter().find(|(known, _)| known == name).map(|(_, flag)| *flag).ok_or(format!("seccomp flag {name} is not supported"))?;
    }
    let mut calls = calls(&filter.syscalls)?;
    calls.sort_by_key(|call| call.number);
    let permissive = matches!(default, libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG);
    let newer = if permissive { default } else { errno(libc::ENOSYS) };
    let mut code = vec![op(LOAD, 0, 0, 4), op(JUMP_EQ, 1, 0, AUDIT_ARCH), op(RETURN, 0, 0, errno(libc::EPERM)), op(LOAD, 0, 0, 0)];
    code.extend(search(&leaves(calls, default, newer)));
    match code.len() > MOST_INSTRUCTIONS {
        true => Err("the seccomp filter is too large for the kernel".into()),
        false => Ok(Compiled { program: bytes_of(&code), flags }),
    }
}

fn calls(rules: &[Rule]) -> Result<Vec<Call>, String> {
    let mut calls: Vec<Call> = Vec::new();
    for rule in rules {
        let outcome = action(&rule.action, rule.errno_ret)?;
        let conditions = conditions(&rule.args, outcome)?;
        // Names of other machines and newer kernels are in every common profile.
        for number in rule.names.iter().filter_map(|name| names::number(name)) {
            let index = calls.iter().position(|call| call.number == number).unwrap_or_else(|| {
                calls.push(Call { number, ..Call::default() });
                calls.len() - 1
            });
            match rule.args.is_empty() {
                true => calls[index].always = calls[index].always.or(Some(outcome)),
                false => calls[index].conditional.extend_from_slice(&conditions),
            }
        }
    }
    Ok(calls)
}

/// Starts of ranges, each with its code; every number is in one.
fn leaves(calls: Vec<Call>, default: u32, newer: u32) -> Vec<(u32, Vec<Instruction>)> {
    let ret = |outcome: u32| vec![op(RETURN, 0, 0, outcome)];
    let mut leaves = Vec::new();
    let mut next = 0;
    for call in calls {
        if call.number > next {
            leaves.push((next, ret(default)));
        }
        next = call.number + 1;
        let mut code = call.conditional;
        code.extend(ret(call.always.unwrap_or(default)));
        leaves.push((call.number, code));
    }
    leaves.push((next, ret(newer)));
    leaves.push((OTHER_ABI, ret(errno(libc::ENOSYS))));
    leaves.dedup_by(|later, earlier| later.1 == earlier.1);
    leaves
}

/// Binary search; the number is in the accumulator until a leaf is reached.
fn search(leaves: &[(u32, Vec<Instruction>)]) -> Vec<Instruction> {
    if leaves.len() < 2 {
        return leaves.first().map(|(_, code)| code.clone()).unwrap_or_default();
    }
    let (low, high) = leaves.split_at(leaves.len() / 2);
    let (low, pivot, high) = (search(low), high[0].0, search(high));
    let mut code = Vec::with_capacity(low.len() + high.len() + 2);
    match u8::try_from(low.len()) {
        Ok(distance) => code.push(op(JUMP_GE, distance, 0, pivot)),
        // Conditional jumps reach 255 instructions; beyond that a plain jump does it.
        Err(_) => code.extend([op(JUMP_GE, 0, 1, pivot), op(JUMP, 0, 0, low.len() as u32)]),
    }
    code.extend(low);
    code.extend(high);
    code
}
