//! Images, archives and builds for tests of what may befall their content: a layer `/base` and a layer `/more`, of noise.
use serde_json::{Value, json};
use slipway_property::upload::{Item, upload};

use super::{Agent, IMAGE, busybox_tar_with, file};

/// Bytes that do not compress.
pub fn noise(seed: u32, size: usize) -> Vec<u8> {
    let mut state = u64::from(seed) | 1 << 40;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(size / 8).flatten().collect()
}

/// Bytes of each.
pub const BIG: usize = 3_000_000;

pub fn tar_of(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    fill(&mut tar);
    tar.into_inner().unwrap()
}

pub fn layers() -> [Vec<u8>; 2] {
    [busybox_tar_with(|tar| file(tar, "base", &noise(1, BIG), 0o644)), tar_of(|tar| file(tar, "more", &noise(2, BIG), 0o644))]
}

/// Whether it came to its end well; false also when the daemon died of it.
pub fn done(agent: &Agent, method: &str, path: &str, body: &[u8]) -> bool {
    let Some(answer) = agent.client.try_request(method, path, body) else { return false };
    let fine = answer.status < 300 && !answer.text().contains("\"error\"");
    if !fine {
        println!("{method} {path}: {} {}", answer.status, answer.text());
    }
    fine
}

pub fn pull(agent: &Agent, name: &str) -> bool {
    done(agent, "POST", &format!("/images/create?fromImage={name}"), b"")
}

pub fn docker_archive() -> Vec<u8> {
    let [base, more] = layers();
    let diff_ids = [&base, &more].map(|layer| slipway_store::Digest::of(layer));
    let config = json!({ "os": "linux", "architecture": "amd64", "config": {}, "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["loaded:1"], "Layers": ["base.tar", "more.tar"] }]);
    tar_of(|tar| {
        file(tar, "manifest.json", manifest.to_string().as_bytes(), 0o644);
        file(tar, "c.json", config.to_string().as_bytes(), 0o644);
        file(tar, "base.tar", &base, 0o644);
        file(tar, "more.tar", &more, 0o644);
    })
}

pub fn build_body(agent: &Agent, script: &str) -> Vec<u8> {
    let id = agent.client.get(&format!("/images/{}/json", IMAGE))["Id"].clone();
    let vertex = |number: u32, name: &str, op: Value| json!({ "id": format!("v{number}"), "name": name, "stage": "0", "instruction": name, "line": number, "endLine": number, "op": op });
    let vertices = json!([
        vertex(0, "FROM", json!({ "type": "image", "reference": IMAGE, "digest": id })),
        vertex(
            1,
            "COPY",
            json!({ "type": "copy", "from": null, "sources": ["more"], "dest": "/", "chown": "", "chmod": null, "extract": false, "input": "v0" })
        ),
        vertex(
            2,
            "RUN",
            json!({ "type": "exec", "args": ["/bin/sh", "-c", script], "env": ["PATH=/bin"], "cwd": "/", "user": "", "input": "v1" })
        ),
    ]);
    let mut request = json!({ "id": "b1", "scope": "org", "tags": ["built:1"], "limits": { "timeoutMs": 60_000 }, "plan": {
        "version": 1, "platform": { "os": "linux", "architecture": "amd64" }, "vertices": vertices, "target": "v2",
        "image": { "config": { "Env": ["PATH=/bin"] }, "history": [] } } });
    let (objects, root) = upload([("more", Item::File(0o644, noise(2, BIG)))]);
    let post = |path: &str, body: &[u8]| agent.client.request("POST", &format!("/slipway/v1/contexts/{path}?scope=org"), body).status;
    assert_eq!((post("objects", &objects), post(&format!("sha256:{root}/commit"), b"")), (200, 200));
    request["context"] = json!({ "tree": format!("sha256:{root}") });
    tar_of(|tar| file(tar, "request.json", request.to_string().as_bytes(), 0o644))
}
