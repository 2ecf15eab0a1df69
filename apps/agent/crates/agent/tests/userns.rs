//! User namespaces: root of the container is nobody to the host, and on disk nothing tells that it was.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::networks::exec;
use support::{Agent, busybox_tar};

const BASE: u32 = 300_000;

fn remapped(mut more: Value) -> Value {
    let mut body = json!({ "HostConfig": { "UsernsMode": "remap" } });
    support::merge(&mut body, more.take());
    body
}

fn agent() -> Agent {
    let agent = Agent::with_settings(Some(json!({ "usernsRemap": { "base": BASE, "count": 65_536 } })));
    agent.import(support::IMAGE, &busybox_tar());
    agent
}

#[test]
fn root_inside_is_nobody_outside() {
    let agent = Agent::start();
    let told = agent.text("id -u; cat /proc/self/uid_map /proc/self/gid_map", remapped(json!({})));
    let numbers: Vec<&str> = told.split_whitespace().collect();
    let first: u32 = numbers[2].parse().unwrap();
    assert_eq!(numbers, ["0", "0", numbers[2], "65536", "0", numbers[5], "65536"]);
    assert!(first >= 65_536, "{told}");
    // As the real docker client can say it; another container is the host's root as ever.
    let option = json!({ "HostConfig": { "SecurityOpt": ["userns=remap"] } });
    assert_eq!(agent.text("cat /proc/self/uid_map", option).split_whitespace().nth(1), Some(numbers[2]));
    assert_eq!(agent.text("cat /proc/self/uid_map", json!({})).split_whitespace().nth(1), Some("0"));
    let id = agent.run("sleep 600", remapped(json!({})));
    let told = agent.inspect(&id);
    assert_eq!(told["HostConfig"]["UsernsMode"], "remap");
    let status = std::fs::read_to_string(format!("/proc/{}/status", told["State"]["Pid"])).unwrap();
    let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(uid, numbers[2]);
}

#[test]
fn a_container_works_as_any_other() {
    let agent = agent();
    let script = "set -e
        echo a > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; ls -ld /dev/pts /dev/shm | wc -l
        echo reopened > /dev/stdout; echo 10.1.1.1 other >> /etc/hosts; hostname
        mkdir /new; touch /new/x; chown 1000:50 /new/x; stat -c '%u:%g %n' /new/x /etc/passwd /dev/null /dev/shm /tmpfs /tmpfs7 /
        nc -l -p 80 & kill $!; touch /dev/shm/x /tmpfs/x /dev/mqueue/x
        cat /proc/sys/net/ipv4/ip_default_ttl; ip addr show eth0 | grep -c 'inet '; grep -c eth0 /proc/net/dev";
    let host = json!({ "Hostname": "inside", "HostConfig": { "Tmpfs": { "/tmpfs": "", "/tmpfs7": "uid=7,gid=8" },
        "Sysctls": { "net.ipv4.ip_default_ttl": "77" } } });
    let told = agent.text(script, host);
    assert_eq!(
        told,
        "4\n4\n2\nreopened\ninside\n1000:50 /new/x\n0:0 /etc/passwd\n0:0 /dev/null\n0:0 /dev/shm\n0:0 /tmpfs\n7:8 /tmpfs7\n0:0 /\n77\n1\n1\n"
    );
    let script = "id; echo x > /dev/stdout; touch /home/x 2>/dev/null || echo denied; stat -c %u /proc/self/fd/1";
    let user = json!({ "User": "web", "HostConfig": { "GroupAdd": ["7"], "Init": true } });
    assert_eq!(agent.text(script, user), "uid=1000(web) gid=1000(web) groups=7,50(staff),1000(web)\nx\ndenied\n1000\n");
    let script = "tty; echo x > /dev/tty; echo y > $(tty); echo z > /dev/console; stat -c %u:%g $(tty)";
    let id = agent.run(script, json!({ "Tty": true, "User": "1000" }));
    assert_eq!(agent.wait(&id), 0);
    let told = agent.client.request("GET", &format!("/containers/{id}/logs?stdout=1"), b"").text().replace('\r', "");
    assert_eq!(told, "/dev/pts/0\nx\ny\nz\n1000:5\n");
}

#[test]
fn what_the_host_default_refuses_and_tells() {
    let agent = agent();
    for (host, why) in [
        (json!({ "Privileged": true }), "privileged mode is incompatible with user namespaces"),
        (json!({ "NetworkMode": "host" }), "cannot share the host's network namespace when user namespaces are enabled"),
        (json!({ "PidMode": "host" }), "cannot share the host PID namespace when user namespaces are enabled"),
        (json!({ "UsernsMode": "keep-id" }), "invalid userns mode"),
        (json!({ "UsernsMode": "host", "SecurityOpt": ["userns=remap"] }), "conflicting options"),
    ] {
        let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
        assert!(answer.status == 400 && answer.text().contains(why), "{host}: {} {}", answer.status, answer.text());
    }
    let as_host = json!({ "HostConfig": { "UsernsMode": "host", "Privileged": true, "NetworkMode": "host", "PidMode": "host" } });
    assert_eq!(agent.text("cat /proc/self/uid_map", as_host).split_whitespace().nth(1), Some("0"));
    let told = agent.client.get("/info")["SecurityOptions"].clone();
    assert!(told.as_array().unwrap().contains(&json!("name=userns")), "{told}");
    // A number that the namespace does not have.
    let id = agent.create("true", json!({ "User": "70000" }));
    let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
    assert!(answer.status == 400 && answer.text().contains("0 to 65535"), "{} {}", answer.status, answer.text());
}

#[test]
fn a_policy_may_want_it_of_everybody() {
    let agent = Agent::with_settings(Some(json!({ "policy": { "allowHostUsers": false } })));
    agent.import(support::IMAGE, &busybox_tar());
    let create =
        |host: Value| agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
    for host in [json!({}), json!({ "UsernsMode": "host" })] {
        let answer = create(host);
        assert!(answer.status == 403 && answer.text().contains("policy.allowHostUsers"), "{} {}", answer.status, answer.text());
    }
    assert_eq!(agent.text("id -u", remapped(json!({}))), "0\n");
}

/// Owners in a tar, by name.
fn owners(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let told = |entry: &tar::Entry<'_, &[u8]>| {
        let header = entry.header();
        format!("{} {}:{}", entry.path().unwrap().display(), header.uid().unwrap(), header.gid().unwrap())
    };
    let mut all: Vec<_> = archive.entries().unwrap().map(|entry| told(&entry.unwrap())).collect();
    all.sort();
    all
}

#[test]
fn files_keep_the_ids_of_the_container() {
    let agent = agent();
    let script = "mkdir /made && echo x > /made/root && echo y > /made/web && chown 1000:50 /made/web && chmod 4755 /made/web
        echo z > /volume/web && chown 1000 /volume/web && rm /bin/yes && echo more >> /etc/group; echo done; sleep 600";
    let binds = json!({ "HostConfig": { "Binds": ["shared:/volume"] } });
    let id = agent.run(script, binds.clone());
    support::eventually("its files", || agent.output(&id) == "done\n");
    let get = |path: &str| agent.client.request("GET", &format!("/containers/{id}/archive?path={path}"), b"").body;
    let made = ["made/ 0:0", "made/root 0:0", "made/web 1000:50"];
    assert_eq!(owners(&get("/made")), made);
    assert_eq!(owners(&get("/volume/web")), ["web 1000:0"]);
    let export = || agent.client.request("GET", &format!("/containers/{id}/export"), b"").body;
    assert!(owners(&export()).iter().filter(|line| made.contains(&line.as_str())).count() == 3);
    // Copied in while it runs: a file of the archive's owner, and one that the container may change.
    let mut archive = tar::Builder::new(Vec::new());
    support::file(&mut archive, "in-root", b"1", 0o600);
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o600);
    header.set_uid(1000);
    header.set_gid(50);
    archive.append_data(&mut header, "in-web", &b"2"[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    for path in ["/made", "/volume"] {
        let answer = agent.client.request("PUT", &format!("/containers/{id}/archive?path={path}"), &archive);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let exec = exec(&agent, &id, "cat /made/in-root; stat -c %u:%g /made/in-root /made/in-web /volume/in-web");
    assert_eq!(exec, "10:0\n1000:50\n1000:50\n");
    let answer = agent.client.request("POST", &format!("/commit?container={id}&repo=made&tag=1"), b"");
    assert_eq!(answer.status, 201, "{}", answer.text());
    agent.client.request("POST", &format!("/containers/{id}/kill"), b"");
    agent.wait(&id);
    assert_eq!(owners(&get("/made")), ["made/ 0:0", "made/in-root 0:0", "made/in-web 1000:50", "made/root 0:0", "made/web 1000:50"]);
    let changes = agent.client.get(&format!("/containers/{id}/changes"));
    assert!(changes.to_string().contains(r#""/bin/yes""#), "{changes}");
    // As the host's users see it: the image made of it, and the volume.
    let as_host = json!({ "Image": "made:1", "HostConfig": { "UsernsMode": "host", "Binds": ["shared:/volume"] } });
    let script = "stat -c '%u:%g %a' /made /made/root /made/web /volume/web /volume/in-web; ls /bin/yes 2>&1 | wc -l";
    assert_eq!(agent.text(script, as_host), "0:0 755\n0:0 644\n1000:50 4755\n1000:0 644\n1000:50 600\n1\n");
    // And as the container itself in its next run without a user namespace.
    let name = "made:1";
    let again = json!({ "Image": name, "HostConfig": { "Binds": ["shared:/volume"] } });
    assert_eq!(agent.text("stat -c '%u:%g %a' /made/web /volume/web", again), "1000:50 4755\n1000:0 644\n");
}

#[test]
fn root_inside_has_no_power_over_the_host() {
    let agent = agent();
    let host = tempfile::tempdir().unwrap();
    let folder = host.path().join("open");
    std::fs::create_dir(&folder).unwrap();
    for (name, mode) in [("secret", 0o600), ("readable", 0o644)] {
        std::fs::write(folder.join(name), name).unwrap();
        std::fs::set_permissions(folder.join(name), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    for path in [host.path(), &folder] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let script = "cat /host/readable; echo; mkdir /mnt; grep ' /whole' /proc/self/mountinfo | grep idmapped | grep -v /mounts/root/etc/
        for attempt in 'cat /host/secret' 'touch /host/new' 'chmod 666 /host/secret' 'mknod /dev/disk b 254 0' 'mknod /x c 1 1' \
            'mount -t tmpfs none /mnt' 'mount -o remount,rw /proc/sys' 'busybox umount /proc/sys' 'busybox umount /etc/hosts' 'busybox umount /sys/firmware' \
            'echo 1 > /proc/sys/vm/drop_caches' 'echo h > /proc/sysrq-trigger' 'busybox unshare -i true' \
            'echo x > /sys/fs/cgroup/memory/release_agent' 'mkdir /sys/fs/cgroup/pids/x' 'hostname other'; do
          eval $attempt 2>/dev/null && echo \"$attempt worked\"
        done; echo tried";
    let mnt = json!({ "HostConfig": { "Binds": [format!("{}:/host", folder.display()), "/:/whole:ro".to_owned()] } });
    assert_eq!(agent.text(script, mnt.clone()), "readable\ntried\n");
    // Nor with every capability, which is every one over itself; what is read-only or hidden stays so.
    let mut all = mnt;
    support::merge(&mut all, json!({ "HostConfig": { "CapAdd": ["ALL"], "SecurityOpt": ["seccomp=unconfined"] } }));
    let own = "mount -t tmpfs none /mnt worked\nbusybox unshare -i true worked\nhostname other worked\n";
    assert_eq!(agent.text(script, all), format!("readable\n{own}tried\n"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
}

#[test]
fn who_shares_a_namespace_shares_the_users() {
    let agent = Agent::start();
    let plain = agent.run("sleep 600", json!({}));
    let donor = agent.run("sleep 600", remapped(json!({ "HostConfig": { "IpcMode": "shareable" } })));
    let namespace = |id: &str, name: &str| {
        let pid = agent.inspect(id)["State"]["Pid"].as_i64().unwrap();
        std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap()
    };
    for (kind, name) in [("NetworkMode", "net"), ("PidMode", "pid"), ("IpcMode", "ipc")] {
        let guest = agent.run(
            "ip addr add 10.1.2.3/32 dev lo; sleep 600",
            remapped(json!({ "HostConfig": { kind: format!("container:{donor}"), "CapAdd": ["NET_ADMIN"] } })),
        );
        assert_eq!(namespace(&guest, name), namespace(&donor, name), "{kind}");
        assert_eq!(namespace(&guest, "user"), namespace(&donor, "user"), "{kind}");
        // Its network is its root's to use, shared or not.
        support::eventually("an address", || exec(&agent, &guest, "ip addr show lo").contains("10.1.2.3"));
    }
    for (body, donor) in [(remapped(json!({})), &plain), (json!({}), &donor)] {
        let mut body = body;
        support::merge(&mut body, json!({ "HostConfig": { "PidMode": format!("container:{donor}") } }));
        let id = agent.create("true", body);
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert!(answer.status == 409 && answer.text().contains("shares the user namespace too"), "{} {}", answer.status, answer.text());
    }
}

/// What a program may by itself, without being root: capabilities that an image gives to its file.
#[test]
fn capabilities_of_files_hold_and_travel() {
    const CHOWN: [u8; 20] = [1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let agent = agent();
    let capable = |tar: &mut tar::Builder<Vec<u8>>, path: &str| {
        tar.append_pax_extensions([("SCHILY.xattr.security.capability", &CHOWN[..])]).unwrap();
        support::file(tar, path, &std::fs::read("/bin/busybox").unwrap(), 0o755);
    };
    agent.import("capable:1", &support::busybox_tar_with(|tar| capable(tar, "grep")));
    let id = agent.run("sleep 600", json!({ "Image": "capable:1" }));
    let mut archive = tar::Builder::new(Vec::new());
    capable(&mut archive, "copied/grep");
    let answer = agent.client.request("PUT", &format!("/containers/{id}/archive?path=/"), &archive.into_inner().unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = agent.client.request("POST", &format!("/commit?container={id}&repo=capable&tag=2"), b"");
    assert_eq!(answer.status, 201, "{}", answer.text());
    let out = agent.client.request("GET", &format!("/containers/{id}/archive?path=/copied/grep"), b"").body;
    let mut out = tar::Archive::new(&out[..]);
    let mut file = out.entries().unwrap().next().unwrap().unwrap();
    let told = file.pax_extensions().unwrap().unwrap().map(|one| one.unwrap().value_bytes().to_vec()).collect::<Vec<_>>();
    assert!(told.contains(&CHOWN.to_vec()), "{told:?}");
    for mode in ["remap", "host"] {
        let as_user = json!({ "Image": "capable:2", "User": "web", "HostConfig": { "UsernsMode": mode } });
        let told = agent.text("for g in /bin/grep /grep /copied/grep; do $g CapEff /proc/self/status; done", as_user);
        let sets: Vec<&str> = told.split_whitespace().filter(|word| !word.starts_with("CapEff")).collect();
        assert_eq!(sets, ["0000000000000000", "0000000000000001", "0000000000000001"], "{mode}");
    }
}

#[test]
fn a_daemon_that_comes_back_knows_whose_files_they_are() {
    let mut agent = agent();
    let id = agent.run("echo x > /made; sleep 600", json!({ "HostConfig": { "RestartPolicy": { "Name": "always" } } }));
    support::eventually("its file", || exec(&agent, &id, "cat /made") == "x\n");
    agent.kill();
    // The host's default is another now; what runs is as it was.
    std::fs::write(agent.root.path().join("settings.json"), "{}").unwrap();
    agent.respawn();
    assert_eq!(exec(&agent, &id, "id -u; cat /proc/self/uid_map").split_whitespace().nth(2), Some(BASE.to_string().as_str()));
    let get = || owners(&agent.client.request("GET", &format!("/containers/{id}/archive?path=/made"), b"").body);
    assert_eq!(get(), ["made 0:0"]);
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/restart?t=0"), b"").status, 204);
    assert_eq!(exec(&agent, &id, "cat /proc/self/uid_map").split_whitespace().nth(1), Some("0"));
    assert_eq!(get(), ["made 0:0"]);
}
