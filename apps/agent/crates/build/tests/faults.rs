//! What goes wrong in builds: failing commands, cancellation, full disks, hostile contexts, killed daemons.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::time::Duration;

use serde_json::json;
use slipway_build::contexts::{ContextError, Encoding};
use slipway_build::event::{BuildEvent, Status};
use slipway_build::{Builder, BuilderOptions, StartError};
use slipway_property::upload::{Item, upload};
use support::{File, Fixture, Outcome, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_run_fails_the_build() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("echo fine").run("echo before; echo oops >&2; exit 7").run("echo never");
    let outcome = fixture.build(plan.request("b1"), &[]).await;
    let (code, message) = outcome.error();
    assert_eq!(code, "EXEC_FAILED");
    assert!(message.contains("exit code 7") && message.contains("line 3"), "{message}");
    assert_eq!((outcome.status("v2"), outcome.vertex("v2").exit_code), (Status::Failed, Some(7)));
    assert_eq!(outcome.log("v2"), "before\noops\n");
    assert!(!outcome.0.iter().any(|event| matches!(event, BuildEvent::Vertex(vertex) if vertex.id == "v3")));
    assert!(matches!(outcome.0.last(), Some(BuildEvent::Error { vertex: Some(id), exit_code: Some(7), .. }) if id == "v2"));
    let again = fixture.build(plan.request("b1"), &[]).await;
    assert_eq!(again.status("v1"), Status::Cached, "what succeeded before stays cached");
    assert_eq!(again.status("v2"), Status::Failed, "a failure is never cached");
    assert!(fixture.layers.store().resolve("slipway.local/acme/app:test").is_err());
    assert!(settled(&fixture).await, "no directories are left");

    let mut plan = Plan::from(&fixture);
    plan.run_as("true", "nobody", &[]);
    let (code, message) = fixture.build(plan.request("b2"), &[]).await.error();
    assert_eq!(code, "EXEC_FAILED");
    assert!(message.contains("the user `nobody` is not in the image's /etc/passwd"), "{message}");
}

/// Whether `check` comes true; the patience suits the busiest machine, as only a failing test needs it.
async fn eventually(mut check: impl FnMut() -> bool) -> bool {
    for _ in 0..3_000 {
        if check() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Whether the directories of all builds go away.
async fn settled(fixture: &Fixture) -> bool {
    eventually(|| std::fs::read_dir(fixture.dir.join("builds")).unwrap().count() == 0).await
}

/// Processes that sleep for so long; those that are still to become one do not count.
fn sleeping(long: &str) -> usize {
    let wanted = format!("sleep\0{long}\0").into_bytes();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn canceling_kills_everything_at_once() {
    let fixture = Fixture::new();
    // On no other command line of this machine.
    let long = format!("600.99{:07}", std::process::id());
    for how in ["cancel", "hang up", "timeout"] {
        let mut plan = Plan::from(&fixture);
        plan.run(&format!("sleep {long} & sleep {long}"));
        plan.stage(&fixture).run(&format!("sleep {long}")).copy_with(&["/etc"], "/x/", json!({ "from": "v1" }));
        let mut request = plan.request("b1");
        request["limits"]["timeoutMs"] = json!(if how == "timeout" { 5_000 } else { 60_000 });
        let mut events = fixture.start(request, &[]).await.unwrap();
        // A timeout may come before all of them have begun.
        assert!(how == "timeout" || eventually(|| sleeping(&long) == 3).await, "{how}: the steps do not run");
        if how == "hang up" {
            drop(events);
        } else {
            assert!(how == "timeout" || fixture.builder.cancel("b1"));
            let mut all = Vec::new();
            while let Some(event) = events.recv().await {
                all.push(event);
            }
            let outcome = Outcome(all);
            assert_eq!(outcome.error().0, if how == "timeout" { "TIMEOUT" } else { "CANCELED" });
            assert_eq!((outcome.status("v1"), outcome.status("v3")), (Status::Canceled, Status::Canceled));
        }
        assert!(eventually(|| sleeping(&long) == 0).await, "{how}: a process is left");
        assert!(settled(&fixture).await, "{how}: directories are left");
    }
    assert!(!fixture.builder.cancel("b1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_runs_once_at_a_time() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("sleep 5");
    let running = fixture.start(plan.request("same"), &[]).await.unwrap();
    assert!(matches!(fixture.start(plan.request("same"), &[]).await, Err(StartError::Conflict(id)) if id == "same"));
    assert_eq!(fixture.builder.list(), ["same"]);
    drop(running);
    assert!(eventually(|| fixture.builder.list().is_empty()).await);
    let mut plan = Plan::from(&fixture);
    plan.run("true");
    fixture.build(plan.request("same"), &[]).await.image();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_lines_arrives_whole() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("i=0; while [ $i -lt 5000 ]; do echo \"line $i äöü\"; i=$((i+1)); done");
    let outcome = fixture.build(plan.request("b1"), &[]).await;
    outcome.image();
    let expected: String = (0..5000).map(|i| format!("line {i} äöü\n")).collect();
    assert_eq!(outcome.log("v1"), expected);
    let events = outcome.0.iter().filter(|event| matches!(event, BuildEvent::Log { .. })).count();
    assert!(events < 1000, "{events} events for 5,000 lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_slows_the_process_down() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("yes 0123456789012345678901234567890123456789 | head -c 30000000");
    let mut events = fixture.start(plan.request("b1"), &[]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let mut bytes = 0;
    let mut last = None;
    while let Some(event) = events.recv().await {
        if let BuildEvent::Log { data, .. } = &event {
            bytes += data.len();
        }
        last = Some(event);
    }
    assert_eq!(bytes, 30_000_000, "nothing is dropped");
    assert!(matches!(last, Some(BuildEvent::Result { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_contexts_reach_nothing() {
    let fixture = Fixture::new();
    std::fs::write(fixture.dir.join("secret"), "secret").unwrap();
    let secret = fixture.dir.join("secret");
    let context =
        [File::Link("abs", secret.to_str().unwrap()), File::Link("rel", "../../../../secret"), File::Dir("d"), File::Link("d/root", "/")];
    for source in ["abs", "rel", "../secret", "d/root/../secret", "d/root/proc/1/environ"] {
        let mut plan = Plan::from(&fixture);
        plan.copy(&[source], "/stolen");
        let outcome = fixture.build(plan.request("b1"), &context).await;
        assert_eq!(outcome.error().0, "COPY_FAILED", "{source}");
    }
    let mut plan = Plan::from(&fixture);
    plan.copy(&["."], "/all/").run("cat /all/abs /all/rel /all/d/root/secret 2>/dev/null || echo nothing");
    let outcome = fixture.build(plan.request("b2"), &context).await;
    assert_eq!(outcome.log("v2"), "nothing\n", "links are copied as links and mean the image's files");
    let mut plan = Plan::from(&fixture);
    plan.copy(&["gone.txt"], "/");
    let (code, message) = fixture.build(plan.request("b3"), &context).await.error();
    assert_eq!(code, "COPY_FAILED");
    assert!(message.contains("`gone.txt` is not in the build context") && message.contains(".dockerignore"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_so() {
    let temp = tempfile::tempdir().unwrap();
    let disk = temp.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Mount::tmpfs(&disk, "24m");
    {
        let fixture = Fixture::at(&disk);
        let (objects, _) = upload([("big", Item::File(0o644, vec![b'x'; 40 << 20]))]);
        let refused = fixture.builder.contexts().receive("org", &objects[..], Encoding::Identity).unwrap_err();
        assert!(
            matches!(&refused, ContextError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull),
            "while the context arrives: {refused}"
        );
        let mut plan = Plan::from(&fixture);
        plan.run("head -c 50000000 /dev/zero > /big");
        let (code, message) = fixture.build(plan.request("b2"), &[]).await.error();
        assert_eq!(code, "DISK_FULL", "while a step runs: {message}");
        assert!(settled(&fixture).await);
        let noise: Vec<u8> = (0..12_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut plan = Plan::from(&fixture);
        plan.copy(&["noise"], "/one").copy(&["noise"], "/two");
        let (code, message) = fixture.build(plan.request("b3"), &[File::Bytes("noise", noise)]).await.error();
        assert_eq!(code, "DISK_FULL", "while files are copied or layers made: {message}");
        assert!(settled(&fixture).await);
        let mut plan = Plan::from(&fixture);
        plan.run("echo small > /small");
        fixture.layers.collect().unwrap();
        fixture.builder.contexts().prune().unwrap();
        fixture.build(plan.request("b4"), &[]).await.image();
        assert!(settled(&fixture).await);
    }
    drop(mounted);
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_steps_are_cached_while_a_later_one_still_runs() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("echo kept > /kept").run("sleep 3");
    let mut running = fixture.start(plan.request("b1"), &[]).await.unwrap();
    while let Some(event) = running.recv().await {
        if matches!(&event, BuildEvent::Vertex(vertex) if vertex.id == "v1" && vertex.status == Status::Done) {
            break;
        }
    }
    let other = Fixture::at(&copy_of(&fixture.dir));
    let mut plan = Plan::from(&other);
    plan.run("echo kept > /kept").run("cat /kept");
    let outcome = other.build(plan.request("b2"), &[]).await;
    assert_eq!((outcome.status("v1"), outcome.log("v2").as_str()), (Status::Cached, "kept\n"));
    std::fs::remove_dir_all(&other.dir).unwrap();
}

/// The data root as a daemon would find it that starts after a kill at this moment.
fn copy_of(dir: &std::path::Path) -> std::path::PathBuf {
    let copy = dir.with_extension("copy");
    // What moves while it is copied makes for another attempt.
    for _ in 0..20 {
        if std::process::Command::new("cp").arg("-a").arg(dir).arg(&copy).status().unwrap().success() {
            return copy;
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
    panic!("{} never keeps still", dir.display());
}

struct Mount(std::path::PathBuf);

impl Mount {
    fn tmpfs(path: &std::path::Path, size: &str) -> Self {
        let status =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path).status().unwrap();
        assert!(status.success());
        Self(path.to_path_buf())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_survives_restarts_and_leftovers_do_not() {
    let temp = tempfile::tempdir().unwrap();
    let image = {
        let fixture = Fixture::at(temp.path());
        let mut plan = Plan::from(&fixture);
        plan.run("echo one > /one").run("echo two > /two");
        fixture.build(plan.request("b1"), &[]).await.image()
    };
    // What a killed daemon leaves: a half-built step.
    let leftover = temp.path().join("builds/dead.1/steps/v1/upper");
    std::fs::create_dir_all(&leftover).unwrap();
    std::fs::write(leftover.join("half"), "x").unwrap();
    let fixture = Fixture::at(temp.path());
    assert!(!leftover.exists());
    let mut plan = Plan::from(&fixture);
    plan.run("echo one > /one").run("echo two > /two");
    let outcome = fixture.build(plan.request("b1"), &[]).await;
    assert_eq!((outcome.image(), fixture.runs()), (image, 0));
    // Unpacked layers may be gone (they can be made again from the blobs): what builds on them still works.
    fixture.layers.store().remove_image(&outcome.image().parse().unwrap()).unwrap();
    fixture.layers.collect().unwrap();
    let mut plan = Plan::from(&fixture);
    plan.run("echo one > /one").run("cat /one");
    let outcome = fixture.build(plan.request("b2"), &[]).await;
    assert_eq!((outcome.status("v1"), outcome.log("v2").as_str()), (Status::Cached, "one\n"));

    let options = BuilderOptions { cache_bytes: 0, ..BuilderOptions::default() };
    let small = Builder::open(fixture.layers.clone(), fixture.executor.clone(), support::downloader(), options).unwrap();
    assert!(small.trim().unwrap().records.len() >= 2);
    let evicted = fixture.build(plan.request("b3"), &[]).await;
    assert_eq!(evicted.miss("v1").0, "evicted");
    assert_eq!(evicted.miss("v2").1, "because of line 2, `RUN echo one > /one`: its result was removed from the cache to free space");
    assert_eq!(evicted.log("v2"), "one\n");
}
