//! The request of a build, as Rust types. Mirrors `packages/contracts/src/agent/build-plan.ts` and `build-api.ts`; the
//! fixtures in `packages/contracts/fixtures/build` are parsed by both sides.
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use slipway_store::Digest;

use crate::mount::RunMount;
use crate::output_options::OutputOptions;

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildRequest {
    pub id: String,
    /// Cache scope: an organization's id.
    pub scope: String,
    pub plan: BuildPlan,
    pub tags: Vec<String>,
    /// `Some(false)`: the image is made and measured, but neither named nor kept; `tags` only say whose build it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
    #[serde(default)]
    pub no_cache: bool,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputOptions>,
    #[serde(default, skip_serializing_if = "CacheOptions::is_default")]
    pub cache: CacheOptions,
    /// The build context; `None`: it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<StoredContext>,
    /// Those that `context` vertices of the plan name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, StoredContext>,
}

/// How a build uses the cache of its scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CacheOptions {
    /// `Some(false)`: the scope's cache is read, but nothing of this build gets into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<bool>,
    /// Caches in registries that are looked into for what is not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Where the build's steps are left for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<CacheTarget>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CacheTarget {
    pub reference: String,
    #[serde(default)]
    pub mode: CacheMode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// The steps that the image is made of; their layers go to the registry with the image anyway.
    Min,
    /// All steps.
    #[default]
    Max,
}

impl CacheOptions {
    pub fn writes(&self) -> bool {
        self.write.unwrap_or(true)
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A context that was uploaded before, by the digest of its root.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoredContext {
    pub tree: Digest,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// What one step may write to the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    pub timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: None, cpu_millis: None, pids: None, disk_bytes: None, timeout_ms: 30 * 60_000 }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BuildPlan {
    pub version: u32,
    pub platform: Platform,
    pub vertices: Vec<Vertex>,
    pub target: String,
    pub image: PlanImage,
    /// Further images, of other platforms: the result is an index of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<PlanTarget>,
}

/// One image of a plan.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTarget {
    pub platform: Platform,
    pub target: String,
    pub image: PlanImage,
}

/// As [`PlanTarget`], of a plan that is read.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub platform: &'a Platform,
    pub vertex: &'a str,
    pub image: &'a PlanImage,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vertex {
    pub id: String,
    pub name: String,
    pub stage: String,
    pub instruction: String,
    pub line: u32,
    pub end_line: u32,
    /// For people, where the plan has several: what it runs on, and what it is for (`linux/amd64->arm64`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    pub op: Op,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Op {
    Image {
        reference: String,
        digest: String,
    },
    Scratch {},
    /// Files that the client sent beneath `contexts/<name>/`.
    Context {
        name: String,
    },
    Exec(ExecOp),
    Copy(CopyOp),
    Http(HttpOp),
    Mkdir {
        input: String,
        path: String,
        user: String,
    },
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExecOp {
    pub input: String,
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<RunMount>,
    /// `None`: the default bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<OtherNetwork>,
    /// Everything a privileged container may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// `None`: what the executor calls a step's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherNetwork {
    None,
    Host,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CopyOp {
    pub input: String,
    /// `None`: the build context.
    pub from: Option<String>,
    /// May be empty when there are `inline` files.
    pub sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inline: Vec<InlineFile>,
    pub dest: String,
    pub chown: String,
    pub chmod: Option<String>,
    pub extract: bool,
    /// Sources keep their path (behind a `/./` in it) in the destination.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parents: bool,
    /// Patterns of what is left out of the sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// A layer of its own, made without a look at `input`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
    /// Further sources of one ADD, copied behind `sources`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<CopyPart>,
}

/// Sources that lie elsewhere than those before them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CopyPart {
    /// `None`: the build context.
    pub from: Option<String>,
    pub sources: Vec<String>,
    pub extract: bool,
}

impl CopyOp {
    /// The copy of each place that files come from, one after the other. Each but the last has no `inline`.
    pub fn parts(&self) -> Vec<CopyOp> {
        let alone = |part: &CopyPart| CopyOp {
            from: part.from.clone(),
            sources: part.sources.clone(),
            extract: part.extract,
            inline: Vec::new(),
            more: Vec::new(),
            ..self.clone()
        };
        let first = CopyPart { from: self.from.clone(), sources: self.sources.clone(), extract: self.extract };
        std::iter::once(&first).chain(&self.more).map(alone).collect()
    }
}

/// ADD of a URL: a file system with one file in its root, mode 0600, of the time that the server tells.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpOp {
    /// May hold credentials: never to be shown as it is.
    pub url: String,
    /// `sha256:…` that the content must have.
    pub checksum: Option<String>,
    pub filename: String,
}

/// A file whose content stands in the Dockerfile: `COPY <<name`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InlineFile {
    pub name: String,
    pub data: String,
}

impl Op {
    /// The vertex whose file system this one changes.
    pub fn input(&self) -> Option<&str> {
        match self {
            Op::Image { .. } | Op::Scratch {} | Op::Context { .. } | Op::Http(_) => None,
            Op::Exec(exec) => Some(&exec.input),
            Op::Mkdir { input, .. } => Some(input),
            Op::Copy(copy) => Some(&copy.input),
        }
    }

    /// The vertices this one reads, its own file system first.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        let (input, from, more, mounts) = match self {
            Op::Image { .. } | Op::Scratch {} | Op::Context { .. } | Op::Http(_) => (None, None, [].as_slice(), [].as_slice()),
            Op::Exec(exec) => (Some(exec.input.as_str()), None, [].as_slice(), exec.mounts.as_slice()),
            Op::Mkdir { input, .. } => (Some(input.as_str()), None, [].as_slice(), [].as_slice()),
            Op::Copy(copy) => (Some(copy.input.as_str()), copy.from.as_deref(), copy.more.as_slice(), [].as_slice()),
        };
        let more = more.iter().filter_map(|part| part.from.as_deref());
        input.into_iter().chain(from).chain(more).chain(mounts.iter().filter_map(RunMount::from))
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlanImage {
    pub config: ImageConfig,
    pub history: Vec<HistoryEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryEntry {
    pub created_by: String,
    /// `None`: metadata only (`empty_layer`).
    pub vertex: Option<String>,
}

/// OCI image-spec config.config with Docker's additions. Absent = unset.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ImageConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeMap<String, Empty>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<BTreeMap<String, Empty>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_build: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Empty {}

/// Durations in nanoseconds.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Healthcheck {
    pub test: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
}

impl BuildRequest {
    pub fn output(&self) -> OutputOptions {
        self.output.clone().unwrap_or_default()
    }

    pub fn keeps(&self) -> bool {
        self.keep.unwrap_or(true)
    }
}

impl BuildPlan {
    pub fn vertex(&self, id: &str) -> Option<&Vertex> {
        self.vertices.iter().find(|vertex| vertex.id == id)
    }

    /// The images that are made, the plan's own first.
    pub fn targets(&self) -> impl Iterator<Item = Target<'_>> {
        let own = Target { platform: &self.platform, vertex: &self.target, image: &self.image };
        std::iter::once(own).chain(self.more.iter().map(|one| Target { platform: &one.platform, vertex: &one.target, image: &one.image }))
    }

    /// Names of the contexts that come with the request, beside the build context.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.vertices.iter().filter_map(|vertex| if let Op::Context { name } = &vertex.op { Some(name.as_str()) } else { None })
    }
}
