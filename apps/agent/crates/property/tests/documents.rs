//! Documents from outside: manifests, configurations, names, plans, filters, messages.
#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use serde_json::{Value, json};
use slipway_build::plan::BuildRequest;
use slipway_property::{changed, changes, damaged, for_all, odd_text};
use slipway_runtime::{seccomp::custom, wire};
use slipway_store::{Digest, ImageConfig, Index, Manifest, Platform, Reference};

const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Parses each of the changed documents, as text and with its bytes damaged; what matters is that it comes back.
fn parses(document: &Value, cases: u32, parse: impl Fn(&[u8])) {
    for_all(cases, &changes(4), |changes| {
        parse(changed(document, &changes).to_string().as_bytes());
        Ok(())
    });
    for_all(cases, &damaged(document.to_string().into_bytes()), |bytes| {
        parse(&bytes);
        Ok(())
    });
}

#[test]
fn manifests_indexes_and_configurations() {
    let descriptor = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 7 });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": descriptor, "layers": [descriptor, descriptor],
        "annotations": { "a": "b" }, "subject": descriptor,
    });
    parses(&manifest, 300, |bytes| drop(Manifest::parse(bytes)));
    let platform = json!({ "os": "linux", "architecture": "arm64", "variant": "v8" });
    let index = json!({ "schemaVersion": 2, "manifests": [{ "mediaType": "x", "digest": DIGEST, "size": 1, "platform": platform }] });
    parses(&index, 300, |bytes| drop(Index::parse(bytes)));
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "rootfs": { "type": "layers", "diff_ids": [DIGEST] },
        "history": [{ "created_by": "RUN x", "empty_layer": true }],
        "config": { "Env": ["A=b"], "Cmd": ["x"], "Labels": { "a": "b" }, "ExposedPorts": { "80/tcp": {} }, "Volumes": { "/v": {} },
            "Healthcheck": { "Test": ["CMD", "x"], "Interval": 1_000_000_000 }, "User": "1:1", "StopSignal": "TERM" },
    });
    parses(&config, 300, |bytes| drop(ImageConfig::parse(bytes)));
}

#[test]
fn names_say_the_same_when_read_again() {
    let part = "[a-z0-9._:/@-]{0,24}";
    let name =
        prop_oneof![odd_text(), part.prop_map(String::from), (part, part).prop_map(|(a, b)| format!("{a}{DIGEST}{b}")), "\\PC{0,300}"];
    for_all(3_000, &name, |text| {
        let _ = (text.parse::<Digest>().is_ok(), Platform::parse(&text).is_ok()); // neither may panic
        let Ok(reference) = Reference::parse(&text) else { return Ok(()) };
        for written in [reference.canonical(), reference.familiar()] {
            let again = Reference::parse(&written);
            prop_assert!(again.as_ref().is_ok_and(|again| again.canonical() == reference.canonical()), "{:?} → {:?}", text, written);
        }
        prop_assert!(!reference.path().split('/').any(|part| part == ".." || part == "." || part.is_empty()), "{:?}", text);
        Ok(())
    });
}

#[test]
fn build_requests() {
    let plans = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../packages/contracts/fixtures/build/requests");
    for file in std::fs::read_dir(plans).unwrap().flatten() {
        let document: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        assert!(BuildRequest::parse(document.to_string().as_bytes()).is_ok(), "{}", file.path().display());
        parses(&document, 300, |bytes| drop(BuildRequest::parse(bytes)));
    }
}

#[test]
fn filters() {
    let filter = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            { "names": ["read", "write", "personality"], "action": "SCMP_ACT_ALLOW",
              "args": [{ "index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ" }, { "index": 1, "value": 1, "op": "SCMP_CMP_MASKED_EQ" }] },
            { "names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
        ],
    });
    parses(&filter, 300, |bytes| {
        if let Ok(filter) = serde_json::from_slice::<custom::Filter>(bytes) {
            let _compiled = custom::compile(&filter).is_ok();
        }
    });
}

#[test]
fn what_daemon_and_shim_say() {
    let exit = json!({ "run": 1, "exit_code": 137, "oom_killed": true, "started_at": 1, "finished_at": 2, "error": null });
    parses(&exit, 300, |bytes| drop(serde_json::from_slice::<wire::ExitRecord>(bytes)));
    let hello = json!({ "event": "hello", "pid": 1, "shim_pid": 2, "run": 3, "started_at": 4 });
    parses(&hello, 300, |bytes| drop(serde_json::from_slice::<wire::Event>(bytes)));
    let resize = json!({ "op": "resize", "rows": 24, "columns": 80 });
    parses(&resize, 300, |bytes| drop(serde_json::from_slice::<wire::Request>(bytes)));
}
