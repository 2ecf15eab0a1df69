//! Why a vertex was not taken from the cache. Each vertex leaves a record of what it was made from, under the place it
//! has in its Dockerfile; the next build compares.
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use slipway_transfer::redacted;

use crate::event::{Miss, Reason};
use crate::fetch::Content;
use crate::files::FileList;
use crate::key::{KeyHash, copy_parameters, exec_parameters};
use crate::plan::{BuildPlan, Op, Vertex};

/// What a vertex was made from, the last time. Values of the environment are kept as hashes only: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    pub key: String,
    pub instruction: String,
    /// Output id of the input.
    pub input: String,
    /// The input's name for people: a base's reference and digest, or another step.
    pub input_name: String,
    pub base_digest: Option<String>,
    /// Of the argv or the destination, owner and mode: whatever the instruction itself says.
    pub parameters: String,
    /// Name and hash of the value.
    pub env: Vec<(String, String)>,
    pub files: Option<FileList>,
    /// What a URL gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Content>,
}

impl Inputs {
    /// `input` is the output id of the vertex's input; `files` what a COPY copies or a RUN mounts.
    pub fn new(plan: &BuildPlan, vertex: &Vertex, key: &str, input: &str, files: Option<FileList>) -> Self {
        let (parameters, env) = match &vertex.op {
            Op::Exec(op) => (exec_parameters(op), op.env.as_slice()),
            Op::Copy(op) => (copy_parameters(op), [].as_slice()),
            Op::Http(op) => (KeyHash::new("p").field(&op.url).field(&op.filename).finish(), [].as_slice()),
            Op::Mkdir { path, user, .. } => (KeyHash::new("p").field(path).field(user).finish(), [].as_slice()),
            Op::Image { .. } | Op::Scratch {} | Op::Context { .. } => (String::new(), [].as_slice()),
        };
        let before = vertex.op.inputs().next().and_then(|id| plan.vertex(id));
        let (input_name, base_digest) = match before.map(|before| (&before.op, before)) {
            Some((Op::Image { reference, digest }, _)) => (reference.clone(), Some(digest.clone())),
            Some((_, before)) => (before.instruction.clone(), None),
            None => (String::new(), None),
        };
        let env = env.iter().map(|pair| {
            let name = pair.split('=').next().unwrap_or("");
            (name.to_owned(), hex::encode(&Sha256::digest(pair)[..8]))
        });
        Self {
            key: key.to_owned(),
            instruction: told(vertex),
            input: input.to_owned(),
            input_name,
            base_digest,
            parameters,
            env: env.collect(),
            files,
            fetched: None,
        }
    }

    /// Of the file that a URL gave.
    pub fn content_digest(&self) -> Option<String> {
        self.fetched.as_ref().map(|content| content.digest.clone())
    }

    #[must_use]
    pub fn with_fetched(self, fetched: Option<Content>) -> Self {
        Self { fetched, ..self }
    }

    /// Explains why this was not found, given what was recorded `before` at the same place or for the same instruction.
    pub fn explain(&self, before: Option<&Self>) -> Miss {
        let miss = |reason, detail: String| Miss { reason, detail };
        let Some(before) = before else { return miss(Reason::FirstTime, "this step has not been built before".into()) };
        if before.instruction != self.instruction {
            return miss(Reason::InstructionChanged, format!("it was `{}`", shorten(&before.instruction)));
        }
        if let Some(names) = self.changed_env(before) {
            return miss(Reason::InstructionChanged, names);
        }
        if before.parameters != self.parameters {
            return miss(Reason::InstructionChanged, parameters_changed(&self.instruction));
        }
        if let (Some(now), Some(old)) = (&self.fetched, &before.fetched)
            && now != old
        {
            let what = if now.digest == old.digest {
                "its server gives the file behind the URL another date"
            } else {
                "the file behind the URL changed"
            };
            return miss(Reason::FilesChanged, what.into());
        }
        let input_changed = before.input != self.input;
        if let (Some(files), Some(old)) = (&self.files, &before.files)
            && files.digest() != old.digest()
        {
            let also = if input_changed { "; what comes before it changed too" } else { "" };
            // What came through a registry may have no names.
            let what = if old.has_names() || !files.has_names() { describe_changes(files, old) } else { "the files changed".into() };
            return miss(Reason::FilesChanged, format!("{what}{also}"));
        }
        if !input_changed {
            return miss(Reason::Evicted, "its result was removed from the cache to free space".into());
        }
        match (&before.base_digest, &self.base_digest) {
            (Some(old), Some(new)) if old != new => {
                miss(Reason::BaseMoved, format!("{} moved from {} to {}", self.input_name, short_digest(old), short_digest(new)))
            }
            _ => miss(Reason::InputChanged, format!("`{}` before it ran again", shorten(&self.input_name))),
        }
    }

    fn changed_env(&self, before: &Self) -> Option<String> {
        let value = |list: &[(String, String)], name: &str| list.iter().rev().find(|(n, _)| n == name).map(|(_, hash)| hash.clone());
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.env.iter().chain(&before.env) {
            if value(&self.env, name) != value(&before.env, name) && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("the value of {one} changed")),
            many => Some(format!("the values of {} changed", many.join(", "))),
        }
    }
}

/// Of an instruction whose text is as it was.
fn parameters_changed(instruction: &str) -> String {
    let keyword = instruction.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    if !matches!(keyword.as_str(), "COPY" | "ADD" | "WORKDIR") {
        return "the command, its working directory, its user or its mounts changed".into();
    }
    match variables(instruction).as_slice() {
        [] => "where it writes, or for whom, changed with the WORKDIR or USER before it".into(),
        [one] => format!("the value of {one} changed, or the WORKDIR before it"),
        many => format!("the value of {} changed, or the WORKDIR before it", many.join(" or ")),
    }
}

/// The names in `$NAME` and `${NAME…}`, each once.
fn variables(instruction: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for piece in instruction.split('$').skip(1) {
        let piece = piece.strip_prefix('{').unwrap_or(piece);
        let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
        if end > 0 && !names.contains(&&piece[..end]) {
            names.push(&piece[..end]);
        }
    }
    names
}

/// Where a vertex's record is kept: by its place in the stage, and by its text, so that a new line above it does not
/// make everything below look new. `lineage` tells the apps of one organization apart.
pub fn slots(plan: &BuildPlan, vertex: &Vertex, lineage: &str) -> [String; 2] {
    let place = plan.vertices.iter().filter(|other| other.stage == vertex.stage).position(|other| other.id == vertex.id);
    let place = place.unwrap_or(0).to_string();
    let instruction = told(vertex);
    let slot = |kind: &str, text: &str| KeyHash::new("slot").field(kind).field(lineage).field(&vertex.stage).field(text).finish();
    [slot("place", &place), slot("text", &instruction)]
}

/// An ADD is several vertices when it names URLs: each of those says which.
pub fn told(vertex: &Vertex) -> String {
    match &vertex.op {
        Op::Http(op) => format!("{} [{}]", vertex.instruction, redacted(&op.url)),
        _ => vertex.instruction.clone(),
    }
}

/// How many names a reason lists before it only counts.
const MAX_NAMES: usize = 20;

fn describe_changes(new: &FileList, old: &FileList) -> String {
    let changes = new.changes(old);
    let parts: Vec<String> = [("changed", &changes.changed), ("added", &changes.added), ("removed", &changes.removed)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| {
            let files = if names.len() == 1 { "file" } else { "files" };
            let listed = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > MAX_NAMES { ", …" } else { "" };
            format!("{} {files} {word}: {listed}{more}", names.len())
        })
        .collect();
    if parts.is_empty() { "the files are copied in another order or from another place".into() } else { parts.join("; ") }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn short_digest(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            key: "k".into(),
            instruction: "RUN make".into(),
            input: "i".into(),
            input_name: "node:20".into(),
            base_digest: Some("sha256:aaaaaaaaaaaaaaaa".into()),
            parameters: "p".into(),
            env: vec![("PATH".into(), "1".into()), ("VERSION".into(), "2".into())],
            files: None,
            fetched: None,
        }
    }

    #[test]
    fn names_the_cause() {
        let now = inputs();
        let case = |change: fn(&mut Inputs)| {
            let mut before = inputs();
            change(&mut before);
            now.explain(Some(&before))
        };
        assert_eq!(now.explain(None).reason, Reason::FirstTime);
        assert_eq!(case(|_| {}).reason, Reason::Evicted);
        let moved = case(|before| {
            before.input = "j".into();
            before.base_digest = Some("sha256:bbbbbbbbbbbbbbbb".into());
        });
        assert_eq!(
            (moved.reason, moved.detail.as_str()),
            (Reason::BaseMoved, "node:20 moved from sha256:bbbbbbbbbbbb to sha256:aaaaaaaaaaaa")
        );
        assert_eq!(case(|before| before.input = "j".into()).reason, Reason::InputChanged);
        let env = case(|before| before.env[1].1 = "3".into());
        assert_eq!((env.reason, env.detail.as_str()), (Reason::InstructionChanged, "the value of VERSION changed"));
        let text = case(|before| before.instruction = "RUN make all".into());
        assert_eq!((text.reason, text.detail.as_str()), (Reason::InstructionChanged, "it was `RUN make all`"));
        assert_eq!(case(|before| before.parameters = "q".into()).reason, Reason::InstructionChanged);
    }

    #[test]
    fn names_what_an_instruction_is_made_of() {
        assert_eq!(parameters_changed("COPY ${FROM:-a} $TO/$TO/"), "the value of FROM or TO changed, or the WORKDIR before it");
        assert_eq!(parameters_changed("workdir /srv/$NAME"), "the value of NAME changed, or the WORKDIR before it");
        assert_eq!(parameters_changed("COPY a b"), "where it writes, or for whom, changed with the WORKDIR or USER before it");
        assert!(parameters_changed("RUN make").starts_with("the command"));
    }
}
