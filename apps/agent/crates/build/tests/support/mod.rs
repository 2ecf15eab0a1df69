//! A builder over a temporary data root, a base image of busybox, and an executor that runs steps with `unshare`.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use slipway_build::contexts::Encoding;
use slipway_build::event::{BuildEvent, Status, VertexEvent};
use slipway_build::executor::{ExecError, ExecOutcome, ExecRequest, Executor};
use slipway_build::{Builder, BuilderOptions, StartError};
use slipway_property::upload::{Item, upload};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Reference, Store, media_type};
use slipway_transfer::{DownloadLimits, Downloader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub const BASE: &str = "slipway.local/base/busybox";

/// Runs each step as pid 1 of new mount and pid namespaces, chrooted into the merged overlay. Root only.
#[derive(Default)]
pub struct UnshareExecutor {
    pub runs: AtomicUsize,
}

const SCRIPT: &str = r#"
/bin/mount -t overlay overlay -o "$1" "$2" && mkdir -p "$2/proc" "$2/dev" "$2$3" && mount -t proc proc "$2/proc" && mount --rbind /dev "$2/dev" && : >>"$2/etc/resolv.conf"
root=$2 user=$4 cwd=$3; shift 4
exec /usr/sbin/chroot "--userspec=$user" "$root" /bin/busybox sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"
"#;

#[async_trait]
impl Executor for UnshareExecutor {
    async fn run(&self, request: ExecRequest, cancel: CancellationToken) -> Result<ExecOutcome, ExecError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let setup = |error: std::io::Error| ExecError::Setup { message: error.to_string() };
        let lower: Vec<_> = request.rootfs.lower.iter().map(|dir| dir.to_str().unwrap().to_owned()).collect();
        let (upper, work) = (request.rootfs.upper.display(), request.rootfs.work.display());
        let options = format!("lowerdir={},upperdir={upper},workdir={work},redirect_dir=off,metacopy=off,index=off", lower.join(":"));
        let merged = request.rootfs.upper.with_file_name("merged");
        std::fs::create_dir_all(&merged).map_err(setup)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sh", &options]).arg(&merged);
        command.args([&request.cwd, &format!("{}:{}", request.user.uid, request.user.gid)]).args(&request.args);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(request.env.iter().filter_map(|pair| pair.split_once('=')));
        command.stdin(Stdio::null()).stdout(stdio(request.stdout)).stderr(stdio(request.stderr)).kill_on_drop(true);
        let mut child = command.spawn().map_err(setup)?;
        drop(command);
        let status = tokio::select! {
            status = child.wait() => status.map_err(setup)?,
            () = cancel.cancelled() => {
                child.kill().await.map_err(setup)?;
                return Err(ExecError::Canceled);
            }
        };
        Ok(ExecOutcome {
            exit_code: status.code().unwrap_or(137),
            oom_killed: false,
            peak_memory_bytes: None,
            cpu: Some(Duration::ZERO),
            disk: Some((8, 16)),
        })
    }

    /// Its processes are in no group that could be told to stop.
    fn pause(&self, _build_id: &str) {}

    fn resume(&self, _build_id: &str) {}

    async fn finish(&self, _build_id: &str) -> Result<(), ExecError> {
        Ok(())
    }
}

fn stdio(fd: OwnedFd) -> Stdio {
    Stdio::from(fd)
}

pub struct Fixture {
    pub dir: PathBuf,
    pub layers: Layers,
    pub executor: Arc<UnshareExecutor>,
    pub builder: Builder,
    pub base_digest: String,
    _temp: Option<tempfile::TempDir>,
}

impl Fixture {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut this = Self::at(temp.path());
        this._temp = Some(temp);
        this
    }

    /// Opens a data root, making the base image when it has none.
    pub fn at(dir: &Path) -> Self {
        let store = Store::open(dir).unwrap();
        let layers = Layers::open(&store).unwrap();
        let executor = Arc::new(UnshareExecutor::default());
        let base_digest = match store.resolve(BASE) {
            Ok(image) => image.record.manifest.digest.to_string(),
            Err(_) => import_base(&layers, dir),
        };
        let builder = Builder::open(layers.clone(), executor.clone(), downloader(), BuilderOptions::default()).unwrap();
        Self { dir: dir.to_path_buf(), layers, executor, builder, base_digest, _temp: None }
    }

    /// Removes the data root with itself.
    pub fn owning(mut self, dir: tempfile::TempDir) -> Self {
        self._temp = Some(dir);
        self
    }

    pub fn runs(&self) -> usize {
        self.executor.runs.load(Ordering::SeqCst)
    }

    pub async fn start(&self, request: Value, context: &[File<'_>]) -> Result<mpsc::Receiver<BuildEvent>, StartError> {
        let request = self.given(request, context);
        let body = tar_stream(&request);
        let chunks = body.chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>();
        self.builder.start(futures::stream::iter(chunks)).await
    }

    /// Uploads the files of a request, as clients do before they send it; one that has a context has all of it.
    pub fn given(&self, mut request: Value, context: &[File<'_>]) -> Value {
        let scope = request["scope"].as_str().unwrap_or_default().to_owned();
        let mut roots: BTreeMap<Option<&str>, Vec<(&str, Item)>> = BTreeMap::new();
        for file in context {
            let (root, path, item) = match file {
                File::Text(path, text) => (None, path, Item::File(0o644, text.as_bytes().to_vec())),
                File::Mode(path, text, mode) => (None, path, Item::File(*mode, text.as_bytes().to_vec())),
                File::Bytes(path, bytes) => (None, path, Item::File(0o644, bytes.clone())),
                File::Link(path, target) => (None, path, Item::Link((*target).to_owned())),
                File::Dir(path) => (None, path, Item::Dir(0o755)),
                File::Of(name, path, text) => (Some(*name), path, Item::File(0o644, text.as_bytes().to_vec())),
            };
            roots.entry(root).or_default().push((*path, item));
        }
        for (name, items) in roots {
            let (objects, root) = upload(items);
            let store = self.builder.contexts();
            store.receive(&scope, &objects[..], Encoding::Identity).unwrap();
            store.commit(&scope, &Digest::from_hex(&root).unwrap()).unwrap();
            let stored = json!({ "tree": format!("sha256:{root}") });
            match name {
                None => request["context"] = stored,
                Some(name) => request["contexts"][name] = stored,
            }
        }
        request
    }

    pub async fn build(&self, request: Value, context: &[File<'_>]) -> Outcome {
        let mut events = match self.start(request, context).await {
            Ok(events) => events,
            // As the HTTP handler does.
            Err(StartError::Refused(error)) => return Outcome(vec![BuildEvent::from(&error)]),
            Err(conflict) => panic!("{conflict}"),
        };
        let mut all = Vec::new();
        while let Some(event) = events.recv().await {
            all.push(event);
        }
        Outcome(all)
    }

    /// The merged file system of a finished image, as a plain directory.
    pub fn unpacked(&self, image_id: &str) -> Unpacked {
        let image = self.layers.store().image(&image_id.parse().unwrap()).unwrap();
        let (lower, _) = self.layers.lower(&image.record.diff_ids).unwrap();
        let out = tempfile::tempdir().unwrap();
        let merged = out.path().join("merged");
        let copy = out.path().join("copy");
        std::fs::create_dir(&merged).unwrap();
        let lower = lower.iter().map(|dir| dir.to_str().unwrap()).collect::<Vec<_>>().join(":");
        let empty = out.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let script = r#"mount -t overlay overlay -o "ro,lowerdir=$1" "$2" && cp -a "$2" "$3""#;
        let status = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", &format!("{lower}:{}", empty.display())])
            .args([&merged, &copy])
            .status()
            .unwrap();
        assert!(status.success());
        Unpacked { root: copy, _dir: out }
    }
}

/// Reaches the servers of tests.
pub fn downloader() -> Downloader {
    Downloader::new(&["127.0.0.0/8".to_owned()], DownloadLimits::default()).unwrap()
}

pub struct Unpacked {
    pub root: PathBuf,
    _dir: tempfile::TempDir,
}

impl Unpacked {
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap()
    }
    pub fn meta(&self, path: &str) -> std::fs::Metadata {
        self.root.join(path).symlink_metadata().unwrap()
    }
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }
}

pub enum File<'a> {
    Text(&'a str, &'a str),
    Mode(&'a str, &'a str, u32),
    Bytes(&'a str, Vec<u8>),
    Link(&'a str, &'a str),
    Dir(&'a str),
    /// Of a named context: its name, path and text.
    Of(&'a str, &'a str, &'a str),
}

/// A client's request, as the worker sends it.
pub fn tar_stream(request: &Value) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let text = request.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    builder.append_data(&mut header, "request.json", text.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

/// The events of a finished build.
pub struct Outcome(pub Vec<BuildEvent>);

impl Outcome {
    pub fn image(&self) -> String {
        match self.0.last() {
            Some(BuildEvent::Result { image_id, .. }) => image_id.clone(),
            other => panic!("no result but {other:?}"),
        }
    }
    pub fn error(&self) -> (String, String) {
        match self.0.last() {
            Some(BuildEvent::Error { code, message, .. }) => {
                (serde_json::to_value(code).unwrap().as_str().unwrap().to_owned(), message.clone())
            }
            other => panic!("no error but {other:?}"),
        }
    }
    /// The last event of a vertex.
    pub fn vertex(&self, id: &str) -> &VertexEvent {
        let events = self.0.iter().rev().filter_map(|event| if let BuildEvent::Vertex(vertex) = event { Some(vertex) } else { None });
        events.into_iter().find(|vertex| vertex.id == id).unwrap()
    }
    /// The event that told of a vertex's beginning.
    pub fn running(&self, id: &str) -> &VertexEvent {
        let events = self.0.iter().filter_map(|event| if let BuildEvent::Vertex(vertex) = event { Some(vertex) } else { None });
        events.into_iter().find(|vertex| vertex.id == id && vertex.status == Status::Running).unwrap()
    }
    /// Which event it was that first told this status of a vertex.
    pub fn position(&self, id: &str, status: Status) -> usize {
        let told = |event: &BuildEvent| matches!(event, BuildEvent::Vertex(vertex) if vertex.id == id && vertex.status == status);
        self.0.iter().position(told).unwrap()
    }
    pub fn status(&self, id: &str) -> Status {
        self.vertex(id).status
    }
    pub fn miss(&self, id: &str) -> (String, String) {
        let miss = self.vertex(id).miss.clone().unwrap();
        (serde_json::to_value(miss.reason).unwrap().as_str().unwrap().to_owned(), miss.detail)
    }
    pub fn log(&self, id: &str) -> String {
        let texts = self.0.iter().filter_map(|event| match event {
            BuildEvent::Log { id: of, data, .. } if of == id => Some(data.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// Builds plans one instruction after the other, each on top of the last of its stage.
pub struct Plan {
    vertices: Vec<Value>,
    history: Vec<Value>,
    last: String,
    stage: usize,
}

impl Plan {
    pub fn empty() -> Self {
        Self { vertices: Vec::new(), history: Vec::new(), last: String::new(), stage: 0 }
    }
    pub fn from(fixture: &Fixture) -> Self {
        let mut plan = Self::empty();
        plan.base(&fixture.base_digest);
        plan
    }
    pub fn scratch() -> Self {
        let mut plan = Self::empty();
        plan.add("FROM scratch", json!({ "type": "scratch" }));
        plan
    }
    pub fn base(&mut self, digest: &str) -> &mut Self {
        self.add("FROM busybox", json!({ "type": "image", "reference": format!("{BASE}:latest"), "digest": digest }))
    }
    /// Starts the next stage on the base.
    pub fn stage(&mut self, fixture: &Fixture) -> &mut Self {
        self.stage += 1;
        self.history.clear();
        self.base(&fixture.base_digest)
    }
    pub fn add(&mut self, instruction: &str, op: Value) -> &mut Self {
        let id = format!("v{}", self.vertices.len());
        let line = self.vertices.len() + 1;
        if op["input"].is_string() {
            self.history.push(json!({ "createdBy": instruction, "vertex": id }));
        }
        self.vertices.push(json!({ "id": id, "name": instruction, "stage": self.stage.to_string(), "instruction": instruction,
            "line": line, "endLine": line, "op": op }));
        self.last = id;
        self
    }
    pub fn run(&mut self, script: &str) -> &mut Self {
        self.run_as(script, "", &[])
    }
    pub fn run_as(&mut self, script: &str, user: &str, env: &[&str]) -> &mut Self {
        let mut all = vec!["PATH=/bin".to_owned()];
        all.extend(env.iter().map(ToString::to_string));
        self.add(
            &format!("RUN {script}"),
            json!({ "type": "exec", "input": self.last, "args": ["sh", "-c", script], "env": all, "cwd": "/", "user": user }),
        )
    }
    pub fn copy(&mut self, sources: &[&str], dest: &str) -> &mut Self {
        self.copy_with(sources, dest, json!({}))
    }
    /// `extra` overrides fields of the op: from, chown, chmod, extract.
    pub fn copy_with(&mut self, sources: &[&str], dest: &str, extra: Value) -> &mut Self {
        let mut op = json!({ "type": "copy", "input": self.last, "from": null, "sources": sources, "dest": dest, "chown": "", "chmod": null, "extract": false });
        for (key, value) in extra.as_object().unwrap() {
            op[key] = value.clone();
        }
        self.add(&format!("COPY {} {dest} {extra}", sources.join(" ")), op)
    }
    pub fn workdir(&mut self, path: &str) -> &mut Self {
        self.add(&format!("WORKDIR {path}"), json!({ "type": "mkdir", "input": self.last, "path": path, "user": "" }))
    }
    pub fn request(&self, id: &str) -> Value {
        json!({ "id": id, "scope": "org-1", "tags": ["slipway.local/acme/app:test"], "limits": { "timeoutMs": 60_000 }, "plan": {
            "version": 1, "platform": { "os": "linux", "architecture": "amd64" }, "vertices": self.vertices, "target": self.last,
            "image": { "config": { "Env": ["PATH=/bin"], "Cmd": ["sh"] }, "history": self.history } } })
    }
}

fn import_base(layers: &Layers, dir: &Path) -> String {
    let root = dir.join("base-root");
    for name in ["bin", "etc", "tmp", "proc", "usr/bin"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let applets = std::process::Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\napp:x:1001:\n").unwrap();
    let store = layers.store();
    let lease = store.lease("test");
    let made = layers.diff(&lease, &root, &Default::default()).unwrap();
    layers.adopt(&lease, &root, &made).unwrap();
    let config = json!({ "created": "2026-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "config": { "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [made.diff_id] },
        "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "busybox-static" }] });
    let config = store.put_bytes(&lease, config.to_string().as_bytes()).unwrap();
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": Descriptor::new(media_type::OCI_CONFIG, config.digest, config.size), "layers": [made.descriptor] });
    let manifest = store.put_bytes(&lease, manifest.to_string().as_bytes()).unwrap();
    let image = store.put_image(&Descriptor::new(media_type::OCI_MANIFEST, manifest.digest, manifest.size), made.unpacked_size).unwrap();
    store.tag(&Reference::parse(BASE).unwrap(), &image.record.id).unwrap();
    manifest.digest.to_string()
}
