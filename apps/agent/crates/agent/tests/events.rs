//! Events: which, in which order, with which attributes, and who gets them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::BufRead;

use serde_json::{Value, json};
use support::client::encode;
use support::{Agent, eventually};

fn actions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["Action"].as_str().unwrap()).collect()
}

#[test]
fn a_life_is_told_in_order() {
    let agent = Agent::start();
    let post = |path: &str| agent.client.request("POST", &format!("/containers/{path}"), b"").status;
    let id =
        agent.create("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done", json!({ "Labels": { "color": "red" }, "Tty": true }));
    agent.begin(&id);
    eventually("its trap is set", || agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1"), b"").text().contains("ready"));
    assert_eq!(post(&format!("{id}/resize?h=30&w=90")), 200);
    assert_eq!(agent.client.request("GET", &format!("/containers/{id}/top"), b"").status, 200);
    assert_eq!(post(&format!("{id}/pause")), 204);
    assert_eq!(post(&format!("{id}/unpause")), 204);
    assert_eq!(post(&format!("{id}/rename?name=events-second-name")), 204);
    assert_eq!(post(&format!("{id}/stop?t=50")), 204);
    assert_eq!(agent.client.post(&format!("/containers/{id}/update"), &json!({ "RestartPolicy": { "Name": "no" } })).status, 200);
    agent.begin(&id);
    assert_eq!(post(&format!("{id}/kill?signal=KILL")), 204);
    agent.wait(&id);
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 204);
    let events = agent.client.events(&json!({ "container": [id], "type": ["container"] }));
    let expected = [
        "create", "start", "resize", "top", "pause", "unpause", "rename", "kill", "die", "stop", "update", "start", "kill", "die",
        "destroy",
    ];
    assert_eq!(actions(&events), expected);
    let attributes = |at: usize| events[at]["Actor"]["Attributes"].clone();
    assert_eq!((&attributes(2)["height"], &attributes(2)["width"]), (&json!("30"), &json!("90")));
    assert_eq!((&attributes(7)["signal"], &attributes(8)["exitCode"], &attributes(12)["signal"]), (&json!("15"), &json!("5"), &json!("9")));
    assert!(attributes(8)["execDuration"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(attributes(6)["name"], "events-second-name");
    assert!(attributes(6)["oldName"].as_str().unwrap().starts_with('/'));
    for event in &events {
        let attributes = &event["Actor"]["Attributes"];
        assert!(attributes["image"] == support::IMAGE && attributes["color"] == "red", "{event}");
        assert!(event["status"] == event["Action"] && event["id"] == id.as_str() && event["from"] == support::IMAGE, "{event}");
        assert!(event["Type"] == "container" && event["scope"] == "local" && event["Actor"]["ID"] == id.as_str(), "{event}");
        assert_eq!(event["timeNano"].as_i64().unwrap() / 1_000_000_000, event["time"].as_i64().unwrap());
    }
    assert!(events.windows(2).all(|two| two[0]["timeNano"].as_i64() <= two[1]["timeNano"].as_i64()));
}

#[test]
fn filters_choose() {
    let agent = Agent::start();
    let red = agent.run("true", json!({ "Labels": { "color": "red", "size": "big" } }));
    let blue = agent.run("true", json!({ "Labels": { "color": "blue" } }));
    agent.wait(&red);
    agent.wait(&blue);
    let made = agent.client.post("/volumes/create", &json!({ "Name": "events-volume" }));
    assert_eq!(made.status, 201);
    let count = |filters: Value| agent.client.events(&filters).len();
    assert_eq!(count(json!({ "event": ["die"] })), 2);
    assert_eq!(count(json!({ "event": ["die"], "container": [red[..12]] })), 1);
    assert_eq!(count(json!({ "event": ["create", "die"], "label": ["color=red"] })), 2);
    assert_eq!(count(json!({ "event": ["die"], "label": ["color", "size=big"] })), 1);
    assert_eq!(count(json!({ "event": ["die"], "image": ["bb"] })), 2);
    assert_eq!(count(json!({ "event": ["die"], "image": [support::IMAGE] })), 2);
    assert_eq!(count(json!({ "event": ["die"], "image": ["other"] })), 0);
    assert_eq!(count(json!({ "type": ["volume"] })), 1);
    assert_eq!(count(json!({ "volume": ["events-volume"] })), 1);
    assert!(count(json!({ "type": ["image"] })) >= 1);
    let refused = agent.client.request("GET", &format!("/events?until=1&filters={}", encode(r#"{"nope":["x"]}"#)), b"");
    assert_eq!((refused.status, refused.json()["message"].as_str()), (400, Some("invalid filter 'nope'")));
}

#[test]
fn the_past_comes_first_and_then_what_happens() {
    let agent = Agent::start();
    let early = agent.run("true", json!({}));
    agent.wait(&early);
    let filters = encode(&json!({ "event": ["die"] }).to_string());
    let stream = agent.client.stream(&format!("/events?since=1&filters={filters}"));
    let mut lines = stream.lines().map(Result::unwrap).filter(|line| line.starts_with('{'));
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap()).unwrap()["Actor"]["ID"].as_str().unwrap().to_owned();
    assert_eq!(next(), early);
    let late = agent.run("true", json!({}));
    assert_eq!(next(), late);
    let refused = agent.client.request("GET", "/events?since=20&until=10", b"");
    assert!(refused.status == 400 && refused.text().contains("cannot be after `until` time"), "{}", refused.text());
}
