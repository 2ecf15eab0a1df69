//! Logs: complete, rotated, from the tail, followed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Read;
use std::time::Duration;

use serde_json::json;
use support::{Agent, eventually, unframe};

#[test]
fn a_burst_is_complete_and_in_order() {
    let agent = Agent::start();
    let id = agent.run("seq 1 5000", json!({}));
    assert_eq!(agent.wait(&id), 0);
    let output = agent.output(&id);
    assert!(output.lines().map(|line| line.parse::<u32>().unwrap()).eq(1..=5000), "{} lines", output.lines().count());
    assert_eq!(agent.logs(&id, "stdout=1&tail=3"), "4998\n4999\n5000\n");
    assert_eq!(agent.logs(&id, "stderr=1"), "");
    let stamped = agent.logs(&id, "stdout=1&tail=1&timestamps=1");
    assert!(stamped.ends_with("Z 5000\n") && stamped.starts_with("20"), "{stamped}");
    assert_eq!(agent.logs(&id, "stdout=1&since=4000000000"), "");
}

#[test]
fn rotation_keeps_the_newest() {
    let agent = Agent::start();
    let config = json!({ "HostConfig": { "LogConfig": { "Type": "json-file", "Config": { "max-size": "10k", "max-file": "3" } } } });
    let id = agent.run("seq 1 3000", config);
    assert_eq!(agent.wait(&id), 0);
    let dir = agent.root.path().join("data/containers").join(&id);
    let bytes: u64 = std::fs::read_dir(&dir)
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("container.log"))
        .map(|e| e.metadata().unwrap().len())
        .sum();
    // One read of the pipe may be larger than the limit; rotation happens between reads.
    assert!(bytes < 400_000, "{bytes}");
    assert!(agent.output(&id).ends_with("2999\n3000\n"));
}

#[test]
fn following_ends_with_the_container_and_with_the_client() {
    let agent = Agent::start();
    let id = agent.run("for i in 1 2 3 4 5; do echo $i; sleep 0.1; done", json!({}));
    let answer = agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1&follow=1"), b"");
    assert_eq!(unframe(&answer.body), "1\n2\n3\n4\n5\n");
    let endless = agent.run("while :; do echo x; sleep 0.02; done", json!({}));
    let before = fds(agent.pid());
    for _ in 0..10 {
        let mut stream = agent.client.stream(&format!("/containers/{endless}/logs?stdout=1&follow=1"));
        let mut some = [0; 20];
        stream.read_exact(&mut some).unwrap();
    }
    eventually("the agent lets go of clients that left", || fds(agent.pid()) <= before + 2);
}

fn fds(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn following_crosses_rotations() {
    let agent = Agent::start();
    let config = json!({ "HostConfig": { "LogConfig": { "Config": { "max-size": "4k", "max-file": "50" } } } });
    let id = agent.run("for i in $(seq 1 300); do echo $i; sleep 0.002; done", config);
    let answer = agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1&follow=1"), b"");
    let numbers: Vec<u32> = unframe(&answer.body).lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(1..=300), "{} lines, last {:?}", numbers.len(), numbers.last());
}

#[test]
fn a_flood_nobody_reads_does_not_stop_the_container() {
    let agent = Agent::start();
    let config = json!({ "HostConfig": { "LogConfig": { "Config": { "max-size": "1m" } } } });
    let id = agent.run("yes | head -c 5000000; touch /done; sleep 100", config);
    eventually("the flood is over", || agent.inspect(&id)["State"]["Running"] == true && done(&agent, &id));
}

fn done(agent: &Agent, id: &str) -> bool {
    std::thread::sleep(Duration::from_millis(100));
    let pid = agent.inspect(id)["State"]["Pid"].as_i64().unwrap();
    std::path::Path::new(&format!("/proc/{pid}/root/done")).exists()
}
