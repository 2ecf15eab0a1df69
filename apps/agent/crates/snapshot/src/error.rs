use std::path::{Path, PathBuf};

use slipway_store::Digest;

pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with layers. `Display` is a sentence a user may read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("layer {0} is not unpacked on this machine")]
    LayerNotFound(Digest),
    #[error("there is no snapshot {0}")]
    SnapshotNotFound(String),
    #[error("snapshot {0} exists already")]
    SnapshotExists(String),
    #[error("the snapshot id {0:?} must be 1 to 128 letters, digits, dots, dashes and underscores")]
    InvalidId(String),
    #[error("the layer's content does not match its diff id: expected {expected}, unpacked {actual}")]
    DiffIdMismatch { expected: Digest, actual: Digest },
    #[error("the layer is not a valid archive: {0}")]
    InvalidArchive(String),
    #[error("the archive's entry {path:?} is refused: {reason}")]
    HostileEntry { path: String, reason: String },
    #[error("there is no {0}")]
    FileNotFound(String),
    #[error("{0}")]
    Kept(String),
    #[error("it is over the limit of {limit} {what}")]
    OverLimit { what: &'static str, limit: u64 },
    #[error("layers of type {0} are not supported; use tar, tar+gzip or tar+zstd")]
    UnsupportedMediaType(String),
    #[error("the directory cannot become a layer: {0}")]
    NotDiffable(String),
    #[error("the layer's data could not be read: {0}")]
    Source(#[source] std::io::Error),
    #[error("the disk is full: {path} could not be written; free space or prune images, then try again")]
    DiskFull { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] slipway_store::Error),
}

impl Error {
    /// A stable code for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Error::LayerNotFound(_) => "LAYER_NOT_FOUND",
            Error::SnapshotNotFound(_) => "SNAPSHOT_NOT_FOUND",
            Error::SnapshotExists(_) => "SNAPSHOT_EXISTS",
            Error::InvalidId(_) => "SNAPSHOT_ID_INVALID",
            Error::DiffIdMismatch { .. } => "DIGEST_MISMATCH",
            Error::InvalidArchive(_) => "LAYER_INVALID",
            Error::HostileEntry { .. } => "LAYER_REFUSED",
            Error::FileNotFound(_) => "FILE_NOT_FOUND",
            Error::Kept(_) => "FILE_KEPT",
            Error::OverLimit { .. } => "TOO_LARGE",
            Error::UnsupportedMediaType(_) => "LAYER_UNSUPPORTED",
            Error::NotDiffable(_) => "NOT_DIFFABLE",
            Error::Source(_) => "LAYER_READ",
            Error::DiskFull { .. } => "DISK_FULL",
            Error::Io { .. } => "IO",
            Error::Store(inner) => inner.code(),
        }
    }

    /// An error of the stream being read. A stream that is also copied to disk can find the disk full.
    pub(crate) fn reading(source: std::io::Error) -> Error {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull { path: "the content store".into() },
            _ => Error::Source(source),
        }
    }

    /// Wraps an I/O or system call error with the path it happened at.
    pub fn io<E: Into<std::io::Error>>(path: impl AsRef<Path>) -> impl FnOnce(E) -> Error {
        move |source| {
            let (path, source) = (path.as_ref().to_path_buf(), source.into());
            match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
                _ => Error::Io { path, source },
            }
        }
    }
}
