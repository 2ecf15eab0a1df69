//! Images over the Engine API: what they are called, what they contain, who may take them away.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;
#[path = "../../transfer/tests/web/mod.rs"]
mod web;

use serde_json::{Value, json};
use support::{Agent, IMAGE, busybox_tar};
use web::{Reply, Sending, Web};

fn names(agent: &Agent, query: &str) -> Vec<String> {
    let images = agent.client.get(&format!("/images/json{query}"));
    let tags = images.as_array().unwrap().iter().flat_map(|image| image["RepoTags"].as_array().unwrap().clone());
    let mut names: Vec<String> = tags.map(|tag| tag.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_imported_image_is_listed_inspected_and_told_as_history() {
    let agent = Agent::bare();
    let path = "/images/create?fromSrc=-&repo=slipway.local/acme/deep/web&tag=v1&changes=CMD%20%5B%22httpd%22%5D&changes=LABEL%20team%3Da%20b%3Dc&changes=EXPOSE%2080";
    let answer = agent.client.request("POST", path, &busybox_tar());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let image = agent.client.get("/images/slipway.local/acme/deep/web:v1/json");
    assert_eq!(image["Config"]["Cmd"], json!(["httpd"]));
    assert_eq!(image["Config"]["ExposedPorts"], json!({ "80/tcp": {} }));
    assert_eq!(image["RepoTags"], json!(["slipway.local/acme/deep/web:v1"]));
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    let id = image["Id"].as_str().unwrap().to_owned();
    assert_eq!(agent.client.get(&format!("/images/{}/json", &id[7..19]))["Id"], id, "by the start of its id");
    assert_eq!(agent.client.get("/images/slipway.local/acme/deep/web:v1/history")[0]["Id"], id);
    let tagged = agent.client.request("POST", &format!("/images/{id}/tag?repo=web&tag=latest"), b"");
    assert_eq!(tagged.status, 201);
    assert_eq!(names(&agent, ""), ["slipway.local/acme/deep/web:v1", "web:latest"]);
    assert_eq!(names(&agent, "?filters=%7B%22reference%22%3A%5B%22web%22%5D%7D"), ["web:latest"]);
    assert_eq!(names(&agent, "?filters=%7B%22label%22%3A%5B%22team%3Da%22%5D%7D").len(), 2);
    assert!(names(&agent, "?filters=%7B%22label%22%3A%5B%22team%3Dz%22%5D%7D").is_empty());
    for (path, status) in [("/images/none/json", 404), ("/images/UPPER/json", 404), ("/images/json?filters=%7B%22x%22%3A%5B%5D%7D", 400)] {
        assert_eq!(agent.client.request("GET", path, b"").status, status, "{path}");
    }
}

#[test]
fn bad_archives_and_changes_are_refused_with_the_reason() {
    let agent = Agent::bare();
    for (query, body, said) in [
        ("fromSrc=-&changes=RUN%20ls", busybox_tar(), "RUN ls"),
        ("fromSrc=-&repo=Bad", busybox_tar(), "invalid reference"),
        ("fromSrc=-", vec![b'x'; 2000], "not a valid archive"),
        ("fromImage=", Vec::new(), "fromImage"),
    ] {
        let answer = agent.client.request("POST", &format!("/images/create?{query}"), &body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.json()["message"].as_str().unwrap().contains(said), "{}", answer.text());
    }
    assert!(names(&agent, "").is_empty());
}

#[test]
fn an_image_in_use_stays_and_its_last_name_takes_it_away() {
    let agent = Agent::start();
    let delete = |path: &str| agent.client.request("DELETE", path, b"");
    let running = agent.run("sleep 60", json!({}));
    let id = agent.client.get(&format!("/images/{IMAGE}/json"))["Id"].as_str().unwrap().to_owned();
    let (image, container) = (&id[7..19], &running[..12]);
    let said = |path: &str| {
        let refused = delete(path);
        assert_eq!(refused.status, 409, "{}", refused.text());
        refused.json()["message"].as_str().unwrap().to_owned()
    };
    let expected = format!(
        "conflict: unable to remove repository reference {IMAGE:?} (must force) - container {container} is using its referenced image {image}"
    );
    assert_eq!(said(&format!("/images/{IMAGE}")), expected);
    let expected = format!("conflict: unable to delete {image} (cannot be forced) - image is being used by running container {container}");
    assert_eq!(said(&format!("/images/{id}?force=1")), expected);
    let other = agent.client.request("POST", &format!("/images/{IMAGE}/tag?repo=other&tag=2"), b"");
    assert_eq!(other.status, 201);
    assert_eq!(delete("/images/other:2").json(), json!([{ "Untagged": "other:2" }]), "a name that is not the last");
    agent.client.request("POST", &format!("/containers/{running}/kill"), b"");
    agent.wait(&running);
    assert!(said(&format!("/images/{IMAGE}")).contains("(must force)"), "a stopped container counts without force");
    let expected = format!("conflict: unable to delete {image} (must be forced) - image is being used by stopped container {container}");
    assert_eq!(said(&format!("/images/{image}")), expected);
    agent.client.request("DELETE", &format!("/containers/{running}"), b"");
    let done = delete(&format!("/images/{IMAGE}")).json();
    assert_eq!(done[0], json!({ "Untagged": IMAGE }));
    assert_eq!(done.as_array().unwrap().len(), 3, "the name, the image and its layer: {done}");
    for area in ["content/blobs/sha256", "layers/trash", "layers/l"] {
        assert_eq!(std::fs::read_dir(agent.root.path().join("data").join(area)).unwrap().count(), 0, "{area}");
    }
}

#[test]
fn a_saved_image_is_loaded_again_and_runs() {
    let agent = Agent::start();
    let archive = agent.client.request("GET", &format!("/images/{IMAGE}/get"), b"");
    assert_eq!(archive.status, 200);
    let id = agent.client.get(&format!("/images/{IMAGE}/json"))["Id"].clone();
    assert_eq!(agent.client.request("DELETE", &format!("/images/{IMAGE}"), b"").status, 200);
    let loaded = agent.client.request("POST", "/images/load?quiet=1", &archive.body);
    assert_eq!(loaded.json(), json!({ "stream": "Loaded image: bb:1\n" }));
    assert_eq!(agent.client.get(&format!("/images/{IMAGE}/json"))["Id"], id);
    assert_eq!(agent.text("echo hello", json!({})), "hello\n");
    let broken = agent.client.request("POST", "/images/load", &archive.body[..archive.body.len() / 2]);
    assert_eq!(broken.status, 400, "{}", broken.text());
}

#[test]
fn a_layer_lost_on_disk_is_unpacked_again_from_its_blob() {
    let mut agent = Agent::start();
    let layer = agent.client.get(&format!("/images/{IMAGE}/json"))["RootFS"]["Layers"][0].as_str().unwrap()[7..].to_owned();
    agent.kill();
    std::fs::remove_dir_all(agent.root.path().join("data/layers").join(layer)).unwrap();
    agent.respawn();
    assert_eq!(agent.text("echo back", json!({})), "back\n");
}

#[test]
fn a_pull_that_cannot_work_says_why_before_anything_streams() {
    let agent = Agent::bare();
    let answer = agent.client.request("POST", "/images/create?fromImage=127.0.0.1:1/acme/web&tag=1", b"");
    assert_eq!(answer.status, 500);
    assert!(answer.json()["message"].as_str().unwrap().contains("could not be reached"), "{}", answer.text());
    let missing = agent.client.request("POST", "/images/nothing/push?tag=1", b"");
    assert_eq!((missing.status, missing.json()["message"].is_string()), (404, true));
    let _: Value = agent.client.get("/images/json");
}

#[test]
fn an_archive_behind_a_url_is_fetched_and_imported() {
    let tar = busybox_tar();
    let web = Web::start(move |asked| match asked.path.as_str() {
        "/base.tar?key=s3cret" => Reply::ok(tar.clone()),
        "/moved" => Reply::redirect("base.tar?key=s3cret"),
        "/half" => Reply::ok(tar.clone()).sent(Sending::BreaksOff),
        "/text" => Reply::ok(vec![b'x'; 2000]),
        _ => Reply::status(404),
    });
    let agent = Agent::with_settings(Some(json!({ "downloadInside": ["127.0.0.0/8"] })));
    let import = |url: &str, more: &str| {
        let source: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
        agent.client.request("POST", &format!("/images/create?fromSrc={source}{more}"), b"")
    };
    let url = format!("http://ann:s3cret@{}/moved", web.address);
    let answer = import(&url, "&repo=fetched&tag=1&changes=CMD%20%5B%22sh%22%5D");
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["status"], format!("Downloading from http://{}/moved", web.address));
    let importing = lines.iter().rfind(|line| line["status"] == "Importing").unwrap();
    assert_eq!(importing["progressDetail"]["current"], importing["progressDetail"]["total"], "{importing}");
    let image = agent.client.get("/images/fetched:1/json");
    assert_eq!((&lines.last().unwrap()["status"], &image["Config"]["Cmd"]), (&image["Id"], &json!(["sh"])));
    assert_eq!(image["Comment"], format!("Imported from http://{}/moved", web.address));
    assert!(!answer.text().contains("s3cret") && !image.to_string().contains("s3cret"));
    for (path, status, said) in [
        ("/none", 404, "404 Not Found"),
        ("/none?key=s3cret", 404, "404 Not Found"),
        ("/text", 200, "not a valid archive"),
        ("/half", 200, "could not be reached"),
    ] {
        let answer = import(&web.url(path), "");
        let last = answer.text().lines().last().unwrap().to_owned();
        assert_eq!(answer.status, status, "{last}");
        assert!(last.contains(said) && !last.contains("s3cret"), "{last}");
    }
    assert_eq!(import("ftp://x/y", "").status, 400);
    assert_eq!(names(&agent, ""), ["fetched:1"]);
    let strict = Agent::bare();
    let source = web.url("/moved");
    let refused = strict.client.request("POST", &format!("/images/create?fromSrc={source}"), b"");
    assert_eq!(refused.status, 403);
    assert!(refused.json()["message"].as_str().unwrap().contains("downloadInside"), "{}", refused.text());
}
