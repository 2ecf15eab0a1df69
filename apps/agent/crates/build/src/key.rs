//! Cache keys: SHA-256 over what determines a vertex's result, and nothing else.
//!
//! - a file system is named by its *output id*: for a base image the chain of its diff ids, for a step an id drawn when
//!   the step ran. A step that runs again gets a new id, so whatever was built on its old files is never mixed with new
//!   ones; a step that is taken from the cache keeps its id, and everything after it is found again.
//! - RUN: input's output id, argv, environment, working directory, user, platform.
//! - COPY: input's output id, destination, owner, mode, and of each file its path, type, permissions, link target and
//!   content; its owner too when it comes from another stage. Never times.
//! - WORKDIR: input's output id, path, user.
use sha2::{Digest as _, Sha256};

use crate::files::FileList;
use crate::plan::{CopyOp, Platform};

/// Raised when the meaning of a key changes: old entries are then never found and age out.
const VERSION: &str = "slipway-build-1";

/// Hashes fields with their lengths, so that no two different sequences of fields collide.
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

pub fn exec_key(input: &str, args: &[String], env: &[String], cwd: &str, user: &str, platform: &Platform) -> String {
    let platform = format!("{}/{}/{}", platform.os, platform.architecture, platform.variant.as_deref().unwrap_or(""));
    KeyHash::new("exec").field(input).list(args.iter()).list(env.iter()).field(cwd).field(user).field(platform).finish()
}

pub fn copy_key(input: &str, op: &CopyOp, files: &FileList) -> String {
    let mode = op.chmod.as_deref().unwrap_or("-");
    KeyHash::new("copy")
        .field(input)
        .field(&op.dest)
        .field(&op.chown)
        .field(mode)
        .field([u8::from(op.extract)])
        .field(files.digest())
        .finish()
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

    fn platform() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let text = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let base = exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/", "", &platform());
        let others = [
            exec_key("in2", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/", "", &platform()),
            exec_key("in", &text(&["sh", "-cx"]), &text(&["A=1"]), "/", "", &platform()),
            exec_key("in", &text(&["sh", "-c", "x", "A=1"]), &[], "/", "", &platform()),
            exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=2"]), "/", "", &platform()),
            exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/w", "", &platform()),
            exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/", "app", &platform()),
            exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/", "", &Platform { architecture: "arm64".into(), ..platform() }),
        ];
        assert!(others.iter().all(|other| *other != base));
        assert_eq!(base, exec_key("in", &text(&["sh", "-c", "x"]), &text(&["A=1"]), "/", "", &platform()));
    }
}
