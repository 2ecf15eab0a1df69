//! Seccomp filters as small BPF programs: the default (what Docker's default profile allows), and the user's own.
//!
//! Rules become sorted ranges of system call numbers and the program a binary search over them (about 9 comparisons
//! per call instead of hundreds), so that loading it at every start and running it is cheap.
mod bpf;
mod builds;
mod compare;
pub mod custom;
#[cfg(test)]
mod custom_tests;
mod docker;
mod names;
mod profile;

pub use builds::build_filter;
pub use compare::{Argument, OPERATORS};
pub use docker::docker_filter;

use bpf::{Outcome, Program};

/// The compiled filter for a container that has `capabilities` (bit mask), as bytes for `slipway_sys::seccomp`.
pub fn default_filter(capabilities: u64) -> Vec<u8> {
    Program::compile(default_rules(capabilities)).bytes()
}

fn default_rules(capabilities: u64) -> Vec<(u32, Outcome)> {
    let mut rules: Vec<(u32, Outcome)> = profile::allowed(capabilities).into_iter().map(|n| (n, Outcome::Allow)).collect();
    rules.extend(profile::conditional(capabilities));
    rules
}
