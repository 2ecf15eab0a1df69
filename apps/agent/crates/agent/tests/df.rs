//! The figures of `docker system df` are those of `du`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::disk::{close, du};
use support::{Agent, busybox_tar_with, file};

#[test]
fn every_figure_is_what_du_counts() {
    let agent = Agent::bare();
    let shared: Vec<u8> = (0..2_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    agent.import(support::IMAGE, &busybox_tar_with(|tar| file(tar, "big", &shared, 0o644)));
    // The same layer under another name and config: counted once.
    let again = "/images/create?fromSrc=-&repo=bb&tag=2&changes=ENV%20A%3D1";
    assert_eq!(agent.client.request("POST", again, &busybox_tar_with(|tar| file(tar, "big", &shared, 0o644))).status, 200);
    let script = "head -c 3000000 /dev/urandom > /own; ln /own /linked; head -c 2000000 /dev/urandom > /data/x; \
                  i=0; while [ $i -lt 20000 ]; do echo some words on a line; i=$((i + 1)); done";
    let id = agent.run(script, json!({ "HostConfig": { "Binds": ["keep:/data"] } }));
    assert_eq!(agent.wait(&id), 0);
    agent.create("true", json!({ "HostConfig": { "Binds": ["keep:/data"] } }));

    let data = |path: &str| agent.root.path().join("data").join(path).display().to_string();
    let df = agent.client.get("/system/df");
    close(&df["LayersSize"], du(&[data("layers"), data("content/blobs")]));
    let container = df["Containers"].as_array().unwrap().iter().find(|one| one["Id"] == json!(id)).unwrap();
    close(&container["SizeRw"], du(&[data(&format!("snapshots/{id}/upper"))]));
    assert!(container["SizeRw"].as_u64() < Some(4_000_000), "a hard link is counted once: {container}");
    let volume = &df["Volumes"][0];
    close(&volume["UsageData"]["Size"], du(&[data("volumes/keep/_data")]));
    assert_eq!((&volume["Name"], &volume["UsageData"]["RefCount"]), (&json!("keep"), &json!(2)));
    let images = df["Images"].as_array().unwrap();
    assert!(images.iter().all(|image| image["Size"].as_u64() > Some(2_000_000)), "{images:?}");
    let disk = agent.client.get("/slipway/v1/disk");
    close(&disk["logs"], du(&[data(&format!("containers/{id}/container.log"))]));
    close(&disk["volumes"], du(&[data("volumes/keep/_data")]));
    close(&disk["images"], du(&[data("layers"), data("content/blobs")]));

    // A build shares the image's layer, and leaves two in the cache that no image has once its own is gone.
    let build = support::content::build_body(&agent, "head -c 1000000 /dev/urandom > /made");
    assert!(support::content::done(&agent, "POST", "/slipway/v1/builds", &build));
    let everything = || {
        let disk = agent.client.get("/slipway/v1/disk");
        let kinds = ["images", "buildCache", "containers", "volumes", "logs"];
        let told: u64 = kinds.iter().map(|kind| disk[kind].as_u64().unwrap()).sum();
        close(&json!(told), du(&["layers", "content", "build-cache", "contexts", "snapshots", "volumes", "containers"].map(data)));
        disk
    };
    let with = everything();
    assert_eq!(agent.client.request("DELETE", "/images/built:1", b"").status, 200);
    let without = everything();
    let moved = with["images"].as_u64().unwrap() - without["images"].as_u64().unwrap();
    assert!(moved > 8_000_000, "two layers, packed and unpacked: {moved}");
    assert!(without["buildCache"].as_u64() > Some(8_000_000), "{without}");

    let only = agent.client.get("/system/df?type=volume");
    assert!(only["Volumes"].is_array() && only["Containers"].is_null() && only["Images"].is_null(), "{only}");
    assert_eq!(agent.client.request("GET", "/system/df?type=planet", b"").status, 400);
}

#[test]
fn an_emptied_build_cache_gives_its_bytes_back() {
    let agent = Agent::start();
    let answer = agent.client.request("POST", "/build/prune", b"");
    assert_eq!((answer.status, &answer.json()["SpaceReclaimed"]), (200, &json!(0)));
    assert_eq!(agent.text("echo the image is still there", json!({})), "the image is still there\n");
}
