//! What a container changed: told, exported, and made an image.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Agent, IMAGE, busybox_tar_with, eventually, file};

fn changes(agent: &Agent, id: &str) -> Vec<String> {
    let list = agent.client.get(&format!("/containers/{id}/changes"));
    let letter = |kind: &Value| ["C", "A", "D"][kind.as_u64().unwrap() as usize];
    list.as_array()
        .into_iter()
        .flatten()
        .map(|change| format!("{} {}", letter(&change["Kind"]), change["Path"].as_str().unwrap()))
        .collect()
}

fn commit(agent: &Agent, query: &str, body: Value) -> (u16, Value) {
    let answer = agent.client.post(&format!("/commit?{query}"), &body);
    (answer.status, answer.json())
}

#[test]
fn what_changed_is_told_as_dockerd_tells_it() {
    let agent = Agent::bare();
    agent.import(
        IMAGE,
        &busybox_tar_with(|tar| {
            file(tar, "data/old/a", b"a", 0o644);
            file(tar, "data/old/b", b"b", 0o644);
            file(tar, "data/gone", b"x", 0o644);
            file(tar, "untouched/x", b"x", 0o644);
        }),
    );
    let nothing = agent.create("true", json!({}));
    assert_eq!(agent.client.request("GET", &format!("/containers/{nothing}/changes"), b"").text(), "null");
    agent.begin(&nothing);
    agent.wait(&nothing);
    assert_eq!(changes(&agent, &nothing), Vec::<String>::new(), "the engine's own mount points are nobody's change");
    let id = agent.run(
        "rm /data/gone; echo new > /data/old/a; echo x > /data/new; mkdir /made; touch /made/x; chmod 600 /etc/passwd; sleep 600",
        json!({}),
    );
    let expected =
        ["A /data/new", "A /made", "A /made/x", "C /data", "C /data/old", "C /data/old/a", "C /etc", "C /etc/passwd", "D /data/gone"];
    eventually("all of it is done", || {
        let mut found = changes(&agent, &id);
        found.sort();
        found == expected
    });
    let in_order = changes(&agent, &id);
    let place = |what: &str| in_order.iter().position(|line| line == what).unwrap();
    assert!(place("C /data") < place("C /data/old") && place("C /data/old") < place("C /data/old/a"));
    assert_eq!(agent.client.request("GET", "/containers/nobody/changes", b"").status, 404);
}

#[test]
fn a_running_container_becomes_an_image() {
    let agent = Agent::start();
    let id = agent.run(
        "echo made > /made; rm /bin/vi 2>/dev/null; rm /etc/group; sleep 600",
        json!({ "Env": ["A=1", "B=2"], "Labels": { "of": "container" } }),
    );
    eventually("it is done", || changes(&agent, &id).iter().any(|change| change == "D /etc/group"));
    let query = format!(
        "container={id}&repo=slipway.local/acme/made&tag=v1&author=Ann%20%3Cann%40example.com%3E&comment=as%20it%20is\
         &changes=ENV%20B%3D3&changes=CMD%20%5B%22cat%22%2C%22%2Fmade%22%5D%0AEXPOSE%2080&changes=WORKDIR%20%2Fetc"
    );
    let (status, made) = commit(&agent, &query, Value::Null);
    assert_eq!(status, 201, "{made}");
    let image = agent.client.get("/images/slipway.local/acme/made:v1/json");
    assert_eq!((&image["Id"], &image["Author"], &image["Comment"]), (&made["Id"], &json!("Ann <ann@example.com>"), &json!("as it is")));
    let config = &image["Config"];
    assert_eq!((&config["Cmd"], &config["WorkingDir"]), (&json!(["cat", "/made"]), &json!("/etc")));
    let env: BTreeSet<&str> = config["Env"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert!(env.contains("A=1") && env.contains("B=3") && !env.contains("B=2"), "{env:?}");
    assert_eq!(
        (&config["Labels"]["of"], &config["ExposedPorts"], &config["Hostname"]),
        (&json!("container"), &json!({ "80/tcp": {} }), &Value::Null)
    );
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 2);
    let history = agent.client.get("/images/slipway.local/acme/made:v1/history");
    assert_eq!((&history[0]["Comment"], history.as_array().unwrap().len()), (&json!("as it is"), 2));
    assert!(history[0]["CreatedBy"].as_str().unwrap().starts_with("sh -c echo made"));
    assert_eq!(agent.inspect(&id)["State"]["Status"], "running", "paused for the time it took, and no longer");
    let run = |body: Value| {
        let id = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
        agent.begin(&id);
        agent.wait(&id);
        agent.output(&id)
    };
    assert_eq!(run(json!({ "Image": "slipway.local/acme/made:v1" })), "made\n");
    assert_eq!(
        run(json!({ "Image": "slipway.local/acme/made:v1", "Cmd": ["sh", "-c", "ls /etc/group /dev/console 2>&1 | wc -l; ls /etc"] }))
            .lines()
            .next(),
        Some("2")
    );
    // The container goes on with its own files.
    let exec = agent.client.post(&format!("/containers/{id}/archive?path=/"), &Value::Null);
    assert_eq!(exec.status, 405);
    agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"");
    assert_eq!(run(json!({ "Image": "slipway.local/acme/made:v1" })), "made\n");
    // As an archive and back.
    let saved = agent.client.request("GET", "/images/slipway.local/acme/made:v1/get", b"");
    for container in agent.client.get("/containers/json?all=1").as_array().unwrap() {
        agent.client.request("DELETE", &format!("/containers/{}?force=1", container["Id"].as_str().unwrap()), b"");
    }
    assert_eq!(agent.client.request("DELETE", "/images/slipway.local/acme/made:v1", b"").status, 200);
    assert_eq!(agent.client.request("POST", "/images/load", &saved.body).status, 200);
    assert_eq!(run(json!({ "Image": "slipway.local/acme/made:v1" })), "made\n");
}

#[test]
fn what_cannot_be_committed_says_why() {
    let agent = Agent::start();
    let id = agent.create("true", json!({}));
    for (query, status, said) in [
        ("container=nobody".to_owned(), 404, "No such container: nobody"),
        (format!("container={id}&repo=UPPER"), 400, "invalid reference"),
        (format!("container={id}&changes=RUN%20ls"), 400, "RUN ls"),
    ] {
        let (found, answer) = commit(&agent, &query, Value::Null);
        assert!(found == status && answer["message"].as_str().unwrap().contains(said), "{query}: {found} {answer}");
    }
    // Nothing changed: the image has the layers of its base, and another configuration.
    let (status, made) = commit(&agent, &format!("container={id}"), json!({ "Cmd": ["echo", "other"] }));
    assert_eq!(status, 201);
    let image = agent.client.get(&format!("/images/{}/json", made["Id"].as_str().unwrap()));
    assert_eq!(
        (image["RootFS"]["Layers"].as_array().unwrap().len(), &image["Config"]["Cmd"], &image["RepoTags"]),
        (1, &json!(["echo", "other"]), &json!([]))
    );
}

#[test]
fn the_image_of_a_container_may_be_gone() {
    let agent = Agent::start();
    let id = agent.create("echo hello > /x", json!({}));
    agent.begin(&id);
    agent.wait(&id);
    assert_eq!(agent.client.request("DELETE", &format!("/images/{IMAGE}?force=1"), b"").status, 200);
    agent.client.request("POST", "/images/prune", b"");
    let (status, made) = commit(&agent, &format!("container={id}&repo=again"), json!({ "Cmd": ["cat", "/x"] }));
    assert_eq!(status, 201, "{made}");
    let again = agent.client.post("/containers/create", &json!({ "Image": "again" })).json()["Id"].as_str().unwrap().to_owned();
    agent.begin(&again);
    agent.wait(&again);
    assert_eq!(agent.output(&again), "hello\n");
}

#[test]
fn an_export_is_the_root_file_system_alone() {
    let agent = Agent::start();
    let id = agent.run(
        "echo in-volume > /data/x; echo here > /here; sleep 600",
        json!({ "HostConfig": { "Binds": ["kept:/data"], "Tmpfs": { "/mem": "" } } }),
    );
    eventually("it is written", || changes(&agent, &id).iter().any(|change| change == "A /here"));
    for running in [true, false] {
        if !running {
            agent.client.request("POST", &format!("/containers/{id}/kill"), b"");
            agent.wait(&id);
        }
        let answer = agent.client.request("GET", &format!("/containers/{id}/export"), b"");
        assert_eq!(answer.status, 200);
        let mut archive = tar::Archive::new(&answer.body[..]);
        let names: BTreeSet<String> =
            archive.entries().unwrap().map(|e| String::from_utf8(e.unwrap().path_bytes().into_owned()).unwrap()).collect();
        assert!(names.contains("here") && names.contains("data/") && names.contains("bin/busybox"), "{names:?}");
        assert!(!names.contains("data/x") && !names.iter().any(|name| name.starts_with("proc/1")), "{names:?}");
        // It is an image's root file system.
        agent.import("exported:1", &answer.body);
    }
    let body = json!({ "Image": "exported:1", "Cmd": ["cat", "/here"] });
    let again = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
    agent.begin(&again);
    agent.wait(&again);
    assert_eq!(agent.output(&again), "here\n");
}
