//! A finished image as files: an OCI layout, an archive for `docker load`, its root file system.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::{Value, json};
use support::Agent;
use support::builds::{Plan, build, last, minute};

const PATH: &str = "/slipway/v1/images/slipway.local%2Facme%2Fapp%3A1";

/// The regular files of a tar, by path; other entries with the text of their kind.
fn entries(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = format!("{:?}", entry.header().entry_type()).into_bytes();
        if entry.header().entry_type().is_file() {
            content.clear();
            entry.read_to_end(&mut content).unwrap();
        }
        found.insert(path, content);
    }
    found
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Value {
    serde_json::from_slice(files.get(path).unwrap_or_else(|| panic!("no {path}"))).unwrap()
}

fn blob<'a>(files: &'a BTreeMap<String, Vec<u8>>, digest: &Value) -> &'a [u8] {
    let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    &files[&format!("blobs/sha256/{hex}")]
}

#[test]
fn a_zstd_image_runs_and_is_given_out_in_every_form() {
    let agent = Agent::start();
    let plan = Plan::new(&agent).run("echo 1 > /a; echo 2 > /b; mkdir /d; echo 3 > /d/c").run("rm /a; rm -r /d; mkdir /d; echo 4 > /out");
    let mut request = plan.request("b1", minute());
    request["output"] = json!({ "compression": "zstd" });
    let events = build(&agent, &request, &[]);
    assert_eq!(last(&events)["type"], "result", "{events:#?}");
    let id = agent.create("cat /out", json!({ "Image": "slipway.local/acme/app:1" }));
    agent.begin(&id);
    assert_eq!((agent.wait(&id), agent.output(&id).as_str()), (0, "4\n"));

    let fetch = |rest: &str| {
        let answer = agent.client.request("GET", &format!("{PATH}{rest}"), b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        entries(&answer.body)
    };
    let oci = fetch("/archive?format=oci");
    assert_eq!(json_of(&oci, "oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
    let index = json_of(&oci, "index.json");
    let manifest = &index["manifests"][0];
    assert_eq!(manifest["digest"], last(&events)["manifestDigest"]);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.ref.name"], "1");
    let manifest: Value = serde_json::from_slice(blob(&oci, &manifest["digest"])).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers[2]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    for part in layers.iter().chain([&manifest["config"]]) {
        assert_eq!(blob(&oci, &part["digest"]).len() as u64, part["size"].as_u64().unwrap());
    }
    let files = oci.values().filter(|content| content.as_slice() != b"Directory").count();
    assert_eq!(files, layers.len() + 4, "a manifest, a config, two files of the layout, and nothing else");

    let docker = fetch("/archive?format=docker&name=acme.example/other:2");
    assert!(!docker.contains_key("index.json"));
    let saved = json_of(&docker, "manifest.json");
    assert_eq!(saved[0]["RepoTags"], json!(["acme.example/other:2"]));
    for layer in saved[0]["Layers"].as_array().unwrap() {
        assert!(docker[layer.as_str().unwrap()].starts_with(&[0x1f, 0x8b]), "older versions of docker load know no zstd");
    }

    let root = fetch("/files");
    assert_eq!((root["b"].as_slice(), root["out"].as_slice(), root["d/"].as_slice()), (&b"2\n"[..], &b"4\n"[..], &b"Directory"[..]));
    assert!(["a", "d/c", ".wh.a", "d/.wh..wh..opq"].iter().all(|gone| !root.contains_key(*gone)));
    assert!(root.contains_key("bin/busybox"));
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_told() {
    let agent = Agent::start();
    for (path, status) in [
        (format!("{PATH}/archive?format=oci"), 404),
        (format!("{PATH}/files"), 404),
        (format!("/slipway/v1/images/{}/archive", support::IMAGE), 400),
        (format!("/slipway/v1/images/{}/archive?format=zip", support::IMAGE), 400),
        (format!("/slipway/v1/images/{}/archive?format=oci&name=BAD", support::IMAGE), 400),
        ("/slipway/v1/images/..%2F..%2Fetc/files".to_owned(), 404),
    ] {
        let answer = agent.client.request("GET", &path, b"");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.json()["message"].is_string());
    }
    let answer = agent.client.request("GET", &format!("/slipway/v1/images/{}/files", support::IMAGE), b"");
    assert!(entries(&answer.body).contains_key("bin/busybox"), "an image of one layer");
}
