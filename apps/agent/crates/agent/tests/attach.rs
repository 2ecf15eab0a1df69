//! Attached clients: complete, each for itself, and never in the container's way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Agent, eventually, unframe};

fn attach(agent: &Agent, id: &str, query: &str) -> BufReader<UnixStream> {
    agent.client.hijack(&format!("/containers/{id}/attach?{query}"), b"")
}

fn to_the_end(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    unframe(&bytes)
}

/// Payload of the next frames until they hold `wanted`.
fn until(stream: &mut impl Read, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut header = [0; 8];
        stream.read_exact(&mut header).unwrap();
        let mut data = vec![0; u32::from_be_bytes(header[4..].try_into().unwrap()) as usize];
        stream.read_exact(&mut data).unwrap();
        text.push_str(&String::from_utf8_lossy(&data));
    }
    text
}

/// Raw output until it holds `wanted`.
fn until_raw(stream: &mut impl Read, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    text
}

#[test]
fn log_and_stream_join_without_gap_and_nothing_comes_twice() {
    let agent = Agent::start();
    let host = json!({ "HostConfig": { "LogConfig": { "Config": { "max-size": "8k", "max-file": "100" } } } });
    let id = agent.run("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i%100)) -gt 0 ] || sleep 0.05; done", host);
    let all: String = (1..=3_000).map(|number| format!("{number}\n")).collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let stream = attach(&agent, &id, "logs=1&stream=1&stdout=1&stderr=1");
            let all = &all;
            scope.spawn(move || {
                let text = to_the_end(stream);
                let wrong = text.lines().zip(1..).find(|(line, number)| *line != number.to_string());
                assert!(text == *all, "{} lines, first wrong one {wrong:?}", text.lines().count());
            });
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    // Of one that has ended there is the log alone.
    assert_eq!(to_the_end(attach(&agent, &id, "logs=1&stdout=1")), all);
}

#[test]
fn a_line_without_an_end_is_part_of_what_was_written() {
    let agent = Agent::start();
    let id = agent.run("printf 'begun '; read x; echo $x; echo err >&2", json!({ "OpenStdin": true }));
    let mut first = attach(&agent, &id, "logs=1&stream=1&stdin=1&stdout=1&stderr=1");
    assert_eq!(until(&mut first, "begun "), "begun ");
    let mut second = attach(&agent, &id, "logs=1&stream=1&stdout=1");
    assert_eq!(until(&mut second, "begun "), "begun ");
    first.get_ref().write_all(b"done\n").unwrap();
    assert_eq!(to_the_end(first), "done\nerr\n");
    assert_eq!(to_the_end(second), "done\n", "only what it asked for");
    assert_eq!(agent.output(&id), "begun done\nerr\n");
}

#[test]
fn keys_detach_and_the_container_runs_on() {
    let agent = Agent::start();
    let id = agent.run("while read line; do echo got $line; done", json!({ "Tty": true, "OpenStdin": true }));
    for (query, keys, typed) in [("", &b"\x10\x11"[..], "one"), ("&detachKeys=ctrl-a%2Cd", b"\x01d", "two")] {
        let mut stream = attach(&agent, &id, &format!("stream=1&stdin=1&stdout=1&stderr=1{query}"));
        stream.get_ref().write_all(format!("{typed}\n").as_bytes()).unwrap();
        until_raw(&mut stream, &format!("got {typed}"));
        stream.get_ref().write_all(keys).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(agent.inspect(&id)["State"]["Running"], true);
    }
    let told = || agent.client.events(&json!({ "event": ["detach"], "container": [id] })).len();
    eventually("both detachments are told", || told() == 2);
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/attach?detachKeys=ctrl-1"), b"").status, 400);
}

/// Without a terminal the same bytes are the program's.
#[test]
fn without_a_terminal_no_keys_detach() {
    let agent = Agent::start();
    let id = agent.create("cat", json!({ "OpenStdin": true, "StdinOnce": true }));
    let stream = attach(&agent, &id, "stream=1&stdin=1&stdout=1&stderr=1");
    agent.begin(&id);
    stream.get_ref().write_all(b"a\x10\x11b\n").unwrap();
    stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(stream), "a\x10\x11b\n");
}

#[test]
fn who_looks_on_and_does_not_read_is_in_nobodys_way() {
    let agent = Agent::start();
    let host = json!({ "OpenStdin": true, "HostConfig": { "LogConfig": { "Config": { "max-size": "1m" } } } });
    let id = agent.run("read x; yes $(printf %0100d 0) | head -c 20000000; echo; echo over", host);
    let sleeper = attach(&agent, &id, "stream=1&stdout=1");
    let reader = attach(&agent, &id, "stream=1&stdin=1&stdout=1");
    let mut half = reader.get_ref().try_clone().unwrap();
    let bytes = std::thread::scope(|scope| {
        let bytes = scope.spawn(move || to_the_end(reader).len());
        half.write_all(b"go\n").unwrap();
        bytes.join().unwrap()
    });
    assert_eq!(agent.wait(&id), 0);
    assert!(agent.output(&id).ends_with("over\n"));
    assert!(bytes > 1_000_000, "the other client was served: {bytes}");
    drop(sleeper);
}

#[test]
fn a_client_without_an_upgrade_gets_the_output_as_a_body() {
    let agent = Agent::start();
    let id = agent.create("echo out; echo err >&2", json!({}));
    let path = format!("/containers/{id}/attach?stream=1&stdout=1&stderr=1");
    let answer = std::thread::scope(|scope| {
        let attached = scope.spawn(|| agent.client.request("POST", &path, b""));
        eventually("it is attached", || !agent.client.events(&json!({ "event": ["attach"] })).is_empty());
        agent.begin(&id);
        attached.join().unwrap()
    });
    let text = unframe(&answer.body);
    assert!(answer.status == 200 && text.contains("out\n") && text.contains("err\n"), "{} {text}", answer.status);
}

/// The payload of one message from the server, which masks nothing.
fn message(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut length = usize::from(head[1]);
    if length == 126 {
        let mut longer = [0; 2];
        stream.read_exact(&mut longer).unwrap();
        length = usize::from(u16::from_be_bytes(longer));
    }
    let mut data = vec![0; length];
    stream.read_exact(&mut data).unwrap();
    (head[0], data)
}

fn masked(opcode: u8, data: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(data.len()).unwrap()];
    frame.extend(mask);
    frame.extend(data.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn a_browser_attaches_by_websocket() {
    let agent = Agent::start();
    let id = agent.run("echo hello; read x; echo got $x >&2; read y", json!({ "OpenStdin": true }));
    let connect = |origin: &str| {
        let mut stream = UnixStream::connect(&agent.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let path = format!("/v1.44/containers/{id}/attach/ws?logs=1&stream=1&stdin=1&stdout=1&stderr=1");
        let head = "Host: agent\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        stream.write_all(format!("GET {path} HTTP/1.1\r\n{head}{key}Origin: {origin}\r\n\r\n").as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let answer = until_raw(&mut reader, "\r\n\r\n");
        (answer, reader)
    };
    assert!(connect("https://elsewhere").0.starts_with("HTTP/1.1 403"));
    let (answer, mut stream) = connect("https://agent");
    assert!(answer.starts_with("HTTP/1.1 101") && answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    assert_eq!(message(&mut stream), (0x82, b"hello\n".to_vec()), "binary, without Docker's frames");
    stream.get_ref().write_all(&masked(9, b"there?")).unwrap();
    assert_eq!(message(&mut stream), (0x8a, b"there?".to_vec()));
    stream.get_ref().write_all(&masked(1, b"this\n")).unwrap();
    assert_eq!(message(&mut stream), (0x82, b"got this\n".to_vec()));
    stream.get_ref().write_all(&masked(8, &1_000u16.to_be_bytes())).unwrap();
    assert_eq!(message(&mut stream), (0x88, 1_000u16.to_be_bytes().to_vec()));
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}

#[test]
fn refusals() {
    let agent = Agent::start();
    let status = |id: &str, query: &str| agent.client.upgrade(&format!("/containers/{id}/attach?{query}"), b"").0;
    let refused = |id: &str, query: &str| agent.client.request("POST", &format!("/containers/{id}/attach?{query}"), b"");
    let id = agent.run("sleep 100", json!({ "HostConfig": { "LogConfig": { "Type": "none" } } }));
    let answer = refused(&id, "logs=1&stdout=1");
    assert_eq!((answer.status, answer.json()["message"].as_str()), (501, Some("configured logging driver does not support reading")));
    assert_eq!(agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1"), b"").status, 501);
    assert_eq!(status(&id, "stream=1&stdout=1"), 101);
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/pause"), b"").status, 204);
    let answer = refused(&id, "stream=1&stdout=1");
    assert!(answer.status == 409 && answer.text().contains("is paused, unpause the container before attach"), "{}", answer.text());
    let policy = json!({ "HostConfig": { "RestartPolicy": { "Name": "always" } } });
    let looping = agent.run("exit 1", policy);
    let restarting = || agent.inspect(&looping)["State"]["Restarting"] == Value::Bool(true);
    eventually("attaching is refused between two runs", || {
        eventually("it waits for its restart", restarting);
        let answer = refused(&looping, "");
        answer.status == 409 && answer.text().contains("is restarting, wait until the container is running")
    });
    assert_eq!(refused("nobody", "stream=1").status, 404);
}
