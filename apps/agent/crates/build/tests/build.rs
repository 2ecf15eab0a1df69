//! Whole builds against a real store and real processes. Needs root, busybox-static and util-linux.
mod support;

use std::os::unix::fs::MetadataExt;

use serde_json::json;
use slipway_build::event::Status;
use support::{File, Fixture, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn builds_runs_and_caches() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.workdir("/app").copy(&["."], ".").run("cat /app/hello.txt; echo made > /app/made; rm /etc/group");
    plan.add("COPY hello.txt /app/again/", json!({ "type": "copy", "input": "v3", "from": null, "sources": ["hello.txt"], "dest": "/app/again/",
        "chown": "app", "chmod": "750", "extract": false }));
    let files = [File::Text("hello.txt", "hello\n")];
    // dest "." is not absolute: the planner resolves it.
    let refused = fixture.build(plan.request("b0"), &files).await;
    assert_eq!(refused.error().0, "BAD_PLAN");

    let mut plan = Plan::from(&fixture);
    plan.workdir("/app").copy(&["."], "/app/").run("cat /app/hello.txt; echo made > /app/made; rm /etc/group");
    plan.copy_with(&["hello.txt"], "/app/again/", json!({ "chown": "app", "chmod": "750" }));
    let first = fixture.build(plan.request("b1"), &files).await;
    let image = first.image();
    assert_eq!(first.log("v3"), "hello\n");
    assert_eq!(first.miss("v2"), ("first-time".into(), "this step has not been built before".into()));
    for id in ["v1", "v2", "v3", "v4"] {
        assert_eq!(first.status(id), Status::Done);
        assert!(first.vertex(id).layer.is_some(), "{id}");
    }
    let files_of = fixture.unpacked(&image);
    assert_eq!(files_of.read("app/made"), "made\n");
    assert!(!files_of.exists("etc/group"));
    assert!(!files_of.exists("etc/resolv.conf"), "what the runtime mounts over is not part of the layer");
    let again = files_of.meta("app/again/hello.txt");
    assert_eq!((again.uid(), again.gid(), again.mode() & 0o7777, again.mtime()), (1000, 1001, 0o750, 1_700_000_000));
    assert_eq!(files_of.meta("app/again").uid(), 1000, "missing parents belong to --chown's user");
    assert_eq!(files_of.meta("app/hello.txt").uid(), 0, "the context's owners mean nothing");

    let store = fixture.layers.store();
    let record = store.resolve("slipway.local/acme/app:test").unwrap().record;
    assert_eq!(record.id.to_string(), image);
    let config = store.image_config(&record).unwrap();
    assert_eq!(config.history.iter().filter(|entry| !entry.empty_layer).count(), config.rootfs.diff_ids.len());
    assert_eq!(config.history.len(), 5);
    assert!(config.history.iter().all(|entry| entry.created.is_some()));

    let second = fixture.build(plan.request("b2"), &files).await;
    assert_eq!(second.image(), image, "a build from the cache gives the very same image");
    for id in ["v1", "v2", "v3", "v4"] {
        assert_eq!(second.status(id), Status::Cached);
    }
    assert_eq!(fixture.runs(), 1);
}
