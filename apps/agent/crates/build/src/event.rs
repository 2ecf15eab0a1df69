//! What a build tells while it runs: one JSON object a line. Mirrors `buildEvent` of `packages/contracts`.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{BuildError, ErrorCode};
use crate::executor::ExecOutcome;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum BuildEvent {
    Ping {
        at: u64,
    },
    Vertex(VertexEvent),
    Log {
        id: String,
        at: u64,
        stream: Stream,
        data: String,
    },
    /// A step asks its SSH agent `id`, for which the client answers: `message` is in hex digits, of the kinds 11 and 13 only.
    Ssh {
        at: u64,
        id: String,
        ask: u64,
        message: String,
    },
    Result {
        at: u64,
        image_id: String,
        manifest_digest: String,
        size: u64,
        layers: Vec<ResultLayer>,
        /// Of a plan with several: the images in the index that `manifest_digest` is then of. The other fields tell of the one that
        /// this machine uses.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        platforms: Vec<ResultImage>,
        duration_ms: u64,
        /// Of a build with `cache.from` or `cache.to`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shared_cache: Option<SharedCache>,
    },
    Error {
        at: u64,
        code: ErrorCode,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vertex: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
    },
}

/// What caches in registries did for a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedCache {
    /// Steps that were found there, and nowhere else.
    pub hits: u64,
    /// Bytes that went there; absent when nothing was to be left, or it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_bytes: Option<u64>,
    /// For people: what went wrong, at the cost of time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VertexEvent {
    pub id: String,
    pub at: u64,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miss: Option<Miss>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// On running: how long it waited for a free place among the running steps, or for another build doing the same; on cached: for
    /// that other build, whose result it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written_bytes: Option<u64>,
    /// On cached and done, of an ADD of a URL: the digest of the file, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
}

impl VertexEvent {
    pub fn new(id: &str, status: Status) -> Self {
        Self {
            id: id.to_owned(),
            at: now_ms(),
            status,
            duration_ms: None,
            miss: None,
            layer: None,
            exit_code: None,
            peak_memory_bytes: None,
            cpu_ms: None,
            wait_ms: None,
            disk_read_bytes: None,
            disk_written_bytes: None,
            content_digest: None,
        }
    }

    /// What a RUN took.
    #[must_use]
    pub fn with(mut self, outcome: Option<&ExecOutcome>) -> Self {
        if let Some(outcome) = outcome {
            self.exit_code = Some(outcome.exit_code);
            self.peak_memory_bytes = outcome.peak_memory_bytes;
            self.cpu_ms = outcome.cpu.map(millis);
            self.disk_read_bytes = outcome.disk.map(|(read, _)| read);
            self.disk_written_bytes = outcome.disk.map(|(_, written)| written);
        }
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Cached,
    Done,
    Failed,
    Canceled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Why a vertex was not taken from the cache; `detail` is a sentence part for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Miss {
    pub reason: Reason,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    FirstTime,
    FilesChanged,
    InputChanged,
    InstructionChanged,
    BaseMoved,
    Evicted,
    NoCache,
}

/// Sizes in bytes: `size` of the compressed blob, `unpacked_size` of the tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerInfo {
    pub digest: String,
    pub diff_id: String,
    pub size: u64,
    pub unpacked_size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultLayer {
    pub digest: String,
    pub diff_id: String,
    pub size: u64,
}

/// One platform's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultImage {
    /// `linux/arm/v7`
    pub platform: String,
    pub image_id: String,
    pub manifest_digest: String,
    /// Bytes of all blobs.
    pub size: u64,
    pub layers: Vec<ResultLayer>,
}

/// Unix time in milliseconds.
pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The sending half of a build's event stream. Bounded: a slow client slows the build's output down, and nothing piles
/// up in memory (256 events of at most 16 KiB).
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<BuildEvent>,
    over: CancellationToken,
}

/// Once a build is over, a client that reads nothing gets this long before it is given up.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Events {
    pub fn channel() -> (Self, mpsc::Receiver<BuildEvent>) {
        let (sender, receiver) = mpsc::channel(256);
        (Self { sender, over: CancellationToken::new() }, receiver)
    }

    /// Waits while the client is behind. A client that went away is no error here: [`Events::closed`] cancels the build.
    pub async fn send(&self, event: BuildEvent) {
        tokio::select! {
            _gone = self.sender.send(event) => {}
            () = self.over.cancelled() => {}
        }
    }

    pub async fn vertex(&self, event: VertexEvent) {
        self.send(BuildEvent::Vertex(event)).await;
    }

    /// The last event of a build. Never waits for ever; what is sent after it, or still waits, is dropped.
    pub async fn last(&self, event: BuildEvent) {
        let _given_up = self.sender.send_timeout(event, LAST_WORDS).await.is_err();
        self.over.cancel();
    }

    /// Resolves when the client is gone.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

impl From<&BuildError> for BuildEvent {
    fn from(error: &BuildError) -> Self {
        Self::Error {
            at: now_ms(),
            code: error.code,
            message: error.message.clone(),
            vertex: error.vertex.clone(),
            exit_code: error.exit_code,
        }
    }
}
