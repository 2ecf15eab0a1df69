//! Options of a container that are read back from inside: file systems, names, memory, what is refused and warned of.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::{Agent, eventually};

fn host(more: Value) -> Value {
    json!({ "HostConfig": more })
}

fn create(agent: &Agent, more: Value) -> support::client::Answer {
    let mut request = json!({ "Image": support::IMAGE, "Cmd": ["true"] });
    support::merge(&mut request, more);
    agent.client.post("/containers/create", &request)
}

#[test]
fn tmpfs_options_are_the_kernels() {
    let agent = Agent::start();
    let output = agent.text(
        "grep ' /scratch ' /proc/mounts; stat -c %u:%g:%a /scratch",
        host(json!({ "Tmpfs": { "/scratch": "rw,suid,exec,size=1m,uid=1000,gid=50,mode=750,nr_inodes=99" } })),
    );
    for part in ["size=1024k", "nr_inodes=99", "uid=1000", "gid=50", "mode=750", "1000:50:750"] {
        assert!(output.contains(part), "{part} in {output}");
    }
    assert!(output.contains("nodev") && !output.contains("noexec") && !output.contains("nosuid"), "{output}");
    let answer = create(&agent, host(json!({ "Tmpfs": { "/scratch": "uid=root" } })));
    assert!(answer.status == 400 && answer.text().contains("uid=root"), "{}", answer.text());
}

#[test]
fn volumes_of_others_and_parts_of_volumes() {
    let agent = Agent::start();
    let first =
        agent.create("mkdir -p /data/sub && echo kept > /data/sub/file", json!({ "HostConfig": { "Binds": ["shared-options:/data"] } }));
    agent.begin(&first);
    assert_eq!(agent.wait(&first), 0);
    let read = "cat /data/sub/file; ( echo x > /data/new ) 2>/dev/null && echo written; true";
    assert_eq!(agent.text(read, host(json!({ "VolumesFrom": [format!("{first}:ro")] }))), "kept\n");
    assert_eq!(agent.text(read, host(json!({ "VolumesFrom": [first] }))), "kept\nwritten\n");
    assert_eq!(agent.text("ls /data", host(json!({ "VolumesFrom": [first], "Tmpfs": { "/data": "" } }))), "");
    let part = |subpath: &str| {
        json!({ "HostConfig": { "Mounts": [{ "Type": "volume", "Source": "shared-options", "Target": "/part",
        "VolumeOptions": { "Subpath": subpath } }] } })
    };
    assert_eq!(agent.text("cat /part/file", part("sub")), "kept\n");
    let answer = create(&agent, part("../x"));
    assert!(answer.status == 400 && answer.text().contains("within the volume"), "{}", answer.text());
    // A link put there by whoever writes to the volume leads nowhere but inside.
    agent.text("busybox ln -s /etc /data/out", host(json!({ "VolumesFrom": [first] })));
    let id = create(&agent, part("out")).json()["Id"].as_str().unwrap().to_owned();
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/start"), b"").status, 500);
    assert_eq!(create(&agent, host(json!({ "VolumesFrom": ["nobody"] }))).status, 400);
    assert_eq!(create(&agent, host(json!({ "VolumesFrom": [format!("{first}:odd")] }))).status, 400);
}

#[test]
fn names_of_the_host() {
    let agent = Agent::start();
    let body = json!({ "Hostname": "box", "Domainname": "example.test" });
    let output = agent.text("cat /proc/sys/kernel/domainname; grep -c 'box.example.test box' /etc/hosts", body);
    assert_eq!(output, "example.test\n1\n");
}

#[test]
fn memory_settings_and_what_is_warned_of() {
    let agent = Agent::start();
    let answer = create(&agent, host(json!({ "Memory": 64 << 20, "MemoryReservation": 32 << 20, "KernelMemory": 32 << 20 })));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(answer.json()["Warnings"][0].as_str().unwrap().contains("kernel memory"), "{}", answer.text());
    let id = answer.json()["Id"].as_str().unwrap().to_owned();
    agent.begin(&id);
    assert_eq!(agent.wait(&id), 0);
    for (settings, why) in [
        (json!({ "Memory": 64 << 20, "MemoryReservation": 65 << 20 }), "less than memory reservation"),
        (json!({ "MemorySwap": 64 << 20 }), "You should always set the Memory limit"),
        (json!({ "MemorySwappiness": 101 }), "valid memory swappiness range is 0-100"),
        (json!({ "CpuRealtimeRuntime": 1_000 }), "real-time scheduler"),
        (json!({ "CpuPeriod": 10 }), "CPU cfs period"),
        (json!({ "BlkioWeight": 5 }), "Range of blkio weight is from 10 to 1000"),
        (json!({ "BlkioDeviceReadBps": [{ "Path": "/dev/null", "Rate": 1 }] }), "not a block device"),
        (json!({ "OomScoreAdj": 1_001 }), "range for oom score adj is [-1000, 1000]"),
        (json!({ "StorageOpt": { "size": "1G" } }), "--storage-opt is not supported"),
        (json!({ "DeviceRequests": [{ "Driver": "", "Count": -1, "Capabilities": [["gpu"]] }] }), "could not select device driver"),
    ] {
        let answer = create(&agent, host(settings));
        assert!(answer.status == 400 && answer.text().contains(why), "{why}: {} {}", answer.status, answer.text());
    }
}

/// A kill is told while the container goes on, and again nowhere.
#[test]
fn running_out_of_memory_is_told_at_once() {
    let agent = Agent::start();
    // The child is killed, the shell is not.
    let script =
        "echo 1000 > /proc/self/oom_score_adj; ( exec awk 'BEGIN { s = \"xxxxxxxx\"; while (1) s = s s }' ); echo survived; sleep 600";
    let id = agent.run(script, host(json!({ "Memory": 32 << 20, "MemorySwap": 32 << 20 })));
    eventually("the child's end", || agent.output(&id).contains("survived"));
    let told = || {
        let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
        let filters = format!("%7B%22container%22%3A%5B%22{id}%22%5D%2C%22event%22%3A%5B%22oom%22%5D%7D");
        let answer = agent.client.request("GET", &format!("/events?since=0&until={until}&filters={filters}"), b"");
        answer.text().lines().filter(|line| line.contains("oom")).count()
    };
    // The kernel's notice came before the child's end; looking every half a second would be later than this.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(told(), 1, "at once");
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/kill"), b"").status, 204);
    agent.wait(&id);
    assert_eq!((agent.inspect(&id)["State"]["OOMKilled"].clone(), told()), (json!(true), 1));
}

#[test]
fn what_is_not_known_is_refused_in_dockerds_words() {
    let agent = Agent::start();
    for (host, words) in [
        (json!({ "CapAdd": ["nope"] }), r#"invalid CapAdd: unknown capability: "CAP_NOPE""#),
        (json!({ "CapAdd": ["CHOWN"], "CapDrop": ["CAP_NOPE"] }), r#"invalid CapDrop: unknown capability: "CAP_NOPE""#),
        (json!({ "SecurityOpt": ["nope"] }), r#"invalid --security-opt 1: "nope""#),
        (json!({ "SecurityOpt": ["nope=1"] }), r#"invalid --security-opt 2: "nope=1""#),
        (json!({ "SecurityOpt": ["no-new-privileges=maybe"] }), r#"invalid --security-opt 2: "no-new-privileges=maybe""#),
    ] {
        let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
        assert_eq!((answer.status, answer.json()["message"].as_str().unwrap()), (400, words), "{host}");
    }
}
