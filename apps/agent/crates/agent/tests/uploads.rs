//! Uploaded contexts over HTTP: sent, built from, and there after the agent was killed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Write;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use slipway_store::Digest;
use support::builds::{Plan, build, last, log, minute};
use support::{Agent, eventually};

const HEAD: &str = "slipway-objects-1\n";

fn blob(content: &str) -> (String, String) {
    let hex = Digest::of(content.as_bytes()).hex();
    (format!("blob {hex} {}\n{content}", content.len()), hex)
}

/// One file `hello.txt`; the objects, and the digest of the root.
fn context(content: &str) -> (String, String) {
    let (record, hex) = blob(content);
    let object = format!("slipway-tree-1\nf 644 {} {hex} hello.txt\0", content.len());
    let root = Digest::of(object.as_bytes());
    (format!("{HEAD}{record}tree {} {}\n{object}", root.hex(), object.len()), root.to_string())
}

fn post(agent: &Agent, path: &str, scope: &str, body: &[u8]) -> (u16, Value) {
    let answer = agent.client.request("POST", &format!("/slipway/v1/contexts/{path}?scope={scope}"), body);
    (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
}

#[test]
fn an_upload_is_built_from_and_survives_a_kill_in_its_midst() {
    let mut agent = Agent::start();
    let (objects, root) = context("hello\n");
    let commit = format!("{root}/commit");
    let (status, answer) = post(&agent, &commit, "org", b"");
    assert_eq!((status, &answer["missing"]["trees"]), (409, &json!([root.trim_start_matches("sha256:")])));
    // Killed with one file whole and another half of the way.
    let (whole, hex) = blob("hello\n");
    let mut connection = UnixStream::connect(&agent.socket).unwrap();
    let (half, _) = blob(&"x".repeat(2_000_000));
    let body = format!("{HEAD}{whole}{half}");
    write!(connection, "POST /slipway/v1/contexts/objects?scope=org HTTP/1.1\r\nHost: agent\r\nContent-Length: {}\r\n\r\n", body.len())
        .unwrap();
    connection.write_all(&body.as_bytes()[..1_000_000]).unwrap();
    let asked = json!({ "trees": [], "blobs": [hex] }).to_string();
    eventually("the whole one is there", || {
        let (status, answer) = post(&agent, "missing", "org", asked.as_bytes());
        status == 200 && answer["blobs"] == json!([])
    });
    agent.kill();
    agent.respawn();
    assert_eq!(post(&agent, "objects", "org", objects.as_bytes()).0, 200);
    let (status, answer) = post(&agent, &commit, "org", b"");
    assert_eq!((status, answer), (200, json!({ "entries": 1, "bytes": 6 })));
    let mut request = Plan::new(&agent).copy("hello.txt", "/srv/").run("cat /srv/hello.txt").request("b1", minute());
    request["context"] = json!({ "tree": root });
    let events = build(&agent, &request, &[]);
    assert_eq!((last(&events)["type"].as_str(), log(&events).as_str()), (Some("result"), "hello\n"), "{events:#?}");
    request["scope"] = json!("another");
    assert_eq!(last(&build(&agent, &request, &[]))["code"], "BAD_CONTEXT");
}

#[test]
fn what_is_no_upload_is_refused() {
    let agent = Agent::bare();
    let (objects, root) = context("hello\n");
    for (path, scope, body, expected) in [
        ("objects", "", objects.as_bytes(), 400),
        ("objects", "org", b"hello".as_slice(), 400),
        ("objects", "org", b"".as_slice(), 400),
        ("objects", "org", objects.replace("hello", "hallo").as_bytes(), 400),
        ("nonsense/commit", "org", b"".as_slice(), 400),
        ("sha256:../commit", "org", b"".as_slice(), 400),
    ] {
        assert_eq!(post(&agent, path, scope, body).0, expected, "{path} {scope} {}", String::from_utf8_lossy(body));
    }
    assert_eq!(post(&agent, &format!("{root}/commit"), "org", b"").0, 409);
}
