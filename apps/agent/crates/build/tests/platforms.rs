//! One plan for several platforms: an index of their images. Needs root and busybox-static.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use serde_json::{Value, json};
use slipway_build::event::BuildEvent;
use slipway_store::{Index, Reference, media_type};
use slipway_transfer::{ArchiveForm, ToSave, load, save, silent};
use support::{File, Fixture, Outcome, Plan};

const NAME: &str = "slipway.local/acme/app:test";

fn reference() -> Reference {
    Reference::parse(NAME).unwrap()
}

/// One RUN on the host's own base, whose file both images take; the other platform's lies on nothing.
fn request(fixture: &Fixture) -> Value {
    let mut plan = Plan::from(fixture);
    plan.run("echo made > /out");
    let own = plan.request("b");
    plan.add("FROM scratch", json!({ "type": "scratch" }));
    let copy = |from: &str| json!({ "from": from });
    plan.copy_with(&["/out"], "/", copy("v1")).copy(&["name"], "/");
    let mut request = plan.request("b");
    let history = request["plan"]["image"]["history"].as_array().unwrap()[1..].to_vec();
    request["plan"]["more"] = json!([{ "platform": { "os": "linux", "architecture": "arm64" }, "target": "v4",
        "image": { "config": { "Cmd": ["/name"] }, "history": history } }]);
    request["plan"]["target"] = own["plan"]["target"].clone();
    request["plan"]["image"] = own["plan"]["image"].clone();
    request
}

fn digest(outcome: &Outcome) -> (String, Vec<(String, String)>) {
    match outcome.0.last() {
        Some(BuildEvent::Result { manifest_digest, platforms, .. }) => {
            (manifest_digest.clone(), platforms.iter().map(|one| (one.platform.clone(), one.manifest_digest.clone())).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_images_of_all_platforms_stand_behind_one_name() {
    let fixture = Fixture::new();
    let files = [File::Text("name", "arm")];
    let outcome = fixture.build(request(&fixture), &files).await;
    assert_eq!(fixture.runs(), 1, "work for both is done once");
    let store = fixture.layers.store();
    let (named, platforms) = digest(&outcome);
    let index = store.index(&reference()).unwrap();
    assert_eq!(index.descriptor.digest.to_string(), named);
    let written = Index::parse(&store.read_blob(&index.descriptor.digest, 1 << 20).unwrap()).unwrap();
    assert_eq!(written.media_type.as_deref(), Some(media_type::OCI_INDEX));
    let told: Vec<_> = written
        .manifests
        .iter()
        .map(|one| (format!("linux/{}", one.platform.as_ref().unwrap().architecture), one.digest.to_string()))
        .collect();
    assert_eq!(told, platforms);
    assert_eq!(platforms.iter().map(|(platform, _)| platform.as_str()).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);

    // The name is this machine's own image; the other is found by its digest only, and is no image of this host.
    let own = store.resolve(NAME).unwrap();
    assert_eq!(own.record.architecture, "amd64");
    assert_eq!(own.record.id.to_string(), outcome.image());
    let arm = store.member(&reference().with_digest(platforms[1].1.parse().unwrap())).unwrap();
    assert_eq!((arm.record.architecture.as_str(), arm.record.layers.len()), ("arm64", 2));
    assert!(store.images().iter().all(|image| image.record.architecture == "amd64"));
    let config = store.image_config(&arm.record).unwrap();
    assert_eq!(config.config.unwrap().cmd.unwrap(), ["/name"]);
    assert_eq!(config.history.len(), 2);

    // The same again is the same, and what nobody builds any more stays while the name does.
    let again = fixture.build(request(&fixture), &files).await;
    assert_eq!(digest(&again), (named, platforms.clone()));
    store.release_all_of_the_cache();
    fixture.layers.collect().unwrap();
    for blob in arm.record.blobs() {
        assert!(store.stat(&blob.digest).unwrap().is_some(), "{}", blob.digest);
    }

    // In an archive, and out of it on another host.
    for form in [ArchiveForm::Oci, ArchiveForm::Docker] {
        let mut archive = Vec::new();
        save(&fixture.layers, &[ToSave { image: own.clone(), names: vec![reference()], index: Some(index.clone()) }], form, &mut archive)
            .unwrap();
        let other = Fixture::new();
        let loaded = load(&other.layers, archive.as_slice(), &silent()).unwrap();
        assert_eq!(loaded[0].image.record.id, own.record.id);
        {
            let there = other.layers.store().index(&reference()).expect("the index came along");
            assert_eq!(there.descriptor.digest, index.descriptor.digest);
            other.layers.collect().unwrap();
            assert!(other.layers.store().stat(&arm.record.layers[1].digest).unwrap().is_some());
        }
    }

    // One platform again: the name is a plain image's, and the other's content may go.
    let mut single = request(&fixture);
    single["plan"].as_object_mut().unwrap().remove("more");
    fixture.build(single, &files).await;
    assert!(store.index(&reference()).is_none());
    store.release_all_of_the_cache();
    fixture.layers.collect().unwrap();
    assert!(store.stat(&arm.record.config.digest).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_types_make_a_manifest_list() {
    let fixture = Fixture::new();
    let mut request = request(&fixture);
    request["output"] = json!({ "mediaTypes": "docker" });
    fixture.build(request, &[File::Text("name", "arm")]).await;
    let index = fixture.layers.store().index(&reference()).unwrap();
    assert_eq!(index.descriptor.media_type, media_type::DOCKER_LIST);
    assert!(index.images.iter().all(|image| image.manifest.media_type == media_type::DOCKER_MANIFEST));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_twice_and_a_target_that_is_not_there_are_refused() {
    let fixture = Fixture::new();
    for (change, expected) in [
        (json!({ "platform": { "os": "linux", "architecture": "amd64" } }), "each once"),
        (json!({ "platform": { "os": "windows", "architecture": "amd64" } }), "builds for linux"),
        (json!({ "target": "v9" }), "v9 is not among the vertices"),
    ] {
        let mut request = request(&fixture);
        for (key, value) in change.as_object().unwrap() {
            request["plan"]["more"][0][key] = value.clone();
        }
        let (code, message) = fixture.build(request, &[File::Text("name", "arm")]).await.error();
        assert_eq!(code, "BAD_PLAN");
        assert!(message.contains(expected), "{message}");
    }
}

trait ReleaseAll {
    fn release_all_of_the_cache(&self);
}

impl ReleaseAll for slipway_store::Store {
    fn release_all_of_the_cache(&self) {
        for (id, _) in self.holds() {
            self.release(&id).unwrap();
        }
    }
}
