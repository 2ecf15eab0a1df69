//! The version before the path (`/v1.44/containers/json`), and the headers on every answer.
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, Uri, header};

use super::engine::{API_VERSION, MIN_API_VERSION};
use crate::error::{ApiError, ApiResult};

/// The version a client speaks, for what newer ones do otherwise; one without is the newest.
#[derive(Debug, Clone, Copy)]
pub struct ClientVersion(pub (u32, u32));

/// Takes the version away; one that this engine does not speak is refused in Docker's words, which its clients show.
pub fn negotiate<B>(request: axum::http::Request<B>) -> ApiResult<Request<Body>>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut request = request.map(Body::new);
    let uri = request.uri();
    let Some((version, rest)) = split(uri.path()) else { return Ok(request) };
    check(version)?;
    let client = numbers(version).map(ClientVersion);
    let rest = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    *request.uri_mut() = rest.parse::<Uri>().map_err(|error| ApiError::bad_request(format!("invalid path: {error}")))?;
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    Ok(request)
}

/// The version without its `v`, and the path behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v")?;
    let (version, rest) = rest.split_at(rest.find('/')?);
    numbers(version).map(|_| (version, rest))
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    Some((number(major)?, number(minor)?))
}

fn check(version: &str) -> ApiResult<()> {
    let asked = numbers(version);
    if asked > numbers(API_VERSION) {
        return Err(ApiError::bad_request(format!("client version {version} is too new. Maximum supported API version is {API_VERSION}")));
    }
    if asked < numbers(MIN_API_VERSION) {
        return Err(ApiError::bad_request(format!(
            "client version {version} is too old. Minimum supported API version is {MIN_API_VERSION}, \
             please upgrade your client to a newer version"
        )));
    }
    Ok(())
}

/// As dockerd on every answer, so that clients can negotiate on any of them.
pub fn sign(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert("Api-Version", HeaderValue::from_static(API_VERSION));
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    headers.insert(header::SERVER, HeaderValue::from_static(concat!("Slipway/", env!("CARGO_PKG_VERSION"), " (linux)")));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_are_split_off() {
        assert_eq!(split("/v1.44/info"), Some(("1.44", "/info")));
        assert_eq!((split("/volumes/x"), split("/v1/x"), split("/v1.x/y"), split("/v1.44")), (None, None, None, None));
    }

    #[test]
    fn versions_are_numbers() {
        assert!(check("1.44").is_ok() && check(API_VERSION).is_ok() && check(MIN_API_VERSION).is_ok());
        assert!(check("1.9").is_err() && check("1.100").is_err() && check("2.0").is_err());
    }
}
