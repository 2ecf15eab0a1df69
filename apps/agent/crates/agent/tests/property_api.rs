//! Requests with anything in the place of anything: each is answered, none by a fault of the engine's own, and it lives on.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![recursion_limit = "256"]

mod support;

use serde_json::{Value, json};
use slipway_property::{changed, changes, for_all, odd_text};
use support::Agent;
use support::client::encode;

/// A container with about everything that one can ask for.
fn body() -> Value {
    json!({
        "Image": support::IMAGE, "Cmd": ["true"], "Entrypoint": null, "Env": ["A=b"], "User": "0:0", "WorkingDir": "/tmp", "Hostname": "h",
        "Labels": { "a": "b" }, "ExposedPorts": { "80/tcp": {} }, "Volumes": { "/v": {} }, "StopSignal": "SIGTERM", "StopTimeout": 1,
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 1_000_000_000i64, "Retries": 3 }, "OpenStdin": true, "Tty": false,
        "HostConfig": {
            "Binds": ["/tmp:/host:ro"], "Memory": 67_108_864, "MemorySwap": 67_108_864, "NanoCpus": 500_000_000, "CpuShares": 512,
            "CpusetCpus": "0", "PidsLimit": 100, "Ulimits": [{ "Name": "nofile", "Soft": 100, "Hard": 200 }], "CapAdd": ["NET_ADMIN"],
            "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "ReadonlyRootfs": true, "Tmpfs": { "/t": "size=1m" }, "ShmSize": 1_048_576,
            "Sysctls": { "net.core.somaxconn": "100" }, "GroupAdd": ["7"], "ExtraHosts": ["a:1.2.3.4"], "Dns": ["1.1.1.1"], "Init": true,
            "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "0" }] }, "RestartPolicy": { "Name": "no" },
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m", "max-file": "2" } }, "NetworkMode": "bridge",
            "Mounts": [{ "Type": "volume", "Source": "property", "Target": "/m", "VolumeOptions": { "NoCopy": true } }],
            "Devices": [], "IpcMode": "private", "PidMode": "", "UTSMode": "", "UsernsMode": "", "CgroupnsMode": "private", "OomScoreAdj": 5,
        },
        "NetworkingConfig": { "EndpointsConfig": { "bridge": { "IPAMConfig": {} } } },
    })
}

fn fault(what: &str, status: u16, text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    // 501 is a sentence about what this engine has not.
    match status {
        500 | 502..=599 => Err(proptest::test_runner::TestCaseError::fail(format!("{what}: {status} {text}"))),
        _ => Ok(()),
    }
}

#[test]
fn containers_of_any_kind() {
    let agent = Agent::start();
    let body = body();
    let made = agent.client.post("/containers/create", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    for_all(250, &changes(3), |changes| {
        let body = changed(&body, &changes);
        let answer = agent.client.post("/containers/create", &body);
        fault(&format!("create {body:.2000}"), answer.status, &answer.text())?;
        if let Some(id) = answer.json()["Id"].as_str() {
            let seen = agent.client.request("GET", &format!("/containers/{id}/json"), b"");
            fault("inspect", seen.status, &seen.text())?;
            let removed = agent.client.request("DELETE", &format!("/containers/{id}?v=1&force=1"), b"");
            fault("remove", removed.status, &removed.text())?;
        }
        Ok(())
    });
    assert_eq!(agent.text("echo alive", json!({})).trim(), "alive");
}

#[test]
fn other_bodies_and_queries() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let posts = [
        (
            format!("/containers/{id}/update"),
            json!({ "Memory": 67_108_864, "CpuShares": 2, "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 2 } }),
        ),
        (
            format!("/containers/{id}/exec"),
            json!({ "Cmd": ["true"], "Env": ["A=b"], "User": "0", "WorkingDir": "/", "Tty": false, "AttachStdout": true }),
        ),
        ("/volumes/create".to_owned(), json!({ "Name": "one", "Driver": "local", "DriverOpts": {}, "Labels": { "a": "b" } })),
        (
            "/networks/create".to_owned(),
            json!({ "Name": "n", "Driver": "bridge", "Internal": false, "IPAM": { "Config": [{ "Subnet": "10.240.0.0/24" }] }, "Options": {}, "Labels": {} }),
        ),
        ("/auth".to_owned(), json!({ "username": "a", "password": "b", "serveraddress": "127.0.0.1:1" })),
    ];
    for (path, body) in &posts {
        for_all(40, &changes(2), |changes| {
            let body = changed(body, &changes);
            let answer = agent.client.post(path, &body);
            // Nothing listens where /auth is sent to: that is the one fault that is somebody else's.
            if path == "/auth" { Ok(()) } else { fault(&format!("{path} {body:.1000}"), answer.status, &answer.text()) }
        });
    }
    let reads = [
        "/containers/json?filters=",
        "/images/json?filters=",
        "/volumes?filters=",
        "/networks?filters=",
        "/containers/json?limit=",
        "/images/",
        "/containers/",
        "/networks/",
        "/volumes/",
    ];
    for read in reads {
        for_all(40, &odd_text(), |text| {
            let answer = agent.client.request("GET", &format!("{read}{}", encode(&text)), b"");
            fault(&format!("{read}{text:?}"), answer.status, &answer.text())
        });
    }
    for_all(60, &odd_text(), |text| {
        let path = format!("/containers/{id}/logs?stdout=1&tail={0}&since={0}&until={0}", encode(&text));
        let answer = agent.client.request("GET", &path, b"");
        fault(&path, answer.status, "")
    });
    assert_eq!(agent.inspect(&id)["State"]["Running"], true);
}

#[test]
fn bytes_that_are_no_http() {
    use std::io::{Read, Write};
    let agent = Agent::start();
    let request =
        b"POST /v1.44/containers/create?name=x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            .to_vec();
    for_all(150, &slipway_property::damaged(request), |bytes| {
        let mut stream = std::os::unix::net::UnixStream::connect(agent.root.path().join("agent.sock")).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let _ = stream.write_all(&bytes); // it may be refused before its end
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // ends: that is what is asked for
        Ok(())
    });
    assert_eq!(agent.text("echo alive", json!({})).trim(), "alive");
}
