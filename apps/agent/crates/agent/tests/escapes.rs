//! Ways out of a container that other engines had, each test named after the flaw.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Read;

use serde_json::{Value, json};
use support::{Agent, busybox_tar, busybox_tar_with, eventually, file, is_remapped, link, merge, unframe};

/// Output and exit code of a command in a running container; no exit code when it was refused.
fn exec(agent: &Agent, id: &str, more: Value) -> (String, Option<i64>) {
    let mut body = json!({ "AttachStdout": true, "AttachStderr": true });
    merge(&mut body, more);
    let answer = agent.client.post(&format!("/containers/{id}/exec"), &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = answer.json()["Id"].as_str().unwrap().to_owned();
    let mut output = Vec::new();
    agent.client.hijack(&format!("/exec/{made}/start"), br#"{"Detach":false}"#).read_to_end(&mut output).unwrap();
    eventually("the exec has ended", || agent.client.get(&format!("/exec/{made}/json"))["Running"] == false);
    (unframe(&output), agent.client.get(&format!("/exec/{made}/json"))["ExitCode"].as_i64())
}

fn sh(script: &str) -> Value {
    json!({ "Cmd": ["sh", "-c", script] })
}

/// The bytes of the agent's program; it is what these attacks want to replace.
fn program() -> Vec<u8> {
    std::fs::read(env!("CARGO_BIN_EXE_slipway-agent")).unwrap()
}

fn create(agent: &Agent, image: &str, more: Value) -> String {
    let mut body = json!({ "Image": image, "Cmd": ["sleep", "1000"] });
    merge(&mut body, more);
    let answer = agent.client.post("/containers/create", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["Id"].as_str().unwrap().to_owned()
}

/// Links in the image make the engine's helper run itself, while a process of the container waits to write to it.
#[test]
fn cve_2019_5736_overwriting_the_engines_program() {
    let agent = Agent::bare();
    let tar = busybox_tar_with(|tar| {
        link(tar, "bin/evil", "/proc/self/exe");
        file(tar, "bin/script", b"#!/proc/self/exe\n", 0o755);
        let busybox = std::fs::read("/bin/busybox").unwrap();
        file(tar, "lib64/ld-linux-x86-64.so.2", &busybox, 0o755); // a loader that is the attacker's
        file(tar, "lib/ld-linux-aarch64.so.1", &busybox, 0o755);
    });
    agent.import(support::IMAGE, &tar);
    let before = program();
    let attack = "while :; do for exe in /proc/[0-9]*/exe; do \
                    echo owned 2>/dev/null > $exe && [ $exe != /proc/self/exe ] && echo \"wrote $exe\"; \
                    (exec 9< $exe && echo owned > /proc/self/fd/9 && echo \"wrote $exe by descriptor\") 2>/dev/null; \
                  done; echo tried; done";
    // The attacker's own programs are files of its image, and busy.
    for host in [json!({}), json!({ "Init": true }), json!({ "Privileged": !is_remapped(), "Init": true })] {
        let id = agent.run(attack, json!({ "HostConfig": host }));
        for _ in 0..5 {
            for command in ["/proc/self/exe", "evil", "script"] {
                let (output, code) = exec(&agent, &id, json!({ "Cmd": [command, "sh", "-c", "echo > /proc/self/exe"] }));
                assert!(!output.contains("slipway-agent "), "{command} ran the engine: {output} {code:?}");
            }
        }
        eventually("it has tried", || agent.output(&id).contains("tried"));
        assert_eq!(agent.client.request("POST", &format!("/containers/{id}/kill"), b"").status, 204);
    }
    for command in ["/proc/self/exe", "evil", "script"] {
        let id = create(&agent, support::IMAGE, json!({ "Cmd": [command, "sh", "-c", "echo > /proc/self/exe"] }));
        agent.client.request("POST", &format!("/containers/{id}/start"), b""); // it may run, as what it likes
    }
    assert!(program() == before, "the agent's program was changed");
}

/// A working directory behind a descriptor that the engine forgot to close, for the first process and for an exec.
#[test]
fn cve_2024_21626_leaked_descriptors() {
    let agent = Agent::bare();
    agent.import(
        support::IMAGE,
        &busybox_tar_with(|tar| (3..16).for_each(|fd| link(tar, &format!("fd{fd}"), &format!("/proc/self/fd/{fd}")))),
    );
    let id = agent.run("sleep 1000", json!({}));
    let (fds, _) = exec(&agent, &id, sh("cd /proc/self/fd; for f in *; do echo $f; done"));
    let extra: Vec<&str> = fds.lines().filter(|fd| !["0", "1", "2", "3"].contains(fd)).collect();
    assert!(extra.is_empty(), "leaked descriptors {extra:?} (3 is the listed directory itself)");
    // Where it succeeds nevertheless, the folder must be one of the container.
    let inside = "cd ../../../../../../..; [ -e bin/busybox ] && [ ! -e usr/bin ] && echo inside";
    for fd in 0..16 {
        for dir in [format!("/proc/self/fd/{fd}"), format!("/proc/1/fd/{fd}"), format!("/proc/self/fd/../fd/{fd}"), format!("/fd{fd}")] {
            let (output, code) = exec(&agent, &id, json!({ "Cmd": ["sh", "-c", inside], "WorkingDir": dir }));
            assert!(code != Some(0) || output == "inside\n", "exec in {dir}: {output}");
        }
        for dir in [format!("/proc/self/fd/{fd}"), format!("/fd{fd}")] {
            let id = agent.create(inside, json!({ "WorkingDir": dir }));
            if agent.client.request("POST", &format!("/containers/{id}/start"), b"").status == 204 {
                let code = agent.wait(&id);
                assert!(code != 0 || agent.output(&id) == "inside\n", "start in {dir}: {}", agent.output(&id));
            }
        }
    }
}

/// CVE-2025-31133, 52565 and 52881: the image has links where the engine mounts, or masks with, its own files.
#[test]
fn cve_2025_31133_52565_52881_links_in_place_of_devices_and_masked_paths() {
    let agent = Agent::bare();
    let victim = agent.root.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let target = victim.to_str().unwrap().to_owned();
    let tar = busybox_tar_with(|tar| {
        for name in ["dev/null", "dev/console", "dev/pts", "dev/ptmx", "dev/shm", "dev/mqueue", "dev/zero", "dev/tty"] {
            link(tar, name, &target);
        }
        for name in ["etc/resolv.conf", "etc/hostname", "etc/hosts"] {
            link(tar, name, &format!("/../../../..{target}"));
        }
        for name in ["proc/kcore", "proc/sysrq-trigger", "proc/sys", "proc/keys", "sys/firmware"] {
            link(tar, name, "/proc/self/attr/current");
        }
    });
    agent.import(support::IMAGE, &tar);
    for tty in [false, true] {
        let script = "stat -c '%F %t:%T' /dev/null; head -c 5 /proc/kcore | wc -c; ls /sys/firmware | wc -l; \
                      echo x > /proc/sysrq-trigger; echo 1 > /proc/sys/kernel/panic; readlink /proc/kcore /dev/shm; echo end";
        let id = agent.run(&format!("({script}) 2>/dev/null"), json!({ "Tty": tty }));
        assert_eq!(agent.wait(&id), 0);
        let answer = agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1"), b"");
        let output = if tty { answer.text().replace("\r\n", "\n") } else { unframe(&answer.body) };
        assert_eq!(output, "character special file 1:3\n0\n0\nend\n", "tty {tty}");
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
}

/// CVE-2019-16884 and CVE-2019-19921: a volume in place of `/proc`, so that what is masked is the image's own folder.
#[test]
fn cve_2019_16884_volumes_over_proc() {
    let agent = Agent::bare();
    agent.import(support::IMAGE, &busybox_tar_with(|tar| link(tar, "sneaky", "/proc")));
    for path in ["/proc", "/proc/self", "/proc/sys/kernel", "/x/../proc", "/sneaky", "/sneaky/self/attr"] {
        for more in [json!({ "Volumes": { path: {} } }), json!({ "HostConfig": { "Tmpfs": { path: "" } } })] {
            let body = json!({ "Image": support::IMAGE, "Cmd": ["true"] });
            let mut wanted = body.clone();
            merge(&mut wanted, more);
            let answer = agent.client.post("/containers/create", &wanted);
            if answer.status == 201 {
                let id = answer.json()["Id"].as_str().unwrap().to_owned();
                let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
                assert!(answer.status >= 400 && answer.text().contains("/proc"), "{path}: {} {}", answer.status, answer.text());
            }
        }
    }
    let uptime = agent.root.path().join("uptime");
    std::fs::write(&uptime, "1 1\n").unwrap();
    let bind = json!({ "HostConfig": { "Binds": [format!("{}:/proc/uptime", uptime.display())] } });
    assert_eq!(agent.text("cat /proc/uptime", bind), "1 1\n", "as lxcfs does it");
}

/// A control group that a container mounts itself, whose `release_agent` is run by the host's kernel as root.
#[test]
fn cve_2022_0492_release_agent() {
    let agent = Agent::start();
    let script = "for o in rdma memory pids freezer none,name=x; do \
                    busybox unshare -UrmC sh -c \"mkdir -p /tmp/c; mount -t cgroup -o $o none /tmp/c && echo mounted\"; \
                    busybox unshare -m sh -c \"mount -t cgroup -o $o none /tmp/c && echo mounted\"; done; \
                  mkdir -p /tmp/c; mount -t cgroup2 none /tmp/c && echo mounted; \
                  for file in $(busybox find / -name release_agent -o -name cgroup.procs -o -name devices.allow 2>/dev/null); do \
                    case $file in /proc/*) continue;; esac; echo 0 > $file && echo \"wrote $file\"; done; true";
    let output = agent.text(&format!("({script}) 2>/dev/null"), json!({}));
    assert_eq!(output, "");
    let id = agent.run("sleep 1000", json!({}));
    let (output, _) = exec(&agent, &id, sh(&format!("({script}) 2>/dev/null")));
    assert_eq!(output, "", "an exec is confined as the container is");
}

/// What an image says about itself is data: nothing of it gives a container more than it was asked to have.
#[test]
fn labels_of_images_never_become_host_configuration() {
    let agent = Agent::bare();
    let changes = [
        "LABEL privileged=true slipway.privileged=true com.docker.privileged=true io.kubernetes.cri.privileged=true",
        "LABEL HostConfig.Privileged=true HostConfig.Binds=/:/host devices=/dev/sda cdi.k8s.io/all=vendor.com/device=all",
        "LABEL io.podman.annotations.privileged=TRUE run.oci.hooks=/bin/sh org.opencontainers.image.stopSignal=SIGKILL",
        "ENV NVIDIA_VISIBLE_DEVICES=all SLIPWAY_FAULT=shim.start RUST_LOG=trace LD_PRELOAD=/evil.so",
        "VOLUME /host",
    ];
    let changes: String = changes.iter().map(|change| format!("&changes={}", change.replace(' ', "%20").replace('/', "%2F"))).collect();
    let answer = agent.client.request("POST", &format!("/images/create?fromSrc=-&repo=bb&tag=1{changes}"), &busybox_tar());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = agent.create("grep CapEff /proc/self/status; ls /host | wc -l; ls /dev", json!({}));
    let inspected = agent.inspect(&id);
    assert_eq!(inspected["Config"]["Labels"]["slipway.privileged"], "true", "the labels are there");
    let host = &inspected["HostConfig"];
    for key in ["Binds", "Devices", "CapAdd", "Mounts", "DeviceRequests"] {
        assert!(host[key].as_array().is_none_or(Vec::is_empty), "{key}: {}", host[key]);
    }
    assert_eq!(host["Privileged"], false);
    assert_eq!(inspected["Config"]["StopSignal"].as_str().unwrap_or("SIGTERM"), "SIGTERM");
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    let output = agent.output(&id);
    assert!(output.contains("CapEff:\t00000000a80425fb\n0\n") && !output.contains("sda") && !output.contains("kmsg"), "{output}");
}

#[test]
fn a_container_sees_only_its_own_mounts_and_processes() {
    let agent = Agent::start();
    let other = support::long_sleep(71);
    let secret = agent.run(&format!("sleep {other}"), json!({ "Env": ["SECRET=other"] }));
    let id = agent.create("cat /proc/self/mountinfo", json!({ "Volumes": { "/data": {} } }));
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    let mountinfo = agent.output(&id);
    let own = format!("/containers/{id}/");
    for line in mountinfo.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (from, at) = (fields[3], fields[4]);
        // `root` is where in its file system a mount begins: the host's path for the agent's own files.
        let expected = match at {
            "/etc/resolv.conf" | "/etc/hosts" | "/etc/hostname" => from.contains(&own),
            "/data" => from.contains("/volumes/") && from.ends_with("/_data"),
            "/" => from == "/",
            at if at.starts_with("/proc") => from == "/" || from == "/null" || from.starts_with(at.trim_start_matches("/proc")),
            at if at.starts_with("/dev") => from == "/" || from.starts_with("/null") || from.starts_with("/pts"),
            at if at.starts_with("/sys") => !from.contains(&secret),
            _ => false,
        };
        assert!(expected, "unexpected mount {line}");
    }
    let seen = agent.text("for p in /proc/[0-9]*; do cat $p/cmdline; echo; done; cat /proc/[0-9]*/environ", json!({}));
    assert!(!seen.contains(&other) && !seen.contains("SECRET") && !seen.contains("slipway"), "{seen}");
}

#[test]
fn an_exec_is_confined_as_its_container() {
    let agent = Agent::start();
    let status = sh("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status");
    let id = agent.run("sleep 1000", json!({}));
    let (output, _) = exec(&agent, &id, status.clone());
    for line in ["CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "CapInh:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2"] {
        assert!(output.contains(line), "{line} in {output}");
    }
    let host = json!({ "HostConfig": { "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"] } });
    let id = agent.run("sleep 1000", host);
    let (output, _) = exec(&agent, &id, status.clone());
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(output.contains(line), "{line} in {output}");
    }
    let mut privileged = status;
    merge(&mut privileged, json!({ "Privileged": true }));
    let (output, _) = exec(&agent, &id, privileged);
    assert!(output.contains("Seccomp:\t0"), "this is how it looks where it was asked for: {output}");
}

/// Layers may hold device nodes; the control group says who may open them.
#[test]
fn device_nodes_of_an_image_open_nothing() {
    let agent = Agent::bare();
    let tar = busybox_tar_with(|tar| {
        for (name, kind, major, minor) in [
            ("disk", tar::EntryType::Block, 8, 0),
            ("loop", tar::EntryType::Block, 7, 0),
            ("mem", tar::EntryType::Char, 1, 1),
            ("kmsg", tar::EntryType::Char, 1, 11),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o666);
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
            tar.append_data(&mut header, name, &[][..]).unwrap();
        }
    });
    agent.import(support::IMAGE, &tar);
    // To make one takes the host's root.
    let made = if is_remapped() { "mknod /made b 7 0 2> /dev/null && echo made" } else { "mknod /made b 7 0; set $* /made" };
    let script = format!(
        "set /disk /loop /mem /kmsg; {made}; for d in $*; do [ -e $d ] || echo no $d; \
         (exec 3< $d) 2>/dev/null && echo read $d; (exec 3> $d) 2>/dev/null && echo wrote $d; done; true"
    );
    assert_eq!(agent.text(&script, json!({})), "");
}

/// Archives of `docker load` and `docker import` that lead out, lie or never end.
#[test]
fn hostile_archives_are_refused_and_nothing_of_the_host_gets_in() {
    let agent = Agent::start();
    let secret = agent.root.path().join("secret");
    std::fs::write(&secret, "untouched").unwrap();
    let outside = secret.to_str().unwrap().to_owned();
    let raw = |name: &str, kind: tar::EntryType, target: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    let regular = |name: &str, data: &[u8]| raw(name, tar::EntryType::Regular, "", data);
    let both = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    let manifest = |text: &str| regular("manifest.json", text.as_bytes());
    let mut huge = tar::Header::new_gnu();
    huge.set_path("huge").unwrap();
    huge.set_size(1 << 40);
    huge.set_cksum();
    let loads = [
        manifest(&format!(r#"[{{"Config":"{outside}","RepoTags":["evil:1"],"Layers":[]}}]"#)),
        manifest(r#"[{"Config":"../../../../etc/passwd","RepoTags":["evil:1"],"Layers":["../../etc/shadow"]}]"#),
        both(raw("c.json", tar::EntryType::Symlink, &outside, b""), manifest(r#"[{"Config":"c.json","Layers":[]}]"#)),
        both(raw("c.json", tar::EntryType::Link, &outside, b""), manifest(r#"[{"Config":"c.json","Layers":[]}]"#)),
        both(raw("a", tar::EntryType::Symlink, "a", b""), manifest(r#"[{"Config":"a","Layers":["a"]}]"#)),
        both(regular("c.json", b"{\"rootfs\":{\"diff_ids\":[\"sha256:zz\"]}}"), manifest(r#"[{"Config":"c.json","Layers":["c.json"]}]"#)),
        both(regular("c.json", &vec![b'['; 1 << 20]), manifest(r#"[{"Config":"c.json","Layers":[]}]"#)),
        manifest("[[[[[[[["),
        manifest("{}"),
        regular("index.json", br#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../../etc/passwd","size":1}]}"#),
        regular("index.json", br#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"","size":-1}]}"#),
        huge.as_bytes().to_vec(),
        b"\x1f\x8b\x08\x00nonsense".to_vec(),
        vec![0xff; 10_000],
        Vec::new(),
    ];
    for (number, body) in loads.iter().enumerate() {
        let answer = agent.client.request("POST", "/images/load?quiet=1", body);
        let refused = (400..500).contains(&answer.status) || (answer.status == 200 && answer.text().contains("errorDetail"));
        assert!(refused, "load {number}: {} {}", answer.status, answer.text());
    }
    let imports = [
        regular("../../../../../../../etc/slipway-escape", b"x"),
        raw("steal", tar::EntryType::Link, "../../../../../../../etc/passwd", b""),
        raw("steal", tar::EntryType::Link, &outside, b""),
        regular("../../.wh.secret", b""),
        huge.as_bytes().to_vec(),
    ];
    for (number, body) in imports.iter().enumerate() {
        let answer = agent.client.request("POST", &format!("/images/create?fromSrc=-&repo=evil{number}&tag=1"), body);
        let refused = (400..500).contains(&answer.status) || answer.text().contains("errorDetail");
        assert!(refused, "import {number}: {} {}", answer.status, answer.text());
    }
    let into = both(raw("out", tar::EntryType::Symlink, agent.root.path().to_str().unwrap(), b""), regular("out/secret", b"owned"));
    agent.client.request("POST", "/images/create?fromSrc=-&repo=into&tag=1", &into); // refused, or inside of the layer
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "untouched");
    assert!(!std::path::Path::new("/etc/slipway-escape").exists());
    let names = agent.client.get("/images/json").to_string();
    assert!(!names.contains("evil"), "{names}");
    assert_eq!(agent.text("echo fine", json!({})), "fine\n");
}
