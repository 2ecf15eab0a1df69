//! What the administrator forbids is forbidden, with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::json;
use support::{Agent, busybox_tar};

#[test]
fn denials() {
    let allowed = tempfile::tempdir().unwrap();
    let agent = Agent::with_settings(Some(json!({ "policy": {
        "allowPrivileged": false,
        "allowHostNamespaces": false,
        "allowUnconfined": false,
        "devices": ["/dev/null", "/dev/net"],
        "sysctls": ["net.ipv4.*"],
        "bindSources": [allowed.path()],
        "capabilities": ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
            "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
    } })));
    agent.import(support::IMAGE, &busybox_tar());
    std::os::unix::fs::symlink("/etc", allowed.path().join("way-out")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", allowed.path().join("zero")).unwrap();
    for (host, reason) in [
        (json!({ "Privileged": true }), "privileged"),
        (json!({ "NetworkMode": "host" }), "network namespace"),
        (json!({ "PidMode": "host" }), "pid namespace"),
        (json!({ "Binds": ["/etc:/etc2"] }), "mounting /etc"),
        (json!({ "Binds": [format!("{}/way-out:/etc2", allowed.path().display())] }), "mounting /etc"),
        (json!({ "CapAdd": ["SYS_ADMIN"] }), "capabilities"),
        (json!({ "SecurityOpt": ["seccomp=unconfined"] }), "policy.allowUnconfined"),
        (json!({ "SecurityOpt": [r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#] }), "policy.allowUnconfined"),
        (json!({ "Devices": [{ "PathOnHost": "/dev/zero", "PathInContainer": "/dev/null" }] }), "/dev/zero is not allowed"),
        (json!({ "Devices": [{ "PathOnHost": allowed.path().join("zero"), "PathInContainer": "/dev/x" }] }), "/dev/zero is not allowed"),
        (json!({ "DeviceCgroupRules": ["a *:* rwm"] }), "policy.devices"),
        (json!({ "Sysctls": { "kernel.msgmax": "4096" } }), "kernel.msgmax is not allowed"),
        (json!({ "CapAdd": ["NET_ADMIN"] }), "the capabilities NET_ADMIN are not allowed"),
    ] {
        let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": host }));
        assert!(answer.status == 403 && answer.text().contains(reason), "{host}: {} {}", answer.status, answer.text());
    }
    let fine = json!({ "HostConfig": { "Sysctls": { "net.ipv4.ip_default_ttl": "77" },
        "Devices": [{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing" }], "Binds": [format!("{}:/x", allowed.path().display()), "volume:/y".to_owned()] } });
    assert_eq!(agent.text("echo fine", fine), "fine\n");
}
