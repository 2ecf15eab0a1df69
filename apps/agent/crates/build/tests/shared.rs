//! A cache that travels through a registry. Needs root, busybox-static and util-linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#[path = "support/registry.rs"]
mod registry;
mod support;

use registry::Registry;
use serde_json::{Value, json};
use slipway_build::event::{BuildEvent, SharedCache, Status};
use slipway_transfer::{Client, Registries, Timeouts};
use support::{File, Fixture, Outcome, Plan};

/// An agent whose data root has nothing but the base image, the same for all.
fn agent() -> Fixture {
    static BASE: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let base = BASE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        drop(Fixture::at(dir.path()));
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp").arg("-a").arg(base.path().join(".")).arg(dir.path()).status().unwrap();
    assert!(status.success());
    let fixture = Fixture::at(dir.path()).owning(dir);
    fixture.builder.set_registries(Client::new(Registries::default(), Timeouts::default()));
    fixture
}

/// A stage that makes something large, and an image that takes a little of it.
fn request(fixture: &Fixture, id: &str, cache: Value) -> Value {
    let mut plan = Plan::from(fixture);
    plan.copy(&["src"], "/src/").run("head -c 200000 /dev/urandom > /large; mkdir /dist; cat /src/a > /dist/a");
    plan.stage(fixture).workdir("/srv").copy_with(&["/dist"], "/srv/", json!({ "from": "v2" }));
    plan.run("date +%N > /when");
    let mut request = plan.request(id);
    request["cache"] = cache;
    request
}

const STEPS: [&str; 5] = ["v1", "v2", "v4", "v5", "v6"];

fn both(registry: &Registry) -> Value {
    let name = registry.name("cache");
    json!({ "from": [name], "to": { "reference": name } })
}

fn shared(outcome: &Outcome) -> SharedCache {
    let told = outcome.0.iter().find_map(|event| match event {
        BuildEvent::Result { shared_cache, .. } => shared_cache.clone(),
        _ => None,
    });
    told.unwrap_or_else(|| panic!("{:?}", outcome.0.last()))
}

const FILES: [File<'_>; 1] = [File::Text("src/a", "1")];

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_agent_builds_warm_and_fetches_only_what_it_needs() {
    let registry = Registry::start();
    let image = {
        let first = agent();
        let outcome = first.build(request(&first, "b1", both(&registry)), &FILES).await;
        let told = shared(&outcome);
        assert!(told.hits == 0 && told.problem.is_none() && told.moved_bytes > Some(200_000), "{told:?}");
        let again = first.build(request(&first, "b2", both(&registry)), &FILES).await;
        assert_eq!((again.image(), shared(&again).moved_bytes), (outcome.image(), Some(0)), "nothing new, nothing moves");
        let changed = [File::Text("src/a", "2")];
        let changed = first.build(request(&first, "b3", both(&registry)), &changed).await;
        assert_eq!(changed.status("v4"), Status::Cached);
        let back = first.build(request(&first, "b4", both(&registry)), &FILES).await;
        assert!(shared(&back).moved_bytes < Some(20_000), "the layers are there, only what tells of them is new: {:?}", shared(&back));
        back.image()
    };
    registry.asked("");
    let second = agent();
    let outcome = second.build(request(&second, "b1", both(&registry)), &FILES).await;
    for step in STEPS {
        assert_eq!(outcome.status(step), Status::Cached, "{step}");
    }
    assert_eq!((outcome.image(), second.runs(), shared(&outcome).hits), (image.clone(), 0, 5), "the same image, and nothing ran");
    let large = registry.asked.lock().unwrap().iter().filter(|one| one.starts_with("GET blobs/")).count();
    assert_eq!(
        large,
        4,
        "the document and the image's three layers; not what only the first stage has: {:?}",
        registry.asked.lock().unwrap()
    );
    let local = second.build(request(&second, "b2", json!({})), &FILES).await;
    assert_eq!(local.status("v6"), Status::Cached, "what was fetched is the host's own now");

    // Another organization may name the cache, and gets nothing of it.
    let third = agent();
    let mut foreign = request(&third, "b1", json!({ "from": [registry.name("cache")] }));
    foreign["scope"] = json!("org-2");
    let foreign = third.build(foreign, &FILES).await;
    assert_eq!((foreign.status("v1"), shared(&foreign).hits), (Status::Done, 0));
    assert!(shared(&foreign).problem.unwrap().contains("another organization"));
    // A fork reads, leaves nothing, and may not be told to.
    let fork = third.build(request(&third, "b2", json!({ "write": false, "from": [registry.name("cache")] })), &FILES).await;
    assert_eq!((fork.status("v6"), fork.image()), (Status::Cached, image));
    let refused = third.build(request(&third, "b3", json!({ "write": false, "to": { "reference": registry.name("x") } })), &FILES).await;
    assert_eq!(refused.error().0, "BAD_PLAN");
}

#[tokio::test(flavor = "multi_thread")]
async fn min_leaves_the_image_s_own_steps() {
    let registry = Registry::start();
    let first = agent();
    let to = json!({ "to": { "reference": registry.name("cache"), "mode": "min" } });
    assert!(shared(&first.build(request(&first, "b1", to), &FILES).await).moved_bytes < Some(20_000));
    let second = agent();
    let outcome = second.build(request(&second, "b1", json!({ "from": [registry.name("cache")] })), &FILES).await;
    assert_eq!((outcome.status("v2"), outcome.status("v5"), outcome.status("v6")), (Status::Done, Status::Cached, Status::Cached));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_lies_or_is_not_there_costs_time_and_nothing_else() {
    let registry = Registry::start();
    let first = agent();
    first.build(request(&first, "b1", both(&registry)), &FILES).await.image();
    let from = json!({ "from": [registry.name("cache")] });
    let manifest: Value = serde_json::from_slice(&registry.get("manifests/cache")).unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";

    // Layers that were collected: a miss, and the step runs.
    let second = agent();
    let gone = format!("blobs/{}", manifest["layers"].as_array().unwrap().last().unwrap()["digest"].as_str().unwrap());
    let kept = registry.content.lock().unwrap().remove(&gone).unwrap();
    let outcome = second.build(request(&second, "b1", from.clone()), &FILES).await;
    outcome.image();
    assert_eq!((outcome.status("v5"), outcome.status("v6")), (Status::Cached, Status::Done));

    // One that is not what its digest says: told as such, so that the same build is tried without.
    let third = agent();
    registry.put(&gone, "application/octet-stream", vec![7; kept.1.len()]);
    let (code, message) = third.build(request(&third, "b1", from.clone()), &FILES).await.error();
    assert_eq!(code, "CACHE_LOST", "{message}");
    third.build(request(&third, "b2", json!({})), &FILES).await.image();
    registry.put(&gone, "application/octet-stream", kept.1);

    // A layer that claims to be another one, which is on this host: whoever names it does not get it.
    let victim = agent();
    let mut secret = Plan::from(&victim);
    secret.run("echo secret > /secret");
    let mut secret = secret.request("secret");
    secret["scope"] = json!("org-2");
    secret["tags"] = json!(["slipway.local/other/app:1"]);
    let secret = victim.build(secret, &[]).await;
    let diff_id = secret.vertex("v1").layer.clone().unwrap().diff_id;
    let document_at = format!("blobs/{}", manifest["config"]["digest"].as_str().unwrap());
    let mut document: Value = serde_json::from_slice(&registry.get(&document_at)).unwrap();
    for record in document["records"].as_array_mut().unwrap() {
        if record["layer"].is_object() {
            record["layer"]["diffId"] = json!(diff_id);
        }
    }
    let document = document.to_string().into_bytes();
    let mut evil = manifest.clone();
    evil["config"]["digest"] = json!(slipway_store::Digest::of(&document));
    evil["config"]["size"] = json!(document.len());
    registry.put(&format!("blobs/{}", evil["config"]["digest"].as_str().unwrap()), "application/octet-stream", document);
    registry.put("manifests/evil", kind, evil.to_string().into_bytes());
    let stolen = victim.build(request(&victim, "b1", json!({ "from": [registry.name("evil")] })), &FILES).await;
    assert_eq!(stolen.error().0, "CACHE_LOST");

    // An image, nothing, a wrong digest, a registry that is away: all done without.
    registry.put(
        "manifests/image",
        kind,
        json!({ "schemaVersion": 2, "mediaType": kind, "config": manifest["config"], "layers": [] }).to_string().into_bytes(),
    );
    let mut wrong = manifest.clone();
    wrong["config"]["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    registry.put("manifests/wrong", kind, wrong.to_string().into_bytes());
    for (tag, told) in [("image", false), ("nothing", false), ("wrong", true)] {
        let fresh = agent();
        let outcome = fresh.build(request(&fresh, "b1", json!({ "from": [registry.name(tag)] })), &FILES).await;
        outcome.image();
        assert_eq!(shared(&outcome).problem.is_some(), told, "{tag}");
    }
    let away = json!({ "from": ["127.0.0.1:9/acme/app:cache"], "to": { "reference": "127.0.0.1:9/acme/app:cache" } });
    let fresh = agent();
    let outcome = fresh.build(request(&fresh, "b9", away), &FILES).await;
    assert!(shared(&outcome).problem.is_some() && shared(&outcome).moved_bytes.is_none());
}
