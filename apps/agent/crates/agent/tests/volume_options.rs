//! Options of the `local` driver: mounted while somebody uses the volume, whatever happens to the daemon, and never a way to
//! the host's files for a removal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::client::{Answer, encode};
use support::{Agent, IMAGE, busybox_tar, busybox_tar_with, eventually, file, leftovers};

fn ask(agent: &Agent, name: &str, options: &Value) -> Answer {
    agent.client.post("/volumes/create", &json!({ "Name": name, "DriverOpts": options }))
}

fn volume(agent: &Agent, name: &str, options: &Value) {
    let answer = ask(agent, name, options);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(&agent.client.get(&format!("/volumes/{name}"))["Options"], options);
}

fn bind(folder: &Path, o: &str) -> Value {
    json!({ "type": "none", "o": o, "device": folder })
}

fn at(name: &str) -> Value {
    json!({ "HostConfig": { "Binds": [format!("{name}:/v")] } })
}

fn remove(agent: &Agent, name: &str) -> Answer {
    agent.client.request("DELETE", &format!("/volumes/{name}"), b"")
}

fn remove_container(agent: &Agent, id: &str) {
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status, 204);
}

/// Mount points beneath the agent's volumes.
fn mounted(agent: &Agent) -> Vec<String> {
    let root = agent.root.path().join("data/volumes").canonicalize().unwrap();
    let list = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = list.lines().map(|line| line.split(' ').nth(4).unwrap()).filter_map(|point| Path::new(point).strip_prefix(&root).ok());
    points.map(|point| point.display().to_string()).collect()
}

/// Runs a program of the host that must succeed.
fn host(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A mount of the test's own, on the host.
struct HostMount(PathBuf);

impl HostMount {
    fn new(args: &[&str], at: &Path) -> Self {
        host("mount", &[args, &[at.to_str().unwrap()]].concat());
        Self(at.to_owned())
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-R", "-l"]).arg(&self.0).status(); // it may be gone already
    }
}

#[test]
fn a_tmpfs_lives_as_long_as_anybody_uses_it() {
    let agent = Agent::start();
    volume(&agent, "mem", &json!({ "type": "tmpfs", "device": "tmpfs", "o": "size=3m,uid=1000,mode=700,nosuid,nodev,noexec" }));
    assert_eq!(mounted(&agent), [""; 0]);
    let first = agent.run("echo shared > /v/file; sleep 1000", at("mem"));
    let second = agent.text("until cat /v/file 2> /dev/null; do sleep 0.05; done; stat -c '%u %a' /v; grep ' /v ' /proc/mounts", at("mem"));
    assert!(
        second.starts_with("shared\n1000 700\ntmpfs /v tmpfs rw,nosuid,nodev,noexec,relatime,size=3072k,mode=700,uid=1000"),
        "{second}"
    );
    assert_eq!(mounted(&agent), ["mem/_data"]);
    let df = agent.client.get("/system/df?type=volume")["Volumes"][0].clone();
    assert_eq!(df["UsageData"], json!({ "Size": 0, "RefCount": 2 }), "its bytes are not on this disk");
    assert_eq!(agent.client.get("/slipway/v1/disk")["volumes"], json!(0));
    remove_container(&agent, &first);
    assert_eq!(mounted(&agent), [""; 0], "the last one is gone");
    assert_eq!(agent.text("ls /v", at("mem")), "", "and so is what it had in memory");
    assert_eq!(remove(&agent, "mem").status, 409, "containers that do not run have it still");
}

#[test]
fn removing_a_bound_volume_leaves_the_hosts_files() {
    let mut agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    volume(&agent, "host", &bind(folder.path(), "bind"));
    assert_eq!(agent.text("ls /v; echo new > /v/new", at("host")), "precious\n");
    // Mounted, and nobody there to know it: the container and the daemon are killed at once.
    let id = agent.run("sleep 1000", at("host"));
    let pid = agent.inspect(&id)["State"]["Pid"].to_string();
    agent.kill();
    assert_eq!(mounted(&agent), ["host/_data"]);
    host("kill", &["-9", &pid]);
    agent.respawn();
    assert_eq!(mounted(&agent), [""; 0]);
    for container in agent.client.get("/containers/json?all=1").as_array().unwrap() {
        remove_container(&agent, container["Id"].as_str().unwrap());
    }
    // And mounted by somebody else meanwhile.
    let data = agent.root.path().join("data/volumes/host/_data");
    let _by_hand = HostMount::new(&["--bind", folder.path().to_str().unwrap()], &data);
    assert_eq!(remove(&agent, "host").status, 204);
    assert!(!data.exists());
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["new", "precious"]);
}

#[test]
fn what_an_administrator_mounted_in_a_volume_is_not_deleted() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    volume(&agent, "plain", &json!({}));
    let inside = agent.root.path().join("data/volumes/plain/_data/inner");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.parent().unwrap().join("own"), vec![1; 300_000]).unwrap();
    std::fs::write(folder.path().join("large"), vec![1; 3_000_000]).unwrap();
    let by_hand = HostMount::new(&["--bind", folder.path().to_str().unwrap()], &inside);
    let size = agent.client.get("/system/df?type=volume")["Volumes"][0]["UsageData"]["Size"].as_u64().unwrap();
    assert!((300_000..1_000_000).contains(&size), "a bind of the same disk is not the volume's: {size}");
    let refused = remove(&agent, "plain");
    assert!(refused.status == 409 && refused.text().contains("something is mounted at"), "{} {}", refused.status, refused.text());
    assert!(folder.path().join("precious").exists() && inside.exists());
    drop(by_hand);
    assert_eq!(remove(&agent, "plain").status, 204);
    assert!(folder.path().join("precious").exists());
}

#[test]
fn the_end_of_a_recursive_bind_leaves_the_hosts_inner_mounts() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    let _outer = HostMount::new(&["-t", "tmpfs", "outer"], folder.path());
    host("mount", &["--make-shared", folder.path().to_str().unwrap()]);
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let _inner = HostMount::new(&["-t", "tmpfs", "inner"], &inner);
    std::fs::write(inner.join("file"), "deep\n").unwrap();
    for (name, o) in [("slave", "rbind"), ("shared", "rbind,rshared"), ("readonly", "rbind,ro")] {
        volume(&agent, name, &bind(folder.path(), o));
        let write = agent.text("cat /v/inner/file; if (echo > /v/inner/new) 2> /dev/null; then echo wrote; fi", at(name));
        assert_eq!(write, if name == "readonly" { "deep\n" } else { "deep\nwrote\n" }, "{name}");
        assert_eq!(mounted(&agent), [""; 0], "{name}");
        assert_eq!(std::fs::read_to_string(inner.join("file")).unwrap(), "deep\n", "{name}: the host's own mount went with it");
    }
    volume(&agent, "flat", &bind(folder.path(), "bind"));
    assert_eq!(agent.text("ls /v/inner", at("flat")), "");
}

#[test]
fn a_daemon_that_was_killed_finds_who_uses_what() {
    let mut agent = Agent::start();
    volume(&agent, "mem", &json!({ "type": "tmpfs", "device": "tmpfs" }));
    let stays = agent.run("echo kept > /v/file; sleep 1000", at("mem"));
    let ends = agent.run("until cat /v/file; do sleep 0.05; done 2> /dev/null; sleep 1000", at("mem"));
    eventually("it is written", || agent.output(&ends) == "kept\n");
    agent.kill();
    agent.respawn();
    assert_eq!(agent.text("cat /v/file", at("mem")), "kept\n", "a third one comes and goes");
    remove_container(&agent, &ends);
    assert_eq!(mounted(&agent), ["mem/_data"]);
    // The last one ends while there is no daemon.
    let pid = agent.inspect(&stays)["State"]["Pid"].to_string();
    agent.kill();
    host("kill", &["-9", &pid]);
    eventually("it is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    agent.respawn();
    assert_eq!(agent.inspect(&stays)["State"]["Status"], "exited");
    assert_eq!(mounted(&agent), [""; 0]);
}

#[test]
fn a_daemon_that_dies_once_it_has_mounted_leaves_nothing() {
    let mut agent = Agent::start();
    volume(&agent, "mem", &json!({ "type": "tmpfs", "device": "tmpfs" }));
    let id = agent.create("echo fine", at("mem"));
    agent.kill();
    agent.env = vec![("SLIPWAY_FAULT".to_owned(), "start.mounted".to_owned())];
    agent.respawn();
    assert!(agent.client.try_request("POST", &format!("/containers/{id}/start"), b"").is_none());
    agent.kill();
    assert_eq!(mounted(&agent), ["mem/_data"]);
    agent.env.clear();
    agent.respawn();
    assert_eq!(mounted(&agent), [""; 0]);
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    // Neither does one that is killed and not started again.
    let instance = agent.instance();
    agent.run("sleep 1000", at("mem"));
    agent.kill();
    assert_eq!(mounted(&agent), ["mem/_data"]);
    let data = agent.root.path().join("data");
    let down = Command::new(env!("CARGO_BIN_EXE_slipway-agent")).args(["down", "--data-root"]).arg(data).output().unwrap();
    assert!(down.status.success(), "{down:?}");
    eventually("nothing is left", || leftovers(&instance, agent.root.path()).is_empty());
    agent.respawn();
    agent.run("sleep 1000", at("mem"));
    agent.shut_down();
    assert_eq!(mounted(&agent), [""; 0], "an agent that is shut down takes its mounts along");
    agent.respawn();
}

#[test]
fn a_failed_mount_is_told_and_leaves_nothing() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("later");
    volume(&agent, "later", &bind(&later, "bind"));
    volume(&agent, "wrong", &json!({ "type": "tmpfs", "device": "tmpfs", "o": "size=much,password=secret" }));
    volume(&agent, "none", &json!({ "type": "nofs", "device": "x" }));
    volume(&agent, "file", &bind(Path::new("/bin/busybox"), "bind"));
    volume(&agent, "fine", &json!({ "type": "tmpfs", "device": "tmpfs" }));
    for (name, why) in
        [("later", "No such file"), ("wrong", "Bad value for 'size'"), ("none", "No such device"), ("file", "not a directory")]
    {
        let both = json!({ "HostConfig": { "Binds": ["fine:/fine", format!("{name}:/v")], "RestartPolicy": { "Name": "no" } } });
        let id = agent.create("true", both);
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        let text = answer.text();
        assert!(answer.status == 500 && text.contains(why) && text.contains("failed to mount local volume"), "{name}: {text}");
        assert!(text.contains("volumes/") && !text.contains("secret"), "{text}");
        assert_eq!(mounted(&agent), [""; 0], "{name}: the one that was mounted before it stays");
        assert!(agent.inspect(&id)["State"]["Error"].as_str().unwrap().contains(why));
    }
    assert!(!agent.log().contains("secret"));
    std::fs::create_dir(&later).unwrap();
    assert_eq!(agent.text("ls /v", at("later")), "");
    for (options, why) in [
        (json!({ "colour": "blue" }), r#"create bad: invalid option: "colour""#),
        (json!({ "type": "tmpfs" }), r#"create bad: missing required option: "device""#),
        (json!({ "o": "bind" }), r#"create bad: missing required option: "device""#),
        (json!({ "size": "10m" }), "create bad: quota size requested but no quota support"),
    ] {
        let answer = ask(&agent, "bad", &options);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && message.starts_with(why), "{message}");
    }
    assert_eq!(agent.client.request("GET", "/volumes/bad", b"").status, 404);
}

#[test]
fn the_policy_sees_where_a_device_leads() {
    let allowed = tempfile::tempdir().unwrap();
    let agent = Agent::with_settings(Some(json!({ "policy": { "bindSources": [allowed.path()] } })));
    agent.import(IMAGE, &busybox_tar());
    let link = allowed.path().join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let overlay = json!({ "type": "overlay", "device": "overlay", "o": "lowerdir=/etc:/usr" });
    let disk = json!({ "type": "ext4", "device": "/dev/loop0" });
    for (options, why) in [
        (bind(&link, "bind"), "mounting /etc is not allowed on this host (policy.bindSources)"),
        (bind(Path::new("/etc"), "rbind"), "policy.bindSources"),
        (json!({ "type": "tmpfs", "device": "/etc", "o": "bind" }), "policy.bindSources"),
        (overlay, "policy.bindSources"),
        (disk, "policy.devices"),
    ] {
        let answer = ask(&agent, "vol", &options);
        assert!(answer.status == 403 && answer.text().contains(why), "{options}: {} {}", answer.status, answer.text());
        let mount =
            json!({ "Type": "volume", "Source": "vol", "Target": "/v", "VolumeOptions": { "DriverConfig": { "Options": options } } });
        let body = json!({ "Image": IMAGE, "HostConfig": { "Mounts": [mount] } });
        assert_eq!(agent.client.post("/containers/create", &body).status, 403, "{options}");
    }
    // What changes between the creation and the start.
    let folder = allowed.path().join("folder");
    volume(&agent, "swapped", &bind(&folder, "bind"));
    std::os::unix::fs::symlink("/etc", &folder).unwrap();
    let id = agent.create("true", at("swapped"));
    let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
    assert!(answer.status == 403 && answer.text().contains("mounting /etc is not allowed"), "{} {}", answer.status, answer.text());
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    volume(&agent, "mem", &json!({ "type": "tmpfs", "device": "tmpfs" }));
    assert_eq!(agent.text("ls /v", at("mem")), "");
}

#[test]
fn an_empty_one_is_filled_and_files_are_copied_in_and_out() {
    let agent = Agent::bare();
    agent.import(IMAGE, &busybox_tar_with(|tar| file(tar, "v/seed", b"from the image", 0o640)));
    let folder = tempfile::tempdir().unwrap();
    volume(&agent, "host", &bind(folder.path(), "bind"));
    let id = agent.create("cat /v/seed /v/copied", at("host"));
    let put = |text: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        file(&mut tar, "copied", text.as_bytes(), 0o644);
        agent.client.request("PUT", &format!("/containers/{id}/archive?path=/v"), &tar.into_inner().unwrap()).status
    };
    assert_eq!(agent.client.request("GET", &format!("/containers/{id}/archive?path=/v"), b"").status, 200);
    eventually("the copy has ended", || mounted(&agent).is_empty());
    assert_eq!(std::fs::read_to_string(folder.path().join("seed")).unwrap(), "from the image");
    assert_eq!(put(", and copied"), 200);
    eventually("the copy has ended", || mounted(&agent).is_empty());
    agent.begin(&id);
    agent.wait(&id);
    assert_eq!(agent.output(&id), "from the image, and copied");
    // What cannot be written is not filled, and is no reason to fail.
    volume(&agent, "readonly", &json!({ "type": "tmpfs", "device": "tmpfs", "o": "ro" }));
    assert_eq!(agent.text("ls /v; (touch /v/x) 2> /dev/null || echo refused", at("readonly")), "refused\n");
}

#[test]
fn a_disk_of_its_own() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("disk");
    std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    host("mkfs.ext4", &["-q", image.to_str().unwrap()]);
    struct Loop(String);
    impl Drop for Loop {
        fn drop(&mut self) {
            let _ = Command::new("losetup").args(["--detach", &self.0]).status(); // told by what is left of it
        }
    }
    let device = Loop(host("losetup", &["--find", "--show", image.to_str().unwrap()]));
    volume(&agent, "disk", &json!({ "type": "ext4", "device": device.0, "o": "noatime,errors=remount-ro" }));
    let mounts = agent.text("echo kept > /v/file; grep ' /v ' /proc/mounts", at("disk"));
    assert!(mounts.starts_with(&format!("{} /v ext4 rw,noatime,errors=remount-ro", device.0)), "{mounts}");
    assert_eq!(mounted(&agent), [""; 0]);
    assert_eq!(agent.text("cat /v/file", at("disk")), "kept\n");
    for container in agent.client.get("/containers/json?all=1").as_array().unwrap() {
        remove_container(&agent, container["Id"].as_str().unwrap());
    }
    assert_eq!(remove(&agent, "disk").status, 204);
    let mount = json!({ "Type": "volume", "Source": "again", "Target": "/v",
        "VolumeOptions": { "DriverConfig": { "Options": { "type": "ext4", "device": device.0, "o": "ro" } } } });
    let again = json!({ "HostConfig": { "Mounts": [mount] } });
    assert_eq!(agent.text("cat /v/file; (echo > /v/file) 2> /dev/null || echo refused", again), "kept\nrefused\n");
}

#[test]
fn root_of_a_user_namespace_is_nobody_in_a_bound_folder() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    volume(&agent, "bound", &bind(folder.path(), "bind"));
    volume(&agent, "memory", &json!({ "type": "tmpfs", "device": "tmpfs" }));
    let script = "stat -c %u /memory; echo mine > /memory/x; stat -c %u /bound/precious; (echo > /bound/x) 2> /dev/null || echo refused";
    let host = json!({ "Binds": ["bound:/bound", "memory:/memory"], "SecurityOpt": ["userns=remap"] });
    assert_eq!(agent.text(script, json!({ "HostConfig": host })), "0\n65534\nrefused\n");
}

#[test]
fn pruning_takes_nothing_that_has_options() {
    let agent = Agent::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    volume(&agent, "bound", &bind(folder.path(), "bind"));
    volume(&agent, "named", &json!({}));
    let anonymous = agent.client.post("/volumes/create", &json!({})).json()["Name"].clone();
    let prune = |version: &str, filters: &Value| {
        let path = format!("{version}/volumes/prune?filters={}", encode(&filters.to_string()));
        agent.client.request("POST", &path, b"").json()["VolumesDeleted"].clone()
    };
    assert_eq!(prune("/v1.42", &json!({})), json!([anonymous]), "it has no name of its own");
    assert_eq!(prune("/v1.41", &json!({})), json!(["named"]), "older clients mean all that nothing uses");
    volume(&agent, "named", &json!({}));
    assert_eq!(prune("", &json!({ "all": ["1"] })), json!(["named"]));
    assert_eq!(remove(&agent, "bound").status, 204);
    assert!(folder.path().join("precious").exists());
}
