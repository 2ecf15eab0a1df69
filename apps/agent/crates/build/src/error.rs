//! How a build fails: a code for programs, a sentence for the user, a cause for the log.
use std::io;

use serde::{Deserialize, Serialize};

use crate::executor::ExecOutcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    ExecFailed,
    OutOfMemory,
    CopyFailed,
    /// A URL of an ADD.
    DownloadFailed,
    BaseNotFound,
    BadPlan,
    BadContext,
    /// The host's settings forbid it.
    NotAllowed,
    /// A secret or an SSH agent that a step requires is not given.
    SecretMissing,
    Canceled,
    Timeout,
    DiskFull,
    /// A registry's cache offered a result that could not be taken. The same build without that cache is fine.
    CacheLost,
    /// A step wrote more than the build's limit.
    DiskLimit,
    Internal,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    pub code: ErrorCode,
    /// One sentence for the user.
    pub message: String,
    pub vertex: Option<String>,
    pub exit_code: Option<i32>,
    /// Of a RUN that failed.
    pub outcome: Option<Box<ExecOutcome>>,
    /// For the log.
    pub cause: Option<String>,
}

pub type Result<T, E = BuildError> = std::result::Result<T, E>;

impl BuildError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), vertex: None, exit_code: None, outcome: None, cause: None }
    }

    pub fn canceled() -> Self {
        Self::new(ErrorCode::Canceled, "The build was canceled.")
    }

    /// `doing` completes "while …"; a full disk is told as such whatever was being done.
    pub fn io(doing: &str, error: &io::Error) -> Self {
        if is_disk_full(error) {
            return Self::disk_full(format!("{doing}: {error}"));
        }
        let mut this = Self::new(ErrorCode::Internal, format!("The build host failed while {doing}: {error}."));
        this.cause = Some(error.to_string());
        this
    }

    pub fn internal(doing: &str, cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        if cause.contains("No space left on device") || cause.contains("Disk quota exceeded") {
            return Self::disk_full(cause);
        }
        let mut this = Self::new(ErrorCode::Internal, format!("The build host failed while {doing}: {cause}."));
        this.cause = Some(cause);
        this
    }

    pub fn disk_full(cause: String) -> Self {
        let mut this = Self::new(
            ErrorCode::DiskFull,
            "The disk of the build host is full; free some space or remove unused images, then build again.",
        );
        this.cause = Some(cause);
        this
    }

    #[must_use]
    pub fn at(mut self, vertex: &str) -> Self {
        self.vertex.get_or_insert_with(|| vertex.to_owned());
        self
    }
}

pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
