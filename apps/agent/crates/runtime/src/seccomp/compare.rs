//! Conditions on a call's arguments. Arguments have 64 bits and the filter's machine 32, so each is looked at in halves.
use serde::Deserialize;

use super::bpf::{AND, Instruction, JUMP_EQ, JUMP_GE, JUMP_GT, LOAD, RETURN, op};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Argument {
    /// 0 to 5.
    pub index: u32,
    pub value: u64,
    /// With `SCMP_CMP_MASKED_EQ`: what must be left when `value` has been the mask.
    pub value_two: u64,
    pub op: String,
}

pub const OPERATORS: [&str; 7] =
    ["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];

/// Where a step goes on to.
#[derive(Clone, Copy)]
enum To {
    Next,
    Holds,
    Fails,
}
use To::{Fails, Holds, Next};

struct Step {
    code: u16,
    k: u32,
    yes: To,
    no: To,
}

fn step(code: u16, k: u32, yes: To, no: To) -> Step {
    Step { code, k, yes, no }
}

/// Code that returns `outcome` when the arguments are as wanted, and goes on behind itself when not. As with runc, several
/// conditions on one argument are alternatives, and conditions on different ones must all hold.
pub fn conditions(args: &[Argument], outcome: u32) -> Result<Vec<Instruction>, String> {
    let repeated = args.iter().any(|arg| args.iter().filter(|other| other.index == arg.index).count() > 1);
    let groups: Vec<&[Argument]> = if repeated { args.chunks(1).collect() } else { vec![args] };
    let mut code = Vec::new();
    for group in groups.into_iter().filter(|group| !group.is_empty()) {
        let mut one = group.iter().map(steps).collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = one.iter().map(Vec::len).collect();
        let total: usize = lengths.iter().sum();
        let mut at = 0;
        for (steps, length) in one.drain(..).zip(lengths) {
            let end = at + length;
            for step in steps {
                at += 1;
                // Behind the last comparison stands the return, behind that what follows.
                let distance = |to: To| match to {
                    Next => 0,
                    Holds => (end - at) as u8,
                    Fails => (total + 1 - at) as u8,
                };
                code.push(op(step.code, distance(step.yes), distance(step.no), step.k));
            }
        }
        code.push(op(RETURN, 0, 0, outcome));
    }
    Ok(code)
}

fn steps(arg: &Argument) -> Result<Vec<Step>, String> {
    if arg.index > 5 {
        return Err(format!("a system call has no argument {}", arg.index));
    }
    // Both supported machines are little endian: `args` begins at 16, the low half of each first.
    let (low_at, high_at) = (16 + arg.index * 8, 20 + arg.index * 8);
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (high, low) = halves(arg.value);
    let load = |at: u32| step(LOAD, at, Next, Next);
    Ok(match arg.op.as_str() {
        "SCMP_CMP_EQ" => vec![load(high_at), step(JUMP_EQ, high, Next, Fails), load(low_at), step(JUMP_EQ, low, Next, Fails)],
        "SCMP_CMP_NE" => vec![load(high_at), step(JUMP_EQ, high, Next, Holds), load(low_at), step(JUMP_EQ, low, Fails, Next)],
        "SCMP_CMP_MASKED_EQ" => {
            let (wanted_high, wanted_low) = halves(arg.value_two);
            let mask = |bits: u32| step(AND, bits, Next, Next);
            let compare = |wanted: u32| step(JUMP_EQ, wanted, Next, Fails);
            vec![load(high_at), mask(high), compare(wanted_high), load(low_at), mask(low), compare(wanted_low)]
        }
        name => {
            // The low half decides when the high ones are equal.
            let (larger, smaller, last, yes, no) = match name {
                "SCMP_CMP_GT" => (Holds, Fails, JUMP_GT, Next, Fails),
                "SCMP_CMP_GE" => (Holds, Fails, JUMP_GE, Next, Fails),
                "SCMP_CMP_LT" => (Fails, Holds, JUMP_GE, Fails, Next),
                "SCMP_CMP_LE" => (Fails, Holds, JUMP_GT, Fails, Next),
                other => return Err(format!("string {other} is not a valid operator for seccomp")),
            };
            let high_half = [load(high_at), step(JUMP_GT, high, larger, Next), step(JUMP_EQ, high, Next, smaller)];
            high_half.into_iter().chain([load(low_at), step(last, low, yes, no)]).collect()
        }
    })
}
