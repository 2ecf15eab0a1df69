//! Contexts beside the build context: COPY --from, FROM and what must not hold together.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::os::unix::fs::MetadataExt;

use serde_json::json;
use slipway_build::event::Status;
use slipway_build::plan::BuildRequest;
use support::{File, Fixture, Plan};

fn context(plan: &mut Plan, name: &str) {
    plan.add(&format!("[context {name}]"), json!({ "type": "context", "name": name }));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_from_named_contexts_and_keeps_their_contents_by_content() {
    let fixture = Fixture::new();
    let plan = || {
        let mut plan = Plan::empty();
        context(&mut plan, "docs");
        plan.base(&fixture.base_digest);
        plan.copy_with(&["a.txt", "sub"], "/docs/", json!({ "from": "v0" })).copy(&["a.txt"], "/app/");
        plan.run("cat /docs/a.txt /docs/b.txt /app/a.txt");
        plan.request("b")
    };
    let files = [File::Of("docs", "a.txt", "docs\n"), File::Text("a.txt", "app\n"), File::Of("docs", "sub/b.txt", "more\n")];
    let first = fixture.build(plan(), &files).await;
    assert_eq!(first.log("v4"), "docs\nmore\napp\n");
    let image = fixture.unpacked(&first.image());
    assert_eq!((image.meta("docs/a.txt").uid(), image.meta("docs/a.txt").gid()), (0, 0), "a context has no owners");

    let again = fixture.build(plan(), &files).await;
    assert_eq!((again.status("v2"), again.image()), (Status::Cached, first.image()));
    let changed = [File::Of("docs", "a.txt", "DOCS\n"), File::Text("a.txt", "app\n"), File::Of("docs", "sub/b.txt", "more\n")];
    let changed = fixture.build(plan(), &changed).await;
    assert_eq!(changed.miss("v2"), ("files-changed".into(), "1 file changed: a.txt".into()));

    let missing = fixture.build(plan(), &[File::Text("a.txt", "app\n"), File::Text("sub/b.txt", "x")]).await.error();
    assert_eq!(missing.0, "COPY_FAILED");
    assert!(missing.1.contains("in the context it is copied from"), "{}", missing.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_a_base_as_a_copy_onto_nothing() {
    let fixture = Fixture::new();
    let plan = || {
        let mut plan = Plan::empty();
        context(&mut plan, "rootfs");
        plan.add("FROM rootfs", json!({ "type": "scratch" }));
        plan.copy_with(&["/"], "/", json!({ "from": "v0" })).copy(&["a"], "/srv/");
        plan.request("b")
    };
    let files = [File::Of("rootfs", "etc/name", "x"), File::Text("a", "a")];
    let first = fixture.build(plan(), &files).await;
    let image = fixture.unpacked(&first.image());
    assert_eq!((image.read("etc/name"), image.read("srv/a")), ("x".into(), "a".into()));
    assert_eq!(fixture.build(plan(), &files).await.image(), first.image());
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_no_plan_names_and_what_leads_out() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.copy(&["a"], "/");
    let stray = fixture.build(plan.request("b"), &[File::Text("a", "a"), File::Of("docs", "x", "x")]).await.error();
    assert_eq!(stray.0, "BAD_CONTEXT");

    let mut plan = Plan::empty();
    context(&mut plan, "docs");
    plan.add("RUN x", json!({ "type": "mkdir", "input": "v0", "path": "/x", "user": "" }));
    let error = BuildRequest::parse(plan.request("b").to_string().as_bytes()).unwrap_err();
    assert!(error.message.contains("is a context"), "{error}");
    let mut plan = Plan::empty();
    context(&mut plan, "docs");
    assert!(BuildRequest::parse(plan.request("b").to_string().as_bytes()).is_err(), "a context is no target");
}
