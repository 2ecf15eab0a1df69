//! A registry inside the test: honest by default, and able to lie, stall, break off and ask for a login.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use slipway_snapshot::Layers;
use slipway_store::{ContainerConfig, Descriptor, Digest, ImageConfig, Manifest, RootFs, Store, media_type};
use slipway_transfer::{Client, Credentials, Progress, Pull, Pulled, Registries, Reporter, Result, Timeouts};

pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// How blobs are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mood {
    #[default]
    Honest,
    /// Flips a byte.
    WrongBytes,
    /// Claims another length, and sends it.
    TooLong,
    TooShort,
    /// Sends half, then nothing, and keeps the connection open.
    Stalls,
    /// Breaks the connection after each 10,000 bytes; serves ranges.
    BreaksOff,
    /// As `BreaksOff`, and ignores ranges, breaking later each time.
    BreaksOffWithoutRanges,
    /// Stores another manifest than it was sent.
    WrongManifest,
}

#[derive(Default)]
pub struct Shared {
    pub blobs: HashMap<Digest, Bytes>,
    /// By repository and tag or digest: media type and bytes.
    pub manifests: HashMap<String, (String, Bytes)>,
    pub mood: Mood,
    /// `user:password`, when a login is needed.
    pub login: Option<(String, String)>,
    pub bearer: bool,
    /// What a PUT of a manifest is answered with.
    pub refuses: Option<(u16, &'static str)>,
    pub requests: Vec<String>,
    pub breaks: usize,
}

#[derive(Clone)]
pub struct TestRegistry {
    pub shared: Arc<Mutex<Shared>>,
    pub address: String,
}

impl TestRegistry {
    pub async fn start() -> TestRegistry {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let registry = TestRegistry { shared: Arc::default(), address };
        let serving = registry.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let registry = serving.clone();
                let service = hyper::service::service_fn(move |request| {
                    let registry = registry.clone();
                    async move { Ok::<_, Infallible>(registry.answer(request).await) }
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
            }
        });
        registry
    }

    pub fn set(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap());
    }

    pub fn count(&self, prefix: &str) -> usize {
        self.shared.lock().unwrap().requests.iter().filter(|r| r.starts_with(prefix)).count()
    }

    /// An image of these layers (plain tars), under `acme/app:<tag>`; gives its manifest's digest.
    pub fn put_image(&self, tag: &str, layers: &[Vec<u8>]) -> Digest {
        let mut shared = self.shared.lock().unwrap();
        let mut put = |bytes: Vec<u8>, kind: &str| {
            let descriptor = Descriptor::new(kind, Digest::of(&bytes), bytes.len() as u64);
            shared.blobs.insert(descriptor.digest, bytes.into());
            descriptor
        };
        let config = ImageConfig {
            architecture: slipway_store::Platform::host().architecture,
            os: "linux".into(),
            config: Some(ContainerConfig { cmd: Some(vec!["/app".into()]), ..Default::default() }),
            rootfs: RootFs { kind: "layers".into(), diff_ids: layers.iter().map(|l| Digest::of(l)).collect() },
            ..Default::default()
        };
        let layers = layers.iter().map(|l| put(gzip(l), media_type::OCI_LAYER_GZIP)).collect();
        let config = put(serde_json::to_vec(&config).unwrap(), media_type::OCI_CONFIG);
        let manifest = serde_json::to_vec(&Manifest::oci(config, layers)).unwrap();
        let digest = Digest::of(&manifest);
        for name in [tag.to_string(), digest.to_string()] {
            shared.manifests.insert(format!("acme/app/{name}"), (media_type::OCI_MANIFEST.into(), manifest.clone().into()));
        }
        digest
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_string();
        let authorization = parts.headers.get("authorization").map(|v| v.to_str().unwrap().to_string());
        self.set(|s| s.requests.push(format!("{} {path}", parts.method)));
        if path == "/token" {
            return self.token(authorization, parts.uri.query().unwrap_or_default());
        }
        if let Some(refused) = self.refuse(authorization) {
            return refused;
        }
        let Some(rest) = path.strip_prefix("/v2/acme/app/") else { return text(StatusCode::OK, "") };
        let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        match (&parts.method, rest.split_once('/')) {
            (&Method::POST, _) => {
                Response::builder().status(202).header("location", "/v2/acme/app/blobs/uploads/1?state=x").body(full("")).unwrap()
            }
            (&Method::PUT, Some(("blobs", _))) => {
                let query = parts.uri.query().unwrap();
                let digest: Digest = query.split("digest=").nth(1).unwrap().parse().unwrap();
                if Digest::of(&body) != digest {
                    return text(StatusCode::BAD_REQUEST, r#"{"errors":[{"code":"DIGEST_INVALID","message":"wrong digest"}]}"#);
                }
                self.set(|s| drop(s.blobs.insert(digest, body)));
                text(StatusCode::CREATED, "")
            }
            (&Method::PUT, Some(("manifests", _))) if self.shared.lock().unwrap().refuses.is_some() => {
                let (status, body) = self.shared.lock().unwrap().refuses.unwrap();
                text(StatusCode::from_u16(status).unwrap(), body)
            }
            (&Method::PUT, Some(("manifests", name))) => {
                let kind = parts.headers["content-type"].to_str().unwrap().to_string();
                let wrong = self.shared.lock().unwrap().mood == Mood::WrongManifest;
                let digest = if wrong { Digest::of(b"another") } else { Digest::of(&body) };
                self.set(|s| drop(s.manifests.insert(format!("acme/app/{name}"), (kind, body))));
                Response::builder().status(201).header("docker-content-digest", digest.to_string()).body(full("")).unwrap()
            }
            (_, Some(("manifests", name))) => match self.shared.lock().unwrap().manifests.get(&format!("acme/app/{name}")) {
                Some((kind, bytes)) => Response::builder().header("content-type", kind).body(full(bytes.clone())).unwrap(),
                None => text(StatusCode::NOT_FOUND, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#),
            },
            (_, Some(("blobs", digest))) => {
                let blob = digest.parse().ok().and_then(|d| self.shared.lock().unwrap().blobs.get(&d).cloned());
                let range =
                    parts.headers.get("range").and_then(|r| r.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
                match blob {
                    // Small ones (configs) are served well: these tests are about layers.
                    Some(bytes) if parts.method == Method::GET && bytes.len() > 2_000 => self.moody(bytes, range),
                    Some(bytes) => text_bytes(StatusCode::OK, bytes),
                    None => text(StatusCode::NOT_FOUND, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#),
                }
            }
            _ => text(StatusCode::NOT_FOUND, ""),
        }
    }

    fn moody(&self, bytes: Bytes, range: Option<usize>) -> Response<Body> {
        let mut shared = self.shared.lock().unwrap();
        let length = bytes.len();
        let claimed = |n: usize| Response::builder().header("content-length", n.to_string());
        match shared.mood {
            Mood::Honest | Mood::WrongManifest => text_bytes(StatusCode::OK, bytes),
            Mood::WrongBytes => {
                let mut wrong = bytes.to_vec();
                wrong[length / 2] ^= 1;
                text_bytes(StatusCode::OK, wrong.into())
            }
            Mood::TooLong => Response::new(pieces(vec![bytes, Bytes::from(vec![0; 5_000])], End::Whole)),
            Mood::TooShort => Response::new(pieces(vec![bytes.slice(..length - 10)], End::Whole)),
            Mood::Stalls => claimed(length).body(pieces(vec![bytes.slice(..length / 2)], End::Never)).unwrap(),
            Mood::BreaksOff => {
                let start = range.unwrap_or(0);
                let end = length.min(start + 10_000);
                let ending = if end == length { End::Whole } else { End::Broken };
                let mut response = claimed(length - start);
                if range.is_some() {
                    response = response.status(206).header("content-range", format!("bytes {start}-{}/{length}", length - 1));
                }
                response.body(pieces(vec![bytes.slice(start..end)], ending)).unwrap()
            }
            Mood::BreaksOffWithoutRanges => {
                shared.breaks += 1;
                let end = length.min(20_000 * shared.breaks);
                let ending = if end == length { End::Whole } else { End::Broken };
                claimed(length).body(pieces(vec![bytes.slice(..end)], ending)).unwrap()
            }
        }
    }

    fn refuse(&self, authorization: Option<String>) -> Option<Response<Body>> {
        let shared = self.shared.lock().unwrap();
        let (user, password) = shared.login.as_ref()?;
        let (wanted, challenge) = if shared.bearer {
            (format!("Bearer token-of-{user}"), format!("Bearer realm=\"http://{}/token\",service=\"test\"", self.address))
        } else {
            (basic(user, password), "Basic realm=\"test\"".to_string())
        };
        if authorization.as_deref() == Some(wanted.as_str()) {
            return None;
        }
        let body = full(r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#);
        Some(Response::builder().status(401).header("www-authenticate", challenge).body(body).unwrap())
    }

    fn token(&self, authorization: Option<String>, query: &str) -> Response<Body> {
        let shared = self.shared.lock().unwrap();
        let (user, password) = shared.login.clone().unwrap();
        assert!(query.contains("service=test"), "{query}");
        if authorization != Some(basic(&user, &password)) {
            return text(StatusCode::UNAUTHORIZED, r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#);
        }
        text(StatusCode::OK, &format!(r#"{{"token":"token-of-{user}"}}"#))
    }
}

enum End {
    Whole,
    Broken,
    Never,
}

fn pieces(pieces: Vec<Bytes>, end: End) -> Body {
    use futures::StreamExt as _;
    let start = futures::stream::iter(pieces.into_iter().map(|p| Ok(Frame::data(p))));
    let rest = match end {
        End::Whole => futures::stream::empty().boxed(),
        // Later, so that what was sent before is not lost with the connection.
        End::Broken => futures::stream::once(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(std::io::Error::other("broken"))
        })
        .boxed(),
        End::Never => futures::stream::pending().boxed(),
    };
    StreamBody::new(start.chain(rest)).boxed_unsync()
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    text_bytes(status, text.to_string().into())
}

fn text_bytes(status: StatusCode, bytes: Bytes) -> Response<Body> {
    Response::builder().status(status).header("content-length", bytes.len().to_string()).body(full(bytes)).unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar with one file of bytes that do not compress.
pub fn layer(name: &str, size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(name.len() as u64 | 1);
        (state >> 33) as u8
    })
    .take(size)
    .collect();
    tar_of(&[(name, &noise)])
}

/// The config of an image of one layer.
pub fn config(diff_id: Digest) -> Vec<u8> {
    let rootfs = RootFs { kind: "layers".into(), diff_ids: vec![diff_id] };
    serde_json::to_vec(&ImageConfig { os: "linux".into(), architecture: "amd64".into(), rootfs, ..Default::default() }).unwrap()
}

pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A machine: a store of its own and a client that knows the registry as `slipway.local`.
pub struct Machine {
    pub dir: tempfile::TempDir,
    pub layers: Layers,
    pub client: Client,
    pub said: Arc<Mutex<Vec<Progress>>>,
}

impl Machine {
    pub fn new(registry: &TestRegistry) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let layers = Layers::open(&Store::open(dir.path()).unwrap()).unwrap();
        let mapped = BTreeMap::from([("slipway.local".to_string(), format!("http://{}", registry.address))]);
        // A busy machine answers late; only the tests of stalling registries are in a hurry.
        let patience = Duration::from_secs(30);
        let timeouts = Timeouts { connect: patience, answer: patience, stall: patience, back_off: Duration::from_millis(5) };
        let client = Client::new(Registries::new(mapped).unwrap(), timeouts);
        Machine { dir, layers, client, said: Arc::default() }
    }

    /// The same, giving up on a registry that sends nothing for a moment.
    pub fn impatient(registry: &TestRegistry) -> Machine {
        let patient = Machine::new(registry);
        let mapped = BTreeMap::from([("slipway.local".to_string(), format!("http://{}", registry.address))]);
        let quick = Duration::from_millis(300);
        let timeouts = Timeouts { connect: quick, answer: quick, stall: quick, back_off: Duration::from_millis(5) };
        Machine { client: Client::new(Registries::new(mapped).unwrap(), timeouts), ..patient }
    }

    /// Every file of the store with its inode: what is written again is another.
    pub fn written(&self) -> BTreeMap<PathBuf, u64> {
        let (mut files, mut open) = (BTreeMap::new(), vec![self.dir.path().to_path_buf()]);
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let meta = entry.metadata().unwrap();
                if meta.is_dir() {
                    open.push(entry.path());
                } else {
                    files.insert(entry.path(), meta.ino());
                }
            }
        }
        files
    }

    pub fn reporter(&self) -> Reporter {
        let said = self.said.clone();
        Arc::new(move |progress| said.lock().unwrap().push(progress))
    }

    pub async fn pull(&self, name: &str, credentials: Option<Credentials>) -> Result<Pulled> {
        let reference = slipway_store::Reference::parse(name).unwrap();
        self.client.pull(&self.layers, Pull { reference, platform: None, unnamed: false, credentials }, self.reporter()).await
    }

    /// Nothing may be left of what failed: no image, and after gc no content.
    pub fn assert_empty(&self) {
        // Blocking threads of a dropped pull first have to see that nobody feeds them any more.
        for _ in 0..1_000 {
            if ["layers/tmp", "content/ingest"].iter().all(|area| std::fs::read_dir(self.dir.path().join(area)).unwrap().count() == 0) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(self.layers.store().images().is_empty());
        self.layers.collect().unwrap();
        assert!(self.layers.list().is_empty() && self.layers.store().blobs().unwrap().is_empty());
        for area in ["layers/tmp", "layers/trash", "content/ingest"] {
            let left: Vec<_> = std::fs::read_dir(self.dir.path().join(area)).unwrap().collect();
            assert!(left.is_empty(), "{area}: {left:?}");
        }
    }
}

pub fn ann(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "ann".into(), password: password.into(), ..Default::default() })
}
