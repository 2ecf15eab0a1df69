//! Health checks: when they are run, what they are told by, and what is told of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{Agent, eventually};

const MS: i64 = 1_000_000;

fn health(agent: &Agent, id: &str) -> Value {
    agent.inspect(id)["State"]["Health"].clone()
}

fn check(test: Value, more: Value) -> Value {
    let mut check = json!({ "Test": test, "Interval": 100 * MS, "Retries": 2 });
    support::merge(&mut check, more);
    json!({ "Healthcheck": check })
}

#[test]
fn a_check_that_hangs_is_killed_and_counts_as_failed() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", check(json!(["CMD", "sleep", "777"]), json!({ "Timeout": 300 * MS })));
    eventually("it is unhealthy", || health(&agent, &id)["Status"] == "unhealthy");
    let told = health(&agent, &id);
    let last = told["Log"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((last["ExitCode"].as_i64(), last["Output"].as_str()), (Some(-1), Some("Health check exceeded timeout (300ms)")));
    let processes = || agent.client.get(&format!("/containers/{id}/top"))["Processes"].as_array().unwrap().len();
    eventually("no check outlives its time", || processes() <= 2);
    assert!(agent.client.get("/containers/json")[0]["Status"].as_str().unwrap().ends_with("(unhealthy)"));
}

#[test]
fn failures_at_the_beginning_do_not_count() {
    let agent = Agent::start();
    let more = json!({ "StartPeriod": 3_600_000 * MS, "StartInterval": 100 * MS, "Interval": 200 * MS, "Retries": 1 });
    let id = agent.run("sleep 1000", check(json!(["CMD-SHELL", "echo looked; test -e /ok"]), more));
    eventually("it was looked at", || health(&agent, &id)["Log"].as_array().unwrap().len() >= 3);
    let told = health(&agent, &id);
    assert!(told["Status"] == "starting" && told["FailingStreak"] == 0 && told["Log"][0]["Output"] == "looked\n", "{told}");
    let touch = json!({ "Cmd": ["touch", "/ok"] });
    let exec = agent.client.post(&format!("/containers/{id}/exec"), &touch).json()["Id"].as_str().unwrap().to_owned();
    assert_eq!(agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true })).status, 200);
    eventually("it is healthy", || health(&agent, &id)["Status"] == "healthy");
    let told = agent.client.events(&json!({ "event": ["health_status"], "container": [id] }));
    assert_eq!(told.iter().map(|event| event["Action"].as_str().unwrap()).collect::<Vec<_>>(), ["health_status: healthy"]);
    let listed = |value: &str| {
        let filters = support::client::encode(&json!({ "health": [value] }).to_string());
        agent.client.get(&format!("/containers/json?filters={filters}")).as_array().unwrap().len()
    };
    assert_eq!((listed("healthy"), listed("unhealthy"), listed("none")), (1, 0, 0));
}

#[test]
fn the_last_five_are_kept_and_outlive_the_run() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", check(json!(["CMD-SHELL", "cat /proc/uptime; yes | head -c 10000; exit 1"]), json!({})));
    eventually("it has failed often", || health(&agent, &id)["FailingStreak"].as_i64() > Some(7));
    let log = health(&agent, &id)["Log"].clone();
    assert_eq!(log.as_array().unwrap().len(), 5);
    let output = log[0]["Output"].as_str().unwrap();
    assert!(output.len() == 4_096 + 3 && output.ends_with("..."), "{}", output.len());
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/stop?t=0"), b"").status, 204);
    let told = health(&agent, &id);
    assert!(told["Status"] == "unhealthy" && told["Log"].as_array().unwrap().len() == 5, "{told}");
    agent.begin(&id);
    assert_eq!(health(&agent, &id)["Status"], "starting");
}

#[test]
fn none_means_none_and_nonsense_is_refused() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", check(json!(["NONE"]), json!({})));
    assert!(health(&agent, &id).is_null());
    let refused = |more: Value| {
        let mut body = check(json!(["CMD", "true"]), more);
        support::merge(&mut body, json!({ "Image": support::IMAGE, "Cmd": ["true"] }));
        let answer = agent.client.post("/containers/create", &body);
        (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(json!({ "Interval": 10 })), (400, "Interval in Healthcheck cannot be less than 1ms".to_owned()));
    assert_eq!(refused(json!({ "Timeout": -1 })), (400, "Timeout in Healthcheck cannot be less than 1ms".to_owned()));
    assert_eq!(refused(json!({ "Retries": -1 })), (400, "Retries in Healthcheck cannot be negative".to_owned()));
}
