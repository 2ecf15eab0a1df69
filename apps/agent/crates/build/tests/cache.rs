//! Who may write the cache, and what builds may take of the disk. Needs root, busybox-static, util-linux and e2fsprogs.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use slipway_build::event::{BuildEvent, Status};
use slipway_build::{RecordKind, Selection};
use support::{File, Fixture, Plan};

/// Folders and files below `build-cache`, without the times.
fn listing(fixture: &Fixture) -> Vec<(String, u64)> {
    let output = Command::new("find").arg(fixture.dir.join("build-cache")).args(["-printf", "%P %s\n"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<(String, u64)> =
        text.lines().filter_map(|line| line.split_once(' ').map(|(path, size)| (path.into(), size.parse().unwrap()))).collect();
    lines.sort();
    lines
}

async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come about");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_reads_the_cache_and_never_writes_it() {
    let fixture = Fixture::new();
    let plan = |script: &str, cache: serde_json::Value| {
        let mut plan = Plan::from(&fixture);
        plan.copy(&["src"], "/src/").run("cat /src/a > /out");
        let mount = json!({ "type": "cache", "id": "npm", "target": "/c", "from": null, "source": ".", "sharing": "shared",
            "readonly": false, "mode": 0o755, "uid": 0, "gid": 0 });
        let last = "v2";
        plan.add(
            &format!("RUN {script}"),
            json!({ "type": "exec", "input": last, "args": ["sh", "-c", script], "env": ["PATH=/bin"],
            "cwd": "/", "user": "", "mounts": [mount] }),
        );
        plan.run("ls /");
        let mut request = plan.request("b");
        request["cache"] = cache;
        request
    };
    let files = [File::Text("src/a", "1")];
    fixture.build(plan("echo trusted > /made", json!({})), &files).await.image();
    until("the caches' sizes are known", || listing(&fixture).iter().any(|(path, _)| path.ends_with("record.json"))).await;
    let before = listing(&fixture);

    let fork = fixture.build(plan("echo evil > /made", json!({ "write": false })), &files).await;
    fork.image();
    assert_eq!((fork.status("v1"), fork.status("v2")), (Status::Cached, Status::Cached), "it reads");
    assert_eq!((fork.status("v3"), fork.status("v4")), (Status::Done, Status::Done));
    until("what it cached for itself is gone", || listing(&fixture) == before).await;
    let again = fixture.build(plan("echo evil > /made", json!({ "write": false })), &files).await;
    assert_eq!(again.status("v3"), Status::Done, "nothing of the fork's is found by another fork");
    let trusted = fixture.build(plan("echo evil > /made", json!({})), &files).await;
    assert_eq!(trusted.status("v3"), Status::Done, "nor by the organization");
    until("the fork's files are gone", || !listing(&fixture).iter().any(|(path, _)| path.starts_with("once-"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_only_checked_is_neither_named_nor_kept() {
    let fixture = Fixture::new();
    let request = |platforms: bool, keep: Option<bool>| {
        let mut plan = Plan::from(&fixture);
        plan.copy(&["src"], "/src/").run("cat /src/a > /out");
        let mut request = plan.request("b");
        request["tags"] = json!(["slipway.local/acme/app:build-1"]);
        if platforms {
            let mut other = request["plan"].clone();
            other["platform"]["architecture"] = json!("riscv64");
            request["plan"]["more"] = json!([{ "platform": other["platform"], "target": other["target"], "image": other["image"] }]);
        }
        if let Some(keep) = keep {
            request["keep"] = json!(keep);
        }
        request
    };
    let files = [File::Text("src/a", "1")];
    let store = fixture.layers.store().clone();
    let named = |name: &str| store.resolve(name).is_ok();
    for platforms in [false, true] {
        let checked = fixture.build(request(platforms, Some(false)), &files).await;
        assert!(store.image(&checked.image().parse().unwrap()).is_err(), "it is no image of this host");
        assert!(!named("slipway.local/acme/app:build-1"));
    }
    let kept = fixture.build(request(false, None), &files).await;
    assert_eq!(kept.status("v2"), Status::Cached, "its steps are in the cache as those of any build");
    assert!(store.image(&kept.image().parse().unwrap()).is_ok() && named("slipway.local/acme/app:build-1"));
    fixture.build(request(false, Some(false)), &files).await.image();
    assert!(named("slipway.local/acme/app:build-1"), "what was there under the name stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_writes_more_than_its_limit_is_named() {
    let fixture = Fixture::new();
    let limited = |plan: &Plan, id: &str, bytes: u64| {
        let mut request = plan.request(id);
        request["limits"]["diskBytes"] = json!(bytes);
        request
    };
    let mut plan = Plan::from(&fixture);
    plan.run("true").run("head -c 8000000 /dev/zero > /big");
    fixture.build(limited(&plan, "b1", 9_000_000), &[]).await.image();
    let mut plan = Plan::from(&fixture);
    plan.run("true").run("head -c 12000000 /dev/zero > /big");
    let outcome = fixture.build(limited(&plan, "b2", 9_000_000), &[]).await;
    let (code, message) = outcome.error();
    assert_eq!(code, "DISK_LIMIT", "too quick to be caught in the act: {message}");
    assert!(message.starts_with("`RUN head -c 12000000 /dev/zero > /big` (line 3) wrote 1"), "{message}");
    assert!(message.contains(" MiB, more than the 9 MiB that one step"), "{message}");
    assert_eq!(outcome.status("v2"), Status::Failed);
    let mut plan = Plan::from(&fixture);
    plan.run("head -c 12000000 /dev/zero > /big; sleep 50");
    let outcome = fixture.build(limited(&plan, "b3", 9_000_000), &[]).await;
    assert_eq!((outcome.error().0.as_str(), outcome.status("v1")), ("DISK_LIMIT", Status::Failed), "caught while it runs");
}

struct Loop(PathBuf);

impl Loop {
    fn new(at: &Path, megabytes: u64) -> Self {
        let image = at.with_extension("img");
        std::fs::create_dir_all(at).unwrap();
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let run = |program: &str, args: &[&str], paths: &[&Path]| {
            let output = Command::new(program).args(args).args(paths).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("mkfs.ext4", &["-q", "-m", "0", "-E", "lazy_itable_init=1"], &[&image]);
        run("mount", &["-o", "loop"], &[&image, at]);
        Self(at.to_path_buf())
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH); // the test tells why it failed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fills_the_disk_costs_neither_the_host_nor_other_builds() {
    let temp = tempfile::tempdir().unwrap();
    let disk = Loop::new(&temp.path().join("data"), 768);
    let fixture = Fixture::at(&disk.0);
    let reserve = fixture.builder.disk().unwrap().reserve;
    assert!(reserve > 100 << 20, "a fifth of the disk: {reserve}");
    // Something old that may go, and something that a running build needs.
    let mut old = Plan::from(&fixture);
    old.run("head -c 60000000 /dev/urandom > /old");
    let image = fixture.build(old.request("old"), &[]).await.image();
    fixture.layers.store().remove_image(&image.parse().unwrap()).unwrap();

    let mut calm = Plan::from(&fixture);
    calm.run("echo calm > /calm")
        .run("i=0; while [ $i -lt 200 ] && [ ! -e /stop ]; do echo $i >> /log; i=$((i + 1)); sleep 0.02; done; cat /calm");
    let calm = fixture.build(calm.request("calm"), &[]);
    let mut greedy = Plan::from(&fixture);
    greedy.run("true").run("while :; do head -c 4000000 /dev/zero >> /fill || exit 1; sleep 0.01; done");
    let greedy = fixture.build(greedy.request("greedy"), &[]);
    let (calm, greedy) = tokio::join!(calm, greedy);
    let (code, message) = greedy.error();
    assert_eq!(code, "DISK_FULL", "{message}");
    assert!(message.starts_with("`RUN while :; do head"), "the step is named: {message}");
    assert!(message.contains("runs full: the step wrote") && message.contains("must stay free"), "{message}");
    assert_eq!((greedy.status("v1"), greedy.status("v2")), (Status::Done, Status::Failed));
    calm.image();
    assert_eq!(calm.log("v2"), "calm\n", "the other build noticed nothing");
    let (records, _) = fixture.builder.cache(Some("org-1"), None).unwrap();
    assert!(!records.iter().any(|record| record.about.as_ref().is_some_and(|about| about.text.contains("/old"))), "caches went first");
    until("its files are gone", || disk.free() > reserve * 2).await;
    // Nor does one that hides what it writes.
    let mut sly = Plan::from(&fixture);
    sly.run("exec 3> /fill; rm /fill; while :; do head -c 4000000 /dev/zero >&3 || exit 1; sleep 0.01; done");
    let (code, message) = fixture.build(sly.request("sly"), &[]).await.error();
    assert!(code == "DISK_FULL" && message.contains("deleted and keeps open"), "{code} {message}");
    until("its file is gone", || disk.free() > reserve * 2).await;
    let mut after = Plan::from(&fixture);
    after.run("echo fine");
    fixture.build(after.request("after"), &[]).await.image();
    drop(fixture);
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_what_it_holds_and_what_would_go() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("head -c 100000 /dev/urandom > /a").run("echo b > /b");
    let image = fixture.build(plan.request("b1"), &[]).await.image();
    fixture.build(plan.request("b2"), &[]).await.image();
    let (records, usage) = fixture.builder.cache(Some("org-1"), None).unwrap();
    let first = records.iter().find(|record| record.about.as_ref().unwrap().text.contains("urandom")).unwrap();
    assert_eq!((first.about.as_ref().unwrap().app.as_str(), first.uses, first.kind), ("slipway.local/acme/app", 1, RecordKind::Layer));
    assert_eq!(first.kept_by, ["slipway.local/acme/app:test"]);
    assert!(first.bytes > 200_000 && usage[0].bytes == 0 && usage[0].layers == 2, "the image keeps it: {usage:?}");
    assert!(fixture.builder.cache(Some("org-2"), None).unwrap().0.is_empty(), "another organization sees nothing");

    let (seen, usage) = fixture.builder.cache(Some("org-1"), Some("slipway.local/other/")).unwrap();
    assert!(seen.iter().all(|record| record.kept_by.is_empty()) && usage[0].bytes > 200_000, "what others have does not show");

    fixture.layers.store().remove_image(&image.parse().unwrap()).unwrap();
    let (preview, freed) = fixture.builder.prune(&Selection::default().of("org-1"), true).unwrap();
    assert!(preview.records.len() == 2 && preview.bytes > 200_000 && freed == 0);
    assert_eq!(fixture.builder.prune(&Selection::default().of("org-2"), false).unwrap().0.records.len(), 0);
    assert_eq!(fixture.build(plan.request("b3"), &[]).await.status("v1"), Status::Cached, "a preview takes nothing");
    fixture.layers.store().remove_image(&image.parse().unwrap()).unwrap();
    let (gone, freed) = fixture.builder.prune(&Selection::default().of("org-1"), false).unwrap();
    assert_eq!((gone.records.len(), gone.bytes.abs_diff(freed) < 2000), (2, true), "{} was told, {freed} came free", gone.bytes);
    let again = fixture.build(plan.request("b4"), &[]).await;
    assert!(matches!(again.0.last(), Some(BuildEvent::Result { .. })));
    assert_eq!(again.miss("v1").0, "evicted");
}
