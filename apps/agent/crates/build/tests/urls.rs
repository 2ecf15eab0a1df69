//! ADD of URLs: whole builds with a real server. Needs root, busybox-static and util-linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;
#[path = "../../transfer/tests/web/mod.rs"]
mod web;

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use slipway_build::event::Status;
use slipway_store::Digest;
use support::{File, Fixture, Plan};
use web::{Asked, Reply, Sending, Web};

const DATE: &str = "Sat, 01 Jan 2022 00:00:00 GMT";

/// What a server has: content and ETag, to be changed by the test.
type Served = Arc<Mutex<(Vec<u8>, &'static str)>>;

fn serve(served: &Served) -> Web {
    let served = served.clone();
    Web::start(move |asked: &Asked| {
        let (body, etag) = served.lock().unwrap().clone();
        let etag = format!("\"{etag}\"");
        match asked.path.split('?').next().unwrap() {
            "/etag/tool.bin" if asked.header("if-none-match") == Some(&etag) => Reply::status(304),
            "/date/tool.bin" if asked.header("if-modified-since") == Some(DATE) => Reply::status(304),
            "/etag/tool.bin" => Reply::ok(body).header("etag", &etag).header("last-modified", DATE),
            "/date/tool.bin" => Reply::ok(body).header("last-modified", DATE),
            "/plain/tool.bin" => Reply::ok(body),
            "/stalls" => Reply::ok(body).sent(Sending::Stalls),
            _ => Reply::status(404),
        }
    })
}

fn http(url: &str, checksum: Option<&str>) -> Value {
    json!({ "type": "http", "url": url, "checksum": checksum, "filename": "tool.bin" })
}

/// FROM, and `ADD url /opt/`: v0, v1 (the URL), v2.
fn plan(fixture: &Fixture, url: &str, checksum: Option<&str>) -> Plan {
    let mut plan = Plan::from(fixture);
    plan.add("ADD tool.bin /opt/", http(url, checksum));
    plan.add(
        "ADD tool.bin /opt/",
        json!({ "type": "copy", "input": "v0", "from": "v1", "sources": ["tool.bin"], "dest": "/opt/", "chown": "", "chmod": null,
            "extract": false }),
    );
    plan
}

fn sha256(bytes: &[u8]) -> Option<String> {
    Some(slipway_store::Digest::of(bytes).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_asked_again_but_downloaded_only_when_it_changed() {
    let fixture = Fixture::new();
    let served: Served = Arc::new(Mutex::new((b"one".to_vec(), "1")));
    let web = serve(&served);
    for path in ["/etag/tool.bin?key=s3cret", "/date/tool.bin"] {
        let url = web.url(path);
        let begun = web.count();
        let plan = plan(&fixture, &url, None);
        *served.lock().unwrap() = (b"one".to_vec(), "1");
        let first = fixture.build(plan.request("b1"), &[]).await;
        let made = fixture.unpacked(&first.image());
        assert_eq!(made.read("opt/tool.bin"), "one");
        let meta = made.meta("opt/tool.bin");
        assert_eq!((meta.mode() & 0o7777, meta.mtime(), meta.uid()), (0o600, 1_640_995_200, 0));
        assert!(first.log("v1").starts_with(&format!("Downloading http://{}", web.address)));
        assert!(!format!("{:?}", first.0).contains("s3cret"));
        assert_eq!(first.vertex("v1").content_digest, sha256(b"one"));
        let second = fixture.build(plan.request("b2"), &[]).await;
        assert_eq!((&second.vertex("v1").content_digest, &second.vertex("v2").content_digest), (&sha256(b"one"), &None));
        assert_eq!((second.status("v1"), second.status("v2")), (Status::Cached, Status::Cached), "{path}");
        assert_eq!(second.image(), first.image());
        assert_eq!((web.count() - begun, second.log("v1").as_str()), (2, ""), "asked, and told that nothing changed");
        if path.starts_with("/etag") {
            *served.lock().unwrap() = (b"two".to_vec(), "2");
            let third = fixture.build(plan.request("b3"), &[]).await;
            assert_eq!(third.miss("v1"), ("files-changed".into(), "the file behind the URL changed".into()));
            assert_eq!(third.miss("v2"), ("files-changed".into(), "1 file changed: tool.bin".into()));
            assert_eq!(fixture.unpacked(&third.image()).read("opt/tool.bin"), "two");
            assert_eq!(third.vertex("v1").content_digest, sha256(b"two"));
        }
    }
    // Without a date or an ETag it must be fetched; the same content is a hit all the same.
    *served.lock().unwrap() = (b"three".to_vec(), "3");
    let plan = plan(&fixture, &web.url("/plain/tool.bin"), None);
    let first = fixture.build(plan.request("b4"), &[]).await;
    assert_eq!(fixture.unpacked(&first.image()).meta("opt/tool.bin").mtime(), 0);
    let second = fixture.build(plan.request("b5"), &[]).await;
    assert_eq!((second.status("v1"), second.status("v2"), second.image()), (Status::Cached, Status::Cached, first.image()));
    assert!(second.log("v1").starts_with("Downloading"));
    // --no-cache asks for all of it.
    let mut fresh = plan.request("b6");
    fresh["noCache"] = json!(true);
    assert_eq!(fixture.build(fresh, &[]).await.miss("v1").0, "no-cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checksum_is_held_to_and_spares_the_question() {
    let fixture = Fixture::new();
    let served: Served = Arc::new(Mutex::new((b"one".to_vec(), "1")));
    let web = serve(&served);
    let right = Digest::of(b"one").to_string();
    let first = fixture.build(plan(&fixture, &web.url("/etag/tool.bin"), Some(&right)).request("b1"), &[]).await;
    assert_eq!((first.status("v2"), web.count()), (Status::Done, 1));
    // Another build, and another mirror.
    for path in ["/etag/tool.bin", "/gone"] {
        let again = fixture.build(plan(&fixture, &web.url(path), Some(&right)).request("b2"), &[]).await;
        assert_eq!((again.status("v2"), again.image(), web.count()), (Status::Cached, first.image(), 1));
    }
    let wrong = Digest::of(b"two").to_string();
    let refused = fixture.build(plan(&fixture, &web.url("/etag/tool.bin"), Some(&wrong)).request("b3"), &[]).await;
    let (code, message) = refused.error();
    assert_eq!(code, "DOWNLOAD_FAILED");
    for part in ["(line 2)", &right, &wrong] {
        assert!(message.contains(part), "{message}");
    }
    // Another organization knows nothing of it.
    let mut other = plan(&fixture, &web.url("/etag/tool.bin"), Some(&right)).request("b4");
    other["scope"] = json!("org-2");
    assert_eq!(fixture.build(other, &[]).await.miss("v1").0, "first-time");
    assert_eq!(web.count(), 3);
    // The cache was emptied: what is known of the URL does not stand for its content.
    fixture.builder.prune(&slipway_build::Selection::default(), false).unwrap();
    let fetched = fixture.build(plan(&fixture, &web.url("/etag/tool.bin"), None).request("b5"), &[]).await;
    assert_eq!((fetched.status("v1"), web.asked().last().unwrap().header("if-none-match")), (Status::Done, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_urls_and_archives_of_one_add_are_one_layer() {
    let fixture = Fixture::new();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o640);
    archive.append_data(&mut header, "inside", &b"in"[..]).unwrap();
    let served: Served = Arc::new(Mutex::new((archive.into_inner().unwrap(), "1")));
    let web = serve(&served);
    let mut plan = Plan::from(&fixture);
    let url = |name: &str| json!({ "type": "http", "url": web.url("/etag/tool.bin"), "checksum": null, "filename": name });
    plan.add("ADD a https://x b /opt/", url("t[1]*.tar")).add("ADD a https://x b /opt/", url("u"));
    let parts = |unpack: bool| {
        json!([{ "from": "v1", "sources": ["t\\[1]\\*.tar"], "extract": unpack }, { "from": null, "sources": ["b"], "extract": true },
            { "from": "v2", "sources": ["u"], "extract": false }])
    };
    let copy = |unpack: bool, chown: &str, chmod: Option<&str>| {
        json!({ "type": "copy", "input": "v0", "from": null, "sources": ["a"], "dest": "/opt/", "chown": chown, "chmod": chmod,
            "extract": true, "more": parts(unpack) })
    };
    let files = [File::Text("a", "A"), File::Text("b", "B")];
    let mut kept = plan;
    kept.add("ADD a https://x b /opt/", copy(false, "", None));
    let built = fixture.build(kept.request("b1"), &files).await;
    let made = fixture.unpacked(&built.image());
    assert_eq!((made.read("opt/a"), made.read("opt/b")), ("A".into(), "B".into()));
    assert!(made.meta("opt/t[1]*.tar").len() > 512 && made.meta("opt/u").len() > 512, "not unpacked");
    let store = fixture.layers.store();
    let layers = store.image(&built.image().parse().unwrap()).unwrap().record.layers.len();
    assert_eq!(layers, 2, "the base's and one");
    let mut kept = Plan::from(&fixture);
    kept.add("ADD", url("t[1]*.tar")).add("ADD", url("u")).add("ADD", copy(true, "app", Some("755")));
    let built = fixture.build(kept.request("b2"), &files).await;
    let made = fixture.unpacked(&built.image());
    assert_eq!(made.read("opt/inside"), "in");
    assert!(!made.exists("opt/t[1]*.tar"));
    let meta = made.meta("opt/u");
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o755, 1000, 1001));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_says_where_and_why_and_cancel_ends_it() {
    let fixture = Fixture::new();
    let web = serve(&Arc::new(Mutex::new((vec![1; 100_000], "1"))));
    let with_user = format!("http://ann:s3cret@{}", web.address);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, said) in [
        (format!("{with_user}/none?s3cret"), "answered 404 Not Found"),
        (format!("http://ann:s3cret@{gone}/none?s3cret"), "could not be reached"),
        ("http://169.254.169.254/latest".to_owned(), "inside this network"),
        ("http://10.1.2.3/x".to_owned(), "downloadInside"),
    ] {
        let (code, message) = fixture.build(plan(&fixture, &url, None).request("b1"), &[]).await.error();
        assert_eq!(code, "DOWNLOAD_FAILED");
        assert!(message.contains(said) && message.contains("(line 2)") && !message.contains("s3cret"), "{message}");
    }
    let mut events = fixture.start(plan(&fixture, &web.url("/stalls"), None).request("b2"), &[]).await.unwrap();
    while !matches!(events.recv().await.unwrap(), slipway_build::event::BuildEvent::Log { .. }) {}
    assert!(fixture.builder.cancel("b2"));
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert_eq!(support::Outcome(vec![last.unwrap()]).error().0, "CANCELED");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_at_once_download_once() {
    let fixture = Fixture::new();
    let web = serve(&Arc::new(Mutex::new((vec![7; 3_000_000], "1"))));
    let plan = plan(&fixture, &web.url("/etag/tool.bin"), None);
    let (one, two) = tokio::join!(fixture.build(plan.request("b1"), &[]), fixture.build(plan.request("b2"), &[]));
    assert_eq!(one.image(), two.image());
    for told in [one, two] {
        assert_eq!(told.vertex("v1").content_digest, sha256(&[7; 3_000_000]), "also to who took the other's");
    }
    let whole = web.asked().iter().filter(|asked| asked.header("if-none-match").is_none()).count();
    assert_eq!(whole, 1);
}
