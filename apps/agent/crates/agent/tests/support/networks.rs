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

/// Runs on a thread that is in the container's network.
pub fn inside<T: Send + 'static>(agent: &Agent, id: &str, work: impl FnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    use std::os::fd::AsFd;
    let pid = agent.inspect(id)["State"]["Pid"].as_i64().unwrap();
    let netns = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    std::thread::spawn(move || {
        let kind = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(netns.as_fd(), Some(kind)).unwrap();
        work()
    })
}

pub fn address(agent: &Agent, id: &str, network: &str) -> String {
    agent.inspect(id)["NetworkSettings"]["Networks"][network]["IPAddress"].as_str().unwrap().to_owned()
}

pub fn address6(agent: &Agent, id: &str, network: &str) -> String {
    agent.inspect(id)["NetworkSettings"]["Networks"][network]["GlobalIPv6Address"].as_str().unwrap().to_owned()
}

/// The body that an HTTP server at `to` gives.
pub fn get(to: &str) -> Option<String> {
    use std::io::Write;
    let to: std::net::SocketAddr = to.parse().unwrap();
    let mut stream = std::net::TcpStream::connect_timeout(&to, std::time::Duration::from_secs(10)).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.rsplit_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// Serves its variable NAME over HTTP, on both families.
pub const SERVER: &str = "mkdir -p /www; echo $NAME > /www/index.html; httpd -f -p 80 -h /www";
