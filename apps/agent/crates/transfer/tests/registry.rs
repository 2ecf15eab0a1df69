//! Pull and push against registries that keep to the protocol, and against those that do not.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Machine, Mood, TestRegistry, ann, config, layer, tar_of};
use slipway_store::{Descriptor, Digest, Index, Platform, Reference, media_type};
use slipway_transfer::{Push, Pushed, Result};

const APP: &str = "slipway.local/acme/app:v1";

#[tokio::test]
async fn an_image_is_pulled_unpacked_named_and_pushed_on() {
    let (from, to) = (TestRegistry::start().await, TestRegistry::start().await);
    let digest = from.put_image("v1", &[tar_of(&[("bin/app", b"one")]), layer("data", 300_000)]);
    let machine = Machine::new(&from);
    let pulled = machine.pull(APP, None).await.unwrap();
    assert_eq!((pulled.digest, pulled.up_to_date, pulled.image.record.size), (digest, false, 300_003));
    let stack = machine.layers.stack(&pulled.image.record.diff_ids).unwrap();
    assert_eq!(fs::read(stack[0].dir.join("bin/app")).unwrap(), b"one");
    let names: Vec<String> = pulled.image.digests.iter().map(Reference::familiar).collect();
    assert_eq!(names, [format!("slipway.local/acme/app@{digest}")]);
    let before = machine.written();
    let again = machine.pull(APP, None).await.unwrap();
    assert_eq!((again.up_to_date, again.image.record.last_tagged), (true, pulled.image.record.last_tagged));
    assert_eq!(machine.written(), before, "what is known is not written again");
    assert_eq!(from.count("GET /v2/acme/app/blobs/"), 3, "nothing moves twice");

    let machine_to = |registry: &TestRegistry| format!("{}/acme/app:v2", registry.address);
    let pushed = push(&machine, pulled.image.clone(), &machine_to(&to)).await.unwrap();
    assert_eq!(pushed.digest, digest);
    let bytes: u64 = from.shared.lock().unwrap().blobs.values().map(|b| b.len() as u64).sum();
    assert_eq!(pushed.moved, bytes);
    let again = push(&machine, pulled.image, &machine_to(&to)).await.unwrap();
    assert_eq!((again.moved, to.count("POST")), (0, 3), "only missing blobs move");
    let other = Machine::new(&to);
    assert_eq!(other.pull("slipway.local/acme/app:v2", None).await.unwrap().image.record.id, again_id(&machine));
}

#[tokio::test]
async fn an_index_is_pushed_with_all_its_images_or_not_at_all() {
    let (from, to) = (TestRegistry::start().await, TestRegistry::start().await);
    let machine = Machine::new(&from);
    let mut images = Vec::new();
    for (tag, content) in [("a", "one"), ("b", "two")] {
        from.put_image(tag, &[tar_of(&[("bin/app", content.as_bytes())]), layer("shared", 200_000)]);
        images.push(machine.pull(&format!("slipway.local/acme/app:{tag}"), None).await.unwrap().image);
    }
    let store = machine.layers.store();
    let lease = store.lease("test");
    let records = images.iter().map(|image| image.record.clone()).collect();
    let index = store.make_index(&lease, media_type::OCI_INDEX, records).unwrap();
    let name = format!("{}/acme/app:v2", to.address);
    store.tag_index(&Reference::parse(&name).unwrap(), &images[0].record.id, Some(index.clone())).unwrap();
    let pushed = push(&machine, images[0].clone(), &name).await.unwrap();
    assert_eq!(pushed.digest, index.descriptor.digest);
    assert_eq!(push(&machine, images[0].clone(), &name).await.unwrap().moved, 0);
    let order: Vec<String> =
        to.shared.lock().unwrap().requests.iter().filter(|r| r.starts_with("PUT") && r.contains("/manifests/")).cloned().collect();
    let path = |name: String| format!("PUT /v2/acme/app/manifests/{name}");
    let tag = Reference::parse(&name).unwrap().tag_or_digest();
    let expected = [images[0].record.manifest.digest.to_string(), images[1].record.manifest.digest.to_string(), tag];
    assert_eq!(order[..3], expected.map(path));
    assert_eq!(to.count("POST /v2/acme/app/blobs/uploads"), 5, "the layer that both have goes once");
}

#[tokio::test]
async fn what_was_loaded_is_compressed_by_its_first_push_and_stays_so() {
    let registry = TestRegistry::start().await;
    let (machine, other) = (Machine::new(&registry), Machine::new(&registry));
    let layer = tar_of(&[("hello", &[b'x'; 3_000_000])]);
    let manifest = br#"[{"Config":"c.json","RepoTags":["slipway.local/acme/app:loaded"],"Layers":["layer.tar"]}]"#;
    let archive = tar_of(&[("layer.tar", &layer), ("c.json", &config(Digest::of(&layer))), ("manifest.json", manifest)]);
    for machine in [&machine, &other] {
        let loaded = slipway_transfer::load(&machine.layers, archive.as_slice(), &slipway_transfer::silent()).unwrap();
        assert_eq!(loaded[0].image.record.layers[0].size, layer.len() as u64);
    }
    let image = |machine: &Machine| machine.layers.store().resolve("slipway.local/acme/app:loaded").unwrap();
    let id = image(&machine).record.id;
    let pushed = push(&machine, image(&machine), "slipway.local/acme/app:loaded").await.unwrap();
    assert!(pushed.moved < 100_000, "{} bytes moved", pushed.moved);

    let packed = image(&machine);
    assert_eq!((packed.record.id, packed.tags.len()), (id, 1), "it has the id and the name it had");
    assert_eq!(packed.record.layers[0].media_type, slipway_store::media_type::OCI_LAYER_GZIP);
    assert_eq!(packed.record.manifest.digest, pushed.digest);
    machine.layers.collect().unwrap();
    assert_eq!(machine.layers.store().blobs().unwrap().len(), 3, "the plain blob is gone");
    assert_eq!(push(&machine, packed, "slipway.local/acme/app:loaded").await.unwrap().moved, 0);
    let elsewhere = push(&other, image(&other), "slipway.local/acme/app:loaded").await.unwrap();
    assert_eq!((elsewhere.digest, elsewhere.moved), (pushed.digest, 0), "the same bytes on every machine");

    let third = Machine::new(&registry);
    let pulled = third.pull("slipway.local/acme/app:loaded", None).await.unwrap();
    assert_eq!(pulled.image.record.id, id);
}

fn again_id(machine: &Machine) -> Digest {
    machine.layers.store().resolve(APP).unwrap().record.id
}

async fn push(machine: &Machine, image: slipway_store::Image, name: &str) -> Result<Pushed> {
    let push = Push { image, reference: Reference::parse(name).unwrap(), credentials: None };
    machine.client.push(&machine.layers, push, machine.reporter()).await
}

#[tokio::test]
async fn lies_about_bytes_and_lengths_are_found_and_leave_nothing() {
    for (mood, code) in [
        (Mood::WrongBytes, vec!["DIGEST_MISMATCH", "LAYER_INVALID", "LAYER_READ"]),
        (Mood::TooLong, vec!["SIZE_MISMATCH"]),
        (Mood::TooShort, vec!["SIZE_MISMATCH"]),
        (Mood::Stalls, vec!["REGISTRY_STALLED"]),
    ] {
        let registry = TestRegistry::start().await;
        registry.put_image("v1", &[layer("data", 200_000)]);
        registry.set(|s| s.mood = mood);
        let mut machine = if matches!(mood, Mood::Stalls) { Machine::impatient(&registry) } else { Machine::new(&registry) };
        let error = machine.pull(APP, None).await.unwrap_err();
        assert!(code.contains(&error.code()), "{mood:?}: {} {error}", error.code());
        machine.assert_empty();
        registry.set(|s| s.mood = Mood::Honest);
        machine.client = Machine::new(&registry).client;
        machine.pull(APP, None).await.unwrap();
    }
}

#[tokio::test]
async fn broken_downloads_are_resumed() {
    for mood in [Mood::BreaksOff, Mood::BreaksOffWithoutRanges] {
        let registry = TestRegistry::start().await;
        registry.put_image("v1", &[layer("data", 120_000)]);
        registry.set(|s| s.mood = mood);
        let machine = Machine::new(&registry);
        machine.pull(APP, None).await.unwrap();
        assert!(registry.count("GET /v2/acme/app/blobs/") > 5, "{mood:?}");
    }
}

#[tokio::test]
async fn manifests_are_held_to_their_digest_and_to_the_limits() {
    let registry = TestRegistry::start().await;
    let digest = registry.put_image("v1", &[layer("a", 10)]);
    let machine = Machine::new(&registry);
    let by_digest = format!("slipway.local/acme/app@{digest}");
    let replace = |bytes: Vec<u8>| {
        registry.set(|s| {
            for name in ["v1".to_string(), digest.to_string()] {
                s.manifests.insert(format!("acme/app/{name}"), (media_type::OCI_MANIFEST.into(), bytes.clone().into()));
            }
        });
    };
    let honest = registry.shared.lock().unwrap().manifests["acme/app/v1"].1.to_vec();
    let mut other = honest.clone();
    other.push(b'\n');
    replace(other);
    assert_eq!(machine.pull(&by_digest, None).await.unwrap_err().code(), "DIGEST_MISMATCH");
    replace(vec![b' '; 5 << 20]);
    assert_eq!(machine.pull(APP, None).await.unwrap_err().code(), "TOO_LARGE");
    for (bytes, code) in [
        (&b"{"[..], "REGISTRY_PROTOCOL"),
        (br#"{"schemaVersion":1}"#, "REGISTRY_PROTOCOL"),
        (br#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, "REGISTRY_PROTOCOL"),
        (br#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:../../x","size":1},"layers":[]}"#, "CONTENT_INVALID"),
        (br#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"md5:00","size":-1},"layers":[]}"#, "CONTENT_INVALID"),
    ] {
        replace(bytes.to_vec());
        assert_eq!(machine.pull(APP, None).await.unwrap_err().code(), code, "{}", String::from_utf8_lossy(bytes));
    }
    // A config whose layers are not those of the manifest.
    let mut swapped: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    swapped["layers"] = serde_json::json!([]);
    replace(serde_json::to_vec(&swapped).unwrap());
    assert_eq!(machine.pull(APP, None).await.unwrap_err().code(), "CONTENT_INVALID");
    machine.assert_empty();
}

#[tokio::test]
async fn the_index_entry_of_the_platform_is_chosen() {
    let registry = TestRegistry::start().await;
    let (here, there) = (registry.put_image("here", &[layer("a", 10)]), registry.put_image("there", &[layer("b", 10)]));
    let entry = |digest: Digest, platform: &str| {
        let size = registry.shared.lock().unwrap().manifests[&format!("acme/app/{digest}")].1.len() as u64;
        Descriptor { platform: Some(Platform::parse(platform).unwrap()), ..Descriptor::new(media_type::OCI_MANIFEST, digest, size) }
    };
    let host = format!("linux/{}", Platform::host().architecture);
    let index = |entries| Index {
        schema_version: 2,
        media_type: Some(media_type::OCI_INDEX.into()),
        manifests: entries,
        annotations: Default::default(),
    };
    let put = |index: &Index| {
        let bytes = serde_json::to_vec(index).unwrap();
        let digest = Digest::of(&bytes);
        registry.set(|s| drop(s.manifests.insert("acme/app/v1".into(), (media_type::OCI_INDEX.into(), bytes.into()))));
        digest
    };
    let machine = Machine::new(&registry);
    let named = put(&index(vec![entry(there, "windows/amd64"), entry(here, &host)]));
    let pulled = machine.pull(APP, None).await.unwrap();
    assert_eq!((pulled.digest, pulled.image.record.manifest.digest), (named, here));
    // Of another platform, beside it: the name goes on to mean this machine's.
    put(&index(vec![entry(there, "linux/s390x"), entry(here, &host)]));
    let reference = Reference::parse(APP).unwrap();
    let platform = Some(Platform::parse("linux/s390x").unwrap());
    let pull = slipway_transfer::Pull { reference: reference.clone(), platform, unnamed: true, credentials: None };
    let foreign = machine.client.pull(&machine.layers, pull, machine.reporter()).await.unwrap();
    assert_eq!((foreign.digest, foreign.image.record.manifest.digest), (there, there));
    let named = |name: &str| machine.layers.store().resolve(name).unwrap().record.manifest.digest;
    assert_eq!(named(APP), here);
    assert_eq!(named(&reference.with_digest(there).canonical()), there);

    put(&index(vec![entry(there, "windows/amd64"), entry(there, "linux/s390x")]));
    let error = machine.pull(APP, None).await.unwrap_err();
    assert_eq!(error.code(), "PLATFORM_NOT_FOUND");
    assert!(error.to_string().contains("linux/s390x"), "{error}");
}

#[tokio::test]
async fn logs_in_by_password_and_by_token() {
    for bearer in [false, true] {
        let registry = TestRegistry::start().await;
        registry.put_image("v1", &[layer("a", 10)]);
        registry.set(|s| (s.login, s.bearer) = (Some(("ann".into(), "s3cret".into())), bearer));
        let machine = Machine::new(&registry);
        machine.pull(APP, ann("s3cret")).await.unwrap();
        machine.client.check_login("slipway.local", ann("s3cret").unwrap()).await.unwrap();
        for wrong in [None, ann("wr0ng")] {
            let error = Machine::new(&registry).pull(APP, wrong).await.unwrap_err();
            assert_eq!(error.code(), "REGISTRY_DENIED", "{error}");
            assert!(!error.to_string().contains("wr0ng"));
        }
        let refused = machine.client.check_login("slipway.local", ann("wr0ng").unwrap()).await.unwrap_err();
        if bearer {
            assert_eq!(refused.code(), "REGISTRY_DENIED", "{refused}");
        } else {
            let said = format!("login attempt to http://{}/v2/ failed with status: 401 Unauthorized", registry.address);
            assert_eq!(refused.to_string(), said);
        }
    }
}

#[tokio::test]
async fn a_refused_push_is_told_in_the_registrys_own_words() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[layer("a", 10)]);
    let machine = Machine::new(&registry);
    let image = machine.pull(APP, None).await.unwrap().image;
    for (status, body, said) in [
        (403, r#"{"errors":[{"code":"DENIED","message":"The tag v1 is immutable."}]}"#, "denied: The tag v1 is immutable."),
        (401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#, "unauthorized: authentication required"),
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#, "name unknown: no such repository"),
        (403, "no", "denied: 403 Forbidden"),
    ] {
        registry.set(|s| s.refuses = Some((status, body)));
        let error = push(&machine, image.clone(), APP).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.code()), (said, "REGISTRY_DENIED"));
    }
}

#[tokio::test]
async fn unknown_names_and_unreachable_registries_say_so() {
    let registry = TestRegistry::start().await;
    let machine = Machine::new(&registry);
    assert_eq!(machine.pull("slipway.local/acme/app:none", None).await.unwrap_err().code(), "IMAGE_NOT_FOUND");
    let error = machine.pull("127.0.0.1:1/acme/app", None).await.unwrap_err();
    assert_eq!(error.code(), "REGISTRY_UNREACHABLE", "{error}");
}

#[tokio::test]
async fn a_damaged_blob_is_fetched_again_by_pull_and_named_by_push() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[layer("data", 200_000)]);
    let machine = Machine::new(&registry);
    let image = machine.pull(APP, None).await.unwrap().image;
    let store = machine.layers.store();
    let blob = image.record.layers[0].digest;
    let mut bytes = fs::read(store.blob_path(&blob)).unwrap();
    bytes[100_000] ^= 1;
    fs::remove_file(store.blob_path(&blob)).unwrap();
    fs::write(store.blob_path(&blob), bytes).unwrap();
    let other = TestRegistry::start().await;
    let error = push(&machine, image.clone(), &format!("{}/acme/app:v1", other.address)).await.unwrap_err();
    assert_eq!(error.code(), "BLOB_CORRUPT", "{error}");
    assert!(!other.shared.lock().unwrap().blobs.contains_key(&blob));
    machine.pull(APP, None).await.unwrap();
    push(&machine, image, &format!("{}/acme/app:v1", other.address)).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_stores_another_manifest_is_found_out() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[layer("a", 10)]);
    let machine = Machine::new(&registry);
    let image = machine.pull(APP, None).await.unwrap().image;
    registry.set(|s| s.mood = Mood::WrongManifest);
    let error = push(&machine, image, "slipway.local/acme/app:v2").await.unwrap_err();
    assert_eq!(error.code(), "DIGEST_MISMATCH", "{error}");
}

#[tokio::test]
async fn pulls_of_one_image_at_once_move_it_once_and_a_dropped_pull_leaves_nothing() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[layer("data", 2_000_000)]);
    let machine = Machine::new(&registry);
    let (one, two, three) = tokio::join!(machine.pull(APP, None), machine.pull(APP, None), machine.pull(APP, None));
    assert!([one, two, three].iter().all(Result::is_ok));
    assert_eq!(registry.count("GET /v2/acme/app/blobs/"), 2);

    let other = Machine::new(&registry);
    registry.set(|s| s.mood = Mood::Stalls);
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(100), other.pull(APP, None)).await;
    assert!(dropped.is_err());
    other.assert_empty();
}

#[tokio::test]
async fn blobs_damaged_on_disk_are_fetched_again_by_the_next_pull() {
    let registry = TestRegistry::start().await;
    registry.put_image("v1", &[tar_of(&[("bin/app", b"one")]), layer("data", 300_000)]);
    let machine = Machine::new(&registry);
    let first = machine.pull(APP, None).await.unwrap();
    let store = machine.layers.store();
    let blobs = store.blobs().unwrap();
    assert_eq!(blobs.len(), 4, "manifest, config and two layers");
    for (digest, size) in &blobs {
        // Of the right length, so that only its content tells.
        let path = store.blob_path(digest);
        fs::remove_file(&path).unwrap();
        fs::write(&path, vec![b'x'; usize::try_from(*size).unwrap()]).unwrap();
    }
    let again = machine.pull(APP, None).await.unwrap();
    assert_eq!(again.image.record.id, first.image.record.id);
    for (digest, size) in blobs {
        assert_eq!(store.verify_blob(&digest).unwrap(), size);
    }
}
