//! Start, stop, exit codes, restart policies, names, waiting, removal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Agent, eventually};

#[test]
fn exit_codes() {
    let agent = Agent::start();
    assert_eq!(agent.outcome("exit 7", json!({})).0, 7);
    // A shell of its own, because pid 1 cannot be killed by itself.
    let id = agent.run("sleep 100", json!({ "HostConfig": { "Init": true } }));
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/kill?signal=SIGKILL"), b"").status, 204);
    assert_eq!(agent.wait(&id), 137);
    for (command, code, words) in
        [("nosuch", 127, "executable file not found"), ("/etc/passwd", 126, "permission denied"), ("/bin/none", 127, "no such file")]
    {
        let id = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": [command] })).json()["Id"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = agent.client.request("POST", &format!("/containers/{id}/start"), b"");
        assert!(answer.status == 400 && answer.text().contains(words), "{command}: {} {}", answer.status, answer.text());
        let state = agent.inspect(&id)["State"].clone();
        assert_eq!((state["ExitCode"].as_i64(), state["Status"].as_str()), (Some(code), Some("created")), "{command}");
    }
}

#[test]
fn stop_asks_then_kills() {
    let agent = Agent::start();
    let polite = agent.run("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done", json!({}));
    eventually("its trap is set", || agent.output(&polite).contains("ready"));
    assert_eq!(agent.client.request("POST", &format!("/containers/{polite}/stop?t=50"), b"").status, 204);
    assert!(agent.inspect(&polite)["State"]["ExitCode"] == 3 && agent.output(&polite).ends_with("bye\n"));
    let deaf = agent.run("trap '' TERM; echo ready; while :; do sleep 0.1; done", json!({}));
    eventually("its trap is set", || agent.output(&deaf).contains("ready"));
    let before = Instant::now();
    assert_eq!(agent.client.request("POST", &format!("/containers/{deaf}/stop?t=1"), b"").status, 204);
    assert!(before.elapsed() >= Duration::from_secs(1), "it was given its second");
    assert_eq!(agent.inspect(&deaf)["State"]["ExitCode"], 137);
    assert_eq!(agent.client.request("POST", &format!("/containers/{deaf}/stop"), b"").status, 304);
    let own = agent.run("trap 'exit 9' USR1; echo ready; while :; do sleep 0.1; done", json!({ "StopSignal": "SIGUSR1" }));
    eventually("its trap is set", || agent.output(&own).contains("ready"));
    agent.client.request("POST", &format!("/containers/{own}/stop"), b"");
    assert_eq!(agent.inspect(&own)["State"]["ExitCode"], 9);
}

#[test]
fn status_codes() {
    let agent = Agent::start();
    let id = agent.create("sleep 100", json!({}));
    agent.begin(&id);
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/start"), b"").status, 304);
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}"), b"").status, 409);
    assert_eq!(agent.client.request("POST", "/containers/none/start", b"").status, 404);
    assert_eq!(agent.client.request("GET", &format!("/containers/{}/json", &id[..10]), b"").status, 200);
    let name = agent.inspect(&id)["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    let again = agent.client.post(&format!("/containers/create?name={name}"), &json!({ "Image": support::IMAGE, "Cmd": ["true"] }));
    assert!(again.status == 409 && again.text().contains("already in use"), "{}", again.text());
    assert_eq!(agent.client.post("/containers/create?name=a%20b", &json!({ "Image": support::IMAGE, "Cmd": ["true"] })).status, 400);
    assert_eq!(agent.client.post("/containers/create", &json!({ "Image": "none:1", "Cmd": ["true"] })).status, 404);
    for bad in [
        json!({ "Memory": 1000 }),
        json!({ "CapAdd": ["NOPE"] }),
        json!({ "Binds": ["a:b"] }),
        json!({ "Sysctls": { "kernel.hostname": "x" } }),
    ] {
        let answer = agent.client.post("/containers/create", &json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": bad }));
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text());
    }
    assert_eq!(agent.client.request("DELETE", &format!("/containers/{id}?force=1"), b"").status, 204);
    assert_eq!(agent.client.request("GET", &format!("/containers/{id}/json"), b"").status, 404);
}

#[test]
fn restart_policies() {
    let agent = Agent::start();
    let limited = agent.run("exit 1", json!({ "HostConfig": { "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 2 } } }));
    eventually("it gives up", || {
        let now = agent.inspect(&limited);
        now["RestartCount"] == 2 && now["State"]["Status"] == "exited"
    });
    let fine = agent.run("exit 0", json!({ "HostConfig": { "RestartPolicy": { "Name": "on-failure" } } }));
    assert_eq!(agent.wait(&fine), 0);
    assert_eq!(agent.inspect(&fine)["RestartCount"], 0);
    let always = agent.run("sleep 0.2", json!({ "HostConfig": { "RestartPolicy": { "Name": "always" } } }));
    eventually("it comes back", || agent.inspect(&always)["RestartCount"].as_i64() > Some(1));
    assert_eq!(agent.client.request("POST", &format!("/containers/{always}/stop?t=0"), b"").status, 204);
    // A restart that were still to come would come in this time; one that is late is not this test's to find.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(agent.inspect(&always)["State"]["Status"], "exited");
}

#[test]
fn auto_removal_and_waiting() {
    let agent = Agent::start();
    let id = agent.create("exit 4", json!({ "HostConfig": { "AutoRemove": true } }));
    let code = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| agent.client.request("POST", &format!("/containers/{id}/wait?condition=removed"), b"").json());
        std::thread::sleep(Duration::from_millis(100));
        agent.begin(&id);
        waiter.join().unwrap()
    });
    assert_eq!(code["StatusCode"], 4);
    assert_eq!(agent.client.request("GET", &format!("/containers/{id}/json"), b"").status, 404);
}

#[test]
fn attached_streams_are_binary_safe_both_ways() {
    use std::io::{Read, Write};
    let agent = Agent::start();
    let id = agent.create("cat", json!({ "OpenStdin": true, "StdinOnce": true }));
    let mut stream = agent.client.hijack(&format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1"), b"");
    agent.begin(&id);
    let sent: Vec<u8> = (0..200_000u32).map(|n| (n * 7) as u8).collect();
    let mut half = stream.get_ref().try_clone().unwrap();
    let copy = sent.clone();
    let writer = std::thread::spawn(move || {
        half.write_all(&copy).unwrap();
        half.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writer.join().unwrap();
    let mut data = Vec::new();
    let mut rest = &received[..];
    while rest.len() >= 8 {
        let length = u32::from_be_bytes(rest[4..8].try_into().unwrap()) as usize;
        data.extend_from_slice(&rest[8..8 + length]);
        rest = &rest[8 + length..];
    }
    assert!(data == sent, "{} of {} bytes came back", data.len(), sent.len());
    assert_eq!(agent.wait(&id), 0);
}

#[test]
fn health_is_told() {
    let agent = Agent::start();
    let check = json!({ "Healthcheck": { "Test": ["CMD-SHELL", "test -f /ok"], "Interval": 100_000_000, "Retries": 2 } });
    let id = agent.run("sleep 1; touch /ok; sleep 100", check);
    assert_eq!(agent.inspect(&id)["State"]["Health"]["Status"], "starting");
    eventually("it is unhealthy", || agent.inspect(&id)["State"]["Health"]["Status"] == "unhealthy");
    eventually("it is healthy", || agent.inspect(&id)["State"]["Health"]["Status"] == "healthy");
}

#[test]
fn execs() {
    use std::io::Read;
    let agent = Agent::start();
    let id = agent.run("sleep 100", json!({ "Env": ["A=b"] }));
    let exec = |cmd: &[&str]| {
        let made = agent.client.post(&format!("/containers/{id}/exec"), &json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": cmd }));
        let exec = made.json()["Id"].as_str().unwrap().to_owned();
        let mut output = Vec::new();
        agent.client.hijack(&format!("/exec/{exec}/start"), b"{}").read_to_end(&mut output).unwrap();
        eventually("the exec has ended", || agent.client.get(&format!("/exec/{exec}/json"))["ExitCode"].is_i64());
        (agent.client.get(&format!("/exec/{exec}/json"))["ExitCode"].as_i64().unwrap(), support::unframe(&output))
    };
    let (code, output) = exec(&["sh", "-c", "echo $A; grep -E 'CapEff|Seccomp:' /proc/self/status; cat /proc/1/cmdline; exit 5"]);
    assert!(code == 5 && output.starts_with("b\n") && output.contains("00000000a80425fb") && output.contains("Seccomp:\t2"), "{output}");
    assert!(output.contains("sleep"), "it must be in the container's pid namespace: {output}");
    let (code, output) = exec(&["nosuch"]);
    assert!(code == 127 && output.contains("not found"), "{output}");
}
