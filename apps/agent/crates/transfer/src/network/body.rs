use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// Why no next piece came.
pub(crate) enum Broke {
    Stalled,
    /// With the reason.
    Lost(String),
}

/// The next piece of a body, or `None` at its end.
pub(crate) async fn next_piece(body: &mut Incoming, stall: Duration) -> Result<Option<Bytes>, Broke> {
    loop {
        let frame = match tokio::time::timeout(stall, body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Broke::Lost(root_cause(&error))),
            Err(_) => return Err(Broke::Stalled),
        };
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Clients wrap the cause several times; the innermost says it ("Connection refused").
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
