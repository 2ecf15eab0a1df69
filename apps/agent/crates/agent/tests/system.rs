//! What clients ask first: ping, versions, info; and what they are told when there is nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::json;
use support::Agent;

/// The whole answer to a request whose path is sent as it is.
fn raw(agent: &Agent, method: &str, path: &str, body: &[u8]) -> String {
    let mut stream = UnixStream::connect(&agent.socket).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_ping_says_what_is_spoken() {
    let agent = Agent::bare();
    for (method, body) in [("GET", "OK"), ("HEAD", "")] {
        let answer = raw(&agent, method, "/_ping", b"");
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!((status(&answer), rest), (200, body), "{answer}");
        for header in [
            "api-version: 1.",
            "docker-experimental: false",
            "ostype: linux",
            "builder-version: ",
            "server: slipway/",
            "cache-control: no-cache, no-store, must-revalidate",
            "pragma: no-cache",
            "swarm: inactive",
        ] {
            assert_eq!(head.matches(header).count(), 1, "{header} in {head}");
        }
    }
}

#[test]
fn versions_are_negotiated() {
    let agent = Agent::bare();
    let version = agent.client.get("/version");
    let (own, least) = (version["ApiVersion"].as_str().unwrap(), version["MinAPIVersion"].as_str().unwrap());
    for path in ["/version".to_owned(), format!("/v{own}/version"), format!("/v{least}/version"), "/v1.44/_ping".into()] {
        assert_eq!(status(&raw(&agent, "GET", &path, b"")), 200, "{path}");
    }
    let new = raw(&agent, "GET", "/v1.999/version", b"");
    assert!(
        status(&new) == 400 && new.contains(&format!("client version 1.999 is too new. Maximum supported API version is {own}")),
        "{new}"
    );
    assert!(new.to_ascii_lowercase().contains(&format!("api-version: {own}")), "{new}");
    let old = raw(&agent, "GET", "/v1.12/version", b"");
    assert!(status(&old) == 400 && old.contains(&format!("too old. Minimum supported API version is {least}")), "{old}");
}

#[test]
fn what_is_not_there_is_told() {
    let agent = Agent::bare();
    for (method, path, code, words) in [
        ("GET", "/nothing/here", 404, "this engine has no GET /nothing/here"),
        ("PUT", "/version", 405, "this engine has no PUT /version"),
        ("POST", "/swarm/init", 503, "not a swarm manager"),
        ("GET", "/services", 503, "not a swarm manager"),
        ("GET", "/secrets/x", 503, "not a swarm manager"),
        ("GET", "/plugins/some/json", 404, "not found"),
        ("POST", "/plugins/pull", 501, "no plugins"),
        ("POST", "/session", 501, "Slipway's builder"),
    ] {
        let answer = raw(&agent, method, path, b"");
        assert!(status(&answer) == code && answer.contains("{\"message\":") && answer.contains(words), "{method} {path}: {answer}");
    }
    // A client that sends a large context first still gets to read the reason.
    let answer = raw(&agent, "POST", "/v1.44/build?dockerfile=Dockerfile", &vec![7; 8 << 20]);
    assert!(status(&answer) == 501 && answer.contains("/slipway/v1/builds"), "{answer}");
}

#[test]
fn figures_of_a_running_container() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({ "HostConfig": { "Memory": 64 << 20 } }));
    let stats = agent.client.get(&format!("/containers/{id}/stats?stream=0"));
    assert!(stats["memory_stats"]["limit"] == 64 << 20 && stats["pids_stats"]["current"].as_u64() > Some(0), "{stats}");
    assert!(stats["cpu_stats"]["system_cpu_usage"].as_u64() > stats["precpu_stats"]["system_cpu_usage"].as_u64(), "{stats}");
    let networks = stats["networks"].as_object().unwrap();
    assert!(networks.contains_key("eth0") && !networks.contains_key("lo"), "{stats}");
    let once = agent.client.get(&format!("/containers/{id}/stats?stream=0&one-shot=1"));
    assert!(once["preread"] == "0001-01-01T00:00:00Z" && once["id"] == json!(id), "{once}");
    let mut lines = agent.client.stream(&format!("/containers/{id}/stats?stream=1"));
    let mut begun = [0; 64];
    lines.read_exact(&mut begun).unwrap();
    assert!(String::from_utf8_lossy(&begun).contains("{\""), "{begun:?}");
    assert_eq!(agent.client.request("GET", "/containers/none/stats", b"").status, 404);
    let alone = agent.run("sleep 1000", json!({ "HostConfig": { "NetworkMode": "none" } }));
    assert_eq!(agent.client.get(&format!("/containers/{alone}/stats?stream=0&one-shot=1"))["networks"], json!({}));
}
