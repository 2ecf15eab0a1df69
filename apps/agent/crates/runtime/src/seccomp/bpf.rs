//! Compiles rules into classic BPF.
use std::mem::offset_of;

/// What happens to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Allow,
    Errno(u16),
    /// Allowed when the low word of the first argument is one of these.
    FirstIn(Vec<u32>),
    /// Allowed when the low word of the first argument is not this.
    FirstNot(u32),
    /// Allowed when none of these bits is set in the low word of the first argument.
    FirstLacks(u32),
    /// Allowed when one of these bits is set in the low word of the second argument; `EOPNOTSUPP` otherwise.
    SecondHas(u32),
    /// Allowed unless the low word of the second argument is one of these; `EOPNOTSUPP` then.
    SecondNotIn(Vec<u32>),
}

const EPERM: u16 = libc::EPERM as u16;
const ENOSYS: u16 = libc::ENOSYS as u16;
const EOPNOTSUPP: u16 = libc::EOPNOTSUPP as u16;

pub(super) const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
pub(super) const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
pub(super) const JUMP_EQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
pub(super) const JUMP_GE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JUMP_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
pub(super) const JUMP_GT: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
pub(super) const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
pub(super) const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

#[cfg(target_arch = "x86_64")]
pub(super) const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Offset of the low word of argument 0 (both supported machines are little endian).
const FIRST_ARGUMENT: u32 = offset_of!(libc::seccomp_data, args) as u32;
const SECOND_ARGUMENT: u32 = FIRST_ARGUMENT + size_of::<u64>() as u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

#[derive(Debug)]
pub struct Program(Vec<Instruction>);

pub(super) fn op(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn ret(outcome: &Outcome) -> Instruction {
    match outcome {
        Outcome::Errno(errno) => op(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | u32::from(*errno)),
        _ => op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    }
}

impl Program {
    /// Calls without a rule are refused with EPERM; calls newer than every rule with ENOSYS, so that programs fall
    /// back to what the kernels of the profile's day had.
    pub fn compile(mut rules: Vec<(u32, Outcome)>) -> Self {
        rules.sort_by_key(|(number, _)| *number);
        rules.dedup_by_key(|(number, _)| *number);
        // Starts of ranges with equal outcome; the last range reaches to the end.
        let mut ranges: Vec<(u32, Outcome)> = Vec::new();
        let mut next = 0;
        let mut push = |start: u32, outcome: Outcome| {
            if ranges.last().is_none_or(|(_, last)| *last != outcome) {
                ranges.push((start, outcome));
            }
        };
        for (number, outcome) in rules {
            if number > next {
                push(next, Outcome::Errno(EPERM));
            }
            push(number, outcome);
            next = number + 1;
        }
        push(next, Outcome::Errno(ENOSYS));
        let mut code = vec![
            op(LOAD, 0, 0, offset_of!(libc::seccomp_data, arch) as u32),
            op(JUMP_EQ, 1, 0, AUDIT_ARCH),
            // 32-bit calls have other numbers, so nothing of the list holds for them.
            ret(&Outcome::Errno(EPERM)),
            op(LOAD, 0, 0, offset_of!(libc::seccomp_data, nr) as u32),
        ];
        code.extend(search(&ranges));
        Self(code)
    }

    pub fn bytes(&self) -> Vec<u8> {
        bytes_of(&self.0)
    }
}

/// The kernel's `struct sock_filter` array.
pub(super) fn bytes_of(code: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(code.len() * 8);
    for instruction in code {
        bytes.extend_from_slice(&instruction.code.to_ne_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_ne_bytes());
    }
    bytes
}

fn search(ranges: &[(u32, Outcome)]) -> Vec<Instruction> {
    match ranges {
        [] => vec![ret(&Outcome::Errno(EPERM))],
        [(_, outcome)] => leaf(outcome),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let (low, pivot, high) = (search(low), high[0].0, search(high));
            let mut code = Vec::with_capacity(low.len() + high.len() + 2);
            match u8::try_from(low.len()) {
                Ok(distance) => code.push(op(JUMP_GE, distance, 0, pivot)),
                // Conditional jumps reach 255 instructions; beyond that a plain jump does it.
                Err(_) => {
                    code.push(op(JUMP_GE, 0, 1, pivot));
                    code.push(op(JUMP, 0, 0, low.len() as u32));
                }
            }
            code.extend(low);
            code.extend(high);
            code
        }
    }
}

fn leaf(outcome: &Outcome) -> Vec<Instruction> {
    let refuse = ret(&Outcome::Errno(EPERM));
    let allow = ret(&Outcome::Allow);
    let unsupported = ret(&Outcome::Errno(EOPNOTSUPP));
    let load = op(LOAD, 0, 0, FIRST_ARGUMENT);
    let load_second = op(LOAD, 0, 0, SECOND_ARGUMENT);
    match outcome {
        Outcome::Allow | Outcome::Errno(_) => vec![ret(outcome)],
        Outcome::FirstIn(values) => {
            let mut code = vec![load];
            let count = values.len() as u8;
            code.extend(values.iter().zip(0u8..).map(|(value, index)| op(JUMP_EQ, count - index, 0, *value)));
            code.extend([refuse, allow]);
            code
        }
        Outcome::FirstNot(value) => vec![load, op(JUMP_EQ, 0, 1, *value), refuse, allow],
        Outcome::FirstLacks(bits) => vec![load, op(JUMP_SET, 0, 1, *bits), refuse, allow],
        Outcome::SecondHas(bits) => vec![load_second, op(JUMP_SET, 1, 0, *bits), unsupported, allow],
        Outcome::SecondNotIn(values) => {
            let mut code = vec![load_second];
            let count = values.len() as u8;
            code.extend(values.iter().zip(0u8..).map(|(value, index)| op(JUMP_EQ, count - index, 0, *value)));
            code.extend([allow, unsupported]);
            code
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs the program as the kernel would, for one call.
    pub fn run(program: &Program, number: u32, arguments: [u32; 2]) -> u32 {
        let (mut at, mut accumulator) = (0usize, 0u32);
        loop {
            let Instruction { code, jt, jf, k } = program.0[at];
            at += 1;
            let branch = |taken: bool| usize::from(if taken { jt } else { jf });
            match code {
                LOAD if k == 0 => accumulator = number,
                LOAD if k == 4 => accumulator = AUDIT_ARCH,
                LOAD if k == SECOND_ARGUMENT => accumulator = arguments[1],
                LOAD => accumulator = arguments[0],
                JUMP => at += k as usize,
                JUMP_EQ => at += branch(accumulator == k),
                JUMP_GE => at += branch(accumulator >= k),
                JUMP_SET => at += branch(accumulator & k != 0),
                RETURN => return k,
                other => panic!("instruction {other}"),
            }
        }
    }

    #[test]
    fn searches_every_number_correctly() {
        // Alternating outcomes make the largest possible tree, with jumps beyond 255.
        let rules = (0..600).filter(|n| n % 2 == 0).map(|n| (n, Outcome::Allow)).collect();
        let program = Program::compile(rules);
        for number in 0..700 {
            let expected = match number {
                n if n > 598 => libc::SECCOMP_RET_ERRNO | u32::from(ENOSYS),
                n if n % 2 == 0 => libc::SECCOMP_RET_ALLOW,
                _ => libc::SECCOMP_RET_ERRNO | u32::from(EPERM),
            };
            assert_eq!(run(&program, number, [0; 2]), expected, "call {number}");
        }
    }

    #[test]
    fn looks_at_arguments() {
        let refused = libc::SECCOMP_RET_ERRNO | u32::from(EPERM);
        let program = Program::compile(vec![
            (1, Outcome::FirstIn(vec![0, 8, 0x20000])),
            (2, Outcome::FirstNot(40)),
            (3, Outcome::FirstLacks(0x7e02_0000)),
        ]);
        for (number, first, allowed) in [
            (1, 0, true),
            (1, 8, true),
            (1, 0x20000, true),
            (1, 9, false),
            (2, 2, true),
            (2, 40, false),
            (3, 17, true),
            (3, 0x1000_0000, false),
        ] {
            let expected = if allowed { libc::SECCOMP_RET_ALLOW } else { refused };
            assert_eq!(run(&program, number, [first, 0]), expected, "{number} {first:#x}");
        }
    }
}
