//! Compiled filters, run as the kernel would run them.
use super::custom::{Filter, Rule, compile};
use super::{Argument, names};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

fn errno(value: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | value as u32
}

pub(super) fn call(program: &[u8], number: u32, args: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend_from_slice(&number.to_ne_bytes());
    data.extend_from_slice(&super::bpf::AUDIT_ARCH.to_ne_bytes());
    data.extend_from_slice(&0u64.to_ne_bytes());
    args.iter().for_each(|arg| data.extend_from_slice(&arg.to_ne_bytes()));
    let (mut at, mut a) = (0usize, 0u32);
    loop {
        let i = &program[at * 8..at * 8 + 8];
        let (code, jt, jf) = (u16::from_ne_bytes([i[0], i[1]]), i[2], i[3]);
        let k = u32::from_ne_bytes([i[4], i[5], i[6], i[7]]);
        at += 1;
        let mut jump = |taken: bool| at += usize::from(if taken { jt } else { jf });
        match u32::from(code) {
            0x20 => a = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
            0x54 => a &= k,
            0x05 => at += k as usize,
            0x15 => jump(a == k),
            0x25 => jump(a > k),
            0x35 => jump(a >= k),
            0x06 => return k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn rule(name: &str, action: &str, args: Vec<Argument>) -> Rule {
    Rule { names: vec![name.into(), "no_such_call".into()], action: action.into(), errno_ret: None, args }
}

fn arg(index: u32, op: &str, value: u64, value_two: u64) -> Argument {
    Argument { index, value, value_two, op: format!("SCMP_CMP_{op}") }
}

fn filter(default: &str, syscalls: Vec<Rule>) -> Vec<u8> {
    compile(&Filter { default_action: default.into(), syscalls, ..Filter::default() }).unwrap().program
}

#[test]
fn every_operator_on_both_halves() {
    let close = names::number("close").unwrap();
    let pivots = [0u64, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0xffff_ffff_0000_0000, u64::MAX];
    type Compare = fn(u64, u64) -> bool;
    let holds: [(&str, Compare); 6] = [
        ("EQ", |a, b| a == b),
        ("NE", |a, b| a != b),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("GT", |a, b| a > b),
        ("GE", |a, b| a >= b),
    ];
    for (op, expected) in holds {
        for pivot in pivots {
            let program = filter("SCMP_ACT_ERRNO", vec![rule("close", "SCMP_ACT_ALLOW", vec![arg(2, op, pivot, 0)])]);
            for value in pivots {
                let outcome = if expected(value, pivot) { ALLOW } else { errno(libc::EPERM) };
                assert_eq!(call(&program, close, [9, 9, value, 9, 9, 9]), outcome, "{value:#x} {op} {pivot:#x}");
            }
        }
    }
    let masked = vec![arg(0, "MASKED_EQ", 0xf_0000_000f, 0x5_0000_0003)];
    let program = filter("SCMP_ACT_ERRNO", vec![rule("close", "SCMP_ACT_ALLOW", masked)]);
    assert_eq!(call(&program, close, [0xf5_1111_1113, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&program, close, [0xf4_1111_1113, 0, 0, 0, 0, 0]), errno(libc::EPERM));
    assert_eq!(call(&program, close, [0xf5_1111_1112, 0, 0, 0, 0, 0]), errno(libc::EPERM));
}

#[test]
fn all_arguments_must_match_and_repeated_ones_are_alternatives() {
    let number = names::number("socket").unwrap();
    let both = vec![arg(0, "EQ", 1, 0), arg(1, "GE", 2, 0)];
    let program = filter("SCMP_ACT_ALLOW", vec![rule("socket", "SCMP_ACT_TRAP", both)]);
    assert_eq!(call(&program, number, [1, 2, 0, 0, 0, 0]), libc::SECCOMP_RET_TRAP);
    assert_eq!(call(&program, number, [1, 1, 0, 0, 0, 0]), ALLOW);
    let either = vec![arg(0, "EQ", 1, 0), arg(0, "EQ", 7, 0)];
    let program = filter("SCMP_ACT_ERRNO", vec![rule("socket", "SCMP_ACT_ALLOW", either), rule("socket", "SCMP_ACT_LOG", vec![])]);
    for (value, outcome) in [(1, ALLOW), (7, ALLOW), (2, libc::SECCOMP_RET_LOG)] {
        assert_eq!(call(&program, number, [value, 0, 0, 0, 0, 0]), outcome);
    }
}

#[test]
fn newer_calls_and_other_abis() {
    let (read, write) = (names::number("read").unwrap(), names::number("write").unwrap());
    let program = filter("SCMP_ACT_ERRNO", vec![rule("write", "SCMP_ACT_ALLOW", vec![])]);
    assert_eq!(call(&program, write, [0; 6]), ALLOW);
    assert_eq!(call(&program, write + 500, [0; 6]), errno(libc::ENOSYS));
    // A list of what is forbidden holds for calls by their other numbers, too.
    let program = filter("SCMP_ACT_ALLOW", vec![rule("read", "SCMP_ACT_KILL_PROCESS", vec![])]);
    assert_eq!(call(&program, read, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    assert_eq!(call(&program, write + 500, [0; 6]), ALLOW);
    assert_eq!(call(&program, 0x4000_0000 + read, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn nonsense_is_refused() {
    let base = || Filter { default_action: "SCMP_ACT_ALLOW".into(), ..Filter::default() };
    let bad = [
        Filter { default_action: "ALLOW".into(), ..base() },
        Filter { flags: vec!["NOPE".into()], ..base() },
        Filter { architectures: vec!["x86".into()], ..base() },
        Filter { syscalls: vec![rule("read", "SCMP_ACT_NOTIFY", vec![])], ..base() },
        Filter { syscalls: vec![rule("read", "SCMP_ACT_LOG", vec![arg(6, "EQ", 0, 0)])], ..base() },
        Filter { syscalls: vec![rule("read", "SCMP_ACT_LOG", vec![arg(0, "LIKE", 0, 0)])], ..base() },
    ];
    for filter in bad {
        assert!(compile(&filter).is_err(), "{filter:?}");
    }
}
