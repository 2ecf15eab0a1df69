//! What dies, and what lives on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Agent, eventually};

fn parent_of(pid: i64) -> i64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

fn kill(pid: i64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn killing_the_daemon_loses_nothing() {
    let mut agent = Agent::start();
    let counter = agent.run("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done", json!({}));
    let ending = agent.run("sleep 1; echo last words; exit 42", json!({}));
    let flood = agent.run("sleep 0.5; seq 1 100000; exit 6", json!({}));
    let restarting =
        agent.run("sleep 1; exit 1", json!({ "HostConfig": { "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 50 } } }));
    let pid = agent.inspect(&counter)["State"]["Pid"].clone();
    agent.kill();
    std::thread::sleep(Duration::from_secs(3));
    agent.respawn();
    assert_eq!(agent.inspect(&counter)["State"]["Pid"], pid, "the container must be the same process");
    for (id, code) in [(&ending, 42), (&flood, 6)] {
        let state = agent.inspect(id)["State"].clone();
        assert_eq!((state["Status"].as_str(), state["ExitCode"].as_i64()), (Some("exited"), Some(code)));
    }
    assert_eq!(agent.output(&ending), "last words\n");
    assert_eq!(agent.output(&flood).lines().count(), 100_000);
    eventually("the restart policy goes on", || agent.inspect(&restarting)["RestartCount"].as_i64() >= Some(1));
    let lines: Vec<u32> = agent.output(&counter).lines().map(|line| line.parse().unwrap()).collect();
    assert!(lines.len() > 200 && lines.iter().copied().eq(1..=lines.len() as u32), "a line is missing among {}", lines.len());
    // It is under control again.
    assert_eq!(agent.client.request("POST", &format!("/containers/{counter}/stop?t=0"), b"").status, 204);
    assert_eq!(agent.inspect(&counter)["State"]["ExitCode"], 137);
}

#[test]
fn killing_the_daemon_often() {
    let mut agent = Agent::start();
    let id = agent.run("i=0; while :; do i=$((i+1)); echo $i; sleep 0.005; done", json!({}));
    for _ in 0..10 {
        agent.kill();
        agent.respawn();
        assert_eq!(agent.inspect(&id)["State"]["Running"], true);
    }
    let lines: Vec<u32> = agent.output(&id).lines().map(|line| line.parse().unwrap()).collect();
    assert!(lines.iter().copied().eq(1..=lines.len() as u32));
}

#[test]
fn another_spawner_takes_over() {
    let agent = Agent::start();
    let id = agent.run("sleep 0.5; exit 3", json!({}));
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).unwrap();
    for child in children.split_whitespace() {
        kill(child.parse().unwrap());
    }
    assert_eq!(agent.wait(&id), 3);
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
}

#[test]
fn without_its_shim_a_container_is_ended_and_told_so() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000 & sleep 1000", json!({}));
    let pid = agent.inspect(&id)["State"]["Pid"].as_i64().unwrap();
    kill(parent_of(pid));
    assert_eq!(agent.wait(&id), 137);
    let state = agent.inspect(&id)["State"].clone();
    assert!(state["Error"].as_str().unwrap().contains("watched this container"), "{state}");
    eventually("its processes are gone", || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_err()
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z")
    });
    // And it can be started again.
    agent.begin(&id);
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}

#[test]
fn published_ports_come_back() {
    let mut agent = Agent::start();
    let host = json!({ "HostConfig": { "PortBindings": { "80/tcp": [{ "HostPort": "0" }] } } });
    let id = agent.run("mkdir -p /www; echo hi > /www/index.html; httpd -f -p 80 -h /www", host);
    let port = agent.inspect(&id)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    agent.kill();
    agent.respawn();
    let url = format!("127.0.0.1:{port}");
    eventually("the port answers", || {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(&url) else { return false };
        let mut text = String::new();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok() && stream.read_to_string(&mut text).is_ok() && text.ends_with("hi\n")
    });
}

#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    let mut agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    agent.kill();
    agent.respawn_unheard();
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
    // Both the daemon and the shim have something to say about a shim that is killed.
    kill(parent_of(agent.inspect(&id)["State"]["Pid"].as_i64().unwrap()));
    assert_eq!(agent.wait(&id), 137);
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
}
