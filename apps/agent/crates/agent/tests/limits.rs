//! Memory, processes, CPU and file limits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::Agent;

#[test]
fn too_much_memory_is_told() {
    let agent = Agent::start();
    let host = json!({ "HostConfig": { "Memory": 16 << 20, "MemorySwap": 16 << 20 } });
    let id = agent.run("head -c 200m /dev/zero | tail", host);
    assert_eq!(agent.wait(&id), 137);
    let state = agent.inspect(&id)["State"].clone();
    assert_eq!((state["OOMKilled"].as_bool(), state["ExitCode"].as_i64()), (Some(true), Some(137)));
}

#[test]
fn limits_are_visible_inside() {
    let agent = Agent::start();
    let host = json!({ "HostConfig": { "Memory": 64 << 20, "PidsLimit": 33, "NanoCpus": 500_000_000, "CpusetCpus": "0", "Ulimits": [{ "Name": "nofile", "Soft": 100, "Hard": 200 }] } });
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; cat pids/pids.max pids.max 2>/dev/null; \
                  cat cpu/cpu.cfs_quota_us 2>/dev/null; cat cpu.max 2>/dev/null; grep Cpus_allowed_list /proc/self/status; ulimit -n; ulimit -Hn";
    let output = agent.text(script, host);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(&lines[..2], ["67108864", "33"], "{output}");
    assert!(lines[2].starts_with("50000") && lines[3].ends_with("\t0") && lines[4..] == ["100", "200"], "{output}");
}

#[test]
fn a_fork_bomb_stays_in_its_box() {
    let agent = Agent::start();
    let id = agent.run("f() { f | f & }; f; sleep 1; echo over", json!({ "HostConfig": { "PidsLimit": 30 } }));
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status, 204);
    assert_eq!(agent.text("echo alive", json!({})), "alive\n");
}

/// A host may lack CAP_SYS_RESOURCE; asking for more than it can give must not keep a container from running.
#[test]
fn limits_beyond_the_hosts_are_clamped() {
    let agent = Agent::start();
    let unlimited = json!({ "HostConfig": { "Ulimits": [{ "Name": "nofile", "Soft": 1_000_000_000, "Hard": 1_000_000_000 }, { "Name": "memlock", "Soft": -1, "Hard": -1 }] } });
    let (code, output) = agent.outcome("ulimit -n", unlimited);
    // The kernel refuses more open files than fs.nr_open to anyone.
    assert!(code == 0 && output.trim().parse::<u64>().is_ok_and(|n| n >= 1_024), "{code} {output}");
}
