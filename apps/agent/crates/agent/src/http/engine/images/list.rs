use std::collections::HashMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_store::{Image, Reference, parse_rfc3339};

use crate::error::{ApiError, ApiResult};
use crate::state::App;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    filters: String,
    digests: String,
}

/// `GET /images/json`
pub async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> ApiResult<Json<Vec<Value>>> {
    let filters = Filters::parse(&query.filters)?;
    let mut kept = Vec::new();
    for image in app.images.store.images() {
        if let Some(image) = filters.keep(&app, image)? {
            kept.push(image);
        }
    }
    kept.sort_by_key(|image| std::cmp::Reverse(created(image)));
    Ok(Json(kept.iter().map(summary).collect()))
}

fn summary(image: &Image) -> Value {
    json!({
        "Id": image.record.id,
        "ParentId": "",
        "RepoTags": image.tags.iter().map(Reference::familiar).collect::<Vec<_>>(),
        "RepoDigests": image.digests.iter().map(Reference::familiar).collect::<Vec<_>>(),
        "Created": created(image),
        "Size": image.record.size,
        "SharedSize": -1,
        "Labels": image.record.labels,
        "Containers": -1,
    })
}

/// Seconds since 1970.
pub fn created(image: &Image) -> i64 {
    created_nanos(image) / 1_000_000_000
}

/// Since 1970; when the config does not say, when the image came here.
fn created_nanos(image: &Image) -> i64 {
    image.record.created.as_deref().and_then(parse_rfc3339).unwrap_or(image.record.added_at)
}

/// Docker's `filters` parameter: `{"label":["a=b"]}`, or the older `{"label":{"a=b":true}}`.
#[derive(Debug, Default)]
pub struct Filters(HashMap<String, Vec<String>>);

impl Filters {
    pub fn parse(text: &str) -> ApiResult<Filters> {
        if text.is_empty() {
            return Ok(Filters::default());
        }
        let bad = || ApiError::bad_request("the filters are not valid; send a JSON object of lists");
        let parsed: HashMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
        let mut filters = HashMap::new();
        for (key, values) in parsed {
            let values = match values {
                Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_string)).collect::<Option<Vec<_>>>().ok_or_else(bad)?,
                Value::Object(map) => map.into_iter().filter(|(_, on)| on != &Value::Bool(false)).map(|(k, _)| k).collect(),
                _ => return Err(bad()),
            };
            filters.insert(key, values);
        }
        Ok(Filters(filters))
    }

    /// The image with the names that pass, or `None`.
    fn keep(&self, app: &App, mut image: Image) -> ApiResult<Option<Image>> {
        for (key, values) in &self.0 {
            let passes = match key.as_str() {
                "label" => values.iter().all(|want| has_label(&image, want)),
                "dangling" => values.iter().any(|want| crate::http::query::truthy(want) == image.tags.is_empty()),
                "before" | "since" => {
                    let mut passes = true;
                    for name in values {
                        let other = created_nanos(&app.images.resolve(name)?);
                        let created = created_nanos(&image);
                        passes &= if key == "before" { created < other } else { created > other };
                    }
                    passes
                }
                "reference" => {
                    let matches = |r: &Reference| values.iter().any(|pattern| reference_matches(pattern, r));
                    image.tags.retain(matches);
                    image.digests.retain(matches);
                    !image.tags.is_empty() || !image.digests.is_empty()
                }
                other => return Err(ApiError::bad_request(format!("invalid filter '{other}'"))),
            };
            if !passes {
                return Ok(None);
            }
        }
        Ok(Some(image))
    }
}

fn has_label(image: &Image, want: &str) -> bool {
    match want.split_once('=') {
        Some((key, value)) => image.record.labels.get(key).is_some_and(|v| v == value),
        None => image.record.labels.contains_key(want),
    }
}

/// As Docker: the pattern is tried on the familiar name with and without its tag; `*` and `?` stop at slashes.
fn reference_matches(pattern: &str, reference: &Reference) -> bool {
    [reference.familiar(), reference.familiar_name(), reference.canonical(), reference.name()]
        .iter()
        .any(|name| glob(pattern.as_bytes(), name.as_bytes()))
}

/// Linear in time for any pattern: on a mismatch it goes back to the last star only.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') if text[t] != b'/' => (p, t) = (p + 1, t + 1),
            Some(c) if *c != b'?' && *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((sp, st)) if text[st] != b'/' => {
                    star = Some((sp, st + 1));
                    (p, t) = (sp + 1, st + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_patterns() {
        let reference = Reference::parse("slipway.local/acme/web:v1").unwrap();
        for yes in ["slipway.local/acme/web", "slipway.local/*/web:v*", "slipway.local/acme/*", "slipway.local/acme/web:v?"] {
            assert!(reference_matches(yes, &reference), "{yes}");
        }
        for no in ["*", "slipway.local/*", "web", "slipway.local/acme/web:v2"] {
            assert!(!reference_matches(no, &reference), "{no}");
        }
        assert!(reference_matches("busy*", &Reference::parse("busybox").unwrap()));
    }

    #[test]
    fn both_shapes_of_filters() {
        assert_eq!(Filters::parse(r#"{"label":["a=b"]}"#).unwrap().0["label"], ["a=b"]);
        assert_eq!(Filters::parse(r#"{"dangling":{"true":true}}"#).unwrap().0["dangling"], ["true"]);
        assert!(Filters::parse("[]").is_err() && Filters::parse("{").is_err());
    }
}
