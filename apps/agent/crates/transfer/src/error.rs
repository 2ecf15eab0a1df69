pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong on the way between this machine and a registry or archive. `Display` is a sentence a user may read;
/// credentials are never in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the registry {host} could not be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("the registry {host} sent nothing for {seconds} seconds")]
    Stalled { host: String, seconds: u64 },
    #[error("the registry {host} did not send {what} within {seconds} seconds")]
    TooSlow { host: String, what: String, seconds: u64 },
    #[error("pull access denied for {name}, repository does not exist or may require 'docker login': {reason}")]
    Denied { name: String, reason: String },
    /// As dockerd tells it: the registry's word for it, and its own sentence.
    #[error("{word}: {reason}")]
    PushDenied { word: String, reason: String },
    #[error("login attempt to {url} failed with status: {status}")]
    Login { url: String, status: String },
    #[error("manifest for {0} not found: the registry has no image of that name and tag")]
    ManifestNotFound(String),
    #[error("no image for {wanted} in {name}; it has {available}")]
    NoPlatform { name: String, wanted: String, available: String },
    #[error("the registry {host} answered {status}: {reason}")]
    Refused { host: String, status: u16, reason: String },
    #[error("the registry {host} does not keep to the protocol: {reason}")]
    Protocol { host: String, reason: String },
    #[error("the credentials could not be read: {0}")]
    Credentials(String),
    #[error("the archive is not an image: {0}")]
    Archive(String),
    #[error("the change {0:?} is not supported; use CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR")]
    Change(String),
    #[error(transparent)]
    Download(#[from] crate::download::DownloadError),
    #[error("the work was given up: {0}")]
    Aborted(String),
    #[error(transparent)]
    Layer(#[from] slipway_snapshot::Error),
    #[error(transparent)]
    Store(#[from] slipway_store::Error),
}

impl Error {
    /// A stable code for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unreachable { .. } => "REGISTRY_UNREACHABLE",
            Error::Stalled { .. } | Error::TooSlow { .. } => "REGISTRY_STALLED",
            Error::Denied { .. } | Error::PushDenied { .. } => "REGISTRY_DENIED",
            Error::Login { .. } => "LOGIN_FAILED",
            Error::ManifestNotFound(_) => "IMAGE_NOT_FOUND",
            Error::NoPlatform { .. } => "PLATFORM_NOT_FOUND",
            Error::Refused { .. } => "REGISTRY_REFUSED",
            Error::Protocol { .. } => "REGISTRY_PROTOCOL",
            Error::Credentials(_) => "CREDENTIALS_INVALID",
            Error::Archive(_) => "ARCHIVE_INVALID",
            Error::Change(_) => "CHANGE_INVALID",
            Error::Download(inner) => inner.code(),
            Error::Aborted(_) => "ABORTED",
            Error::Layer(inner) => inner.code(),
            Error::Store(inner) => inner.code(),
        }
    }
}
