//! RUN --mount, --network, --security and scripts of builds, with real containers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::builds::{Plan, body_with, build, build_with, clean, last, log, minute, processes, status};
use support::{Agent, busybox_tar, eventually, long_sleep};

fn secret(id: &str, target: Option<&str>, env: Option<&str>, required: bool) -> Value {
    json!({ "type": "secret", "id": id, "target": target, "env": env, "required": required, "mode": 0o400, "uid": 0, "gid": 0 })
}

fn cache(id: &str, target: &str, more: &Value) -> Value {
    let mut mount = json!({ "type": "cache", "target": target, "id": id, "sharing": "shared", "from": null, "source": ".",
        "mode": 0o755, "uid": 0, "gid": 0 });
    for (key, value) in more.as_object().unwrap() {
        mount[key] = value.clone();
    }
    mount
}

fn bind(target: &str, from: Option<&str>, source: &str) -> Value {
    json!({ "type": "bind", "target": target, "from": from, "source": source })
}

/// Files and folders with a text in their content or name.
fn holding(root: &Path, text: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(path) = open.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if meta.is_file() && std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())) {
            found.push(path);
        }
    }
    found
}

/// What a finished image holds at a path; `ls` of a folder.
fn shown(agent: &Agent, events: &[Value], command: &str) -> String {
    assert_eq!(last(events)["type"], "result", "{events:#?}");
    let id = agent.create(command, json!({ "Image": last(events)["imageId"] }));
    agent.begin(&id);
    agent.wait(&id);
    agent.output(&id)
}

/// Over the bytes of the whole data root, during the build and after it; the context is large enough to be kept on disk.
#[test]
fn secrets_land_nowhere() {
    let agent = Agent::start();
    let value = "hunter22-correct-horse";
    let long = long_sleep(11);
    let big = "x".repeat(9 << 20);
    let mounts =
        json!({ "mounts": [secret("token", Some("/run/secrets/token"), Some("TOKEN"), true), secret("other", Some("/o"), None, false)] });
    let script = "stat -c '%a %u' /run/secrets/token; cat /run/secrets/token; echo; echo $TOKEN | cut -c 1-8; echo got $TOKEN; \
                  ls /o; grep -c secrets /proc/self/mounts; echo $TOKEN x | tr -d - | wc -c";
    let plan = Plan::new(&agent).copy("big", "/big").run_with(script.replace("ls /o;", "test ! -e /o;").as_str(), &mounts);
    let secrets = [("token", value), ("unused", "never-mounted-secret")];
    let request = plan.run(&format!("env; ls /run; ls /run/secrets; sleep {long}")).request("b1", minute());
    std::thread::scope(|scope| {
        let building = scope.spawn(|| build_with(&agent, &request, &secrets, &[("big", &big)]));
        eventually("the second step runs", || processes(&long) >= 1);
        for text in [value, "never-mounted-secret"] {
            assert_eq!(holding(agent.root.path(), text), Vec::<PathBuf>::new(), "while a build runs");
        }
        assert!(!holding(&agent.root.path().join("data/contexts"), "xxxxxxxxx").is_empty(), "the context is kept");
        agent.client.request("DELETE", "/slipway/v1/builds/b1", b"");
        let events = building.join().unwrap();
        let log = log(&events);
        assert!(log.starts_with("400 0\n***\nhunter22\ngot ***\n1\n"), "{log}");
        assert!(!log.contains(value) && !log.contains("TOKEN="), "no other step has it: {log}");
        assert!(!events.iter().any(|event| event.to_string().contains(value)));
    });
    let plan = Plan::new(&agent).run_with("cat /run/secrets/token > /dev/null", &mounts);
    let events = build_with(&agent, &plan.request("b2", minute()), &secrets, &[]);
    assert_eq!(shown(&agent, &events, "ls -d /run /o 2> /dev/null"), "", "mount points are no part of the layer");
    assert_eq!(holding(agent.root.path(), value), Vec::<PathBuf>::new(), "after the build");
    let again = build_with(&agent, &plan.request("b3", minute()), &[("token", "another value")], &[]);
    assert_eq!(status(&again, "v1"), "cached", "a secret's value is no part of the key");
    let renamed =
        Plan::new(&agent).run_with("cat /run/secrets/token > /dev/null", &json!({ "mounts": [secret("new", Some("/n"), None, true)] }));
    let events = build_with(&agent, &renamed.request("b4", minute()), &secrets, &[]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING");
    assert!(last(&events)["message"].as_str().unwrap().contains("`new`"), "{events:#?}");
    let late = [body_with(&plan.request("b5", minute()), &[]), body_with(&plan.request("b5", minute()), &secrets)];
    let late = [&late[0][..late[0].len() - 1024], &late[1]].concat();
    let answer = agent.client.request("POST", "/slipway/v1/builds", &late);
    assert!(answer.text().contains("BAD_PLAN"), "secrets behind the request would be kept with it: {}", answer.text());
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn caches_stay_with_their_organization() {
    let mut agent = Agent::start();
    let count = "echo x >> /root/.c/count; wc -l < /root/.c/count; stat -c '%a %u %g' /root/.c";
    let more = json!({ "mode": 0o700, "uid": 7, "gid": 8 });
    let plan = |agent: &Agent, nonce: &str, id: &str| {
        let mounts = json!({ "mounts": [cache(id, "/root/.c", &more)] });
        Plan::new(agent).run_with(&format!("{count}; : {nonce}"), &mounts)
    };
    let first = build(&agent, &plan(&agent, "1", "c").request("b1", minute()), &[]);
    assert_eq!(log(&first), "1\n700 7 8\n");
    assert_eq!(shown(&agent, &first, "ls -d /root 2> /dev/null"), "", "neither the cache nor its mount point is in the layer");
    assert_eq!(
        status(&build(&agent, &plan(&agent, "1", "c").request("b2", minute()), &[]), "v1"),
        "cached",
        "what a cache holds is no part of the key"
    );
    agent.kill();
    agent.respawn();
    assert_eq!(log(&build(&agent, &plan(&agent, "2", "c").request("b3", minute()), &[])), "2\n700 7 8\n", "it survives the daemon");
    assert_eq!(log(&build(&agent, &plan(&agent, "3", "d").request("b4", minute()), &[])), "1\n700 7 8\n");
    let mut other = plan(&agent, "2", "c").request("b5", minute());
    other["scope"] = json!("other");
    assert_eq!(log(&build(&agent, &other, &[])), "1\n700 7 8\n", "no other organization sees it");
    let mounts = |agent: &Agent| {
        let usage = agent.client.get("/system/df");
        usage["BuildCache"].as_array().unwrap().iter().filter(|part| part["Type"] == "exec.cachemount").count()
    };
    assert_eq!(mounts(&agent), 3);
    let pruned = agent.client.request("POST", "/build/prune", b"");
    assert_eq!((pruned.status, mounts(&agent)), (200, 0));
    assert_eq!(log(&build(&agent, &plan(&agent, "4", "c").request("b6", minute()), &[])), "1\n700 7 8\n", "it begins anew");
}

#[test]
fn a_cache_is_shared_locked_or_private() {
    let agent = Agent::start();
    let stages = |sharing: &str, script: &str| {
        let mounts = json!({ "mounts": [cache(sharing, "/c", &json!({ "sharing": sharing }))] });
        let plan = Plan::new(&agent).run_with(script, &mounts).stage().run_with(&format!("{script}; : second"), &mounts);
        let join = json!({ "mounts": [bind("/one", Some("v1"), "."), bind("/two", Some("v3"), ".")] });
        build(&agent, &plan.stage().run_with(&format!("cat /one/out /two/out; : {sharing}"), &join).request(sharing, minute()), &[])
    };
    // Each waits for the other: only when both see the same files at the same time do they end.
    let meet = "echo x >> /c/met; while test $(wc -l < /c/met) -lt 2; do sleep 0.05; done; echo met > /out";
    assert_eq!(log(&stages("shared", meet)), "met\nmet\n");
    let alone = "mkdir /c/here; sleep 0.3; rmdir /c/here; echo alone > /out";
    assert_eq!(log(&stages("locked", alone)), "alone\nalone\n", "one after the other in the same folder");
    assert_eq!(log(&stages("private", alone)), "alone\nalone\n");
    let seeded = cache("seed", "/c", &json!({ "from": "v1", "source": "srv" }));
    let plan = Plan::new(&agent).run("mkdir -p /srv/sub; echo begun > /srv/sub/file; ln -s /etc /srv/link");
    let plan = plan.stage().run_with("cat /c/sub/file; readlink /c/link", &json!({ "mounts": [seeded] }));
    assert_eq!(log(&build(&agent, &plan.request("seeded", minute()), &[])), "begun\n/etc\n");
}

#[test]
fn binds_show_and_keep_nothing() {
    let agent = Agent::start();
    let script = "cat /src/sub/a /file; touch /src/new 2> /dev/null || echo read-only; echo yes > /rw/sub/a; cat /rw/sub/a /stage/made; ls /stage > /out";
    let mounts = json!({ "mounts": [
        bind("/src", None, "dir"), bind("/file", None, "dir/sub/a"),
        { "type": "bind", "target": "/rw", "from": null, "source": "dir", "write": true },
        bind("/stage", Some("v1"), "srv/made-here") ] });
    let plan = Plan::new(&agent).run("mkdir -p /srv/made-here; echo made > /srv/made-here/made").stage().run_with(script, &mounts);
    let request = plan.run("ls -d /src /file /rw /stage 2> /dev/null; cat /out").request("b1", minute());
    let context = |a: &'static str, other: &'static str| [("dir/sub/a", a), ("other", other)];
    let events = build(&agent, &request, &context("one\n", "x"));
    assert_eq!(log(&events), "one\none\nread-only\nyes\nmade\nmade\n", "{events:#?}");
    assert_eq!(status(&build(&agent, &request, &context("one\n", "y")), "v3"), "cached", "only what is mounted counts");
    let changed = build(&agent, &request, &context("two\n", "x"));
    let miss = changed.iter().find(|event| event["id"] == "v3" && event["status"] == "running").unwrap();
    assert_eq!(miss["miss"], json!({ "reason": "files-changed", "detail": "1 file changed: dir/sub/a" }));
    let gone = Plan::new(&agent).run_with("true", &json!({ "mounts": [bind("/x", None, "nothing")] }));
    let events = build(&agent, &gone.request("b2", minute()), &context("one", "x"));
    assert_eq!(last(&events)["code"], "EXEC_FAILED");
    assert!(last(&events)["message"].as_str().unwrap().contains("`nothing` is not in the context"), "{events:#?}");
    eventually("everything of the builds is gone", || clean(&agent));
}

#[test]
fn memory_scripts_and_networks() {
    let agent = Agent::start();
    let small = json!({ "mounts": [{ "type": "tmpfs", "target": "/t", "size": 65536 }, { "type": "ssh", "id": "default",
        "target": "/run/agent", "required": false, "mode": 0o600, "uid": 0, "gid": 0 }] });
    let script = "stat -c %a /t; head -c 100000 /dev/zero > /t/f 2> /dev/null || wc -c < /t/f";
    assert_eq!(log(&build(&agent, &Plan::new(&agent).run_with(script, &small).request("b1", minute()), &[])), "1777\n65536\n");
    let file = json!({ "args": ["/dev/pipes/EOF"], "mounts": [{ "type": "file", "target": "/dev/pipes/EOF", "mode": 0o755,
        "data": "#!/bin/sh -e\necho $0\nfalse || echo ran\n" }] });
    let events = build(&agent, &Plan::new(&agent).run_with("", &file).request("b2", minute()), &[]);
    assert_eq!(log(&events), "/dev/pipes/EOF\nran\n", "{events:#?}");
    let alone = Plan::new(&agent).run_with("ls /sys/class/net; ip route", &json!({ "network": "none" }));
    assert_eq!(log(&build(&agent, &alone.request("b3", minute()), &[])), "lo\n");
    let required = json!({ "mounts": [{ "type": "ssh", "id": "default", "target": "/run/agent", "required": true, "mode": 0o600, "uid": 0, "gid": 0 }] });
    let events = build(&agent, &Plan::new(&agent).run_with("true", &required).request("b4", minute()), &[]);
    assert_eq!(last(&events)["code"], "SECRET_MISSING", "{events:#?}");
}

/// Privilege comes from the host's settings, whatever a plan says.
#[test]
fn a_step_is_called_as_the_build_says() {
    let agent = Agent::start();
    let script = "echo $(hostname) $(cat /etc/hostname) $HOSTNAME $(grep -c box /etc/hosts)";
    for (id, extra, expected) in [("b1", json!({ "hostname": "box" }), "box box box 1\n"), ("b2", json!({}), "build build build 0\n")] {
        let plan = Plan::new(&agent).run_with(&format!("{script} > /out; cat /out"), &extra);
        let built = build(&agent, &plan.request(id, minute()), &[]);
        let told = built.iter().find(|event| event["type"] == "log").unwrap_or_else(|| panic!("{built:?}"));
        assert_eq!(told["data"], expected);
    }
}

#[test]
fn cve_2024_23653_no_privilege_that_the_host_did_not_allow() {
    let agent = Agent::start();
    for extra in [json!({ "insecure": true }), json!({ "network": "host" })] {
        let plan = Plan::new(&agent).run("echo before").run_with("echo ran", &extra);
        let events = build(&agent, &plan.request("b1", minute()), &[]);
        assert_eq!((events.len(), last(&events)["code"].as_str()), (1, Some("NOT_ALLOWED")), "nothing runs at all: {events:#?}");
    }
    drop(agent);
    let agent = Agent::with_settings(Some(json!({ "build": { "allowInsecure": true, "allowHostNetwork": true } })));
    agent.import(support::IMAGE, &busybox_tar());
    let script = "mount -t tmpfs x /srv && echo mounted; grep -c Seccomp:.0 /proc/self/status";
    let plan = Plan::new(&agent).run_with("mkdir -p /srv", &json!({})).run_with(script, &json!({ "insecure": true }));
    let events = build(&agent, &plan.run_with("ls -d /sys/class/net/lo", &json!({ "network": "host" })).request("b1", minute()), &[]);
    assert_eq!(log(&events), "mounted\n1\n/sys/class/net/lo\n", "{events:#?}");
}

/// A cache's folder that a step made a link leads nowhere but inside the cache, also when it changes meanwhile.
#[test]
fn cve_2024_23651_a_caches_folder_leads_nowhere_else() {
    let agent = Agent::start();
    let whole = json!({ "mounts": [cache("c", "/c", &json!({}))] });
    let make = "mkdir -p /c/etc; echo inside > /c/etc/hostname; ln -sfn /etc /c/absolute; ln -sfn ../../../../../../../../etc /c/up";
    build(&agent, &Plan::new(&agent).run_with(make, &whole).request("b1", minute()), &[]);
    let parts = json!({ "mounts": [cache("c", "/x", &json!({ "source": "absolute" })), cache("c", "/y", &json!({ "source": "up" }))] });
    let events =
        build(&agent, &Plan::new(&agent).run_with("cat /x/hostname /y/hostname; ls /x /y | wc -l", &parts).request("b2", minute()), &[]);
    assert_eq!(log(&events), "inside\ninside\n5\n", "{events:#?}");
    let swap = "for i in $(seq 300); do rm -rf /c/race; mkdir -p /c/race || true; rm -rf /c/race; ln -s /etc /c/race || true; done";
    let mut plan = Plan::new(&agent).run_with(swap, &whole).stage();
    for i in 0..10 {
        let part = json!({ "mounts": [cache("c", "/x", &json!({ "source": "race" }))] });
        plan = plan.run_with(&format!("test ! -e /x/passwd && test ! -e /x/shadow; : {i}"), &part);
    }
    let events = build(&agent, &plan.request("b3", minute()), &[]);
    let told = last(&events);
    assert!(told["type"] == "result" || told["code"] == "INTERNAL", "a folder that goes while it is mounted is an error at most: {told}");
}

/// The step moves a mount point's parent away and puts a link to a folder of the host there.
#[test]
fn cve_2024_23652_mount_points_are_not_removed_through_links() {
    let agent = Agent::start();
    let victim = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::create_dir_all(victim.path().join("b")).unwrap();
    let mounts = json!({ "mounts": [{ "type": "tmpfs", "target": "/a/b" }] });
    let script = format!("mv /a /moved; ln -s {} /a", victim.path().display());
    let events = build(&agent, &Plan::new(&agent).run_with(&script, &mounts).request("b1", minute()), &[]);
    assert_eq!(last(&events)["type"], "result", "{events:#?}");
    assert!(victim.path().join("b").is_dir(), "a folder of the host was removed");
}
