//! Dockerfiles that mean the host harm: what their steps leave must neither kill the agent nor keep it from starting.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::builds::{Plan, build, last};
use support::{Agent, eventually};

/// Each level takes a piece of a stack and a descriptor of whoever walks it by recursion.
/// 7,200 of them by names that a program can still say: each chain is moved to the end of the next.
const NEST: &str = "p=d; i=0; while [ $i -lt 1800 ]; do p=$p/d; i=$((i+1)); done; \
    for c in 1 2 3 4; do mkdir -p n/$p; [ ! -e all ] || mv all n/$p/; mv n all; done";

/// Making that many directories takes a slow disk its time.
fn patient() -> Value {
    json!({ "timeoutMs": 600_000 })
}

fn leftovers(agent: &Agent) -> usize {
    support::disk::names(agent, "builds").len()
}

#[test]
fn directories_nested_without_end_become_no_layer_and_go_away() {
    let mut agent = Agent::start();
    let nested = Plan::new(&agent).run(NEST);
    let built = build(&agent, &nested.request("b1", patient()), &[]);
    assert_eq!(last(&built)["code"], "DISK_LIMIT", "{:?}", last(&built));
    // Within a cache they stay there, and the cache can go.
    let cached = json!({ "mounts": [{ "type": "cache", "id": "c", "target": "/n", "sharing": "shared", "from": null, "source": ".",
        "mode": 0o755, "uid": 0, "gid": 0 }] });
    let shown = Plan::new(&agent).run_with(&format!("cd /n; {NEST}"), &cached);
    let built = build(&agent, &shown.request("b2", patient()), &[]);
    assert_eq!(last(&built)["type"], "result", "{:?}", last(&built));
    assert_eq!(agent.client.request("POST", "/build/prune?all=1", b"").status, 200);
    let kept = agent.client.get("/slipway/v1/build-cache");
    assert_eq!(kept["records"].as_array().map(Vec::len), Some(0), "{kept}");
    eventually("what the steps wrote is gone", || leftovers(&agent) == 0);
    // What a killed daemon left is as deep.
    let mut at = rustix::fs::open(agent.root.path().join("data/builds"), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    agent.kill();
    for _ in 0..20_000 {
        rustix::fs::mkdirat(&at, "left", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, "left", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    }
    drop(at);
    agent.respawn();
    assert_eq!(leftovers(&agent), 0);
    let fine = Plan::new(&agent).run("true");
    assert_eq!(last(&build(&agent, &fine.request("b3", patient()), &[]))["type"], "result");
}

#[test]
fn a_sparse_file_of_any_length_is_no_layer() {
    let agent = Agent::start();
    let plan = Plan::new(&agent).run("busybox truncate -s 1024G /sparse");
    let built = build(&agent, &plan.request("b1", patient()), &[]);
    let told = last(&built);
    assert_eq!(told["code"], "DISK_LIMIT", "{told}");
    assert!(told["message"].as_str().unwrap().contains("holes included"), "{told}");
}
