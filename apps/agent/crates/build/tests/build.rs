//! Whole builds against a real store and real processes. Needs root, busybox-static and util-linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]
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
    plan.add(
        "COPY hello.txt /app/again/",
        json!({ "type": "copy", "input": "v3", "from": null, "sources": ["hello.txt"], "dest": "/app/again/",
        "chown": "app", "chmod": "750", "extract": false }),
    );
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
    assert_eq!((again.uid(), again.gid(), again.mode() & 0o7777), (1000, 1001, 0o750));
    assert_eq!(again.mtime(), files_of.meta("app/hello.txt").mtime(), "the time at which its content came first");
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

#[tokio::test(flavor = "multi_thread")]
async fn tells_why_a_step_ran_again() {
    let fixture = Fixture::new();
    let plan = |version: &str| {
        let mut plan = Plan::from(&fixture);
        plan.copy(&["src"], "/src/").run_as("cat /src/a > /out", "", &[&format!("VERSION={version}")]).run("true");
        plan.request("b")
    };
    let a = |text: &'static str| [File::Text("src/a", text), File::Text("src/b", "b"), File::Text("other", "x")];
    fixture.build(plan("1"), &a("1")).await.image();

    let files = fixture.build(plan("1"), &a("2")).await;
    assert_eq!(files.miss("v1"), ("files-changed".into(), "1 file changed: src/a".into()));
    let first = "because of line 2, `COPY src /src/ {}`: 1 file changed: src/a";
    assert_eq!(files.miss("v2"), ("input-changed".into(), first.into()));
    assert_eq!(files.miss("v3"), ("input-changed".into(), first.into()), "the first cause, however far above");
    let two = fixture.build(plan("1"), &[File::Text("src/a", "2"), File::Text("src/c", "c")]).await;
    assert_eq!(two.miss("v1").1, "1 file added: src/c; 1 file removed: src/b");

    let back = fixture.build(plan("1"), &a("1")).await;
    assert_eq!(back.status("v1"), Status::Cached, "earlier results stay");
    let argument = fixture.build(plan("2"), &a("1")).await;
    assert_eq!(argument.miss("v2"), ("instruction-changed".into(), "the value of VERSION changed".into()));
    assert_eq!(argument.miss("v3").0, "input-changed");

    let mut longer = Plan::from(&fixture);
    longer.run("echo new line above").copy(&["src"], "/src/");
    let longer = fixture.build(longer.request("b"), &a("1")).await;
    assert_eq!(longer.miss("v2").0, "input-changed", "a step that moved down is not new");
    assert_eq!(longer.miss("v1").0, "instruction-changed");

    let mut forced = plan("2");
    forced["noCache"] = json!(true);
    let forced = fixture.build(forced, &a("1")).await;
    assert_eq!(forced.miss("v1").0, "no-cache");
    let mut other = plan("2");
    other["scope"] = json!("org-2");
    assert_eq!(fixture.build(other, &a("1")).await.miss("v1").0, "first-time", "organizations share nothing");

    let moved = json!("sha256:0000000000000000000000000000000000000000000000000000000000000000");
    let mut gone = plan("2");
    gone["plan"]["vertices"][0]["op"]["digest"] = moved;
    let (code, message) = fixture.build(gone, &a("1")).await.error();
    assert_eq!(code, "BASE_NOT_FOUND");
    assert!(message.contains("slipway.local/base/busybox"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_between_stages_and_adds_archives() {
    let fixture = Fixture::new();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o600);
    header.set_uid(77);
    archive.append_data(&mut header, "vendor/lib.js", &b"lib"[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    let make = |id: &str| {
        let mut plan = Plan::from(&fixture);
        plan.run("mkdir -p /dist/sub && echo one > /dist/a && ln /dist/a /dist/sub/b && chown 5:6 /dist/a && ln -s /dist /linked");
        plan.stage(&fixture).copy_with(&["/linked"], "/srv/", json!({ "from": "v1" }));
        plan.copy_with(&["vendor.tar", "plain.txt"], "/srv/", json!({ "extract": true }));
        plan.request(id)
    };
    let context = [File::Bytes("vendor.tar", archive), File::Text("plain.txt", "plain")];
    let first = fixture.build(make("b1"), &context).await;
    let files = fixture.unpacked(&first.image());
    assert_eq!(files.read("srv/sub/b"), "one\n");
    assert_eq!(files.meta("srv/a").ino(), files.meta("srv/sub/b").ino(), "hard links survive a copy between stages");
    assert_eq!((files.meta("srv/a").uid(), files.meta("srv/a").gid()), (5, 6), "another stage's owners are kept");
    assert_eq!(files.meta("srv").uid(), 0);
    assert_eq!((files.read("srv/vendor/lib.js").as_str(), files.meta("srv/vendor/lib.js").uid()), ("lib", 77));
    assert_eq!(files.read("srv/plain.txt"), "plain");
    let second = fixture.build(make("b2"), &context).await;
    assert_eq!(second.status("v3"), Status::Cached);
    assert_eq!(second.image(), first.image());
    let (code, message) = {
        let mut plan = Plan::from(&fixture);
        plan.run("true").stage(&fixture).copy_with(&["/missing/dist"], "/srv/", json!({ "from": "v1" }));
        fixture.build(plan.request("b3"), &[]).await.error()
    };
    assert_eq!(code, "COPY_FAILED");
    assert!(message.contains("`missing/dist` is not in the stage"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scratch_and_parallel_stages() {
    let fixture = Fixture::new();
    let mut plan = Plan::scratch();
    plan.copy(&["hello"], "/");
    let outcome = fixture.build(plan.request("b1"), &[File::Text("hello", "hi")]).await;
    let files = fixture.unpacked(&outcome.image());
    assert_eq!(files.read("hello"), "hi");
    let record = fixture.layers.store().resolve(&outcome.image()).unwrap().record;
    assert_eq!(record.layers.len(), 1);

    let mut plan = Plan::from(&fixture);
    plan.run("sleep 1; echo a > /a");
    plan.stage(&fixture).run("sleep 1; echo b > /b");
    plan.stage(&fixture).copy_with(&["/a"], "/", json!({ "from": "v1" })).copy_with(&["/b"], "/", json!({ "from": "v3" }));
    let outcome = fixture.build(plan.request("b2"), &[]).await;
    let running = |id| outcome.position(id, Status::Running);
    let done = |id| outcome.position(id, Status::Done);
    assert!(running("v1").max(running("v3")) < done("v1").min(done("v3")), "independent stages run at the same time");
    let files = fixture.unpacked(&outcome.image());
    assert_eq!((files.read("a"), files.read("b")), ("a\n".into(), "b\n".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_work_is_done_once() {
    let fixture = Fixture::new();
    let plan = |id: &str, last: &str| {
        let mut plan = Plan::from(&fixture);
        plan.run("sleep 1; date +%N > /stamp").run(last);
        plan.request(id)
    };
    let (one, two, three) = tokio::join!(
        fixture.build(plan("b1", "true"), &[]),
        fixture.build(plan("b2", "cat /stamp"), &[]),
        fixture.build(plan("b3", "true"), &[])
    );
    let stamps: Vec<String> = [&one, &two, &three].map(|outcome| fixture.unpacked(&outcome.image()).read("stamp")).into();
    assert!(stamps.iter().all(|stamp| *stamp == stamps[0]));
    assert_eq!(fixture.runs(), 3, "the first step once, the two different ones once each");
    let cached: Vec<_> = [&one, &two, &three].into_iter().filter(|outcome| outcome.status("v1") == Status::Cached).collect();
    assert_eq!(cached.len(), 2);
    let waits: Vec<_> = cached.iter().map(|outcome| outcome.vertex("v1").wait_ms).collect();
    assert!(waits.iter().any(Option::is_some), "who takes another's result tells how long it waited for it: {waits:?}");
    assert!([&one, &two, &three].iter().all(|outcome| outcome.vertex("v1").layer.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_what_a_step_waited_for_and_took() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    for step in 0..5 {
        plan.stage(&fixture).run(&format!("sleep 1; echo {step}"));
    }
    let steps: Vec<String> = (0..5).map(|stage| format!("v{}", 2 + 2 * stage)).collect();
    for step in &steps {
        plan.copy_with(&["/bin/busybox"], "/kept/", json!({ "from": step }));
    }
    let outcome = fixture.build(plan.request("b"), &[]).await;
    outcome.image();
    let waits: Vec<u64> = steps.iter().map(|step| outcome.running(step).wait_ms.unwrap()).collect();
    assert_eq!(waits.iter().filter(|wait| **wait >= 100).count(), 1, "four run at once, the fifth waits for one of them: {waits:?}");
    let done = outcome.vertex(&steps[0]);
    assert_eq!((done.disk_read_bytes, done.disk_written_bytes), (Some(8), Some(16)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_that_a_base_moved_and_that_a_result_left_the_cache() {
    let fixture = Fixture::new();
    let on = |digest: &str| {
        let mut plan = Plan::empty();
        plan.base(digest).run("date > /out");
        plan.request("b")
    };
    let first = fixture.build(on(&fixture.base_digest), &[]).await.image();
    let moved = fixture.build(on(&first), &[]).await;
    let (reason, detail) = moved.miss("v1");
    assert_eq!(reason, "base-moved");
    assert!(detail.contains(&first[..19]) && detail.contains(&fixture.base_digest[..19]), "{detail}");

    for scope in std::fs::read_dir(fixture.dir.join("build-cache")).unwrap() {
        std::fs::remove_dir_all(scope.unwrap().path().join("entries")).unwrap();
    }
    let evicted = fixture.build(on(&first), &[]).await;
    assert_eq!(evicted.miss("v1").0, "evicted");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_layers_fit() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    for i in 0..120 {
        plan.copy(&["a"], &format!("/copies/{i}"));
    }
    plan.stage(&fixture).copy_with(&["/copies"], "/all/", json!({ "from": "v120" }));
    let outcome = fixture.build(plan.request("b1"), &[File::Text("a", "a")]).await;
    let files = fixture.unpacked(&outcome.image());
    assert_eq!(std::fs::read_dir(files.root.join("all")).unwrap().count(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_files_whose_content_stands_in_the_dockerfile() {
    let fixture = Fixture::new();
    let plan = |note: &str| {
        let mut plan = Plan::from(&fixture);
        let inline = json!([{ "name": "note *", "data": note }, { "name": "run.sh", "data": "#!/bin/sh\necho ran\n" }]);
        let op = json!({ "type": "copy", "input": "v0", "from": null, "sources": ["a"], "inline": inline, "dest": "/srv/",
            "chown": "", "chmod": "u=rwX,go=rX", "extract": false });
        plan.add("COPY a <<note /srv/", op);
        plan.copy_with(
            &[],
            "/bin/run",
            json!({ "inline": [{ "name": "x", "data": "#!/bin/sh\necho ran\n" }], "chmod": "+x", "chown": "app" }),
        );
        plan.run("run; cat '/srv/note *'");
        plan.request("b")
    };
    let files = [File::Text("a", "a")];
    let first = fixture.build(plan("one\n"), &files).await;
    assert_eq!(first.log("v3"), "ran\none\n");
    let image = fixture.unpacked(&first.image());
    assert_eq!(image.meta("srv/note *").mode() & 0o7777, 0o644);
    assert_eq!((image.meta("bin/run").mode() & 0o7777, image.meta("bin/run").uid()), (0o755, 1000));
    assert_eq!(image.read("srv/a"), "a");

    assert_eq!(fixture.build(plan("one\n"), &files).await.status("v1"), Status::Cached);
    let changed = fixture.build(plan("two\n"), &files).await;
    assert_eq!(changed.miss("v1"), ("files-changed".into(), "1 file changed: <<note *".into()));
    assert_eq!(changed.status("v2"), Status::Done, "what comes after a changed step is made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_parents_and_leaves_out_what_is_excluded() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.copy_with(&["x/./y/*.json", "packages/**/package.json", "top"], "/srv", json!({ "parents": true }));
    plan.copy_with(&["packages", "notes.md", "top"], "/some/", json!({ "exclude": ["**/*.md", "*.md", "!b/keep.md"] }));
    let files = [
        File::Text("x/y/1.json", "1"),
        File::Text("x/y/deep/2.json", "2"),
        File::Text("packages/a/package.json", "a"),
        File::Text("packages/b/c/package.json", "c"),
        File::Text("packages/b/keep.md", "keep"),
        File::Text("packages/b/drop.md", "drop"),
        File::Text("notes.md", "notes"),
        File::Text("top", "top"),
    ];
    let image = fixture.unpacked(&fixture.build(plan.request("b"), &files).await.image());
    for path in ["srv/y/1.json", "srv/packages/a/package.json", "srv/packages/b/c/package.json", "srv/top", "some/b/keep.md", "some/top"] {
        assert!(image.exists(path), "{path}");
    }
    for path in ["srv/y/deep", "srv/x", "srv/packages/b/keep.md", "some/b/drop.md", "some/notes.md"] {
        assert!(!image.exists(path), "{path}");
    }
    let mut plan = Plan::from(&fixture);
    plan.copy_with(&["packages/gone/package.json"], "/srv", json!({ "parents": true }));
    let refused = fixture.build(plan.request("c"), &files).await;
    assert_eq!(refused.error().0, "COPY_FAILED");
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_a_linked_layer_again_on_another_base() {
    let fixture = Fixture::new();
    let plan = |base: &str| {
        let mut plan = Plan::from(&fixture);
        plan.run(&format!("mkdir /real && ln -s /real /app && echo {base} > /base"));
        plan.copy_with(&["a"], "/app/", json!({ "link": true })).run("cat /app/a /base");
        plan.request("b")
    };
    let files = [File::Text("a", "a\n")];
    let first = fixture.build(plan("one"), &files).await;
    assert_eq!(first.log("v3"), "a\none\n");
    let image = fixture.unpacked(&first.image());
    assert!(!image.exists("real/a"), "links of the base are not followed");

    let second = fixture.build(plan("two"), &files).await;
    assert_eq!((second.status("v1"), second.status("v2")), (Status::Done, Status::Cached));
    assert_eq!(second.log("v3"), "a\ntwo\n", "what lies on a linked layer is made for its own base");
    assert_eq!(fixture.build(plan("one"), &files).await.image(), first.image());
}

/// CVE-2024-24557: a cache that is asked for the layers alone gives an image with somebody else's HEALTHCHECK or ONBUILD.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_cached_are_files_and_never_what_an_image_says_of_itself() {
    let fixture = Fixture::new();
    let files = [File::Text("a", "a")];
    let request = |from_scratch: bool, config: serde_json::Value| {
        let mut plan = if from_scratch { Plan::scratch() } else { Plan::from(&fixture) };
        plan.copy(&["a"], "/a");
        let mut request = plan.request("b");
        request["plan"]["image"]["config"] = config;
        request
    };
    for from_scratch in [false, true] {
        let poisoned = json!({ "Healthcheck": { "Test": ["CMD", "evil"] }, "OnBuild": ["RUN evil"], "Cmd": ["evil"] });
        let first = fixture.build(request(from_scratch, poisoned), &files).await.image();
        let built = fixture.build(request(from_scratch, json!({ "Healthcheck": { "Test": ["CMD", "good"] } })), &files).await;
        assert_eq!(built.status("v1"), Status::Cached);
        let id = built.image();
        assert_ne!(id, first);
        let store = fixture.layers.store();
        let text = String::from_utf8(store.read_blob(&id.parse().unwrap(), 1 << 20).unwrap()).unwrap();
        assert!(text.contains("good") && !text.contains("evil"), "{text}");
    }
}
