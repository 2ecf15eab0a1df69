//! The wall clock jumps by a day, forward and back, under the daemon and its shims: nothing hangs and nothing runs wild.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::BufRead;

use serde_json::json;
use support::{Agent, eventually};

const DAY: i64 = 86_400;

/// With a clock that tests set.
fn agent_with_clock() -> Agent {
    let mut agent = Agent::start();
    set(&agent, 0);
    agent.kill();
    agent.env = vec![("SLIPWAY_CLOCK_SHIFT".to_owned(), agent.root.path().join("clock/shift").display().to_string())];
    agent.respawn();
    agent
}

fn set(agent: &Agent, shift: i64) {
    let dir = agent.root.path().join("clock");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("new"), shift.to_string() + "\n").unwrap();
    std::fs::rename(dir.join("new"), dir.join("shift")).unwrap();
}

/// Fails when none comes within the client's patience.
fn await_last_chunk(body: &mut impl BufRead) {
    let mut line = Vec::new();
    while line != b"0\r\n" {
        line.clear();
        assert!(body.read_until(b'\n', &mut line).expect("the stream ends") > 0, "it breaks off");
    }
}

fn seconds(agent: &Agent) -> i64 {
    let text = agent.client.get("/info")["SystemTime"].as_str().unwrap().to_owned();
    slipway_store::parse_rfc3339(&text).unwrap() / 1_000_000_000
}

#[test]
fn a_wall_clock_that_jumps_a_day_hangs_nothing_and_hurries_nothing() {
    let mut agent = agent_with_clock();
    let check = json!({ "Healthcheck": { "Test": ["CMD-SHELL", "echo x >> /checks"], "Interval": 200_000_000, "Retries": 1 } });
    let checked = agent.run("while :; do echo line; sleep 0.05; done", check);
    let restart = json!({ "HostConfig": { "RestartPolicy": { "Name": "always" } } });
    let failing = agent.run("exit 1", restart);
    let restarts = |agent: &Agent| agent.inspect(&failing)["RestartCount"].as_i64().unwrap();
    eventually("some restarts, so that the pauses are long", || restarts(&agent) >= 2);
    // Streams that were asked to end soon, before the clock jumps.
    let soon = seconds(&agent) + 2;
    let mut ends: Vec<_> = [format!("/events?until={soon}"), format!("/containers/{checked}/logs?follow=1&stdout=1&until={soon}")]
        .iter()
        .map(|path| agent.client.stream(path))
        .collect();
    for (shift, word) in [(-DAY, "back"), (DAY, "forward"), (0, "home")] {
        let real = seconds(&agent);
        let before = restarts(&agent);
        set(&agent, shift);
        assert!((seconds(&agent) - real).abs() > DAY / 2, "{word}: the daemon's clock has jumped");
        let checks = || support::networks::exec(&agent, &checked, "cat /checks").len();
        let so_far = checks();
        eventually(&format!("{word}: health is still checked"), || checks() > so_far + 4);
        assert_eq!(agent.inspect(&checked)["State"]["Health"]["Status"], "healthy", "{word}");
        eventually(&format!("{word}: its restarts go on"), || restarts(&agent) > before);
        let quick = agent.run("trap '' TERM; echo ready; while :; do sleep 0.05; done", json!({}));
        eventually(&format!("{word}: it is ready"), || agent.output(&quick) == "ready\n");
        assert_eq!(agent.client.request("POST", &format!("/containers/{quick}/stop?t=1"), b"").status, 204, "{word}");
        assert_eq!(agent.inspect(&quick)["State"]["ExitCode"], 137, "{word}: killed when its second was over");
        if shift < 0 {
            for end in &mut ends {
                await_last_chunk(end);
            }
        }
    }
    // A daemon that starts while the clock stands a day before what it wrote down.
    set(&agent, -DAY);
    let before = restarts(&agent);
    agent.kill();
    agent.respawn();
    eventually("the restarts go on with the next daemon", || restarts(&agent) > before);
    assert_eq!(agent.inspect(&checked)["State"]["Running"], true);
    assert_eq!(agent.client.request("POST", "/images/prune?filters=%7B%22until%22%3A%5B%221h%22%5D%7D", b"").status, 200);
    assert_eq!(agent.text("echo fine", json!({})), "fine\n", "what is young is not pruned");
}

/// A short run that the clock made a day long is no steady one: the pauses between restarts would begin anew.
#[test]
fn a_run_that_the_clock_made_long_is_still_a_short_one() {
    let agent = agent_with_clock();
    let more = json!({ "HostConfig": {
        "RestartPolicy": { "Name": "always" }, "Binds": [format!("{}:/clock", agent.root.path().join("clock").display())],
    } });
    let id = agent.run("read old < /clock/shift; echo up; while read now < /clock/shift && [ $now = $old ]; do sleep 0.02; done", more);
    let state = agent.root.path().join("data/containers").join(&id).join("state.json");
    let backoff = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&state).unwrap()).ok().and_then(|s| s["backoff"].as_i64());
    for round in 1..4 {
        eventually("it is up", || agent.output(&id).lines().count() == round);
        set(&agent, round as i64 * DAY);
    }
    eventually("each end made the pause longer", || backoff() == Some(3));
}
