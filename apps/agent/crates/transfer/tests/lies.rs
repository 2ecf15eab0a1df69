//! Registries, storages and token services that mean ill.
#![allow(clippy::unwrap_used)]

mod common;
mod liar;

use std::sync::Arc;

use common::{Machine, TestRegistry, ann, gzip, layer, tar_of};
use liar::{Liar, Then, answer};
use serde_json::{Value, json};
use slipway_snapshot::{Layers, Limits};
use slipway_store::{Digest, Store, media_type};

const APP: &str = "slipway.local/acme/app:v1";

/// What an honest registry would answer to a request with this head.
fn honest(registry: &TestRegistry, head: &str) -> Vec<u8> {
    let path = head.split(' ').nth(1).unwrap().strip_prefix("/v2/acme/app/").unwrap_or_default();
    let shared = registry.shared.lock().unwrap();
    match path.split_once('/') {
        Some(("manifests", name)) => match shared.manifests.get(&format!("acme/app/{name}")) {
            Some((kind, bytes)) => answer("200", &format!("Content-Type: {kind}\r\n"), bytes),
            None => answer("404", "", b""),
        },
        Some(("blobs", digest)) => match digest.parse().ok().and_then(|digest: Digest| shared.blobs.get(&digest)) {
            Some(bytes) => answer("200", "", bytes),
            None => answer("404", "", b""),
        },
        _ => answer("404", "", b""),
    }
}

async fn content() -> TestRegistry {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[layer("data", 50_000)]);
    registry
}

#[tokio::test]
async fn a_login_does_not_follow_redirects_to_another_host() {
    let (one, two) = (content().await, content().await);
    let storage = Liar::start(move |head, _| (honest(&one, head), Then::Close)).await;
    let to = storage.registry.address.clone();
    let front = Liar::start(move |head, _| {
        let said = if !head.contains("authorization: basic ") {
            answer("401", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"")
        } else if head.contains("/blobs/") {
            answer("307", &format!("Location: http://{to}{}\r\n", head.split(' ').nth(1).unwrap()), b"")
        } else {
            honest(&two, head)
        };
        (said, Then::Close)
    })
    .await;
    Machine::new(&front.registry).pull(APP, ann("s3cret")).await.unwrap();
    let heads = storage.heads.lock().unwrap().clone();
    assert!(heads.len() == 2 && heads.iter().all(|head| !head.contains("authorization")), "{heads:?}");
}

#[tokio::test]
async fn redirects_that_lead_astray_are_not_followed() {
    for (location, code) in [
        ("/v2/again", "REGISTRY_REFUSED"),
        ("http://169.254.169.254/latest/meta-data", "REGISTRY_PROTOCOL"),
        ("http://[fe80::1]/x", "REGISTRY_PROTOCOL"),
        ("//evil.example/x", "REGISTRY_PROTOCOL"),
        ("ftp://evil.example/x", "REGISTRY_PROTOCOL"),
        ("file:///etc/shadow", "REGISTRY_PROTOCOL"),
        ("http://[", "REGISTRY_PROTOCOL"),
        ("", "REGISTRY_PROTOCOL"),
    ] {
        let liar = Liar::start(move |_, _| (answer("302", &format!("Location: {location}\r\n"), b""), Then::Close)).await;
        let machine = Machine::new(&liar.registry);
        let error = machine.pull(APP, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{location}: {error}");
        assert!(liar.asked() <= 6, "{location}: asked {} times", liar.asked());
        machine.assert_empty();
    }
}

#[tokio::test]
async fn silence_and_trickles_at_every_stage_end() {
    let small = "Content-Length: 1000\r\n";
    for (stage, said, then) in [
        ("/manifests/", Vec::new(), Then::Hang),
        ("/manifests/", b"HTTP/1.1 200 OK\r\nA: ".to_vec(), Then::Hang),
        ("/manifests/", b"HTTP/1.1 200 OK\r\nA: ".to_vec(), Then::Trickle),
        ("/manifests/", answer("200", small, b"{"), Then::Hang),
        ("/manifests/", answer("200", "", b"{"), Then::Trickle),
        ("/manifests/", answer("404", "", b"{"), Then::Hang),
        ("/blobs/", Vec::new(), Then::Hang),
        ("/blobs/", answer("200", "", b"x"), Then::Hang),
        ("/blobs/", answer("200", "", b"x"), Then::Trickle),
        ("/token", Vec::new(), Then::Hang),
        ("/token", answer("200", "", b"{"), Then::Hang),
        ("/token", answer("200", "", b"{"), Then::Trickle),
    ] {
        let content = content().await;
        let case = format!("{stage} {} {then:?}", String::from_utf8_lossy(&said));
        let liar = Liar::start(move |head, address| {
            if head.contains(stage) {
                return (said.clone(), then);
            }
            if stage == "/token" {
                return (answer("401", &format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\"\r\n"), b""), Then::Close);
            }
            (honest(&content, head), Then::Close)
        })
        .await;
        let machine = Machine::impatient(&liar.registry);
        let error = machine.pull(APP, None).await.unwrap_err();
        // An error's own text that never comes does not hide the error.
        let expected = if case.contains("404") { "IMAGE_NOT_FOUND" } else { "REGISTRY_STALLED" };
        assert_eq!(error.code(), expected, "{case}: {error}");
        machine.assert_empty();
    }
}

#[tokio::test]
async fn floods_are_cut_off() {
    for (stage, code) in [("/manifests/", "TOO_LARGE"), ("/blobs/", "SIZE_MISMATCH"), ("/token", "TOO_LARGE")] {
        let content = content().await;
        let liar = Liar::start(move |head, address| match stage {
            _ if head.contains(stage) => (answer("200", "", b""), Then::Flood),
            "/token" => (answer("401", &format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\"\r\n"), b""), Then::Close),
            _ => (honest(&content, head), Then::Close),
        })
        .await;
        let machine = Machine::new(&liar.registry);
        let error = machine.pull(APP, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{stage}: {error}");
        machine.assert_empty();
    }
}

#[tokio::test]
async fn token_services_that_lie_get_nothing_and_give_nothing() {
    for (realm, said) in [
        (None, "[]"),
        (None, "{"),
        (None, r#"{"token":""}"#),
        (None, r#"{"token":"a\nHost: evil"}"#),
        (None, r#"{"token":"never enough"}"#),
        (None, r#"{"token":{"token":"x"}}"#),
        (Some("ftp://evil.example/"), ""),
        (Some("http://169.254.169.254/token"), ""),
        (Some("http://["), ""),
        (Some(""), ""),
    ] {
        let liar = Liar::start(move |head, address| {
            if head.starts_with("get /token") {
                return (answer("200", "", said.as_bytes()), Then::Close);
            }
            let realm = realm.map_or(format!("http://{address}/token"), String::from);
            (answer("401", &format!("WWW-Authenticate: Bearer realm=\"{realm}\"\r\n"), b""), Then::Close)
        })
        .await;
        let machine = Machine::new(&liar.registry);
        let error = machine.pull(APP, ann("s3cret")).await.unwrap_err();
        assert!(["REGISTRY_PROTOCOL", "REGISTRY_DENIED", "CREDENTIALS_INVALID"].contains(&error.code()), "{realm:?} {said}: {error}");
        assert!(!error.to_string().contains("s3cret") && liar.asked() <= 3, "{realm:?} {said}: {error}, asked {}", liar.asked());
        machine.assert_empty();
    }
}

/// The rest of a blob that was longer than it said before it broke off is not asked for: whoever counts on from beyond its
/// end counts below zero.
#[tokio::test]
async fn a_download_beyond_its_end_is_not_resumed() {
    let content = content().await;
    let liar = Liar::start(move |head, _| {
        if let Some(range) = head.lines().find_map(|line| line.strip_prefix("range: bytes=")) {
            return (answer("206", &format!("Content-Range: bytes {range}9/10\r\n"), b"more"), Then::Close);
        }
        let whole = honest(&content, head);
        let body = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let size = whole.len() - body;
        if !head.contains("/blobs/") || size < 2_000 {
            return (whole, Then::Close);
        }
        // One byte too many, and no end: the last piece is on its way to the disk when the connection breaks.
        let chunk = [format!("{:x}\r\n", size + 1).as_bytes(), &vec![7; size + 1], b"\r\n"].concat();
        (answer("200", "Transfer-Encoding: chunked\r\n", &chunk), Then::Close)
    })
    .await;
    let machine = Machine::new(&liar.registry);
    let error = machine.pull(APP, None).await.unwrap_err();
    assert_eq!(error.code(), "SIZE_MISMATCH", "{error}");
    let heads = liar.heads.lock().unwrap().clone();
    assert!(!heads.iter().any(|head| head.contains("range: ")), "{heads:?}");
    machine.assert_empty();
}

/// The image with its manifest or config replaced; `put` stores a config and gives its descriptor.
fn replace(registry: &TestRegistry, bytes: Vec<u8>) {
    registry.set(|s| drop(s.manifests.insert("acme/app/v1".into(), (media_type::OCI_MANIFEST.into(), bytes.into()))));
}

#[tokio::test]
async fn monstrous_manifests_and_configs_are_errors_or_harmless() {
    let registry = content().await;
    let machine = Machine::new(&registry);
    let honest: Value = serde_json::from_slice(&registry.shared.lock().unwrap().manifests["acme/app/v1"].1).unwrap();
    let with = |key: &str, value: Value| {
        let mut changed = honest.clone();
        changed[key] = value;
        changed.to_string().into_bytes()
    };
    let one = &honest["layers"][0];
    let digest = |text: &str| json!({ "mediaType": media_type::OCI_CONFIG, "digest": text, "size": 1 });
    let deep = |depth: usize| format!(r#"{{"schemaVersion":2,"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let mut wrong = vec![deep(100_000), deep(2_000_000), b"\0".to_vec(), b"[2]".to_vec()];
    wrong.push(with("layers", json!(vec![one; 1_000])));
    wrong.push(with("layers", json!([one, one])));
    wrong.push(with("schemaVersion", json!(1e300)));
    wrong.push(with("mediaType", json!("text/html")));
    wrong.push(with("config", json!([])));
    for text in ["", "sha256:", "sha256:../../../etc/shadow", "sha256:\0", "../x", "sha512:00"] {
        wrong.push(with("config", digest(text)));
    }
    for size in [json!(-1), json!(1.5), json!(u64::MAX), json!(1e40), json!("1")] {
        let mut config = honest["config"].clone();
        config["size"] = size;
        wrong.push(with("config", config));
    }
    for bytes in wrong {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        replace(&registry, bytes);
        let error = machine.pull(APP, None).await.unwrap_err();
        assert!(error.to_string().len() < 1_000, "{start}: {error}");
    }
    let original = registry.shared.lock().unwrap().blobs[&honest["config"]["digest"].as_str().unwrap().parse::<Digest>().unwrap()].clone();
    let original: Value = serde_json::from_slice(&original).unwrap();
    let env: Vec<String> = (0..100_000).map(|number| format!("N{number}=x")).collect();
    for (config, fine) in [
        (json!({ "Env": env }), true),
        (json!({ "Env": "A=b" }), false),
        (json!({ "Cmd": [1] }), false),
        (json!({ "ExposedPorts": [80] }), false),
        (json!({ "Labels": { "a": {} } }), false),
    ] {
        let mut changed = original.clone();
        changed["config"] = config;
        let bytes = changed.to_string().into_bytes();
        let descriptor = json!({ "mediaType": media_type::OCI_CONFIG, "digest": Digest::of(&bytes).to_string(), "size": bytes.len() });
        registry.set(|s| drop(s.blobs.insert(Digest::of(&bytes), bytes.into())));
        replace(&registry, with("config", descriptor));
        let pulled = Machine::new(&registry).pull(APP, None).await;
        assert_eq!(pulled.is_ok(), fine, "{:?}", pulled.err());
    }
    machine.assert_empty();
}

#[tokio::test]
async fn a_layer_that_inflates_without_end_stops_at_the_limit() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[tar_of(&[("zeros", &vec![0; 32 << 20])])]);
    let mut machine = Machine::new(&registry);
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let other = Arc::new(tempfile::tempdir().unwrap());
    machine.layers = Layers::open_with(&Store::open(other.path()).unwrap(), limits).unwrap();
    let error = machine.pull(APP, None).await.unwrap_err();
    assert!(error.to_string().contains("limit"), "{} {error}", error.code());
    assert!(machine.layers.store().images().is_empty() && machine.layers.list().is_empty());
    assert!(gzip(&vec![0; 32 << 20]).len() < 1 << 20, "it is a small download");
}

/// Documents made to keep a client busy are refused when they are read, not worked through.
#[tokio::test]
async fn bombs_of_indexes_layers_and_history_are_refused_at_once() {
    let registry = content().await;
    let honest: Value = serde_json::from_slice(&registry.shared.lock().unwrap().manifests["acme/app/v1"].1).unwrap();
    let put = |value: &Value| {
        let bytes = value.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let kind = value["mediaType"].as_str().unwrap().to_owned();
        registry.set(|s| {
            for name in ["v1".to_owned(), digest.to_string()] {
                s.manifests.insert(format!("acme/app/{name}"), (kind.clone(), bytes.clone().into()));
            }
        });
        json!({ "mediaType": kind, "digest": digest.to_string(), "size": bytes.len() })
    };
    let index = |entries: Vec<Value>| json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries });
    let on = |mut entry: Value, os: &str| {
        entry["platform"] = json!({ "os": os, "architecture": slipway_store::Platform::host().architecture });
        entry
    };
    let layers = |count: usize| {
        let mut manifest = honest.clone();
        manifest["layers"] = json!(vec![&honest["layers"][0]; count]);
        manifest
    };
    let mut deep = honest.clone();
    for _ in 0..20 {
        deep = index(vec![on(put(&deep), "linux")]);
    }
    let one = put(&honest);
    let wide = |count: usize| index(vec![on(one.clone(), "plan9"); count]);
    for (document, code, most) in [
        (&deep, "REGISTRY_PROTOCOL", 4),
        (&wide(15_000), "PLATFORM_NOT_FOUND", 1),
        (&wide(100_000), "TOO_LARGE", 1),
        (&layers(15_000), "CONTENT_INVALID", 1),
        (&layers(100_000), "TOO_LARGE", 1),
    ] {
        put(document);
        registry.set(|s| s.requests.clear());
        let machine = Machine::new(&registry);
        let error = machine.pull(APP, None).await.unwrap_err();
        let asked = registry.shared.lock().unwrap().requests.len();
        assert!(
            error.code() == code && error.to_string().len() < 1_000 && asked <= most,
            "{code}: {asked} requests, {} {error}",
            error.code()
        );
        machine.assert_empty();
    }
    let digest: Digest = honest["config"]["digest"].as_str().unwrap().parse().unwrap();
    let config: Value = serde_json::from_slice(&registry.shared.lock().unwrap().blobs[&digest]).unwrap();
    let with = |key: &str, value: Value| {
        let mut config = config.clone();
        config[key] = value;
        config.to_string().into_bytes()
    };
    let nested = |depth: usize| [b"{\"x\":", "[".repeat(depth).as_bytes(), "]".repeat(depth).as_bytes(), b"}"].concat();
    for (bytes, code) in [
        (with("history", json!(vec![json!({}); 1_200_000])), "CONTENT_INVALID"),
        (with("rootfs", json!({ "type": "layers", "diff_ids": vec![digest; 50_000] })), "CONTENT_INVALID"),
        (nested(2_000_000), "CONTENT_INVALID"),
        (with("x", json!("y".repeat(5 << 20))), "TOO_LARGE"),
    ] {
        let mut manifest = honest.clone();
        manifest["config"] = json!({ "mediaType": media_type::OCI_CONFIG, "digest": Digest::of(&bytes).to_string(), "size": bytes.len() });
        registry.set(|s| drop(s.blobs.insert(Digest::of(&bytes), bytes.into())));
        put(&manifest);
        let machine = Machine::new(&registry);
        let error = machine.pull(APP, None).await.unwrap_err();
        assert!(error.code() == code && error.to_string().len() < 1_000, "{} {error}", error.code());
        machine.assert_empty();
    }
}
