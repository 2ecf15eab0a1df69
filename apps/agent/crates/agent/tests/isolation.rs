//! What a container is confined to, read back from inside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::{Agent, busybox_tar_with, file, link};

#[test]
fn capabilities_filter_and_privileges() {
    let agent = Agent::start();
    let status = agent.text("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status", json!({}));
    for line in ["CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "CapInh:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let host = json!({ "HostConfig": { "CapDrop": ["ALL"], "CapAdd": ["NET_ADMIN"], "SecurityOpt": ["no-new-privileges"] } });
    let status = agent.text("grep -E '^(CapEff|NoNew|Seccomp:)' /proc/self/status", host);
    assert!(
        status.contains("CapEff:\t0000000000001000") && status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
        "{status}"
    );
    let other = agent.text("id; grep CapEff /proc/self/status; echo ok > /dev/stdout", json!({ "User": "web" }));
    assert!(
        other.contains("uid=1000(web) gid=1000(web) groups=50(staff)")
            && other.contains("CapEff:\t0000000000000000")
            && other.contains("ok"),
        "{other}"
    );
}

#[test]
fn the_filter_refuses_mounts_and_namespaces() {
    let agent = Agent::start();
    let (code, output) = agent.outcome("mount -t tmpfs none /tmp", json!({ "HostConfig": { "CapAdd": ["NET_ADMIN"] } }));
    assert!(code != 0 && output.contains("denied") || output.contains("not permitted"), "{output}");
}

#[test]
fn only_its_own_descriptors_processes_and_mounts() {
    let agent = Agent::start();
    let fds = agent.text("cd /proc/self/fd; for f in *; do echo $f; done", json!({}));
    let extra: Vec<&str> = fds.lines().filter(|fd| !["0", "1", "2", "3"].contains(fd)).collect();
    assert!(extra.is_empty(), "leaked descriptors {extra:?} (3 is the listed directory itself)");
    let processes = agent.text("ps | wc -l 2>/dev/null || ps; echo $$", json!({}));
    assert!(processes.contains('1'), "{processes}");
    let mounts = agent.text("cat /proc/mounts", json!({}));
    let data = agent.root.path().to_str().unwrap();
    let foreign: Vec<&str> =
        mounts.lines().filter(|line| line.split(' ').nth(1).is_some_and(|at| at.starts_with("/var") || at.starts_with(data))).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(mounts.contains(" /sys sysfs ro,"), "{mounts}");
    let devices = agent.text("ls /dev", json!({}));
    assert!(!devices.contains("sda") && !devices.contains("vda") && !devices.contains("kmsg"), "{devices}");
}

#[test]
fn masked_and_read_only_paths() {
    let agent = Agent::start();
    let script = "cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | head -c 10; ls /sys/firmware /proc/acpi 2>/dev/null | grep -v :; \
                  echo 1 > /proc/sys/kernel/panic 2>/dev/null && echo wrote; echo b > /proc/sysrq-trigger 2>/dev/null && echo wrote; true";
    let output = agent.text(script, json!({}));
    let output: Vec<&str> = output.lines().filter(|line| !line.is_empty() && !line.contains("can't create")).collect();
    assert!(output.is_empty(), "{output:?}: nothing of these may be readable or writable");
}

#[test]
fn own_names_and_control_groups() {
    let agent = Agent::start();
    let output = agent.text(
        "hostname; cat /etc/hostname; cat /proc/self/cgroup | grep -v ':/$' | grep -E 'memory|pids'; true",
        json!({ "Hostname": "box" }),
    );
    assert_eq!(output, "box\nbox\n", "the control groups must look like roots from inside");
}

#[test]
fn images_with_symlinks_for_kernel_file_systems_are_refused() {
    let agent = Agent::start();
    for path in ["proc", "sys", "dev"] {
        let name = format!("evil{path}:1");
        agent.import(&name, &busybox_tar_with(|tar| link(tar, path, "tmp")));
        let body = json!({ "Image": name, "Cmd": ["true"] });
        let id = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert_eq!(answer.status, 500, "{path}: {}", answer.text());
        assert!(answer.text().contains(&format!("mount /{path}")), "{}", answer.text());
    }
}

/// CVE-2024-21626: a working directory reached through a leaked descriptor.
#[test]
fn working_directories_do_not_lead_out() {
    let agent = Agent::start();
    for number in 3..12 {
        let body = json!({ "Image": support::IMAGE, "Cmd": ["sh", "-c", "ls ../../.."], "WorkingDir": format!("/proc/self/fd/{number}") });
        let id = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert!(answer.status >= 400, "fd {number}: {}", answer.text());
    }
}

/// CVE-2019-5736: the first process of a container is a copy of the agent until it becomes the user's program.
#[test]
fn the_agents_program_cannot_be_written() {
    let agent = Agent::start();
    let before = std::fs::read(env!("CARGO_BIN_EXE_slipway-agent")).unwrap().len();
    let output = agent.text("echo x 2>/dev/null > /proc/1/exe && echo wrote; true", json!({ "HostConfig": { "Init": true } }));
    assert!(!output.contains("wrote"), "{output}");
    let output = agent.text(
        "echo x 2>/dev/null > /proc/1/exe && echo wrote; true",
        json!({ "HostConfig": { "Init": true, "Privileged": !support::is_remapped() } }),
    );
    assert!(!output.contains("wrote"), "{output}");
    assert_eq!(std::fs::read(env!("CARGO_BIN_EXE_slipway-agent")).unwrap().len(), before);
}

#[test]
fn hostile_user_databases_resolve_inside() {
    let agent = Agent::start();
    agent.import(
        "evilpasswd:1",
        &busybox_tar_with(|tar| {
            file(tar, "etc/shadow-of-host", b"", 0o644);
            link(tar, "home", "/../../../../etc");
        }),
    );
    let body = json!({ "Image": "evilpasswd:1", "Cmd": ["sh", "-c", "ls /home"], "WorkingDir": "/home" });
    let id = agent.client.post("/containers/create", &body).json()["Id"].as_str().unwrap().to_owned();
    agent.begin(&id);
    agent.wait(&id);
    let output = agent.output(&id);
    assert!(output.contains("shadow-of-host") && !output.contains("ssl"), "{output}");
}

#[test]
fn read_only_root_tmpfs_and_binds() {
    let agent = Agent::start();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("file"), "from the host").unwrap();
    std::fs::set_permissions(shared.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let host = json!({ "HostConfig": {
        "ReadonlyRootfs": true,
        "Tmpfs": { "/scratch": "size=1m" },
        "Binds": [format!("{}:/ro:ro", shared.path().display())],
        "Mounts": [{ "Type": "bind", "Source": shared.path(), "Target": "/rw" }],
    } });
    let output = agent.text("touch /x 2>&1; touch /ro/x 2>&1; cat /ro/file; echo back > /rw/file2; touch /scratch/x && echo fine", host);
    assert_eq!(output.matches("Read-only file system").count(), 2, "{output}");
    assert!(output.contains("from the host") && output.ends_with("fine\n"), "{output}");
    assert_eq!(std::fs::read_to_string(shared.path().join("file2")).unwrap(), "back\n");
}
