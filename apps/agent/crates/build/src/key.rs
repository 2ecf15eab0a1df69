//! Cache keys: SHA-256 over what determines a vertex's result, and nothing else.
//!
//! - a file system is named by its *output id*: for a base image the chain of its diff ids, for a step an id drawn when
//!   the step ran. A step that runs again gets a new id, so whatever was built on its old files is never mixed with new
//!   ones; a step that is taken from the cache keeps its id, and everything after it is found again.
//! - RUN: input's output id, argv, environment, working directory, user, platform, network, privilege, what its mounts
//!   say, and the files of bind mounts as a COPY's. Never what a cache or a secret holds.
//! - COPY: input's output id, destination, owner, mode, and of each file its path, type, permissions, link target and
//!   content; its owner too when it comes from another stage. Never times.
//! - WORKDIR: input's output id, path, user.
use sha2::{Digest as _, Sha256};

use crate::fetch::Content;
use crate::files::FileList;
use crate::mount::RunMount;
use crate::plan::{CopyOp, ExecOp, HttpOp, Platform};

/// Raised when the meaning of a key changes: old entries are then never found and age out.
const VERSION: &str = "slipway-build-2";

/// Hashes fields with their lengths, so that no two different sequences of fields collide.
#[derive(Clone)]
pub struct KeyHash(Sha256);

impl KeyHash {
    pub fn new(kind: &str) -> Self {
        Self(Sha256::new()).field(VERSION).field(kind)
    }

    #[must_use]
    pub fn field(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    #[must_use]
    pub fn list<T: AsRef<[u8]>>(self, items: impl ExactSizeIterator<Item = T>) -> Self {
        let counted = self.field((items.len() as u64).to_le_bytes());
        items.fold(counted, Self::field)
    }

    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

pub fn base_output(diff_ids: &[String]) -> String {
    KeyHash::new("base").list(diff_ids.iter()).finish()
}

/// Of a context that came with the request.
pub fn context_output(files: &FileList) -> String {
    KeyHash::new("context").field(files.digest()).finish()
}

/// `files`: of the bind mounts, in their order.
pub fn exec_key(input: &str, op: &ExecOp, files: Option<&FileList>, platform: &Platform) -> String {
    let platform = format!("{}/{}/{}", platform.os, platform.architecture, platform.variant.as_deref().unwrap_or(""));
    let key = KeyHash::new("exec").field(input).list(op.args.iter()).list(op.env.iter()).field(&op.cwd).field(&op.user).field(platform);
    if is_plain(op) {
        return key.finish();
    }
    let key = confinement(key, op);
    match files {
        Some(files) => key.field(files.digest()).finish(),
        None => key.finish(),
    }
}

fn confinement(key: KeyHash, op: &ExecOp) -> KeyHash {
    let network = op.network.map_or_else(String::new, |network| format!("{network:?}"));
    let key = key.list(op.mounts.iter().map(RunMount::definition)).field(network).field([u8::from(op.insecure)]);
    match &op.hostname {
        Some(hostname) => key.field("hostname").field(hostname),
        None => key,
    }
}

fn is_plain(op: &ExecOp) -> bool {
    op.mounts.is_empty() && op.network.is_none() && !op.insecure && op.hostname.is_none()
}

/// What a RUN says, but for its environment: to tell whether the instruction changed.
pub fn exec_parameters(op: &ExecOp) -> String {
    let key = KeyHash::new("p").list(op.args.iter()).field(&op.cwd).field(&op.user);
    if is_plain(op) { key.finish() } else { confinement(key, op).finish() }
}

pub fn copy_key(input: &str, op: &CopyOp, files: &FileList) -> String {
    let mode = op.chmod.as_deref().unwrap_or("-");
    let key =
        KeyHash::new("copy").field(input).field(&op.dest).field(&op.chown).field(mode).field([u8::from(op.extract)]).field(files.digest());
    if op.more.is_empty() { key.finish() } else { unpacked(key, op).finish() }
}

/// Which of the places' archives are unpacked.
fn unpacked(key: KeyHash, op: &CopyOp) -> KeyHash {
    key.list(op.more.iter().map(|part| [u8::from(part.extract)]))
}

/// What a COPY says, but for its files: to tell whether the instruction changed.
pub fn copy_parameters(op: &CopyOp) -> String {
    let key = KeyHash::new("p").field(&op.dest).field(&op.chown).field(op.chmod.as_deref().unwrap_or("-"));
    let key = key.field([u8::from(op.extract)]);
    if op.more.is_empty() { key.finish() } else { unpacked(key, op).finish() }
}

pub fn http_key(op: &HttpOp, content: &Content) -> String {
    KeyHash::new("http").field(&content.digest).field(content.mtime.to_le_bytes()).field(&op.filename).finish()
}

pub fn download_name(place: &str) -> String {
    KeyHash::new("download").field(place).finish()
}

pub fn mkdir_key(input: &str, path: &str, user: &str) -> String {
    KeyHash::new("mkdir").field(input).field(path).field(user).finish()
}

/// Of a layer that was made apart from what it lies on.
pub fn linked_output(input: &str, layer: &str) -> String {
    KeyHash::new("link").field(input).field(layer).finish()
}

/// Names the files that `sources` have in an output, to remember their checksums.
pub fn selection_key(output: &str, op: &CopyOp) -> String {
    let key = KeyHash::new("selection").field(output).list(op.sources.iter());
    if !op.parents && op.exclude.is_empty() {
        return key.finish();
    }
    key.field([u8::from(op.parents)]).list(op.exclude.iter()).finish()
}

/// A new output id.
pub fn fresh_output(key: &str, build: &str, vertex: &str) -> String {
    let now = slipway_store::now_unix_nanos().to_le_bytes();
    KeyHash::new("output").field(key).field(build).field(vertex).field(now).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::OtherNetwork;

    fn platform() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let text = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let op = |args: &[&str], env: &[&str], cwd: &str, user: &str| ExecOp {
            input: "v0".into(),
            args: text(args),
            env: text(env),
            cwd: cwd.into(),
            user: user.into(),
            mounts: Vec::new(),
            network: None,
            insecure: false,
            hostname: None,
        };
        let plain = op(&["sh", "-c", "x"], &["A=1"], "/", "");
        let key = |op: &ExecOp| exec_key("in", op, None, &platform());
        let mount = |json: &str| ExecOp { mounts: vec![serde_json::from_str(json).unwrap()], ..plain.clone() };
        let base = key(&plain);
        let keys = [
            base.clone(),
            exec_key("in2", &plain, None, &platform()),
            exec_key("in", &plain, None, &Platform { architecture: "arm64".into(), ..platform() }),
            key(&op(&["sh", "-cx"], &["A=1"], "/", "")),
            key(&op(&["sh", "-c", "x", "A=1"], &[], "/", "")),
            key(&op(&["sh", "-c", "x"], &["A=2"], "/", "")),
            key(&op(&["sh", "-c", "x"], &["A=1"], "/w", "")),
            key(&op(&["sh", "-c", "x"], &["A=1"], "/", "app")),
            key(&ExecOp { network: Some(OtherNetwork::None), ..plain.clone() }),
            key(&ExecOp { network: Some(OtherNetwork::Host), ..plain.clone() }),
            key(&ExecOp { insecure: true, ..plain.clone() }),
            key(&ExecOp { hostname: Some("box".into()), ..plain.clone() }),
            key(&ExecOp { hostname: Some("other".into()), ..plain.clone() }),
            key(&mount(r#"{"type":"tmpfs","target":"/a"}"#)),
            key(&mount(r#"{"type":"tmpfs","target":"/a","size":1}"#)),
            key(&mount(r#"{"type":"secret","id":"a","target":"/a","env":null,"required":false,"mode":256,"uid":0,"gid":0}"#)),
            key(&mount(r#"{"type":"secret","id":"b","target":"/a","env":null,"required":false,"mode":256,"uid":0,"gid":0}"#)),
            key(&mount(r#"{"type":"bind","target":"/a","from":"v1","source":"."}"#)),
            key(&mount(r#"{"type":"bind","target":"/a","from":null,"source":"."}"#)),
            exec_key("in", &mount(r#"{"type":"bind","target":"/a","from":null,"source":"."}"#), Some(&FileList::default()), &platform()),
        ];
        let different: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(base, key(&plain.clone()));
        let at = |vertex: &str| key(&mount(&format!(r#"{{"type":"bind","target":"/a","from":"{vertex}","source":"."}}"#)));
        assert_eq!(at("v1"), at("v7"), "the number of a vertex means nothing");
    }
}
