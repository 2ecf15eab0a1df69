use std::path::{Path, PathBuf};

use crate::Digest;

pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with content. `Display` is a sentence a user may read; the source is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("No such image: {0}")]
    ImageNotFound(String),
    #[error("blob {0} is not in this machine's store")]
    BlobNotFound(Digest),
    #[error("the content does not match its digest: expected {expected}, received {actual}")]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("the content has the wrong length: expected {expected} bytes, received {actual}")]
    SizeMismatch { expected: u64, actual: u64 },
    #[error("blob {0} is damaged on disk and was set aside; pull or build the image again")]
    Corrupt(Digest),
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("invalid reference format: {0}")]
    InvalidReference(String),
    #[error("invalid digest: {0}")]
    InvalidDigest(String),
    #[error("the id {0} is short for more than one image; give more of its characters")]
    Ambiguous(String),
    #[error("{what} is not valid: {reason}")]
    InvalidContent { what: String, reason: String },
    #[error("the disk is full: {path} could not be written; free space or prune images, then try again")]
    DiskFull { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// A stable code for machines; the same for every cause of one kind.
    pub fn code(&self) -> &'static str {
        match self {
            Error::ImageNotFound(_) => "IMAGE_NOT_FOUND",
            Error::BlobNotFound(_) => "BLOB_NOT_FOUND",
            Error::DigestMismatch { .. } => "DIGEST_MISMATCH",
            Error::SizeMismatch { .. } => "SIZE_MISMATCH",
            Error::Corrupt(_) => "BLOB_CORRUPT",
            Error::TooLarge { .. } => "TOO_LARGE",
            Error::InvalidReference(_) => "REFERENCE_INVALID",
            Error::InvalidDigest(_) => "DIGEST_INVALID",
            Error::Ambiguous(_) => "IMAGE_AMBIGUOUS",
            Error::InvalidContent { .. } => "CONTENT_INVALID",
            Error::DiskFull { .. } => "DISK_FULL",
            Error::Io { .. } => "IO",
        }
    }

    /// Wraps an I/O error with the path it happened at; a full disk or quota becomes [`Error::DiskFull`].
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        move |source| {
            let path = path.as_ref().to_path_buf();
            match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
                _ => Error::Io { path, source },
            }
        }
    }

    pub fn invalid(what: impl Into<String>, reason: impl std::fmt::Display) -> Error {
        Error::InvalidContent { what: what.into(), reason: reason.to_string() }
    }
}
