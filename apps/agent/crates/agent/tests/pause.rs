//! Pausing: nothing inside moves, nothing outside hangs, and a new daemon knows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::{Agent, eventually};

const TICKS: &str = "while :; do echo tick; sleep 0.05; done";

fn post(agent: &Agent, path: &str) -> (u16, String) {
    let answer = agent.client.request("POST", path, b"");
    (answer.status, answer.text())
}

fn pause(agent: &Agent, id: &str) {
    let answer = post(agent, &format!("/containers/{id}/pause"));
    assert_eq!(answer.0, 204, "{}", answer.1);
}

/// The state letters and CPU ticks of its processes, which stay the same when it stands still.
fn processes(agent: &Agent, id: &str) -> Vec<String> {
    let top = agent.client.get(&format!("/containers/{id}/top"));
    let pids = top["Processes"].as_array().unwrap().iter().map(|row| row[1].as_str().unwrap().to_owned());
    pids.map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()).collect()
}

#[test]
fn a_paused_container_stands_still_until_it_goes_on() {
    let agent = Agent::start();
    let id = agent.run(TICKS, json!({}));
    eventually("it ticks", || agent.output(&id).contains("tick"));
    pause(&agent, &id);
    let state = agent.inspect(&id)["State"].clone();
    assert_eq!((&state["Status"], &state["Paused"], &state["Running"]), (&json!("paused"), &json!(true), &json!(true)));
    let list = agent.client.get("/containers/json?filters=%7B%22status%22%3A%5B%22paused%22%5D%7D");
    assert!(list[0]["State"] == "paused" && list[0]["Status"].as_str().unwrap().ends_with("(Paused)"), "{list}");
    assert_eq!(agent.client.get("/info")["ContainersPaused"], 1);
    let (before, still) = (agent.output(&id).len(), processes(&agent, &id));
    std::thread::sleep(std::time::Duration::from_millis(300)); // six ticks, were it not for the pause
    assert_eq!((agent.output(&id).len(), processes(&agent, &id)), (before, still));

    let exec = agent.client.post(&format!("/containers/{id}/exec"), &json!({ "Cmd": ["true"] }));
    assert!(exec.status == 409 && exec.text().contains("is paused, unpause the container before exec"), "{}", exec.text());
    assert_eq!(post(&agent, &format!("/containers/{id}/pause")).0, 409);
    assert_eq!(post(&agent, &format!("/containers/{id}/start")).0, 409);
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 409);
    assert_eq!(post(&agent, &format!("/containers/{id}/unpause")).0, 204);
    eventually("it ticks again", || agent.output(&id).len() > before);
    let (status, text) = post(&agent, &format!("/containers/{id}/unpause"));
    assert!(status == 409 && text.contains("is not paused"), "{text}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let filter = "%7B%22event%22%3A%5B%22pause%22%2C%22unpause%22%5D%7D";
    let events = agent.client.request("GET", &format!("/events?since=1&until={now}.999&filters={filter}"), b"").text();
    let told: Vec<serde_json::Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.len() == 2 && told[0]["Action"] == "pause" && told[1]["Action"] == "unpause", "{events}");
}

#[test]
fn only_what_runs_can_be_paused() {
    let agent = Agent::start();
    let id = agent.create("true", json!({}));
    let (status, text) = post(&agent, &format!("/containers/{id}/pause"));
    assert!(status == 409 && text.contains("is not running"), "{text}");
    assert_eq!(post(&agent, "/containers/none/pause").0, 404);
}

#[test]
fn what_stands_still_can_be_stopped_killed_and_removed() {
    let agent = Agent::start();
    let trap = "trap 'exit 7' TERM; while :; do sleep 0.05; done";
    let stopped = agent.run(trap, json!({}));
    eventually("it has set its trap", || {
        agent.client.get(&format!("/containers/{stopped}/top"))["Processes"].as_array().unwrap().len() > 1
    });
    let [killed, removed] = [agent.run(TICKS, json!({})), agent.run(TICKS, json!({}))];
    [&stopped, &killed, &removed].into_iter().for_each(|id| pause(&agent, id));
    assert_eq!(post(&agent, &format!("/containers/{stopped}/stop")).0, 204);
    assert_eq!(agent.inspect(&stopped)["State"]["ExitCode"], 7, "it met its signal, not SIGKILL");
    assert_eq!(post(&agent, &format!("/containers/{killed}/kill")).0, 204);
    let state = agent.inspect(&killed)["State"].clone();
    assert_eq!((&state["Status"], &state["ExitCode"], &state["Paused"]), (&json!("exited"), &json!(137), &json!(false)));
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{removed}?force=1"), b"").status, 204);
    assert_eq!(post(&agent, &format!("/containers/{killed}/start")).0, 204);
    assert_eq!(agent.inspect(&killed)["State"]["Status"], "running");
}

#[test]
fn a_new_daemon_finds_it_paused_and_lets_it_go_on() {
    let mut agent = Agent::start();
    let id = agent.run(TICKS, json!({}));
    eventually("it ticks", || agent.output(&id).contains("tick"));
    pause(&agent, &id);
    agent.kill();
    agent.respawn();
    assert_eq!(agent.inspect(&id)["State"]["Status"], "paused");
    let before = agent.output(&id).len();
    assert_eq!(post(&agent, &format!("/containers/{id}/unpause")).0, 204);
    eventually("it ticks again", || agent.output(&id).len() > before);
    // And an agent that is taken down leaves no one frozen: the end of this test would hang.
    pause(&agent, &id);
    agent.shut_down();
    agent.respawn();
    assert_eq!(agent.inspect(&id)["State"]["Status"], "running");
}
