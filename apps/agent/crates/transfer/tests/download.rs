//! URLs fetched from real servers, honest ones and others.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod web;

use std::time::Duration;

use slipway_store::Digest;
use slipway_transfer::{Answer, DownloadError, DownloadLimits, Downloader, Error, Saved, Validators};
use web::{Reply, Sending, Web};

fn downloader(inside: &[&str], limits: DownloadLimits) -> Downloader {
    let inside: Vec<String> = inside.iter().map(ToString::to_string).collect();
    Downloader::new(&inside, limits).unwrap()
}

fn local() -> Downloader {
    downloader(&["127.0.0.0/8"], DownloadLimits::default())
}

async fn save(downloader: &Downloader, url: &str) -> Result<(Saved, Validators), Error> {
    let dir = tempfile::tempdir().unwrap();
    match downloader.open(url, &Validators::default()).await? {
        Answer::NotModified => panic!("nothing was known"),
        Answer::Content(content) => {
            let validators = content.validators.clone();
            let saved = content.save(&dir.path().join("file")).await?;
            assert_eq!(std::fs::metadata(dir.path().join("file")).unwrap().len(), saved.size);
            Ok((saved, validators))
        }
    }
}

async fn failure(downloader: &Downloader, url: &str) -> DownloadError {
    match save(downloader, url).await {
        Err(Error::Download(error)) => error,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_hashed_and_asked_for_again_only_when_it_changed() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let sent = body.clone();
    let date = "Sat, 01 Jan 2022 00:00:00 GMT";
    let web = Web::start(move |asked| match (asked.path.as_str(), asked.header("if-none-match"), asked.header("if-modified-since")) {
        ("/etag", Some("\"v1\""), _) | ("/date", _, Some("Sat, 01 Jan 2022 00:00:00 GMT")) => Reply::status(304),
        ("/date", ..) => Reply::ok(sent.clone()).header("Last-Modified", date),
        // Ignores that it was asked whether anything changed.
        _ => Reply::ok(sent.clone()).header("ETag", "\"v1\""),
    });
    let downloader = local();
    let (saved, etag) = save(&downloader, &web.url("/etag")).await.unwrap();
    assert_eq!(saved, Saved { digest: Digest::of(&body), size: 3_000_000 });
    let (_, dated) = save(&downloader, &web.url("/date")).await.unwrap();
    assert_eq!(dated.modified_at(), Some(1_640_995_200));
    for (path, known) in [("/etag", &etag), ("/date", &dated), ("/stubborn", &etag)] {
        assert!(matches!(downloader.open(&web.url(path), known).await.unwrap(), Answer::NotModified), "{path}");
    }
    let other = Validators { etag: Some("\"v0\"".into()), last_modified: None };
    assert!(matches!(downloader.open(&web.url("/etag"), &other).await.unwrap(), Answer::Content(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_and_credentials_stay_with_their_host() {
    let other = Web::start(|_| Reply::ok("over there"));
    let there = other.url("/x");
    let web = Web::start(move |asked| match asked.path.split('?').next().unwrap() {
        "/away" => Reply::redirect(&there),
        "/near" => Reply::redirect("a/../here?x=1"),
        "/loop" => Reply::redirect("/loop"),
        "/nowhere" => Reply::status(301),
        "/file" => Reply::redirect("file:///etc/passwd"),
        _ => Reply::ok("here"),
    });
    let (downloader, with_user) = (local(), format!("http://ann:s3cret@{}", web.address));
    assert_eq!(save(&downloader, &format!("{with_user}/away")).await.unwrap().0.digest, Digest::of(b"over there"));
    assert_eq!(save(&downloader, &format!("{with_user}/near")).await.unwrap().0.digest, Digest::of(b"here"));
    assert_eq!(other.asked()[0].header("authorization"), None);
    let paths: Vec<_> = web.asked().into_iter().map(|asked| (asked.path.clone(), asked.header("authorization").is_some())).collect();
    assert_eq!(paths, [("/away".into(), true), ("/near".into(), true), ("/here?x=1".into(), true)]);
    for (path, said) in [("/loop", "more than 10 times"), ("/nowhere", "without saying where to"), ("/file", "no address of http or https")]
    {
        let error = failure(&downloader, &format!("{with_user}{path}?token=s3cret")).await.to_string();
        assert!(error.contains(said) && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_inside_this_network_is_reached_unless_it_is_allowed() {
    let web = Web::start(|_| Reply::ok("secret"));
    let port = web.address.rsplit(':').next().unwrap().to_owned();
    let none = downloader(&[], DownloadLimits::default());
    // By address, by a name that resolves to one, and by addresses in disguise, which the resolver understands.
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0.0.0.0"] {
        let error = failure(&none, &format!("http://{host}:{port}/x")).await;
        assert!(matches!(error, DownloadError::Inside { .. }), "{host}: {error}");
    }
    assert_eq!(web.count(), 0);
    let named = downloader(&["localhost"], DownloadLimits::default());
    assert_eq!(save(&named, &format!("http://localhost:{port}/")).await.unwrap().0.size, 6);
    assert!(matches!(failure(&named, &web.url("/")).await, DownloadError::Inside { .. }), "another name for it is not allowed");
    let all = downloader(&["0.0.0.0/0", "::/0"], DownloadLimits::default());
    for host in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"] {
        assert!(matches!(failure(&all, &format!("http://{host}/latest/meta-data")).await, DownloadError::Inside { .. }), "{host}");
    }
    // From where it is allowed to where it is not.
    let lead = Web::start(|_| Reply::redirect("http://169.254.169.254/latest"));
    assert!(matches!(failure(&all, &lead.url("/")).await, DownloadError::Inside { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_breaks_off_stalls_trickles_or_floods_is_given_up() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/404" => Reply::status(404),
        "/500" => Reply::status(500),
        "/partial" => Reply::status(206),
        "/half" => Reply::ok(vec![1; 100_000]).sent(Sending::BreaksOff),
        "/stall" => Reply::ok(vec![1; 100_000]).sent(Sending::Stalls),
        "/trickle" => Reply::ok(vec![1; 100_000]).sent(Sending::Trickles),
        "/large" => Reply::ok(vec![1; 2_000_000]),
        _ => Reply::ok("").sent(Sending::Floods),
    });
    let short = Duration::from_millis(200);
    let limits = DownloadLimits { stall: short, answer: Duration::from_secs(5), bytes: 1_000_000, ..DownloadLimits::default() };
    let downloader = downloader(&["127.0.0.0/8"], limits);
    for (path, code) in [
        ("/404", "URL_NOT_FOUND"),
        ("/500", "URL_REFUSED"),
        ("/partial", "URL_REFUSED"),
        ("/half", "URL_UNREACHABLE"),
        ("/stall", "URL_STALLED"),
        ("/trickle", "URL_STALLED"),
        ("/large", "URL_TOO_LARGE"),
        ("/flood", "URL_TOO_LARGE"),
    ] {
        let error = failure(&downloader, &web.url(path)).await;
        assert_eq!(error.code(), code, "{path}: {error}");
        assert!(error.to_string().contains(&web.address), "{error}");
    }
    let quick = DownloadLimits { total: short, ..DownloadLimits::default() };
    assert!(matches!(failure(&self::downloader(&["127.0.0.0/8"], quick), &web.url("/trickle")).await, DownloadError::TooSlow { .. }));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(&local(), &format!("http://ann:s3cret@{gone}/x?s3cret")).await.to_string();
    assert!(error.contains("could not be reached") && !error.contains("s3cret"), "{error}");
    let error = failure(&local(), "http://no-such-host.invalid/x").await;
    assert!(matches!(error, DownloadError::Unreachable { .. }), "{error}");
}
