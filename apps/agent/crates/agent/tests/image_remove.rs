//! Names and images go away as with dockerd, and never from under somebody's feet.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{Agent, IMAGE, busybox_tar, busybox_tar_with, file};

fn delete(agent: &Agent, path: &str) -> (u16, Value) {
    let answer = agent.client.request("DELETE", path, b"");
    (answer.status, answer.json())
}

fn tag(agent: &Agent, repo: &str, tag: &str) {
    let answer = agent.client.request("POST", &format!("/images/{IMAGE}/tag?repo={repo}&tag={tag}"), b"");
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn events(agent: &Agent) -> Vec<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let text =
        agent.client.request("GET", &format!("/events?since=1&until={now}&filters=%7B%22type%22%3A%5B%22image%22%5D%7D"), b"").text();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["Action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_name_of_a_running_container_is_taken_by_force_and_the_image_stays() {
    let agent = Agent::start();
    let id = agent.run("sleep 600", json!({}));
    assert_eq!(delete(&agent, &format!("/images/{IMAGE}?force=1")), (200, json!([{ "Untagged": IMAGE }])));
    let image = agent.inspect(&id)["Image"].as_str().unwrap().to_owned();
    assert_eq!(agent.client.get(&format!("/images/{image}/json"))["RepoTags"], json!([]));
    let pruned = agent.client.request("POST", "/images/prune", b"").json();
    assert_eq!(pruned["ImagesDeleted"], Value::Null, "it is in use: {pruned}");
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/restart?t=0"), b"").status, 204);
}

#[test]
fn several_repositories_need_force_by_id() {
    let agent = Agent::start();
    tag(&agent, "other", "1");
    let id = agent.client.get(&format!("/images/{IMAGE}/json"))["Id"].as_str().unwrap().to_owned();
    let (status, said) = delete(&agent, &format!("/images/{id}"));
    let expected = format!("conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories", &id[7..19]);
    assert_eq!((status, said["message"].as_str().unwrap()), (409, expected.as_str()));
    let (status, done) = delete(&agent, &format!("/images/{id}?force=true"));
    assert_eq!(status, 200);
    assert_eq!(done.as_array().unwrap()[..3], [json!({ "Untagged": IMAGE }), json!({ "Untagged": "other:1" }), json!({ "Deleted": id })]);
    assert_eq!(delete(&agent, "/images/other:1").0, 404);
    let told = events(&agent);
    assert_eq!(told.iter().filter(|action| *action == "untag").count(), 2, "{told:?}");
    for action in ["import", "tag", "delete"] {
        assert!(told.iter().any(|told| told == action), "{action}: {told:?}");
    }
}

#[test]
fn prune_takes_what_its_filters_say() {
    let agent = Agent::bare();
    for (name, label) in [("keep:1", "a=1"), ("go:1", "b=2")] {
        let (repo, tag) = name.split_once(':').unwrap();
        let tar = busybox_tar_with(|tar| file(tar, "name", name.as_bytes(), 0o644));
        let path = format!("/images/create?fromSrc=-&repo={repo}&tag={tag}&changes=LABEL%20{}", label.replace('=', "%3D"));
        assert_eq!(agent.client.request("POST", &path, &tar).status, 200);
    }
    let prune = |filters: &str| {
        let encoded: String = form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        agent.client.request("POST", &format!("/images/prune?filters={encoded}"), b"")
    };
    assert_eq!(prune(r#"{"nonsense":["x"]}"#).status, 400);
    assert_eq!(prune("{}").json()["ImagesDeleted"], Value::Null, "nothing dangles");
    assert_eq!(prune(r#"{"dangling":["false"],"until":["24h"]}"#).json()["ImagesDeleted"], Value::Null, "nothing is that old");
    let done = prune(r#"{"dangling":["false"],"label!":["a=1"]}"#).json();
    assert_eq!(done["ImagesDeleted"][0], json!({ "Untagged": "go:1" }));
    assert!(done["SpaceReclaimed"].as_u64().unwrap() > 0);
    assert_eq!(agent.client.request("GET", "/images/keep:1/json", b"").status, 200);
    // A name that moved on leaves an image that dangles.
    agent.import("keep:1", &busybox_tar());
    assert_eq!(prune(r#"{"dangling":["true"]}"#).json()["ImagesDeleted"].as_array().unwrap().len(), 1);
}

/// Whoever creates, loads or imports while everything unused is pruned either gets all of it or a plain "No such image".
#[test]
fn prune_never_takes_what_is_being_used() {
    let agent = Agent::start();
    let archive = agent.client.request("GET", &format!("/images/{IMAGE}/get"), b"").body;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let filters = "%7B%22dangling%22%3A%5B%22false%22%5D%7D";
                assert_eq!(agent.client.request("POST", &format!("/images/prune?filters={filters}"), b"").status, 200);
            }
        });
        let rounds = || {
            for _ in 0..15 {
                let loaded = agent.client.request("POST", "/images/load?quiet=1", &archive);
                assert!(loaded.status == 200 && !loaded.text().contains("error"), "{} {}", loaded.status, loaded.text());
                let made = agent.client.post("/containers/create", &json!({ "Image": IMAGE, "Cmd": ["true"] }));
                if made.status == 404 {
                    continue; // pruned in between, before anybody used it
                }
                assert_eq!(made.status, 201, "{}", made.text());
                let id = made.json()["Id"].as_str().unwrap().to_owned();
                agent.begin(&id);
                assert_eq!(agent.wait(&id), 0);
                assert_eq!(
                    agent.client.request("GET", &format!("/images/{}/json", agent.inspect(&id)["Image"].as_str().unwrap()), b"").status,
                    200
                );
                assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 204);
            }
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(rounds));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome.unwrap();
    });
}

#[test]
fn a_platform_that_is_not_there_is_not_saved() {
    let agent = Agent::start();
    let get = |query: &str| agent.client.request("GET", &format!("/images/{IMAGE}/get?platform={query}"), b"");
    let refused = get("%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22s390x%22%7D");
    assert!(
        refused.status == 404 && refused.text().contains("does not provide the specified platform (linux/s390x)"),
        "{}",
        refused.text()
    );
    assert_eq!(get("nonsense/a/b/c").status, 400);
    assert_eq!(get("").status, 200);
    let unreachable = agent.client.request("GET", "/distribution/127.0.0.1:1/acme/web:1/json", b"");
    assert!(unreachable.status == 500 && unreachable.text().contains("could not be reached"), "{}", unreachable.text());
}
