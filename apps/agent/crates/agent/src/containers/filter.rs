//! Docker's `filters` parameter: a JSON map of names to lists (or, from old clients, to maps of values to true).
use std::collections::BTreeMap;

use serde_json::Value;
use slipway_net::Protocol;
use slipway_runtime::clock;

use super::record::{Record, State};
use super::{Container, Containers};
use crate::error::{ApiError, ApiResult};
use crate::http::query::{parse_duration, parse_time};

#[derive(Debug, Clone, Default)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    pub fn parse(text: Option<&str>) -> ApiResult<Self> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let invalid = || ApiError::bad_request("invalid filter");
        let map: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| invalid())?;
        let values = |value: Value| match value {
            Value::Array(list) => list.into_iter().map(|v| v.as_str().map(String::from).ok_or_else(invalid)).collect(),
            Value::Object(map) => Ok(map.into_iter().filter(|(_, on)| on == &Value::Bool(true)).map(|(key, _)| key).collect()),
            _ => Err(invalid()),
        };
        Ok(Self(map.into_iter().map(|(key, value)| Ok((key, values(value)?))).collect::<ApiResult<_>>()?))
    }

    /// Refuses names that mean nothing: a filter silently ignored would show, or delete, too much.
    pub fn only(&self, known: &[&str]) -> ApiResult<()> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(ApiError::bad_request(format!("invalid filter '{key}'"))),
            None => Ok(()),
        }
    }

    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// True without such a filter, or when one of its values fits.
    pub fn any(&self, name: &str, fits: impl Fn(&str) -> bool) -> bool {
        self.get(name).is_none_or(|values| values.iter().any(|value| fits(value)))
    }

    /// `key` or `key=value`; all must fit.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let fits = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
            None => labels.contains_key(wanted),
        };
        self.get("label").is_none_or(|wanted| wanted.iter().all(fits))
            && !self.get("label!").is_some_and(|without| without.iter().any(fits))
    }

    /// `until`: what was made before. A time, or how long ago as Go writes it (`24h`, `1h30m`). Nanoseconds since the epoch.
    pub fn until(&self) -> ApiResult<Option<i64>> {
        let text = match self.get("until") {
            None => return Ok(None),
            Some([one]) => one,
            Some(_) => return Err(ApiError::bad_request("more than one until filter specified")),
        };
        match parse_time(text).or_else(|| Some(clock::now() - parse_duration(text)?)) {
            Some(time) => Ok(Some(time)),
            None => Err(ApiError::bad_request(format!("invalid filter 'until={text}': give a time, or a duration like 24h"))),
        }
    }

    /// `is-task`, `dangling` and the like.
    pub fn flag(&self, name: &str) -> ApiResult<Option<bool>> {
        let parse = |value: &String| match value.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Ok(true),
            "0" | "f" | "false" => Ok(false),
            _ => Err(ApiError::bad_request(format!("invalid filter '{name}={value}'"))),
        };
        match self.get(name) {
            None => Ok(None),
            Some([one]) => parse(one).map(Some),
            Some(_) => Err(ApiError::bad_request(format!("invalid filter '{name}': given twice"))),
        }
    }
}

impl Containers {
    /// True when the container passes all filters of `GET /containers/json`.
    pub fn passes(&self, container: &Container, filters: &Filters) -> bool {
        let (record, state) = (container.record(), container.state());
        let health = state.health.as_ref().map_or("none", |health| health.status);
        filters.labels(&record.config.labels)
            && filters.any("id", |id| record.id.starts_with(id))
            && filters.any("name", |name| fits_name(name, &record.name))
            && filters.any("status", |status| state.name() == status)
            && filters.any("health", |wanted| wanted == health)
            && filters.any("exited", |code| !state.is_running() && code.parse() == Ok(state.exit_code))
            && filters.any("volume", |name| record.mounts.iter().any(|mount| mount.name == name || mount.destination == name))
            && filters.any("network", |wanted| self.is_in(&record, wanted))
            && filters.any("publish", |port| self.has_port(&record, &state, port, true))
            && filters.any("expose", |port| self.has_port(&record, &state, port, false))
            && filters.any("ancestor", |wanted| self.descends(&record.image_id, &record.config.image, wanted))
    }

    fn has_port(&self, record: &Record, state: &State, wanted: &str, published: bool) -> bool {
        let Ok(wanted) = PortRange::parse(wanted) else { return false };
        let bound = state.ports.iter().map(|port| (port.container_port, port.protocol));
        let exposed = record.config.exposed_ports.keys().filter_map(|key| super::spec::parse_port(key).ok());
        match published {
            // Docker means the port on the host here.
            true => state.ports.iter().any(|port| wanted.has(port.host_port, port.protocol)),
            false => bound.chain(exposed).any(|(port, protocol)| wanted.has(port, protocol)),
        }
    }

    /// Refuses values that can fit nothing, and gives the times that `before` and `since` stand for.
    pub fn check_filters(&self, filters: &Filters) -> ApiResult<(Option<i64>, Option<i64>)> {
        const STATUSES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
        const HEALTH: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];
        let invalid = |name: &str, value: &str| Err(ApiError::bad_request(format!("invalid filter '{name}={value}'")));
        for (name, known) in [("status", &STATUSES[..]), ("health", &HEALTH[..])] {
            if let Some(value) = filters.get(name).and_then(|values| values.iter().find(|value| !known.contains(&value.as_str()))) {
                return invalid(name, value);
            }
        }
        if let Some(value) = filters.get("exited").and_then(|values| values.iter().find(|value| value.parse::<i32>().is_err())) {
            return invalid("exited", value);
        }
        for name in ["publish", "expose"] {
            filters.get(name).unwrap_or_default().iter().try_for_each(|value| PortRange::parse(value).map(drop))?;
        }
        let created = |name: &str| -> ApiResult<Option<i64>> {
            let Some(value) = filters.get(name).and_then(<[String]>::last) else { return Ok(None) };
            self.get(value).map(|container| Some(container.record().created))
        };
        Ok((created("before")?, created("since")?))
    }

    fn descends(&self, image_id: &str, image_name: &str, wanted: &str) -> bool {
        let bare = image_id.strip_prefix("sha256:").unwrap_or(image_id);
        image_name == wanted
            || bare.starts_with(wanted.strip_prefix("sha256:").unwrap_or(wanted))
            || self.deps.images.resolve(wanted).is_ok_and(|image| image.record.id.to_string() == image_id)
    }
}

/// A regular expression, as in Docker, for the name with or without its slash. What is none is a part of the name.
fn fits_name(wanted: &str, name: &str) -> bool {
    match regex_lite::RegexBuilder::new(wanted).size_limit(LARGEST_EXPRESSION).build() {
        Ok(expression) => expression.is_match(name) || expression.is_match(&format!("/{name}")),
        Err(_) => name.contains(wanted),
    }
}

/// Bytes of a compiled expression; names need little.
const LARGEST_EXPRESSION: usize = 64 * 1024;

/// `80`, `80/tcp`, `8000-8010/udp`.
struct PortRange {
    first: u16,
    last: u16,
    protocol: Protocol,
}

impl PortRange {
    fn parse(text: &str) -> ApiResult<Self> {
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, protocol) = super::spec::parse_port(&format!("{first}/{protocol}"))?;
        let (last, _) = super::spec::parse_port(&format!("{last}/tcp"))?;
        Ok(Self { first, last, protocol })
    }

    fn has(&self, port: u16, protocol: Protocol) -> bool {
        protocol == self.protocol && (self.first..=self.last).contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_regular_expressions() {
        for wanted in ["web", "^web", "^/web-1$", "w.b-[0-9]+$", "^/?web-1$", "-1", "cat|web"] {
            assert!(fits_name(wanted, "web-1"), "{wanted}");
        }
        for wanted in ["^eb", "web$", "web-[a-z]", "*", "(((((a{1000}){1000}){1000}"] {
            assert!(!fits_name(wanted, "web-1"), "{wanted}");
        }
    }

    #[test]
    fn both_forms() {
        let new = Filters::parse(Some(r#"{"label":["a=1","b"]}"#)).unwrap();
        let old = Filters::parse(Some(r#"{"label":{"a=1":true,"c":false}}"#)).unwrap();
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        assert!(new.labels(&labels) && old.labels(&labels));
        assert!(!new.labels(&BTreeMap::from([("a".to_owned(), "1".to_owned())])));
        assert!(Filters::parse(Some("[]")).is_err() && new.only(&["id"]).is_err());
    }
}
