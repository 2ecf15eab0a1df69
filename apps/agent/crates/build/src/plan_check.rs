//! What makes a request one that can be built; everything in it comes from outside.
use std::collections::{HashMap, HashSet};

use crate::error::{BuildError, ErrorCode};
use crate::mode::ModeChange;
use crate::mount::RunMount;
use crate::output_options::OutputOptions;
use crate::plan::{BuildPlan, BuildRequest, ExecOp, Op, Target, Vertex};

const MAX_VERTICES: usize = 1000;
const MAX_CACHES: usize = 4;
const MAX_TAGS: usize = 16;
const MAX_CONTEXTS: usize = 64;
const MAX_PLATFORMS: usize = 16;
/// A hundred, and the script.
const MAX_MOUNTS: usize = 101;
/// Places that one ADD takes files from.
const MAX_PARTS: usize = 1000;
const MAX_URL: usize = 8 << 10;

impl BuildRequest {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// `BAD_PLAN`, with what is wrong and where.
    pub fn parse(json: &[u8]) -> Result<Self, BuildError> {
        let request: Self = serde_json::from_slice(json).map_err(|error| bad(format!("The build request is not valid: {error}.")))?;
        request.validate()?;
        Ok(request)
    }

    fn validate(&self) -> Result<(), BuildError> {
        if !is_id(&self.id) {
            return Err(bad("The build id must be 1 to 64 letters, digits, `-` or `_`.".into()));
        }
        if self.scope.is_empty() || self.scope.len() > 200 {
            return Err(bad("The cache scope must have 1 to 200 characters.".into()));
        }
        if self.tags.len() > MAX_TAGS {
            return Err(bad(format!("A build gives an image at most {MAX_TAGS} names.")));
        }
        let limits = &self.limits;
        if limits.timeout_ms == 0 || [limits.memory_bytes, limits.cpu_millis, limits.pids, limits.disk_bytes].contains(&Some(0)) {
            return Err(bad("Limits must be greater than 0; leave one out for no limit.".into()));
        }
        self.output.as_ref().map_or(Ok(()), OutputOptions::validate)?;
        let cache = &self.cache;
        if cache.from.len() > MAX_CACHES {
            return Err(bad(format!("A build looks into at most {MAX_CACHES} caches.")));
        }
        if !cache.writes() && cache.to.is_some() {
            return Err(bad("A build that may not write the cache leaves none in a registry; leave out cache.to.".into()));
        }
        for name in cache.from.iter().chain(cache.to.as_ref().map(|to| &to.reference)) {
            if slipway_store::Reference::parse(name).is_err() {
                return Err(bad(format!("`{name}` is not a valid name of a cache.")));
            }
        }
        self.plan.validate()
    }
}

impl BuildPlan {
    fn validate(&self) -> Result<(), BuildError> {
        if self.version != 1 {
            return Err(bad(format!("This agent solves plans of version 1, not {}; update the agent.", self.version)));
        }
        let mut platforms = HashSet::new();
        for Target { platform, .. } in self.targets() {
            if platform.os != "linux" {
                return Err(bad(format!("This agent builds for linux, not {}.", platform.os)));
            }
            if !platforms.insert(platform) || platforms.len() > MAX_PLATFORMS {
                return Err(bad(format!("A plan has at most {MAX_PLATFORMS} platforms, each once.")));
            }
        }
        if self.vertices.is_empty() || self.vertices.len() > MAX_VERTICES {
            return Err(bad(format!("A plan has 1 to {MAX_VERTICES} vertices, this one has {}.", self.vertices.len())));
        }
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, vertex) in self.vertices.iter().enumerate() {
            if !is_vertex_id(&vertex.id) {
                return Err(bad(format!("`{}` is not a vertex id.", vertex.id)));
            }
            if let Some(input) = vertex.op.inputs().find(|input| !seen.contains_key(input)) {
                return Err(bad(format!("Vertex {} reads {input}, which does not come before it.", vertex.id)));
            }
            let context = |id: &str| seen.get(id).is_some_and(|&index| matches!(self.vertices[index].op, Op::Context { .. }));
            if let Some(input) = vertex.op.input().filter(|input| context(input)) {
                return Err(bad(format!("Vertex {} builds on {input}, which is a context; copy it onto an empty file system.", vertex.id)));
            }
            vertex.check_op()?;
            if seen.insert(&vertex.id, index).is_some() {
                return Err(bad(format!("Vertex {} is there twice.", vertex.id)));
            }
        }
        if self.contexts().count() > MAX_CONTEXTS {
            return Err(bad(format!("A plan has at most {MAX_CONTEXTS} contexts, and none is its target.")));
        }
        self.targets().try_for_each(|target| self.check_target(target, &seen))
    }

    fn check_target(&self, target: Target<'_>, seen: &HashMap<&str, usize>) -> Result<(), BuildError> {
        match seen.get(target.vertex) {
            None => return Err(bad(format!("The target {} is not among the vertices.", target.vertex))),
            Some(&index) if matches!(self.vertices[index].op, Op::Context { .. }) => {
                return Err(bad(format!("A plan has at most {MAX_CONTEXTS} contexts, and none is its target.")));
            }
            Some(_) => {}
        }
        match target.image.history.iter().filter_map(|entry| entry.vertex.as_deref()).find(|id| !seen.contains_key(id)) {
            Some(id) => Err(bad(format!("The history names vertex {id}, which is not in the plan."))),
            None => Ok(()),
        }
    }
}

/// It is written into the step's `/etc/hosts`.
fn is_hostname(name: &str) -> bool {
    let ends = [name.as_bytes().first(), name.as_bytes().last()];
    name.len() <= 63
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

impl Vertex {
    fn check_op(&self) -> Result<(), BuildError> {
        let at = |text: &str| Err(bad(format!("Vertex {} (line {}): {text}", self.id, self.line)));
        match &self.op {
            Op::Image { reference, digest } if reference.is_empty() || digest.is_empty() => at("the base image is not resolved."),
            Op::Context { name } if !is_context_name(name) => at("its context's name is not valid."),
            Op::Exec(ExecOp { args, env, cwd, mounts, hostname, .. }) => {
                if args.is_empty() || args.iter().chain(env).any(|text| text.contains('\0')) {
                    return at("the command is empty or has a NUL character.");
                }
                if !cwd.starts_with('/') {
                    return at("the working directory must be absolute.");
                }
                if hostname.as_deref().is_some_and(|name| !is_hostname(name)) {
                    return at("its machine's name must be letters, digits, dots and hyphens, at most 63.");
                }
                let bad = |mount: &RunMount| mount.target().is_some_and(|target| !target.starts_with('/') || target.contains('\0'));
                if mounts.len() > MAX_MOUNTS || mounts.iter().any(bad) {
                    at("its mounts are too many, or one has no absolute target.")
                } else {
                    Ok(())
                }
            }
            Op::Copy(copy) => {
                if (copy.sources.is_empty() && copy.inline.is_empty()) || !copy.dest.starts_with('/') {
                    return at("a copy needs a source and an absolute destination.");
                }
                if copy.chmod.as_deref().is_some_and(|mode| mode.parse::<ModeChange>().is_err()) {
                    return at("the mode must be octal digits, or letters as chmod takes them.");
                }
                if !copy.inline.iter().all(|file| is_file_name(&file.name)) {
                    return at("a heredoc's name cannot name a file.");
                }
                if copy.more.len() > MAX_PARTS || copy.more.iter().any(|part| part.sources.is_empty()) {
                    return at("its sources lie at too many places, or there is a place without any.");
                }
                Ok(())
            }
            Op::Http(http) => {
                if !(http.url.starts_with("http://") || http.url.starts_with("https://")) || http.url.len() > MAX_URL {
                    return at("the URL must begin with http:// or https:// and have at most 8 KiB.");
                }
                if http.checksum.as_ref().is_some_and(|checksum| checksum.parse::<slipway_store::Digest>().is_err()) {
                    return at("the checksum must be sha256: and 64 hex digits.");
                }
                if is_file_name(&http.filename) { Ok(()) } else { at("the URL's file name cannot name a file.") }
            }
            Op::Mkdir { path, .. } if !path.starts_with('/') => at("the working directory must be absolute."),
            _ => Ok(()),
        }
    }
}

fn bad(message: String) -> BuildError {
    BuildError::new(ErrorCode::BadPlan, message)
}

/// Ids become directory and cgroup names.
pub fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// One name in a directory, not a path.
fn is_file_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// It becomes the name of a directory.
fn is_context_name(name: &str) -> bool {
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name.bytes().next().is_some_and(rest)
        && name.bytes().all(|b| rest(b) || matches!(b, b'.' | b'_' | b'-'))
}

fn is_vertex_id(id: &str) -> bool {
    id.strip_prefix('v').is_some_and(|n| (1..=5).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
}
