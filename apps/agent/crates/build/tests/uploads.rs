//! Contexts that were uploaded before a build: what is taken, refused, kept and collected, and that a build sees it.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde_json::json;
use slipway_build::contexts::{Committed, ContextError, ContextLimits, ContextStore, Encoding, Missing};
use slipway_store::Digest;
use support::{Fixture, Plan};

/// The stream of one upload, and the sizes of its objects.
struct Upload(Vec<u8>, HashMap<String, u64>);

impl Upload {
    fn new() -> Self {
        Self(b"slipway-objects-1\n".to_vec(), HashMap::new())
    }
    fn put(&mut self, kind: &str, content: &[u8]) -> String {
        let hex = Digest::of(content).hex();
        self.raw(&format!("{kind} {hex} {}\n", content.len()), content);
        self.1.insert(hex.clone(), content.len() as u64);
        hex
    }
    fn raw(&mut self, head: &str, content: &[u8]) {
        self.0.extend(head.as_bytes());
        self.0.extend(content);
    }
    fn blob(&mut self, content: &str) -> String {
        self.put("blob", content.as_bytes())
    }
    fn tree(&mut self, entries: &[String]) -> Digest {
        self.put("tree", object(entries).as_bytes());
        Digest::of(object(entries).as_bytes())
    }
    fn file(&mut self, name: &str, mode: &str, content: &str) -> String {
        format!("f {mode} {} {} {name}\0", content.len(), self.blob(content))
    }
}

fn object(entries: &[String]) -> String {
    format!("slipway-tree-1\n{}", entries.concat())
}

fn dir(name: &str, tree: &Digest) -> String {
    format!("d 755 {} {name}\0", tree.hex())
}

fn store(limits: ContextLimits) -> (tempfile::TempDir, ContextStore) {
    let temp = tempfile::tempdir().unwrap();
    let store = ContextStore::open(temp.path().join("contexts"), limits).unwrap();
    (temp, store)
}

fn send(store: &ContextStore, upload: &Upload) -> Result<u64, ContextError> {
    store.receive("org-1", &upload.0[..], Encoding::Identity)
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ContextError>) -> String {
    match outcome {
        Err(ContextError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// `a.txt`, `bin/run` (executable), `bin/same` (as `a.txt`), `link`.
fn small(upload: &mut Upload) -> Digest {
    let bin = [upload.file("run", "755", "#!/bin/sh\necho ran\n"), upload.file("same", "644", "hello\n")];
    let bin = upload.tree(&bin);
    let entries = [upload.file("a.txt", "644", "hello\n"), dir("bin", &bin), "l link\0bin/run\0".to_owned()];
    upload.tree(&entries)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_sees_what_was_uploaded() {
    let fixture = Fixture::new();
    let mut upload = Upload::new();
    let root = small(&mut upload);
    send(fixture.builder.contexts(), &upload).unwrap();
    assert_eq!(fixture.builder.contexts().commit("org-1", &root).unwrap(), Committed { entries: 5, bytes: 31 });
    let mut plan = Plan::from(&fixture);
    plan.copy(&["."], "/app/").run("/app/link; stat -c %h /app/a.txt /app/bin/same");
    let mut request = plan.request("b1");
    request["context"] = json!({ "tree": root });
    let built = fixture.build(request, &[]).await;
    assert_eq!(built.log("v2"), "ran\n1\n1\n", "equal files are not one file in the image");
    let files = fixture.unpacked(&built.image());
    assert_eq!(files.meta("app/bin/run").mode() & 0o7777, 0o755);
    assert_eq!((files.meta("app/a.txt").mode() & 0o7777, files.meta("app/a.txt").uid()), (0o644, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_grants_nothing_to_others_and_a_context_that_is_gone_says_so() {
    let fixture = Fixture::new();
    let mut upload = Upload::new();
    let root = small(&mut upload);
    let contexts = fixture.builder.contexts();
    send(contexts, &upload).unwrap();
    contexts.commit("org-1", &root).unwrap();
    let mut plan = Plan::from(&fixture);
    plan.copy(&["."], "/app/");
    let mut request = plan.request("b1");
    request["context"] = json!({ "tree": root });
    request["scope"] = json!("org-2");
    assert_eq!(fixture.build(request.clone(), &[]).await.error().0, "BAD_CONTEXT");
    let asked = Missing { trees: vec![root.hex()], ..Missing::default() };
    assert_eq!(contexts.missing("org-1", &asked).unwrap().trees.len(), 0);
    assert_eq!(contexts.missing("org-2", &asked).unwrap().trees, [root.hex()]);
    assert!(matches!(contexts.commit("org-2", &root), Err(ContextError::Incomplete(_))));
    request["scope"] = json!("org-1");
    contexts.prune().unwrap();
    let (code, message) = fixture.build(request, &[]).await.error();
    assert_eq!(code, "BAD_CONTEXT");
    assert!(message.contains("start the build again"), "{message}");
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let (_temp, store) = store(ContextLimits::default());
    let mut upload = Upload::new();
    let root = small(&mut upload);
    let ContextError::Incomplete(missing) = store.commit("org-1", &root).unwrap_err() else { panic!() };
    assert_eq!((missing.trees, missing.blobs.len()), (vec![root.hex()], 0), "what lies beneath is not known yet");
    assert_eq!(send(&store, &upload).unwrap(), upload.1.values().sum::<u64>(), "equal files are taken once");
    assert_eq!(send(&store, &upload).unwrap(), 0, "nothing of it is new");
    store.commit("org-1", &root).unwrap();
    // One file changed, deep down: one blob and the directories above it.
    let mut changed = Upload::new();
    let bin = [changed.file("run", "755", "#!/bin/sh\necho other\n"), format!("f 644 6 {} same\0", Digest::of(b"hello\n").hex())];
    let bin = changed.tree(&bin);
    let entries = [format!("f 644 6 {} a.txt\0", Digest::of(b"hello\n").hex()), dir("bin", &bin), "l link\0bin/run\0".to_owned()];
    let second = changed.tree(&entries);
    send(&store, &changed).unwrap();
    assert_eq!(store.commit("org-1", &second).unwrap().entries, 5);
}

#[test]
fn packed_streams_are_read() {
    let (_temp, store) = store(ContextLimits::default());
    let mut upload = Upload::new();
    let root = small(&mut upload);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&upload.0).unwrap();
    store.receive("org-1", &gzip.finish().unwrap()[..], Encoding::Gzip).unwrap();
    store.commit("org-1", &root).unwrap();
    let packed = zstd::encode_all(&upload.0[..], 1).unwrap();
    store.receive("org-2", &packed[..], Encoding::Zstd).unwrap();
    store.commit("org-2", &root).unwrap();
    let bomb = zstd::encode_all(&mut std::io::Read::take(std::io::repeat(0), 80 << 20), 1).unwrap();
    let mut stream = zstd::encode_all(format!("slipway-objects-1\nblob {} {}\n", Digest::of(b"").hex(), 2u64 << 30).as_bytes(), 1).unwrap();
    stream.extend(bomb);
    assert!(store.receive("org-1", &stream[..], Encoding::Zstd).is_err());
    assert!(store.receive("org-1", &b"no gzip"[..], Encoding::Gzip).is_err());
}

#[test]
fn lies_are_refused_and_leave_nothing() {
    let (temp, store) = store(ContextLimits::default());
    let hex = Digest::of(b"hello\n").hex();
    let head = "slipway-objects-1\n";
    let big = format!("{head}blob {hex} {}\n{}", 2 << 20, "x".repeat(2 << 20));
    let cases = [
        String::new(),
        "hello".to_owned(),
        format!("{head}blob {hex} 6\nhallo\n"),
        format!("{head}blob {hex} 7\nhello\n"),
        format!("{head}blob {hex} 5\nhello\n"),
        format!("{head}blob {hex} -1\n"),
        format!("{head}blob {hex}\n"),
        format!("{head}blob ../../etc 6\nhello\n"),
        format!("{head}blob {} 6\nhello\n", hex.to_uppercase()),
        format!("{head}blob {hex} 99999999999\n"),
        format!("{head}tree {hex} 6\nhello\n"),
        format!("{head}tree {hex} 999999999\n"),
        format!("{head}part {hex} 0 6 5\nhello\n"),
        format!("{head}part {hex} 0 0 6\n"),
        format!("{head}part {hex} 0 6 6\nhallo\n"),
        format!("{head}part {hex} 0 6 99999999999\nhello\n"),
        format!("{head}{}", "x".repeat(10_000)),
        big,
    ];
    for case in cases {
        let text = refusal(store.receive("org-1", case.as_bytes(), Encoding::Identity));
        assert!(!text.is_empty());
    }
    assert!(
        store.receive("org-1", format!("{head}part {hex} 3 3 6\nlo\n").as_bytes(), Encoding::Identity).is_err(),
        "a piece out of order"
    );
    assert_eq!(store.missing("org-1", &Missing { blobs: vec![hex.clone()], ..Missing::default() }).unwrap().blobs, [hex]);
    assert!(store.missing("org-1", &Missing { trees: vec!["../x".into()], ..Missing::default() }).is_err());
    let files = walk(temp.path());
    assert!(files.iter().all(|path| path.ends_with("boot") || std::fs::metadata(path).unwrap().len() == 0), "{files:?}");
}

#[test]
fn contexts_over_a_limit_are_refused() {
    let (_temp, store) = store(ContextLimits::default());
    // Ten names of ten names of …: a few hundred bytes that stand for a hundred million files.
    let mut upload = Upload::new();
    let names: Vec<String> = (0..10).map(|n| upload.file(&n.to_string(), "644", "x")).collect();
    let mut tree = upload.tree(&names);
    for _ in 0..7 {
        tree = upload.tree(&(0..10).map(|n| dir(&n.to_string(), &tree)).collect::<Vec<_>>());
    }
    send(&store, &upload).unwrap();
    assert!(refusal(store.commit("org-1", &tree)).contains("200,000 entries"));
    let mut upload = Upload::new();
    let mut tree = upload.tree(&[]);
    for _ in 0..300 {
        tree = upload.tree(&[dir("d", &tree)]);
    }
    send(&store, &upload).unwrap();
    assert!(refusal(store.commit("org-1", &tree)).contains("too deep"));
    let mut upload = Upload::new();
    let huge = format!("f 644 {} {} a\0", 2u64 << 30, upload.blob("x"));
    let tree = upload.tree(&[huge.clone(), huge.replace(" a\0", " b\0")]);
    send(&store, &upload).unwrap();
    assert!(refusal(store.commit("org-1", &tree)).contains("another size"));
    let mut upload = Upload::new();
    let tree = upload.tree(&(0..3).map(|n| format!("f 644 {} {} {n}\0", 1u64 << 30, Digest::of(b"none").hex())).collect::<Vec<_>>());
    send(&store, &upload).unwrap();
    assert!(refusal(store.commit("org-1", &tree)).contains("2 GiB"));
}

#[test]
fn a_large_file_goes_on_where_it_ended() {
    let temp = tempfile::tempdir().unwrap();
    let open = || ContextStore::open(temp.path().join("contexts"), ContextLimits::default()).unwrap();
    let content: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
    let hex = Digest::of(&content).hex();
    let mut first = Upload::new();
    first.raw(&format!("part {hex} 0 3000000 5000000\n"), &content[..2_000_000]);
    assert!(send(&open(), &first).is_err(), "it broke off inside the piece");
    // The daemon is another one by now.
    let store = open();
    let asked = Missing { blobs: vec![hex.clone()], ..Missing::default() };
    assert_eq!(store.missing("org-1", &asked).unwrap().partial, HashMap::from([(hex.clone(), 2_000_000)]));
    let mut again = Upload::new();
    again.raw(&format!("part {hex} 0 3000000 5000000\n"), &content[..3_000_000]);
    assert!(matches!(send(&store, &again), Err(ContextError::Conflict(_))));
    let mut rest = Upload::new();
    rest.raw(&format!("part {hex} 2000000 3000000 5000000\n"), &content[2_000_000..]);
    send(&store, &rest).unwrap();
    assert_eq!(store.missing("org-1", &asked).unwrap(), Missing::default());
}

#[test]
fn a_context_in_use_stays_and_the_one_used_last_goes_last() {
    let limits = ContextLimits { bytes: 4000, age: Duration::from_secs(3600), grace: Duration::ZERO };
    let (_temp, store) = store(limits);
    let mut roots = Vec::new();
    for name in ["one", "two", "three"] {
        let mut upload = Upload::new();
        let file = upload.file("f", "644", &name.repeat(100));
        let root = upload.tree(&[file]);
        send(&store, &upload).unwrap();
        store.commit("org-1", &root).unwrap();
        roots.push(root);
        std::thread::sleep(Duration::from_millis(20));
    }
    let held = store.hold("org-1", &roots[0]).unwrap();
    let there = |root: &Digest| store.commit("org-1", root).is_ok();
    store.prune().unwrap();
    assert_eq!(roots.iter().map(there).collect::<Vec<_>>(), [true, false, false]);
    let temp = tempfile::tempdir().unwrap();
    held.write(temp.path()).unwrap();
    assert_eq!(std::fs::read_to_string(temp.path().join("f")).unwrap(), "one".repeat(100));
    drop(held);
    // Files of builds under way outlive what is kept.
    store.prune().unwrap();
    assert!(!there(&roots[0]));
    assert_eq!(std::fs::read_to_string(temp.path().join("f")).unwrap(), "one".repeat(100));
    // Beyond its share of 2,000 bytes an organization's older contexts make room for new ones.
    for n in 0..12 {
        let mut upload = Upload::new();
        let file = upload.file("f", "644", &format!("{n:05}").repeat(100));
        let root = upload.tree(&[file]);
        if n > 0 && send(&store, &upload).is_err() {
            continue;
        }
        let _complete = store.commit("org-1", &root);
    }
    assert!(store.bytes().unwrap() <= 2000, "{}", store.bytes().unwrap());
}

#[test]
fn collections_beside_uploads_never_lose_a_committed_context() {
    let (_temp, store) = store(ContextLimits { grace: Duration::ZERO, ..ContextLimits::default() });
    let store = &store;
    std::thread::scope(|scope| {
        // Gone with a failure, too, so that the collector ends.
        let (under_way, ended) = std::sync::mpsc::channel::<()>();
        let collecting = scope.spawn(move || {
            // Without a rest it would have the lock again before those who wait for it are awake, and nothing would ever be committed;
            // with longer and longer ones, something is on a disk of any speed.
            for rest in (1..).map(|n| Duration::from_micros(n * 100)) {
                store.collect().unwrap();
                if ended.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        for n in 0..60 {
            let mut upload = Upload::new();
            let file = upload.file("f", "644", &format!("content {n}"));
            let root = upload.tree(&[file]);
            // What goes between two calls is told, and sent again.
            loop {
                send(store, &upload).unwrap();
                match store.commit("org-1", &root) {
                    Ok(_) => break,
                    Err(ContextError::Incomplete(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let held = store.hold("org-1", &root).unwrap();
            let temp = tempfile::tempdir().unwrap();
            held.write(temp.path()).unwrap();
            assert_eq!(std::fs::read_to_string(temp.path().join("f")).unwrap(), format!("content {n}"));
        }
        drop(under_way);
        collecting.join().unwrap();
    });
}

#[test]
fn a_restarted_machine_begins_empty_and_a_restarted_daemon_does_not() {
    let temp = tempfile::tempdir().unwrap();
    let open = || ContextStore::open(temp.path().join("contexts"), ContextLimits::default()).unwrap();
    let mut upload = Upload::new();
    let root = small(&mut upload);
    send(&open(), &upload).unwrap();
    open().commit("org-1", &root).unwrap();
    let scope = std::fs::read_dir(temp.path().join("contexts")).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    assert_eq!(std::fs::metadata(temp.path().join("contexts")).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::write(scope.join("incoming/7"), "half of a file").unwrap();
    assert!(open().commit("org-1", &root).is_ok());
    assert!(!scope.join("incoming/7").exists());
    std::fs::write(temp.path().join("contexts/boot"), "another boot\n").unwrap();
    assert!(open().commit("org-1", &root).is_err());
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() { all.extend(walk(&entry.path())) } else { all.push(entry.path()) }
    }
    all
}
