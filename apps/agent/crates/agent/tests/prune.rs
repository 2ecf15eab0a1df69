//! Pruning takes what was asked for and nothing else; filters mean what they say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::Agent;

/// `filters=…` for a URL.
fn filters(filters: &Value) -> String {
    let hex: String = filters.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
    format!("filters={hex}")
}

fn ids(list: &Value) -> Vec<String> {
    let mut ids: Vec<String> = list.as_array().unwrap().iter().map(|one| one["Id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn containers_are_pruned_by_age_and_label() {
    let agent = Agent::start();
    let ended = agent.run("head -c 1000000 /dev/urandom > /file", json!({ "Labels": { "keep": "no" } }));
    agent.wait(&ended);
    let kept = agent.create("true", json!({ "Labels": { "keep": "yes" } }));
    let running = agent.run("sleep 1000", json!({}));
    let prune = |wanted: Value| agent.client.request("POST", &format!("/containers/prune?{}", filters(&wanted)), b"");
    assert_eq!(prune(json!({ "until": ["1h"] })).json()["ContainersDeleted"], json!([]));
    assert_eq!(prune(json!({ "label": ["keep=maybe"] })).json()["ContainersDeleted"], json!([]));
    for bad in [json!({ "until": ["soon"] }), json!({ "until": ["1h", "2h"] }), json!({ "name": ["x"] })] {
        assert_eq!(prune(bad.clone()).status, 400, "{bad}");
    }
    let answer = prune(json!({ "label!": ["keep=yes"] })).json();
    assert_eq!(answer["ContainersDeleted"], json!([ended]));
    assert!(answer["SpaceReclaimed"].as_u64() >= Some(1_000_000), "{answer}");
    assert_eq!(prune(json!({ "until": ["0s"] })).json()["ContainersDeleted"], json!([kept]));
    assert_eq!(ids(&agent.client.get("/containers/json?all=1")), [running]);
}

#[test]
fn lists_are_filtered() {
    let agent = Agent::start();
    let port = json!({ "ExposedPorts": { "70/udp": {} }, "HostConfig": { "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1" }] } } });
    let first = agent.run("sleep 1000", port);
    let second = agent.run("exit 3", json!({ "Labels": { "a": "b" } }));
    agent.wait(&second);
    let third = agent.create("true", json!({}));
    let list = |wanted: Value| ids(&agent.client.get(&format!("/containers/json?all=1&{}", filters(&wanted))));
    let public = agent.inspect(&first)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().unwrap().to_owned();
    for (wanted, expected) in [
        (json!({ "before": [second] }), vec![&first]),
        (json!({ "since": [second] }), vec![&third]),
        (json!({ "since": [first], "before": [third] }), vec![&second]),
        (json!({ "expose": ["80"] }), vec![&first]),
        (json!({ "expose": ["60-75/udp"] }), vec![&first]),
        (json!({ "expose": ["60-75"] }), vec![]),
        (json!({ "publish": [public] }), vec![&first]),
        (json!({ "publish": ["70/udp"] }), vec![]),
        (json!({ "exited": ["3"] }), vec![&second]),
        (json!({ "is-task": ["true"] }), vec![]),
        (json!({ "label": ["a"] }), vec![&second]),
        (json!({ "status": ["created"] }), vec![&third]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(list(wanted.clone()), expected, "{wanted}");
    }
    for bad in [json!({ "status": ["happy"] }), json!({ "exited": ["x"] }), json!({ "publish": ["a/b"] }), json!({ "health": ["fine"] })] {
        assert_eq!(agent.client.request("GET", &format!("/containers/json?{}", filters(&bad)), b"").status, 400, "{bad}");
    }
    let missing = agent.client.request("GET", &format!("/containers/json?{}", filters(&json!({ "before": ["none"] }))), b"");
    assert_eq!(missing.status, 404);
}

#[test]
fn volumes_with_names_stay_unless_all_are_meant() {
    let agent = Agent::start();
    let id = agent.run("head -c 300000 /dev/urandom > /data/x", json!({ "Volumes": { "/data": {} } }));
    agent.wait(&id);
    agent.client.post("/volumes/create", &json!({ "Name": "named", "Labels": { "a": "1" } }));
    let prune = |wanted: Value| agent.client.request("POST", &format!("/volumes/prune?{}", filters(&wanted)), b"").json();
    assert_eq!(prune(json!({}))["VolumesDeleted"], json!([]), "the anonymous one is in use");
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 204);
    let dangling = agent.client.get(&format!("/volumes?{}", filters(&json!({ "dangling": ["true"] }))));
    assert_eq!(dangling["Volumes"].as_array().unwrap().len(), 2);
    let pruned = prune(json!({}));
    assert_eq!(pruned["VolumesDeleted"].as_array().unwrap().len(), 1);
    assert!(pruned["SpaceReclaimed"].as_u64() >= Some(300_000), "{pruned}");
    assert_eq!(prune(json!({ "all": ["true"], "label!": ["a"] }))["VolumesDeleted"], json!([]));
    assert_eq!(prune(json!({ "all": ["true"] }))["VolumesDeleted"], json!(["named"]));
}
