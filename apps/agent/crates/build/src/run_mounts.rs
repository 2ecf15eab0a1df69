//! RUN --mount: what a step's mounts are made of on this host.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::build::Build;
use crate::cache::About;
use crate::cache_dirs::{CacheDir, CacheDirs};
use crate::context::Root;
use crate::copy::{Placement, copy};
use crate::error::{BuildError, ErrorCode, Result};
use crate::exec::short;
use crate::executor::{ExecMount, ExecSource, OverlayDirs};
use crate::files::FileList;
use crate::key::KeyHash;
use crate::layer::{Lower, Output};
use crate::mount::{CacheMount, RunMount, SecretMount, Sharing};
use crate::plan::{ExecOp, Vertex};
use crate::secrets::Secret;
use crate::select::{SelectError, Source, digest_files, source_at};
use crate::ssh_agent::Relay;
use crate::tree::Tree;
use slipway_sys::remove::remove_tree;

/// A cache in use by a step.
#[derive(Debug)]
pub struct Cached {
    name: String,
    /// The id that the Dockerfile gives it.
    id: String,
    dir: CacheDir,
}

pub type Caches = Vec<Cached>;

/// What one step gets.
#[derive(Debug)]
pub struct Mounts {
    pub list: Vec<ExecMount>,
    /// `KEY=value` of secrets and of SSH, for this step only.
    pub env: Vec<String>,
    pub held: Held,
}

/// What must stay as it is while the step runs.
#[derive(Debug)]
pub struct Held {
    caches: Caches,
    _lowers: Vec<Lower>,
    /// What is thrown away.
    scratch: PathBuf,
}

impl Held {
    /// The folders that a step writes to beside its layer: those of this step alone, and caches with the bytes they held before.
    pub fn written(&self) -> (PathBuf, Vec<(PathBuf, u64)>) {
        let caches = self.caches.iter().map(|cached| (cached.dir.path.clone(), CacheDirs::bytes(&cached.dir)));
        (self.scratch.clone(), caches.collect())
    }

    /// Beside the steps that follow.
    pub fn give_back(self, build: &Arc<Build>) {
        let this = build.clone();
        build.add_seal(tokio::task::spawn_blocking(move || {
            for cached in &self.caches {
                this.cache.dirs.record(&cached.dir, About::new(&cached.id, &this.lineage()));
            }
            if let Err(error) = remove_tree(&self.scratch)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "what a step's mounts were written to goes with the build");
            }
        }));
    }
}

/// The checksums of what bind mounts show; `None` when there are none. What another vertex's files amount to is remembered.
///
/// # Errors
/// `EXEC_FAILED` naming the path that is missing.
pub fn checksums(build: &Build, vertex: &Vertex, op: &ExecOp, others: &[Output]) -> Result<Option<FileList>> {
    let mut lists = Vec::new();
    let mut others = others.iter();
    for mount in &op.mounts {
        let output = mount.from().and_then(|_| others.next());
        let sent = build.sent(mount.from());
        let source = match mount {
            RunMount::Bind { source, .. } => source,
            // What a new cache begins with changes what the step does as much as a bind mount.
            RunMount::Cache(CacheMount { from: Some(_), source, .. }) => source,
            _ => continue,
        };
        lists.push(checksum(build, vertex, source, output, sent)?);
    }
    Ok(if lists.is_empty() { None } else { Some(FileList::join(lists)) })
}

fn checksum(build: &Build, vertex: &Vertex, source: &str, output: Option<&Output>, sent: Option<&Root>) -> Result<FileList> {
    let missing = |error: SelectError| missing(vertex, source, sent.is_some(), &error);
    if let Some(root) = sent {
        return Ok(FileList::new(&[source_at(&root.index, source).map_err(missing)?], false));
    }
    let output = output.ok_or_else(|| BuildError::internal("solving a mount", "what it mounts is not there"))?;
    let name = KeyHash::new("bind").field(&output.id).field(source).finish();
    if let Some(files) = build.selection(&name)? {
        return Ok(files);
    }
    let view = output.view(&build.layers, &build.lease)?;
    let mut sources = [source_at(&view.tree, source).map_err(missing)?];
    digest_files(&view.tree, &mut sources, &|| build.stopped())
        .map_err(|error| if build.stopped() { BuildError::canceled() } else { missing(error) })?;
    let files = FileList::new(&sources, true);
    build.cache.remember(&build.scopes, "selections", &name, &files)?;
    Ok(files)
}

fn missing(vertex: &Vertex, source: &str, context: bool, error: &SelectError) -> BuildError {
    let (place, hint) = if context {
        ("in the context", "check the path, and that .dockerignore does not leave it out")
    } else {
        ("in the stage it is mounted from", "check the path and the step that should make it")
    };
    let text = match error {
        SelectError::Missing(_) => format!("`{source}` is not {place}; {hint}"),
        other => other.to_string(),
    };
    BuildError::new(ErrorCode::ExecFailed, format!("`{}` (line {}) cannot run: {text}.", short(vertex), vertex.line))
}

/// Takes the caches of a step, each once and always in the same order: no two steps wait for each other.
///
/// # Errors
/// As `CacheDirs::acquire`.
pub async fn caches(build: &Build, op: &ExecOp, others: &[Output]) -> Result<Caches> {
    let mut wanted: Vec<(String, &str, Sharing)> = Vec::new();
    let mut others = others.iter();
    for mount in &op.mounts {
        let output = mount.from().and_then(|_| others.next());
        let RunMount::Cache(cache) = mount else { continue };
        let name = cache_name(cache, output);
        match wanted.iter_mut().find(|(known, ..)| *known == name) {
            Some((.., Sharing::Locked)) => {}
            Some((.., sharing)) if cache.sharing != Sharing::Shared => *sharing = cache.sharing,
            Some(_) => {}
            None => wanted.push((name, &cache.id, cache.sharing)),
        }
    }
    wanted.sort_by(|(one, ..), (two, ..)| one.cmp(two));
    let mut held = Vec::with_capacity(wanted.len());
    for (name, id, sharing) in wanted {
        let dir = build.cache.dirs.acquire(build.scopes.own(), &name, sharing).await?;
        held.push(Cached { name, id: id.to_owned(), dir });
    }
    Ok(held)
}

/// Of two caches of one id that begin with different files, each is its own.
fn cache_name(cache: &CacheMount, from: Option<&Output>) -> String {
    let key = KeyHash::new("cache-mount").field(&cache.id);
    let mut name = from.map_or_else(|| key.clone(), |from| key.clone().field(&from.id).field(&cache.source)).finish();
    name.truncate(32);
    name
}

/// Blocks.
///
/// # Errors
/// `SECRET_MISSING`, `EXEC_FAILED`, `DISK_FULL`, `INTERNAL`.
pub fn prepare(build: &Build, vertex: &Vertex, op: &ExecOp, others: &[Output], caches: Caches) -> Result<Mounts> {
    let scratch = build.dir.path().join("steps").join(&vertex.id).join("mounts");
    let held = Held { caches, _lowers: Vec::new(), scratch };
    let mut mounts = Mounts { list: Vec::new(), env: Vec::new(), held };
    let mut others = others.iter();
    for mount in &op.mounts {
        let output = mount.from().and_then(|_| others.next());
        match mount {
            RunMount::Bind { target, source, write, from } => {
                let source = mounts.bind(build, source, output, build.sent(from.as_deref()), *write)?;
                mounts.list.push(ExecMount { target: target.clone(), readonly: !write, source });
            }
            RunMount::Tmpfs { target, size } => {
                mounts.list.push(ExecMount { target: target.clone(), readonly: false, source: ExecSource::Tmpfs { size: *size } });
            }
            RunMount::Cache(cache) => {
                let source = mounts.cache(build, cache, output)?;
                mounts.list.push(ExecMount { target: cache.target.clone(), readonly: cache.readonly, source });
            }
            RunMount::Secret(secret) => mounts.secret(build, vertex, secret)?,
            RunMount::Ssh { id, target, mode, uid, gid, .. } if build.context.secrets.has_ssh(id) => {
                let relay = Relay { id: id.as_str().into(), events: build.events.clone(), questions: build.questions.clone() };
                mounts.ssh(op, target, ExecSource::SshAgent { relay, mode: *mode, uid: *uid, gid: *gid });
            }
            RunMount::Ssh { id, required, .. } => {
                if *required {
                    let text = format!("the SSH key `{id}`, which this build was not given; add it in the app's settings, or with --ssh");
                    return Err(lacking(vertex, &text));
                }
            }
            RunMount::File { target, data, mode } => {
                let data = Secret::new(data.as_bytes());
                let source = ExecSource::File { data, mode: *mode, uid: 0, gid: 0, executable: true };
                mounts.list.push(ExecMount { target: target.clone(), readonly: true, source });
            }
        }
    }
    Ok(mounts)
}

fn lacking(vertex: &Vertex, text: &str) -> BuildError {
    BuildError::new(ErrorCode::SecretMissing, format!("`{}` (line {}) needs {text}.", short(vertex), vertex.line))
}

impl Mounts {
    fn bind(&mut self, build: &Build, source: &str, output: Option<&Output>, sent: Option<&Root>, write: bool) -> Result<ExecSource> {
        let subpath = source.to_owned();
        let lower = match (sent, output) {
            (Some(root), _) => {
                let (dir, _) = root.written()?;
                if !write {
                    return Ok(ExecSource::Directory { dir: dir.to_path_buf(), subpath });
                }
                vec![dir.to_path_buf()]
            }
            (None, None) => return Err(BuildError::internal("preparing a mount", "what it mounts is not there")),
            (None, Some(output)) => {
                let lower = output.lower(&build.layers, &build.lease)?;
                let dirs = lower.dirs.clone();
                self.held._lowers.push(lower);
                dirs
            }
        };
        let own = self.held.scratch.join(self.list.len().to_string());
        let dirs = OverlayDirs { lower, upper: own.join("upper"), work: own.join("work") };
        for dir in [&dirs.upper, &dirs.work] {
            std::fs::create_dir_all(dir).map_err(|error| BuildError::io("preparing a mount", &error))?;
        }
        Ok(ExecSource::Layers { dirs, subpath })
    }

    fn cache(&self, build: &Build, cache: &CacheMount, output: Option<&Output>) -> Result<ExecSource> {
        let name = cache_name(cache, output);
        let dir = self.held.caches.iter().find(|cached| cached.name == name).map(|cached| &cached.dir);
        let dir = dir.ok_or_else(|| BuildError::internal("mounting a cache", "it was not taken"))?;
        let data = build.cache.dirs.data(dir, |new| begin(build, cache, output, new))?;
        let subpath = match output {
            Some(_) => String::from("."),
            None => cache.source.clone(),
        };
        if subpath != "." {
            let made = Tree::open(&data).and_then(|tree| tree.make_dirs(Path::new(&subpath), cache.mode, (cache.uid, cache.gid)));
            made.map_err(|error| BuildError::io("making a folder of a cache", &error))?;
        }
        Ok(ExecSource::Directory { dir: data, subpath })
    }

    /// As BuildKit, the first one is where SSH looks, unless the image says otherwise.
    fn ssh(&mut self, op: &ExecOp, target: &str, source: ExecSource) {
        if !op.env.iter().chain(&self.env).any(|entry| entry.starts_with("SSH_AUTH_SOCK=")) {
            self.env.push(format!("SSH_AUTH_SOCK={target}"));
        }
        self.list.push(ExecMount { target: target.to_owned(), readonly: true, source });
    }

    fn secret(&mut self, build: &Build, vertex: &Vertex, mount: &SecretMount) -> Result<()> {
        let Some(secret) = build.context.secrets.get(&mount.id) else {
            let id = &mount.id;
            return if mount.required {
                Err(lacking(vertex, &format!("the secret `{id}`, which this build was not given; add it under that name")))
            } else {
                Ok(())
            };
        };
        if let Some(target) = &mount.target {
            let SecretMount { mode, uid, gid, .. } = *mount;
            let source = ExecSource::File { data: secret.clone(), mode, uid, gid, executable: false };
            self.list.push(ExecMount { target: target.clone(), readonly: true, source });
        }
        if let Some(name) = &mount.env {
            let text = std::str::from_utf8(secret.bytes()).ok().filter(|text| !text.contains('\0'));
            let text =
                text.ok_or_else(|| lacking(vertex, &format!("the secret `{}` as text, to put it into the variable {name}", mount.id)))?;
            self.env.push(format!("{name}={text}"));
        }
        Ok(())
    }
}

/// Fills a new cache.
fn begin(build: &Build, cache: &CacheMount, output: Option<&Output>, new: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: std::io::Error| BuildError::io("making a cache", &error);
    if let Some(output) = output {
        let view;
        let tree = match build.sent(cache.from.as_deref()) {
            Some(root) => root.written()?.1,
            None => {
                view = output.view(&build.layers, &build.lease)?;
                &view.tree
            }
        };
        let source = source_at(tree, &cache.source).map_err(|error| BuildError::internal("filling a cache", error))?;
        if !source.is_dir() {
            return Err(BuildError::new(
                ErrorCode::ExecFailed,
                format!("The cache `{}` cannot begin with `{}`: it is no directory.", cache.id, cache.source),
            ));
        }
        let to = Tree::open(new).map_err(failed)?;
        let placement = Placement { dest: "/".into(), owner: None, mode: None };
        let copied = copy(tree, &[Source { name: std::ffi::OsString::new(), ..source }], &to, &placement, &|| build.stopped());
        copied.map_err(|error| BuildError::internal("filling a cache", error))?;
    }
    std::os::unix::fs::chown(new, Some(cache.uid), Some(cache.gid)).map_err(failed)?;
    std::fs::set_permissions(new, std::fs::Permissions::from_mode(cache.mode)).map_err(failed)
}
