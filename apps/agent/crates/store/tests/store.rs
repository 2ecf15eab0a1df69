//! Blobs, images, gc and what a crash leaves behind, on a real disk.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slipway_store::{Descriptor, Digest, Error, Image, ImageConfig, Lease, Reference, Resource, RootFs, Store, media_type};

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn make_image(store: &Store, lease: &Lease, content: &[u8]) -> Image {
    let blob = store.put_bytes(lease, content).unwrap();
    let config =
        ImageConfig { os: "linux".into(), rootfs: RootFs { kind: "layers".into(), diff_ids: vec![blob.digest] }, ..Default::default() };
    store.make_image(lease, &config, vec![Descriptor::new(media_type::OCI_LAYER, blob.digest, blob.size)], blob.size).unwrap()
}

fn collect(store: &Store) -> Vec<Digest> {
    store.collect(|_| Ok((Vec::new(), 0))).unwrap().blobs
}

fn ingest_is_empty(root: &Path) -> bool {
    fs::read_dir(root.join("content/ingest")).unwrap().next().is_none()
}

#[test]
fn a_blob_is_visible_only_when_it_is_what_it_should_be() {
    let (dir, store) = open();
    let lease = store.lease("test");
    let digest = Digest::of(b"hello");
    let write = |bytes: &[u8]| {
        let mut writer = store.writer(&lease).unwrap().limit(10);
        writer.append(bytes).map(|()| writer)
    };
    assert!(matches!(write(b"hellx").unwrap().commit(Some(&digest), None), Err(Error::DigestMismatch { .. })));
    assert!(matches!(write(b"hello").unwrap().commit(None, Some(6)), Err(Error::SizeMismatch { .. })));
    assert!(matches!(write(b"hello, world"), Err(Error::SizeMismatch { .. })));
    assert_eq!(store.stat(&digest).unwrap(), None);
    assert!(ingest_is_empty(dir.path()));
    write(b"hello").unwrap().commit(Some(&digest), Some(5)).unwrap();
    assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
    assert!(matches!(store.read_blob(&digest, 4), Err(Error::TooLarge { .. })));
}

#[test]
fn a_damaged_blob_is_set_aside_and_can_come_again() {
    let (_dir, store) = open();
    let lease = store.lease("test");
    let digest = store.put_bytes(&lease, b"hello").unwrap().digest;
    fs::remove_file(store.blob_path(&digest)).unwrap();
    fs::write(store.blob_path(&digest), b"hellx").unwrap();
    assert!(matches!(store.read_blob(&digest, 100), Err(Error::Corrupt(_))));
    assert!(matches!(store.read_blob(&digest, 100), Err(Error::BlobNotFound(_))));
    store.put_bytes(&lease, b"hello").unwrap();
    assert_eq!(store.verify_blob(&digest).unwrap(), 5);
}

#[test]
fn gc_takes_only_what_nothing_reaches() {
    let (_dir, store) = open();
    let lease = store.lease("build");
    let image = make_image(&store, &lease, b"layer");
    let (cached, loose) = (store.put_bytes(&lease, b"cached").unwrap().digest, store.put_bytes(&lease, b"loose").unwrap().digest);
    store.hold("cache:key/../1", vec![Resource::Blob(cached)]).unwrap();
    assert_eq!(collect(&store), [], "the lease holds all");
    drop(lease);
    assert_eq!(collect(&store), [loose]);
    store.release("cache:key/../1").unwrap();
    assert_eq!(collect(&store), [cached]);
    store.remove_image(&image.record.id).unwrap();
    assert_eq!(collect(&store).len(), 3);
    assert!(store.blobs().unwrap().is_empty());
}

#[test]
fn names_ids_and_holds_survive_a_restart() {
    let (dir, store) = open();
    let lease = store.lease("build");
    let (one, two) = (make_image(&store, &lease, b"one").record.id, make_image(&store, &lease, b"two").record.id);
    let web = Reference::parse("slipway.local/acme/web").unwrap();
    assert_eq!(store.tag(&web, &one).unwrap(), None);
    assert_eq!(store.tag(&web, &two).unwrap(), Some(one), "the name moved");
    store.tag(&Reference::parse("hello").unwrap(), &one).unwrap();
    store.hold("pin", vec![Resource::Layer(one)]).unwrap();
    drop((lease, store));
    let store = Store::open(dir.path()).unwrap();
    let by = |name: &str| store.resolve(name).map(|i| i.record.id);
    for name in ["slipway.local/acme/web:latest", &two.to_string(), &two.hex(), &two.hex()[..12]] {
        assert_eq!(by(name).unwrap(), two, "{name}");
    }
    assert_eq!(by("docker.io/library/hello").unwrap(), one);
    let manifest = store.image(&one).unwrap().record.manifest.digest;
    assert_eq!(by(&format!("hello@{manifest}")).unwrap(), one);
    assert!(matches!(by("nope"), Err(Error::ImageNotFound(_))));
    assert!(matches!(by(""), Err(Error::ImageNotFound(_))));
    assert_eq!(store.holds(), [("pin".to_string(), vec![Resource::Layer(one)])]);
    assert!(store.untag(&web).unwrap());
    assert!(store.resolve("slipway.local/acme/web").is_err());
    assert!(store.image(&two).is_ok(), "an image without a name stays until it is removed");
}

#[test]
fn a_record_that_does_not_parse_is_set_aside() {
    let (dir, store) = open();
    let id = make_image(&store, &store.lease("test"), b"x").record.id;
    store.tag(&Reference::parse("x").unwrap(), &id).unwrap();
    drop(store);
    fs::write(dir.path().join(format!("meta/images/{}.json", id.hex())), b"{\"id\":").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.images().is_empty() && store.resolve("x").is_err());
}

#[test]
fn after_a_power_cut_unsynced_blobs_are_checked() {
    let (dir, store) = open();
    let lease = store.lease("test");
    let (good, bad) = (store.put_bytes(&lease, b"good").unwrap().digest, store.put_bytes(&lease, b"torn").unwrap().digest);
    assert!(store.pending().wait(Duration::from_secs(30)), "the background sync ends");
    let pending = dir.path().join("meta/pending");
    assert_eq!(fs::read_dir(&pending).unwrap().count(), 0);
    drop((lease, store));
    // As a crash before the sync leaves it: markers of another boot, and data that never reached the disk.
    for digest in [good, bad] {
        fs::write(pending.join(format!("anotherboot.blob.{}", digest.hex())), b"").unwrap();
    }
    let path = dir.path().join("content/blobs/sha256").join(bad.hex());
    fs::remove_file(&path).unwrap();
    fs::write(&path, [0; 4]).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!((store.stat(&good).unwrap(), store.stat(&bad).unwrap()), (Some(4), None));
    assert_eq!(fs::read_dir(&pending).unwrap().count(), 0);
}

/// The child of the next test: it writes until it is killed.
#[test]
#[ignore = "started by a_kill_in_the_middle_of_an_ingest_leaves_nothing"]
fn writes_for_ever() {
    let store = Store::open(Path::new(&std::env::var("SLIPWAY_TEST_ROOT").unwrap())).unwrap();
    let lease = store.lease("test");
    let mut writer = store.writer(&lease).unwrap();
    loop {
        writer.append(&[7; 4096]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_kill_in_the_middle_of_an_ingest_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_for_ever", "--ignored"])
        .env("SLIPWAY_TEST_ROOT", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ingest = dir.path().join("content/ingest");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_dir(&ingest).is_ok_and(|mut d| d.next().is_some_and(|e| e.unwrap().metadata().unwrap().len() > 0)) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!ingest_is_empty(dir.path()));
    let store = Store::open(dir.path()).unwrap();
    assert!(ingest_is_empty(dir.path()) && store.blobs().unwrap().is_empty());
}
