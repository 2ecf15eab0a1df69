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
        self.text(name).is_some_and(truthy)
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

/// Booleans as Docker's clients write them.
pub fn truthy(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
}

pub fn parse_time(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    match seconds.parse::<i64>() {
        Ok(seconds) if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
            Some(seconds.checked_mul(1_000_000_000)? + digits.parse::<i64>().ok()?)
        }
        _ => slipway_runtime::clock::parse_rfc3339(text),
    }
}

/// As Go writes durations: `1h30m`, `1.5h`, `300ms`. Nanoseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 6] = [("ms", 1e6), ("us", 1e3), ("ns", 1.0), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)];
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|length| *length > 0)?;
        let (number, tail) = rest.split_at(digits);
        let (unit, factor) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit))?;
        total += number.parse::<f64>().ok()? * factor;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty() && total < i64::MAX as f64).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, parse_time};

    #[test]
    fn times() {
        assert_eq!(parse_time("1700000000.25"), Some(1_700_000_000_250_000_000));
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        assert_eq!(parse_time("10m"), None);
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_duration("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_duration("250ms"), Some(250_000_000));
        for bad in ["", "10", "h", "-1h", "1x", "1..5s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
