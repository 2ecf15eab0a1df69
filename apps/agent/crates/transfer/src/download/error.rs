/// Why a URL could not be fetched. `Display` is a sentence part a user may read; it tells the host and never credentials,
/// path or query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    #[error("{url:?} is no address of http or https: {reason}")]
    Url { url: String, reason: String },
    #[error(
        "{host} is or leads to an address inside this network, {address}; if that is meant, allow it under downloadInside in the agent's settings"
    )]
    Inside { host: String, address: String },
    #[error("{host} could not be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} sent nothing for {seconds} seconds")]
    Stalled { host: String, seconds: u64 },
    #[error("{host} did not send all of it within {seconds} seconds")]
    TooSlow { host: String, seconds: u64 },
    #[error("{host} answered {status}")]
    Refused {
        host: String,
        /// With its name: `404 Not Found`.
        status: String,
        code: u16,
    },
    #[error("{host} redirects {reason}")]
    Redirect { host: String, reason: String },
    #[error("{host} sends more than the {limit} bytes that a download may have")]
    TooLarge { host: String, limit: u64 },
}

impl DownloadError {
    /// A stable code for machines.
    pub fn code(&self) -> &'static str {
        match self {
            DownloadError::Url { .. } => "URL_INVALID",
            DownloadError::Inside { .. } => "URL_INSIDE",
            DownloadError::Unreachable { .. } => "URL_UNREACHABLE",
            DownloadError::Stalled { .. } | DownloadError::TooSlow { .. } => "URL_STALLED",
            DownloadError::Refused { code: 404 | 410, .. } => "URL_NOT_FOUND",
            DownloadError::Refused { .. } | DownloadError::Redirect { .. } => "URL_REFUSED",
            DownloadError::TooLarge { .. } => "URL_TOO_LARGE",
        }
    }
}
