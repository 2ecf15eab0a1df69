//! What went wrong, in a sentence for the person or engine that called.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// runc's words, or ours where it has none.
    #[error("{0}")]
    Told(String),
    #[error("container does not exist")]
    NoSuchContainer,
    #[error("container not running")]
    NotRunning,
    #[error("{0}")]
    Cgroup(#[from] slipway_cgroups::Error),
    #[error("unable to start container process: {0}")]
    Inside(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;

/// Says what was being done.
pub trait During<T> {
    fn during(self, what: &str) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(|error| Error::Io { what: what.into(), source: error.into() })
    }
}
