//! Logs: complete, rotated, from the tail, followed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
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
    assert!(bytes <= 30 * 1024, "{bytes}");
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

/// Files come and go faster than the follower looks: it reads those in between as well.
#[test]
fn following_crosses_many_rotations_at_once() {
    let agent = Agent::start();
    let config = json!({ "OpenStdin": true, "HostConfig": { "LogConfig": { "Config": { "max-size": "4k", "max-file": "900" } } } });
    let id = agent.run("echo 0; read x; seq 1 20000", config);
    let stream = agent.client.hijack(&format!("/containers/{id}/attach?stream=1&stdin=1"), b"");
    let answer = std::thread::scope(|scope| {
        let path = format!("/containers/{id}/logs?stdout=1&follow=1");
        let client = &agent.client;
        let followed = scope.spawn(move || client.request("GET", &path, b""));
        std::thread::sleep(Duration::from_millis(200)); // to follow is what is tested; reading it all at once is as good
        stream.get_ref().write_all(b"go\n").unwrap();
        followed.join().unwrap()
    });
    let text = unframe(&answer.body);
    let wrong = text.lines().zip(0..).find(|(line, number)| *line != number.to_string());
    assert!(wrong.is_none() && text.lines().count() == 20_001, "{} lines, first wrong one {wrong:?}", text.lines().count());
}

#[test]
fn a_long_line_is_one_line() {
    let agent = Agent::start();
    let id = agent.run("echo first; head -c 100000 /dev/zero | tr '\\0' x; echo; echo last", json!({}));
    assert_eq!(agent.wait(&id), 0);
    let long = "x".repeat(100_000);
    assert_eq!(agent.logs(&id, "stdout=1&tail=2"), format!("{long}\nlast\n"));
    let stamped = agent.logs(&id, "stdout=1&tail=2&timestamps=1");
    assert_eq!(stamped.lines().next().unwrap().split_once(' ').unwrap().1, long, "one stamp at its beginning");
}

#[test]
fn following_ends_at_the_time_that_is_asked_for() {
    let agent = Agent::start();
    let id = agent.run("echo early; sleep 1000", json!({}));
    eventually("it has spoken", || agent.output(&id) == "early\n");
    let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 2;
    assert_eq!(agent.logs(&id, &format!("stdout=1&follow=1&until={until}")), "early\n");
    assert_eq!(agent.logs(&id, "stdout=1&follow=1&until=1000"), "");
}

#[test]
fn details_are_what_the_options_name() {
    let agent = Agent::start();
    let options = json!({ "labels": "color,none", "env": "WHO", "tag": "{{.Name}}/{{.ID}}", "compress": "false" });
    let config = json!({
        "Labels": { "color": "dark red", "other": "x" }, "Env": ["WHO=me"], "HostConfig": { "LogConfig": { "Type": "json-file", "Config": options } },
    });
    let id = agent.run("echo hello", config);
    assert_eq!(agent.wait(&id), 0);
    let name = agent.inspect(&id)["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    let expected = format!("WHO=me,color=dark+red,tag={name}%2F{} hello\n", &id[..12]);
    assert_eq!(agent.logs(&id, "stdout=1&details=1"), expected);
    let bad = |options: serde_json::Value| {
        let host = json!({ "LogConfig": { "Type": "json-file", "Config": options } });
        agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }))
    };
    let answer = bad(json!({ "nope": "1" }));
    assert_eq!((answer.status, answer.json()["message"].as_str()), (400, Some("unknown log opt 'nope' for json-file log driver")));
    assert_eq!(bad(json!({ "max-size": "much" })).status, 400);
    let host = json!({ "LogConfig": { "Type": "cloud" } });
    let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
    assert_eq!((answer.status, answer.json()["message"].as_str()), (400, Some("logger: no log driver named 'cloud' is registered")));
}

#[test]
fn pages_have_every_line_once() {
    let agent = Agent::start();
    let config = json!({ "OpenStdin": true, "HostConfig": { "LogConfig": { "Config": { "max-size": "4k", "max-file": "100" } } } });
    let id = agent.run("seq 1 300; read x; seq 301 900; read y; seq 901 1900", config);
    let mut stream = agent.client.hijack(&format!("/containers/{id}/attach?stream=1&stdin=1"), b"");
    let page = |query: &str| agent.client.get(&format!("/slipway/v1/containers/{id}/logs?{query}"));
    let texts = |page: &serde_json::Value| -> Vec<String> {
        page["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    };
    eventually("it has spoken", || texts(&page("limit=1")) == ["300\n"]);
    let first = page("limit=3");
    assert_eq!(texts(&first), ["298\n", "299\n", "300\n"]);
    assert!(first["lines"][0]["stream"] == "stdout" && first["lines"][0]["time"].as_str().unwrap().ends_with('Z'), "{first}");
    let mut cursor = first["next"].as_str().unwrap().to_owned();
    assert_eq!(texts(&page(&format!("after={cursor}"))).len(), 0);
    stream.get_ref().write_all(b"go\n").unwrap();
    let mut seen = Vec::new();
    eventually("all pages are read", || {
        let next = page(&format!("after={cursor}&limit=70"));
        assert_eq!(next["lost"], false);
        cursor = next["next"].as_str().unwrap().to_owned();
        seen.extend(texts(&next));
        seen.len() >= 600
    });
    assert!(seen.iter().zip(301..).all(|(text, number)| *text == format!("{number}\n")) && seen.len() == 600, "{seen:?}");
    let lost = page("after=1-0&limit=1");
    assert!(lost["lost"] == true && texts(&lost) == ["1\n"], "{lost}");
    assert_eq!(agent.client.request("GET", &format!("/slipway/v1/containers/{id}/logs?after=here"), b"").status, 400);
    stream.get_ref().write_all(b"go\n").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
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
