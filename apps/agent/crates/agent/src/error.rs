//! The error every HTTP handler returns: Docker's shape, `{"message": …}`.
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    /// A sentence for the user.
    pub message: String,
}

pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }
    /// 500: the cause goes to the log, the sentence to the caller. A full disk is 507, whoever ran into it: its owner can mend it.
    pub fn internal(message: impl Into<String>, cause: impl std::fmt::Display) -> Self {
        let message = message.into();
        tracing::error!(%cause, "{message}");
        let cause = cause.to_string();
        if cause.contains("No space left on device") || cause.contains("Disk quota exceeded") {
            return Self::disk_full(message);
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{message}: {cause}"))
    }
    /// 507. `message` says what could not be done.
    pub fn disk_full(message: impl std::fmt::Display) -> Self {
        let text = format!("{message}: the disk of the host is full; free some space or remove unused images, then try again");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, text)
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "message": self.message }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_a_fault() {
        let full = ApiError::internal("cannot make the volume data", std::io::Error::from_raw_os_error(28));
        assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE);
        assert!(full.message.starts_with("cannot make the volume data: the disk of the host is full; free some space"), "{full}");
        let other = ApiError::internal("cannot make the volume data", std::io::Error::from_raw_os_error(5));
        assert_eq!(other.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
