//! Waiting: the head of the answer comes at once, its body when it has come to that.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use support::Agent;

/// A wait whose head has been read, so that the engine is waiting from here on.
fn begin(agent: &Agent, id: &str, condition: &str) -> std::io::BufReader<UnixStream> {
    let mut stream = UnixStream::connect(&agent.socket).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    write!(stream, "POST /containers/{id}/wait?condition={condition} HTTP/1.1\r\nHost: agent\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut reader = std::io::BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains(" 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    reader
}

fn code(mut waiting: std::io::BufReader<UnixStream>) -> i64 {
    let mut line = String::new();
    while !line.contains('{') {
        line.clear();
        assert!(waiting.read_line(&mut line).unwrap() > 0, "the answer has no body");
    }
    serde_json::from_str::<Value>(&line).unwrap()["StatusCode"].as_i64().unwrap()
}

#[test]
fn each_condition_comes_in_its_time() {
    let agent = Agent::start();
    let id = agent.create("exit 5", json!({}));
    assert_eq!(code(begin(&agent, &id, "not-running")), 0, "it does not run");
    let (next, removed) = (begin(&agent, &id, "next-exit"), begin(&agent, &id, "removed"));
    agent.begin(&id);
    assert_eq!(code(next), 5);
    assert_eq!(code(begin(&agent, &id, "not-running")), 5);
    // It has ended; the next end is another one.
    let next = begin(&agent, &id, "next-exit");
    agent.begin(&id);
    assert_eq!(code(next), 5);
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 204);
    assert_eq!(code(removed), 5);
    assert_eq!(agent.client.request("POST", "/containers/none/wait", b"").status, 404);
    let id = agent.create("true", json!({}));
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/wait?condition=soon"), b"").status, 400);
}

#[test]
fn of_many_removals_one_removes() {
    let agent = Agent::start();
    for _ in 0..5 {
        let id = agent.run("sleep 1000", json!({}));
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let remove = || agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status;
            let removals: Vec<_> = (0..6).map(|_| scope.spawn(remove)).collect();
            removals.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 204 | 404 | 409)), "{statuses:?}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let filter = "%7B%22event%22%3A%5B%22destroy%22%5D%7D";
    let events = agent.client.request("GET", &format!("/events?since=1&until={now}.999&filters={filter}"), b"").text();
    assert_eq!(events.lines().count(), 5, "{events}");
}
