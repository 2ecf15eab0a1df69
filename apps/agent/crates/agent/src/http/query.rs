//! Query parameters as Docker's clients write them.
use std::collections::HashMap;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::{ApiError, ApiResult};

/// The parameters of a request; a name given twice keeps its last value.
pub struct Params(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Ok(Self(query.map(|axum::extract::Query(pairs)| pairs.into_iter().collect()).unwrap_or_default()))
    }
}

impl Params {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `1`, `true`, `True`; everything else, and absence, is false.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none"))
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> ApiResult<Option<T>> {
        match self.text(name).filter(|value| !value.is_empty()) {
            Some(value) => value.parse().map(Some).map_err(|_| ApiError::bad_request(format!("invalid value for {name}: {value:?}"))),
            None => Ok(None),
        }
    }

    /// A point in time: seconds since the epoch with decimals, or RFC 3339. Nanoseconds since the epoch; 0 is absent.
    pub fn time(&self, name: &str) -> ApiResult<Option<i64>> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        parse_time(text)
            .map(|time| Some(time).filter(|time| *time != 0))
            .ok_or_else(|| ApiError::bad_request(format!("invalid value for {name}: {text:?}")))
    }
}

fn parse_time(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    match seconds.parse::<i64>() {
        Ok(seconds) if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
            Some(seconds.checked_mul(1_000_000_000)? + digits.parse::<i64>().ok()?)
        }
        _ => slipway_runtime::clock::parse_rfc3339(text),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn times() {
        assert_eq!(parse_time("1700000000.25"), Some(1_700_000_000_250_000_000));
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        assert_eq!(parse_time("10m"), None);
    }
}
