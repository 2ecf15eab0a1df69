use std::sync::Arc;

/// One line of progress, as the Engine API words it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The short id of a layer, or the tag.
    pub id: Option<String>,
    pub status: String,
    /// Bytes done and in all.
    pub bytes: Option<(u64, u64)>,
}

impl Progress {
    pub fn status(status: impl Into<String>) -> Progress {
        Progress { id: None, status: status.into(), bytes: None }
    }
    pub fn of(id: impl Into<String>, status: impl Into<String>) -> Progress {
        Progress { id: Some(id.into()), status: status.into(), bytes: None }
    }
    pub fn bytes(id: impl Into<String>, status: impl Into<String>, done: u64, all: u64) -> Progress {
        Progress { id: Some(id.into()), status: status.into(), bytes: Some((done, all)) }
    }
}

/// Takes progress lines; must not block.
pub type Reporter = Arc<dyn Fn(Progress) + Send + Sync>;

/// A reporter for callers that do not look.
pub fn silent() -> Reporter {
    Arc::new(|_| {})
}
