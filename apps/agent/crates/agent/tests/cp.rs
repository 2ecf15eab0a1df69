//! `docker cp`, both ways, and what could go wrong with it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};
use support::client::Answer;
use support::{Agent, IMAGE, eventually, file, link};

fn get(agent: &Agent, id: &str, path: &str) -> Answer {
    agent.client.request("GET", &format!("/containers/{id}/archive?path={path}"), b"")
}

fn put(agent: &Agent, id: &str, query: &str, tar: &[u8]) -> Answer {
    agent.client.request("PUT", &format!("/containers/{id}/archive?{query}"), tar)
}

/// Names in a tar, with the contents of its files.
fn unpacked(tar: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        let _ = entry.read_to_string(&mut text); // programs are no text
        (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), text)
    });
    entries.collect()
}

fn tar_of(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    fill(&mut tar);
    tar.into_inner().unwrap()
}

fn one(name: &str, text: &str) -> Vec<u8> {
    tar_of(|tar| file(tar, name, text.as_bytes(), 0o640))
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn files_go_in_and_out_whatever_the_container_does() {
    let agent = Agent::start();
    let id = agent.create("sleep 600", json!({}));
    let both_ways = |name: &str| {
        assert_eq!(put(&agent, &id, "path=/etc", &one(name, "in")).status, 200);
        let out = get(&agent, &id, &format!("/etc/{name}"));
        assert_eq!((out.status, unpacked(&out.body)), (200, BTreeMap::from([(name.to_owned(), "in".to_owned())])));
    };
    both_ways("created");
    agent.begin(&id);
    both_ways("running");
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/pause"), b"").status, 204);
    both_ways("paused");
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/kill"), b"").status, 204);
    agent.wait(&id);
    both_ways("stopped");
    let all = unpacked(&get(&agent, &id, "/etc").body);
    for name in ["etc/", "etc/created", "etc/running", "etc/paused", "etc/stopped", "etc/passwd"] {
        assert!(all.contains_key(name), "{name}: {:?}", all.keys());
    }
    assert!(unpacked(&get(&agent, &id, "/etc/.").body).contains_key("./created"), "what a trailing dot asks for");
    agent.begin(&id);
    assert_eq!(agent.inspect(&id)["State"]["Running"], true, "nothing of the copies is in its way");
}

#[test]
fn what_is_there_is_told_as_dockerd_tells_it() {
    let agent = Agent::start();
    let id =
        agent.run("mkdir -p /d/e; echo hello > /d/f; chmod 4750 /d/f; ln -s ../d/e /d/l; ln -s /nowhere/x /d/gone; sleep 600", json!({}));
    eventually("the files are there", || get(&agent, &id, "/d/gone").status == 200);
    let stat = |path: &str| -> Value {
        let (status, headers) = agent.client.head(&format!("/containers/{id}/archive?path={path}"));
        assert_eq!(status, 200, "{path}");
        let encoded = headers.iter().find_map(|line| line.strip_prefix("x-docker-container-path-stat: ")).expect("the header");
        serde_json::from_slice(&support::pack::unbase64(encoded)).unwrap()
    };
    let found = stat("/d/f");
    assert_eq!((&found["name"], &found["size"], &found["mode"]), (&json!("f"), &json!(6), &json!(0o750 | 1 << 23)));
    assert_eq!(stat("d/")["mode"], json!(0o755u32 | 1 << 31));
    assert_eq!(stat("/")["name"], "/");
    assert_eq!((&stat("/d/l")["linkTarget"], &stat("/d/gone")["linkTarget"]), (&json!("/d/e"), &json!("/nowhere/x")));
    assert_eq!(stat("/d/l/")["mode"], json!(0o755u32 | 1 << 31), "a slash follows the link");
    assert_eq!(agent.client.head(&format!("/containers/{id}/archive?path=/none")).0, 404);
    let missing = get(&agent, &id, "/none");
    assert_eq!((missing.status, message(&missing)), (404, format!("Could not find the file /none in container {id}")));
    assert_eq!(get(&agent, &id, "/d/f/").status, 400);
    assert_eq!(get(&agent, &id, "").status, 400);
    assert_eq!(get(&agent, "nobody", "/").status, 404);
}

#[test]
fn volumes_binds_and_memory_are_part_of_the_files() {
    let agent = Agent::start();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("of-the-host"), "host").unwrap();
    let bind = format!("{}:/bind", shared.path().display());
    let mounts = json!({ "HostConfig": { "Binds": [bind, "data:/data"], "Tmpfs": { "/mem": "" } } });
    let id = agent.create("sleep 600", mounts);
    assert_eq!(put(&agent, &id, "path=/data", &one("early", "before its start")).status, 200);
    assert_eq!(unpacked(&get(&agent, &id, "/bind/of-the-host").body)["of-the-host"], "host");
    agent.begin(&id);
    for place in ["/data", "/bind", "/mem"] {
        assert_eq!(put(&agent, &id, &format!("path={place}"), &one("x", place)).status, 200);
        assert_eq!(unpacked(&get(&agent, &id, &format!("{place}/x")).body)["x"], place);
    }
    assert_eq!(std::fs::read_to_string(shared.path().join("x")).unwrap(), "/bind");
    let all = unpacked(&get(&agent, &id, "/").body);
    assert_eq!(all["/data/early"], "before its start");
    assert!(all.contains_key("/proc/") && !all.contains_key("/proc/1/"), "nothing of the kernel's");
    agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"");
    assert_eq!(agent.text("cat /data/early", json!({ "HostConfig": { "Binds": ["data:/data"] } })), "before its start");
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    let agent = Agent::start();
    let settings = json!({ "HostConfig": { "ReadonlyRootfs": true, "Binds": ["fixed:/fixed:ro", "free:/free"] } });
    let id = agent.create("sleep 600", settings);
    for running in [false, true] {
        if running {
            agent.begin(&id);
        }
        for (place, said) in [("/etc", "container rootfs is marked read-only"), ("/fixed", "mounted volume is marked read-only")] {
            let refused = put(&agent, &id, &format!("path={place}"), &one("x", "x"));
            assert_eq!((refused.status, message(&refused).as_str()), (400, said), "{running}");
        }
        assert_eq!(put(&agent, &id, "path=/free", &one("x", "x")).status, 200);
    }
}

#[test]
fn kinds_are_kept_and_owners_chosen_when_asked() {
    let agent = Agent::start();
    let id = agent.create("cd /d; stat -c '%n %u:%g %a' *", json!({ "User": "web" }));
    let tree = tar_of(|tar| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o755);
        header.set_uid(7);
        header.set_gid(8);
        tar.append_data(&mut header, "d/", &b""[..]).unwrap();
    });
    assert_eq!(put(&agent, &id, "path=/", &tree).status, 200);
    let refused = put(&agent, &id, "path=/&noOverwriteDirNonDir=true", &one("d", "a file"));
    assert_eq!((refused.status, message(&refused).as_str()), (400, "cannot overwrite directory \"/d\" with non-directory \"/\""));
    let refused = put(
        &agent,
        &id,
        "path=/etc&noOverwriteDirNonDir=true",
        &tar_of(|tar| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            header.set_mode(0o755);
            tar.append_data(&mut header, "passwd", &b""[..]).unwrap();
        }),
    );
    assert!(refused.status == 400 && message(&refused).starts_with("cannot overwrite non-directory \"/etc/passwd\""));
    let refused = put(&agent, &id, "path=/etc/passwd", &one("x", ""));
    assert_eq!((refused.status, message(&refused).as_str()), (400, "extraction point is not a directory"));
    assert_eq!(put(&agent, &id, "path=/nowhere", &one("x", "")).status, 404);
    assert_eq!(put(&agent, &id, "path=/d", &one("plain", "")).status, 200);
    assert_eq!(put(&agent, &id, "path=/d&copyUIDGID=true", &one("own", "")).status, 200);
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    assert_eq!(agent.output(&id), "own 1000:1000 640\nplain 0:0 640\n");
}

/// CVE-2018-15664: the path was checked first and used later, and a process in the container changed it in between.
#[test]
fn cve_2018_15664_a_symlink_swapper_gains_nothing() {
    let agent = Agent::start();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "of the host").unwrap();
    let target = outside.path().display().to_string();
    let id = agent.run(
        &format!("mkdir -p /swap/d {target}; echo inside > /swap/d/secret; ln -s {target} /swap/l; cp /swap/d/secret {target}/secret; touch /ready; \
         while true; do mv -T /swap/d /swap/t; mv -T /swap/l /swap/d; mv -T /swap/t /swap/l; done"),
        json!({}),
    );
    eventually("the swapper runs", || get(&agent, &id, "/ready").status == 200);
    let read = || {
        let out = get(&agent, &id, "/swap/d/secret");
        let files = if out.status == 200 { unpacked(&out.body) } else { BTreeMap::new() };
        // The name may be gone between the look and the copy.
        assert!(files.values().all(|text| text == "inside\n"), "{files:?}");
        !files.is_empty()
    };
    // Before anything is written: a copy that comes when the folder is away makes it anew, which stops the swapper.
    eventually("the file is found at least once", read);
    for round in 0..100 {
        let _ = read();
        let _ = get(&agent, &id, "/swap"); // whatever it gives, it ends
        // It may find a link in the middle of being moved; then it says so.
        let name = format!("mine-{round}");
        let written = put(&agent, &id, "path=/swap/d", &one(&name, "x"));
        assert!(matches!(written.status, 200 | 400 | 404), "{} {}", written.status, written.text());
    }
    let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["secret"], "nothing was written outside");
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "of the host");
}

/// CVE-2019-14271 and its successor: libraries and helpers of the image were loaded by a root process of the host.
#[test]
fn cve_2019_14271_nothing_of_the_image_is_run() {
    let agent = Agent::bare();
    let evil = b"#!/bin/sh\ntouch /pwned\n";
    agent.import(
        IMAGE,
        &support::busybox_tar_with(|tar| {
            for path in [
                "lib/x86_64-linux-gnu/libnss_files.so.2",
                "usr/bin/tar",
                "usr/bin/xz",
                "usr/bin/unxz",
                "usr/bin/unpigz",
                "usr/sbin/docker-untar",
            ] {
                file(tar, path, evil, 0o755);
            }
            link(tar, "lib64", "lib/x86_64-linux-gnu");
        }),
    );
    let id = agent.run("sleep 600", json!({ "User": "web", "Env": ["PATH=/usr/bin:/bin"] }));
    // Compressed input is where engines called helpers.
    for packed in
        [support::pack::gzip(&one("x", "x")), support::pack::xz(&one("x", "x")), support::pack::bzip2(&one("x", "x")), one("x", "x")]
    {
        let done = put(&agent, &id, "path=/etc&copyUIDGID=true", &packed);
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(unpacked(&get(&agent, &id, "/etc/x").body)["x"], "x");
    }
    assert_eq!(get(&agent, &id, "/pwned").status, 404);
    assert!(!std::path::Path::new("/pwned").exists());
}

/// What leads out is refused or stays in, and what is a device is not opened.
#[test]
fn archives_that_try_to_leave() {
    let agent = Agent::start();
    let id = agent.run("mkfifo /fifo; mkdir /d; sleep 600", json!({}));
    let raw = |name: &str, kind: tar::EntryType, target: &str, data: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    use tar::EntryType;
    eventually("the pipe is there", || get(&agent, &id, "/d").status == 200);
    let up = raw("../../../x", EntryType::Regular, "", b"x");
    let refused = put(&agent, &id, "path=/d", &up);
    assert!(refused.status == 400 && message(&refused).contains("outside"), "{}", refused.text());
    // An absolute name, and one behind a link that leads up: both land in the container.
    let inside = [
        raw("l", EntryType::Symlink, "../../../../../../..", b""),
        raw("l/by-link", EntryType::Regular, "", b"y"),
        raw("/absolute", EntryType::Regular, "", b"z"),
    ]
    .concat();
    assert_eq!(put(&agent, &id, "path=/d", &inside).status, 200);
    assert_eq!(unpacked(&get(&agent, &id, "/by-link").body)["by-link"], "y");
    assert_eq!(unpacked(&get(&agent, &id, "/d/absolute").body)["absolute"], "z");
    let magic = [raw("m", EntryType::Symlink, "/proc/self/root", b""), raw("m/etc/x", EntryType::Regular, "", b"y")].concat();
    assert!(put(&agent, &id, "path=/d", &magic).status >= 400, "magic links are not followed");
    for target in ["../../../../../../etc/passwd", "/etc/hostname-of-nobody"] {
        let hard = raw("hard", EntryType::Link, target, b"");
        let refused = put(&agent, &id, "path=/d", &hard);
        assert_eq!(refused.status, 400, "{target}: {}", refused.text());
    }
    let whiteout = raw(".wh.passwd", EntryType::Regular, "", b"plain");
    assert_eq!(put(&agent, &id, "path=/etc", &whiteout).status, 200);
    assert_eq!(unpacked(&get(&agent, &id, "/etc/.wh.passwd").body)[".wh.passwd"], "plain");
    assert_eq!(get(&agent, &id, "/etc/passwd").status, 200);
    let fifo = get(&agent, &id, "/fifo");
    assert_eq!(tar::Archive::new(&fifo.body[..]).entries().unwrap().next().unwrap().unwrap().header().entry_type(), EntryType::Fifo);
    let cut = one("long", &"x".repeat(5_000));
    assert_eq!(put(&agent, &id, "path=/d", &cut[..3_000]).status, 400, "what breaks off is no archive");
    assert_eq!(put(&agent, &id, "path=/d", &[b'x'; 4_096]).status, 400);
}

#[test]
fn devices_are_a_matter_of_the_hosts_policy() {
    let device = || {
        let mut header = tar::Header::new_ustar();
        header.set_path("node").unwrap();
        header.set_entry_type(tar::EntryType::Char);
        header.set_size(0);
        header.set_mode(0o600);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for (allowed, status) in [(true, 200), (false, 400)] {
        let agent = Agent::with_settings(Some(json!({ "policy": { "allowPrivileged": allowed } })));
        agent.import(IMAGE, &support::busybox_tar());
        let id = agent.create("true", json!({}));
        let done = put(&agent, &id, "path=/etc", &device());
        assert_eq!(done.status, status, "{}", done.text());
    }
}

#[test]
fn a_copy_holds_off_the_start_and_not_the_other_way_round() {
    let agent = Agent::start();
    let id = agent.create("head -c 30000000 /dev/zero > /big; sleep 600", json!({}));
    agent.begin(&id);
    eventually("the file is there", || unpacked_size(&get(&agent, &id, "/big")) == 30_000_000);
    agent.client.request("POST", &format!("/containers/{id}/kill"), b"");
    agent.wait(&id);
    // A client that does not read, then leaves.
    let stream = agent.client.stream(&format!("/containers/{id}/archive?path=/big"));
    drop(stream);
    agent.begin(&id);
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}

fn unpacked_size(answer: &Answer) -> u64 {
    tar::Archive::new(&answer.body[..]).entries().unwrap().next().map_or(0, |entry| entry.map_or(0, |entry| entry.size()))
}

/// Archives that say one thing and hold another, or promise more than a disk has.
#[test]
fn bombs_and_contradictions_are_refused() {
    let agent = Agent::start();
    let id = agent.create("true", json!({}));
    // A sparse file of 1 TB, in GNU's old form: a block of data at its end.
    let mut sparse = tar::Header::new_gnu();
    sparse.set_path("huge").unwrap();
    sparse.set_entry_type(tar::EntryType::GNUSparse);
    sparse.set_size(512);
    sparse.set_mode(0o644);
    let octal = |field: &mut [u8], value: u64| field[..11].copy_from_slice(format!("{value:011o}").as_bytes());
    // 11 octal digits hold 8 GiB; more is in base 256.
    let binary = |field: &mut [u8], value: u64| {
        field[0] = 0x80;
        field[4..12].copy_from_slice(&value.to_be_bytes());
    };
    let terabyte = 1 << 40;
    binary(&mut sparse.as_mut_bytes()[386..398], terabyte - 512);
    octal(&mut sparse.as_mut_bytes()[398..410], 512);
    binary(&mut sparse.as_mut_bytes()[483..495], terabyte);
    sparse.set_cksum();
    let huge = [sparse.as_bytes().as_slice(), &[1; 512]].concat();
    let refused = put(&agent, &id, "path=/etc", &huge);
    assert!(refused.status == 400 && message(&refused).contains("limit"), "{} {}", refused.status, refused.text());
    let imported = agent.client.request("POST", "/images/create?fromSrc=-&repo=huge", &huge);
    assert!(imported.status == 400 && imported.text().contains("limit"), "{} {}", imported.status, imported.text());
    // A header that says 0 bytes and an extension that says 512: both readers must take the extension's word.
    let pax = b"13 size=1024\n";
    let mut extension = tar::Header::new_ustar();
    extension.set_path("x").unwrap();
    extension.set_entry_type(tar::EntryType::XHeader);
    extension.set_size(pax.len() as u64);
    extension.set_cksum();
    let mut block = pax.to_vec();
    block.resize(512, 0);
    let mut plain = tar::Header::new_ustar();
    plain.set_path("two-sizes").unwrap();
    plain.set_size(0);
    plain.set_mode(0o644);
    plain.set_cksum();
    let smuggled = one("smuggled", "x");
    let archive = [extension.as_bytes().as_slice(), &block, plain.as_bytes(), &smuggled[..1024]].concat();
    assert_eq!(put(&agent, &id, "path=/etc", &archive).status, 200);
    assert_eq!(get(&agent, &id, "/etc/smuggled").status, 404, "what is data stays data");
    assert_eq!(unpacked_size(&get(&agent, &id, "/etc/two-sizes")), 1024);
    let empty = agent.client.get(&format!("/containers/{}/json?size=1", agent.create("true", json!({}))));
    assert_eq!(empty["SizeRw"], 0, "nothing was written");
}
