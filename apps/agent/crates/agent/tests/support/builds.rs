//! Plans and builds over HTTP.
use std::io::BufRead;
use std::path::Path;

use serde_json::{Value, json};
use slipway_property::upload::{Item, upload};

use super::{Agent, file};

/// One stage on `bb:1`, one instruction after the other.
pub struct Plan {
    vertices: Vec<Value>,
}

impl Plan {
    pub fn new(agent: &Agent) -> Self {
        let id = agent.client.get(&format!("/images/{}/json", super::IMAGE))["Id"].clone();
        let op = json!({ "type": "image", "reference": super::IMAGE, "digest": id });
        Self { vertices: vec![vertex(0, "FROM bb:1", op)] }
    }
    pub fn add(mut self, instruction: &str, mut op: Value) -> Self {
        let index = self.vertices.len();
        op["input"] = json!(format!("v{}", index - 1));
        self.vertices.push(vertex(index, instruction, op));
        self
    }
    pub fn run(self, script: &str) -> Self {
        self.run_as("", script)
    }
    pub fn run_as(self, user: &str, script: &str) -> Self {
        let op = json!({ "type": "exec", "args": ["/bin/sh", "-c", script], "env": ["PATH=/bin"], "cwd": "/", "user": user });
        self.add(&format!("RUN {script}"), op)
    }
    /// With further fields of the operation: mounts, network, insecure.
    pub fn run_with(self, script: &str, extra: &Value) -> Self {
        let mut op = json!({ "type": "exec", "args": ["/bin/sh", "-ec", script], "env": ["PATH=/bin"], "cwd": "/", "user": "" });
        for (key, value) in extra.as_object().unwrap() {
            op[key] = value.clone();
        }
        self.add(&format!("RUN {script}"), op)
    }
    /// The next instructions begin with the base again; `--from` may name what was before.
    pub fn stage(mut self) -> Self {
        let index = self.vertices.len();
        let base = self.vertices[0]["op"].clone();
        self.vertices.push(vertex(index, "FROM bb:1", base));
        self
    }
    pub fn copy(self, source: &str, dest: &str) -> Self {
        let op = json!({ "type": "copy", "from": null, "sources": [source], "dest": dest, "chown": "", "chmod": null, "extract": false });
        self.add(&format!("COPY {source} {dest}"), op)
    }
    pub fn request(&self, id: &str, limits: Value) -> Value {
        let target = self.vertices.last().unwrap()["id"].clone();
        json!({ "id": id, "scope": "org", "tags": ["slipway.local/acme/app:1"], "limits": limits, "plan": {
            "version": 1, "platform": { "os": "linux", "architecture": "amd64" }, "vertices": self.vertices, "target": target,
            "image": { "config": { "Env": ["PATH=/bin"], "Cmd": ["cat", "/out"] }, "history": [] } } })
    }
}

pub fn vertex(index: usize, instruction: &str, op: Value) -> Value {
    json!({ "id": format!("v{index}"), "name": instruction, "stage": "0", "instruction": instruction, "line": index + 1, "endLine": index + 1, "op": op })
}

pub fn body(request: &Value) -> Vec<u8> {
    body_with(request, &[])
}

/// As the worker sends it: secrets come first. `ssh/<id>`, with nothing in it, is an SSH agent that the client answers for.
pub fn body_with(request: &Value, secrets: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (id, value) in secrets {
        let name = if id.starts_with("ssh/") { (*id).to_owned() } else { format!("secrets/{id}") };
        file(&mut tar, &name, value.as_bytes(), 0o600);
    }
    file(&mut tar, "request.json", request.to_string().as_bytes(), 0o644);
    tar.into_inner().unwrap()
}

/// Uploads files and names them in the request, which has a context already when there are none.
pub fn given(agent: &Agent, request: &Value, context: &[(&str, &str)]) -> Value {
    let mut request = request.clone();
    if context.is_empty() {
        return request;
    }
    let scope = request["scope"].as_str().unwrap();
    let (objects, root) = upload(context.iter().map(|(path, text)| (*path, Item::File(0o644, text.as_bytes().to_vec()))));
    let sent = agent.client.request("POST", &format!("/slipway/v1/contexts/objects?scope={scope}"), &objects);
    assert_eq!(sent.status, 200, "{}", sent.text());
    let committed = agent.client.request("POST", &format!("/slipway/v1/contexts/sha256:{root}/commit?scope={scope}"), b"");
    assert_eq!(committed.status, 200, "{}", committed.text());
    request["context"] = json!({ "tree": format!("sha256:{root}") });
    request
}

pub fn build(agent: &Agent, request: &Value, context: &[(&str, &str)]) -> Vec<Value> {
    build_with(agent, request, &[], context)
}

pub fn build_with(agent: &Agent, request: &Value, secrets: &[(&str, &str)], context: &[(&str, &str)]) -> Vec<Value> {
    let request = given(agent, request, context);
    let answer = agent.client.request("POST", "/slipway/v1/builds", &body_with(&request, secrets));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A build whose client answers what steps ask their SSH agents: with nothing where `answer` gives nothing.
pub fn build_asking(agent: &Agent, request: &Value, ids: &[&str], mut answer: impl FnMut(&str, &[u8]) -> Option<Vec<u8>>) -> Vec<Value> {
    let names: Vec<String> = ids.iter().map(|id| format!("ssh/{id}")).collect();
    let agents: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let lines = agent.client.post_stream("/slipway/v1/builds", &body_with(request, &agents)).lines();
    let mut events = Vec::new();
    for line in lines.map(Result::unwrap).filter(|line| line.starts_with('{')) {
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["type"] == "ssh" {
            let message = hex::decode(event["message"].as_str().unwrap()).unwrap();
            if let Some(answer) = answer(event["id"].as_str().unwrap(), &message) {
                let path = format!("/slipway/v1/builds/{}/ssh/{}", request["id"].as_str().unwrap(), event["ask"]);
                assert_eq!(agent.client.request("POST", &path, &answer).status, 204);
                assert_eq!(agent.client.request("POST", &path, &answer).status, 404, "one answer to a question");
            }
        }
        let over = event["type"] == "result" || event["type"] == "error";
        events.push(event);
        if over {
            break;
        }
    }
    events
}

pub fn minute() -> Value {
    json!({ "timeoutMs": 60_000 })
}

pub fn last(events: &[Value]) -> &Value {
    events.last().unwrap()
}

pub fn log(events: &[Value]) -> String {
    events.iter().filter(|event| event["type"] == "log").map(|event| event["data"].as_str().unwrap()).collect()
}

/// Processes with a text on their command line.
pub fn processes(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text)))
        .count()
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing of any build is left on the host.
pub fn clean(agent: &Agent) -> bool {
    let data = agent.root.path().join("data");
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let groups = std::process::Command::new("find")
        .args(["/sys/fs/cgroup", "-type", "d", "-path"])
        .arg(format!("*{}*build-*", agent.instance()))
        .output();
    names(&data.join("builds")).is_empty()
        && names(&data.join("runs")).is_empty()
        && !mounts.contains(&format!("{}/builds", data.display()))
        && groups.unwrap().stdout.is_empty()
}

/// The last status of a vertex.
pub fn status<'a>(events: &'a [Value], id: &str) -> &'a str {
    events.iter().rev().find(|event| event["type"] == "vertex" && event["id"] == id).unwrap()["status"].as_str().unwrap()
}
