//! The fixtures of `packages/contracts`, which the TypeScript schemas parse too.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::path::PathBuf;

use serde_json::Value;
use slipway_build::error::ErrorCode;
use slipway_build::event::BuildEvent;
use slipway_build::plan::BuildRequest;

fn fixtures(kind: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../packages/contracts/fixtures/build").join(kind);
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn requests_are_read_and_lose_nothing() {
    for (name, text) in fixtures("requests") {
        let request = BuildRequest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut written: Value = serde_json::from_str(&text).unwrap();
        for (key, default) in [("noCache", Value::Bool(false)), ("limits", serde_json::json!({ "timeoutMs": 1_800_000 }))] {
            written.as_object_mut().unwrap().entry(key).or_insert(default);
        }
        assert_eq!(serde_json::to_value(&request).unwrap(), written, "{name}");
    }
}

#[test]
fn bad_requests_are_refused() {
    for (name, text) in fixtures("refused") {
        let error = BuildRequest::parse(text.as_bytes()).expect_err(&name);
        assert_eq!(error.code, ErrorCode::BadPlan, "{name}");
    }
}

#[test]
fn plans_must_hold_together() {
    let text = fixtures("requests").into_iter().find(|(name, _)| name.ends_with("minimal.json")).unwrap().1;
    let cases: [(&str, &str, &str); 6] = [
        (r#""input": "v0""#, r#""input": "v1""#, "does not come before it"),
        (r#""input": "v0""#, r#""input": "v7""#, "does not come before it"),
        (r#""target": "v1""#, r#""target": "v9""#, "not among the vertices"),
        (r#""vertex": "v1""#, r#""vertex": "v9""#, "not in the plan"),
        (r#""dest": "/""#, r#""dest": "srv""#, "absolute"),
        (r#""id": "build_1""#, r#""id": "../x""#, "build id"),
    ];
    for (from, to, expected) in cases {
        assert!(text.contains(from), "{from}");
        let error = BuildRequest::parse(text.replace(from, to).as_bytes()).expect_err(to);
        assert!(error.message.contains(expected), "{to}: {error}");
    }
}

#[test]
fn events_are_read_and_lose_nothing() {
    for (name, text) in fixtures("events") {
        for line in text.lines() {
            let event: BuildEvent = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
            assert_eq!(serde_json::to_value(&event).unwrap(), serde_json::from_str::<Value>(line).unwrap(), "{name}");
        }
    }
}

/// What the planner really makes: the golden plans of `packages/dockerfile`.
#[test]
fn planned_dockerfiles_are_read() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../packages/dockerfile/testdata");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path().join("plan.json");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let golden: Value = serde_json::from_str(&text).unwrap();
        if golden["plan"].is_object() {
            let request = serde_json::json!({ "id": "b", "scope": "s", "tags": [], "plan": golden["plan"] });
            let parsed = BuildRequest::parse(request.to_string().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(serde_json::to_value(&parsed.plan).unwrap(), golden["plan"], "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
