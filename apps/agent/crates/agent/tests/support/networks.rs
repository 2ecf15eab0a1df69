//! Networks in tests.
use std::io::Read;

use serde_json::{Value, json};

use super::{Agent, merge, unframe};

pub fn create(agent: &Agent, body: Value) -> String {
    let answer = agent.client.post("/networks/create", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["Id"].as_str().unwrap().to_owned()
}

pub fn refused(agent: &Agent, path: &str, body: Value) -> (u16, String) {
    let answer = agent.client.post(path, &body);
    (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
}

pub fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|network| network["Name"].as_str().unwrap().to_owned()).collect()
}

pub fn listed(agent: &Agent, filters: Value) -> Vec<String> {
    names(&agent.client.get(&format!("/networks?filters={}", percent(&filters.to_string()))))
}

pub fn percent(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A /24 that differs between tests, agents and runs, so that they may run side by side.
pub fn subnet(agent: &Agent) -> String {
    let number = u32::from_str_radix(&agent.instance(), 16).unwrap();
    format!("10.{}.{}", 128 + (number >> 8) % 96, number % 256)
}

pub fn within(name: &str, more: Value) -> Value {
    let mut all = json!({ "HostConfig": { "NetworkMode": name } });
    merge(&mut all, more);
    all
}

pub fn exec(agent: &Agent, id: &str, script: &str) -> String {
    let body = json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", script] });
    let exec = agent.client.post(&format!("/containers/{id}/exec"), &body);
    assert_eq!(exec.status, 201, "{}", exec.text());
    let exec = exec.json()["Id"].as_str().unwrap().to_owned();
    let mut output = Vec::new();
    agent.client.hijack(&format!("/exec/{exec}/start"), br#"{"Detach":false}"#).read_to_end(&mut output).unwrap();
    unframe(&output)
}
