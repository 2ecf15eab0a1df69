//! Much work at once: the memory that it took goes back to the kernel afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::Agent;
use support::builds::{Plan, build};

const MEGABYTE: u64 = 1 << 20;

/// Bytes, of `VmRSS` (now) or `VmHWM` (the most so far).
fn memory(agent: &Agent, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Waits until the daemon takes at most this much.
fn await_small(agent: &Agent, most: u64) {
    let end = Instant::now() + Duration::from_secs(60);
    while memory(agent, "VmRSS") > most {
        assert!(Instant::now() < end, "{} MB after a minute, {} MB wanted", memory(agent, "VmRSS") >> 20, most >> 20);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_a_large_context_took_is_given_back() {
    let agent = Agent::start();
    let warm = Plan::new(&agent).run("true");
    build(&agent, &warm.request("warm", json!({ "timeoutMs": 60_000 })), &[]);
    let before = memory(&agent, "VmRSS");
    let names: Vec<String> = (0..190_000).map(|i| format!("some/directory/{}/with-a-name/file-{i}", i % 1000)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let events = build(&agent, &warm.request("large", json!({ "timeoutMs": 60_000 })), &files);
    assert_eq!(events.last().unwrap()["type"], "result");
    let most = memory(&agent, "VmHWM");
    println!("{} MB before, {} MB at most, {} MB now", before >> 20, most >> 20, memory(&agent, "VmRSS") >> 20);
    assert!(most > before + 20 * MEGABYTE, "the context was too small to tell: {} MB", most >> 20);
    await_small(&agent, before + 10 * MEGABYTE);
    println!("{} MB at last", memory(&agent, "VmRSS") >> 20);
}
