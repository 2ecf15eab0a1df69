//! What a finished image looks like: compression, media types, times. Needs root, busybox-static and util-linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use slipway_build::event::Status;
use slipway_store::{Image, media_type};
use support::{File, Fixture, Outcome, Plan};

/// Long before any clock of a test.
const EPOCH: u64 = 1_600_000_000;

fn request(plan: &Plan, output: Value) -> Value {
    let mut request = plan.request("b");
    request["output"] = output;
    request
}

fn image(fixture: &Fixture, outcome: &Outcome) -> Image {
    fixture.layers.store().image(&outcome.image().parse().unwrap()).unwrap()
}

fn kinds(image: &Image) -> Vec<&str> {
    image.record.layers.iter().map(|layer| layer.media_type.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_compressed_as_asked_whatever_the_cache_holds() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.copy(&["a"], "/").run("busybox yes | busybox head -c 3000000 > /big");
    let files = [File::Text("a", "a")];
    let build = async |output: Value| fixture.build(request(&plan, output), &files).await;

    let usual = image(&fixture, &build(json!({})).await);
    assert_eq!(kinds(&usual), [media_type::OCI_LAYER_GZIP; 3]);
    assert_eq!(usual.record.manifest.media_type, media_type::OCI_MANIFEST);

    let zstd = build(json!({ "compression": "zstd" })).await;
    assert_eq!(zstd.status("v2"), Status::Cached, "another form is no reason to run a step again");
    let zstd_image = image(&fixture, &zstd);
    assert_eq!(kinds(&zstd_image), [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD, media_type::OCI_LAYER_ZSTD]);
    assert_eq!(zstd_image.record.diff_ids, usual.record.diff_ids);
    let blob = fixture.layers.store().read_blob(&zstd_image.record.layers[2].digest, 1 << 20).unwrap();
    let frames = zstd::decode_all(blob.as_slice()).unwrap();
    assert_eq!(slipway_store::Digest::of(&frames), zstd_image.record.diff_ids[2]);

    let forced = image(&fixture, &build(json!({ "compression": "zstd", "level": 19, "force": true })).await);
    assert_eq!(kinds(&forced), [media_type::OCI_LAYER_ZSTD; 3]);
    assert_ne!(forced.record.layers[2].digest, zstd_image.record.layers[2].digest, "the level counts");

    let docker = image(&fixture, &build(json!({ "mediaTypes": "docker" })).await);
    assert_eq!(kinds(&docker), [media_type::DOCKER_LAYER_GZIP; 3]);
    assert_eq!(docker.record.manifest.media_type, media_type::DOCKER_MANIFEST);
    assert_eq!(docker.record.config.media_type, media_type::DOCKER_CONFIG);
    let digests = |image: &Image| image.record.layers.iter().map(|layer| layer.digest).collect::<Vec<_>>();
    assert_eq!(digests(&docker), digests(&usual), "the same bytes under other names");
    assert_eq!(fixture.runs(), 1);

    // Plain tars, whose digest is the diff id.
    let plain = image(&fixture, &build(json!({ "compression": "uncompressed" })).await);
    assert_eq!(kinds(&plain), [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER, media_type::OCI_LAYER]);
    assert_eq!(digests(&plain)[1..], usual.record.diff_ids[1..]);
    assert!(plain.record.layers[2].size > 3_000_000 && usual.record.layers[2].size < 100_000);
    let plain = image(&fixture, &build(json!({ "compression": "uncompressed", "force": true, "mediaTypes": "docker" })).await);
    assert_eq!(kinds(&plain), [media_type::DOCKER_LAYER; 3]);
    assert_eq!(digests(&plain), usual.record.diff_ids);
    assert_eq!(fixture.runs(), 1);

    // The other way round: what was made as zstd first is there as gzip when that is asked for, the same bytes as ever.
    let mut forced = request(&plan, json!({ "compression": "zstd" }));
    forced["noCache"] = json!(true);
    let again = fixture.build(forced, &files).await;
    assert_eq!(kinds(&image(&fixture, &again))[2], media_type::OCI_LAYER_ZSTD);
    let layer = |outcome: &Outcome| image(&fixture, outcome).record.diff_ids[1];
    let back = build(json!({})).await;
    assert_eq!(layer(&back), layer(&again));
    assert_eq!(image(&fixture, &back).record.layers[1].digest, usual.record.layers[1].digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_told() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.run("true");
    let cases = [
        (json!({ "compression": "zstd", "mediaTypes": "docker" }), "choose gzip"),
        (json!({ "level": 10 }), "1 to 9"),
        (json!({ "compression": "zstd", "level": 23 }), "1 to 22"),
        (json!({ "compression": "uncompressed", "level": 1 }), "have no level"),
        (json!({ "rewriteTimestamps": true }), "needs SOURCE_DATE_EPOCH"),
        (json!({ "sourceDateEpoch": 99_999_999_999_u64 }), "before 2242"),
        (json!({ "sourceDateEpoch": -1 }), "not valid"),
        (json!({ "compression": "lzma" }), "not valid"),
    ];
    for (output, expected) in cases {
        let (code, message) = fixture.build(request(&plan, output.clone()), &[]).await.error();
        assert_eq!(code, "BAD_PLAN", "{output}");
        assert!(message.contains(expected), "{output}: {message}");
    }
    assert_eq!(fixture.runs(), 0);
}

/// One of two machines: another file system with other inode numbers and another order of its folders, other times of the
/// context's files, which come in another order.
async fn on_a_machine(dir: &tempfile::TempDir, reverse: bool, output: Value) -> (Fixture, Outcome) {
    let fixture = Fixture::at(dir.path());
    let mut plan = Plan::scratch();
    plan.copy(&["busybox"], "/bin/").workdir("/etc").workdir("/app").copy(&["src"], "/app/");
    plan.run(
        "busybox mkdir -p /out/deep && cd /out && for i in $(busybox seq 1 150); do echo $i > f$i; done && busybox ln f1 deep/hard \
         && busybox ln -s ../f2 deep/soft && busybox rm /app/a && busybox chown 7:8 f3 && busybox chmod 4755 f4 \
         && busybox touch -d @1000000000 old && busybox mkfifo pipe",
    );
    plan.run("busybox rm -rf /out/deep && busybox mkdir /out/deep && echo new > /out/deep/new");
    let busybox = std::fs::read("/bin/busybox").unwrap();
    let mut files = vec![File::Bytes("busybox", busybox), File::Text("src/a", "a"), File::Text("src/b/c", "c"), File::Link("src/d", "b/c")];
    if reverse {
        files.reverse();
    }
    let mut request = request(&plan, output);
    // busybox stands in the context without a mode of its own.
    request["plan"]["vertices"][1]["op"]["chmod"] = json!("0755");
    for vertex in request["plan"]["vertices"].as_array_mut().unwrap() {
        if vertex["op"]["type"] == "exec" {
            vertex["op"]["args"][0] = json!("/bin/busybox");
            vertex["op"]["args"].as_array_mut().unwrap().insert(1, json!("sh"));
        }
    }
    let outcome = fixture.build(request, &files).await;
    (fixture, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_input_gives_the_same_digest_on_two_machines() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
    let output = json!({ "sourceDateEpoch": EPOCH, "rewriteTimestamps": true });
    let (first, outcome) = on_a_machine(&one, false, output.clone()).await;
    let made = image(&first, &outcome);
    next_second();
    let (second, other) = on_a_machine(&two, true, output.clone()).await;
    let made_there = image(&second, &other);
    assert_eq!(made.record.manifest.digest, made_there.record.manifest.digest);

    let config = first.layers.store().image_config(&made.record).unwrap();
    let told: Vec<_> = config.history.iter().map(|entry| entry.created.as_deref()).chain([config.created.as_deref()]).collect();
    assert!(told.iter().all(|time| time.is_some_and(|time| time.starts_with("2020-09-13T12:26:40"))), "{told:?}");
    let files = first.unpacked(&outcome.image());
    let seconds = |path: &str| files.meta(path).modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!((seconds("out/f9"), seconds("app/b/c"), seconds("out")), (EPOCH, EPOCH, EPOCH));
    assert_eq!(seconds("out/old"), 1_000_000_000, "what is older stays as old as it is");
    assert_eq!(files.read("out/deep/new"), "new\n");
    assert!(!files.exists("out/deep/hard") && !files.exists("app/a"));

    // From the cache, whose layers have the times as they were: the same again, and nothing runs.
    let runs = first.runs();
    drop((first, second));
    let (again, repeated) = on_a_machine(&one, true, output).await;
    assert_eq!(image(&again, &repeated).record.manifest.digest, made.record.manifest.digest);
    assert_eq!((again.runs(), runs), (0, 2));
    // Without rewritten times the image says when it was made, its files when they were.
    let (plain, outcome) = on_a_machine(&one, false, json!({ "sourceDateEpoch": EPOCH })).await;
    let files = plain.unpacked(&outcome.image());
    assert!(files.meta("out/f9").modified().unwrap().elapsed().unwrap() < Duration::from_secs(3600));
    assert!(plain.layers.store().image_config(&image(&plain, &outcome).record).unwrap().created.unwrap().starts_with("2020-09-13"));
}

fn next_second() {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let from = second();
    while second() == from {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_keeps_the_compression_it_was_built_with() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    plan.copy(&["a"], "/");
    let files = [File::Text("a", "a")];
    let build = async |tag: &str, output: Value| {
        let mut request = request(&plan, output);
        request["tags"] = json!([tag]);
        fixture.build(request, &files).await
    };
    let (first, second) = ("slipway.local/acme/app:1", "slipway.local/acme/app:2");
    let gzip = build(first, json!({})).await;
    let zstd = build(second, json!({ "compression": "zstd" })).await;
    assert_eq!(gzip.image(), zstd.image(), "the config says nothing of compression");
    let store = fixture.layers.store();
    let kind = |name: &str| store.resolve(name).unwrap().record.layers[1].media_type.clone();
    assert_eq!((kind(first).as_str(), kind(second).as_str()), (media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD));
    for (id, _) in store.holds() {
        store.release(&id).unwrap();
    }
    fixture.layers.collect().unwrap();
    for name in [first, second] {
        let image = store.resolve(name).unwrap();
        assert!(image.record.blobs().all(|blob| store.stat(&blob.digest).unwrap().is_some()), "{name}");
        let by_digest = format!("slipway.local/acme/app@{}", image.record.manifest.digest);
        assert_eq!(store.resolve(&by_digest).unwrap().record.manifest.digest, image.record.manifest.digest);
    }
    build(first, json!({ "compression": "zstd" })).await;
    assert_eq!(kind(first), media_type::OCI_LAYER_ZSTD, "a name that is given anew means the new one");
}

/// An archive as `docker save` writes it, with one plain layer.
fn saved(layer: &[u8], config: &Value) -> Vec<u8> {
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["slipway.local/acme/loaded:1"], "Layers": ["layer.tar"] }]).to_string();
    tar_of(&[("layer.tar", layer), ("c.json", config.to_string().as_bytes()), ("manifest.json", manifest.as_bytes())])
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_layer_of_a_loaded_base_is_still_to_be_compressed_at_the_push() {
    let fixture = Fixture::new();
    let layer = tar_of(&[("loaded", &[b'x'; 100_000])]);
    let diff_id = slipway_store::Digest::of(&layer);
    let config = json!({ "architecture": "amd64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        "history": [{ "created_by": "loaded" }] });
    let loaded = slipway_transfer::load(&fixture.layers, saved(&layer, &config).as_slice(), &slipway_transfer::silent()).unwrap();
    let base = &loaded[0].image.record;
    let mut plan = Plan::empty();
    let op = json!({ "type": "image", "reference": "slipway.local/acme/loaded:1", "digest": base.manifest.digest });
    plan.add("FROM slipway.local/acme/loaded:1", op).copy(&["a"], "/");
    let built = image(&fixture, &fixture.build(plan.request("b"), &[File::Text("a", "a")]).await);
    assert_eq!(built.record.layers[0].digest, diff_id);
    assert!(!base.layers[0].annotations.is_empty());
    assert_eq!(built.record.layers[0].annotations, base.layers[0].annotations);
}
