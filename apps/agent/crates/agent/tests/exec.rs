//! Execs: their streams, what they are told, and what is told of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::{Value, json};
use support::{Agent, eventually, merge, unframe};

fn create(agent: &Agent, id: &str, script: &str, more: Value) -> String {
    let mut body = json!({ "Cmd": ["sh", "-c", script], "AttachStdout": true, "AttachStderr": true });
    merge(&mut body, more);
    let answer = agent.client.post(&format!("/containers/{id}/exec"), &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["Id"].as_str().unwrap().to_owned()
}

fn inspect(agent: &Agent, exec: &str) -> Value {
    agent.client.get(&format!("/exec/{exec}/json"))
}

/// Exit code, asked for right after the stream's end, and output.
fn outcome(agent: &Agent, exec: &str, tty: bool) -> (i64, String) {
    let mut bytes = Vec::new();
    agent.client.hijack(&format!("/exec/{exec}/start"), b"{}").read_to_end(&mut bytes).unwrap();
    let code = inspect(agent, exec)["ExitCode"].as_i64().expect("it has an exit code when its stream has ended");
    (code, if tty { String::from_utf8_lossy(&bytes).into_owned() } else { unframe(&bytes) })
}

#[test]
fn what_is_asked_for_is_given() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let more = json!({ "Env": ["A=b c"], "WorkingDir": "/etc", "User": "web" });
    let exec = create(&agent, &id, "echo $A; pwd; id -un; exit 3", more);
    assert_eq!(outcome(&agent, &exec, false), (3, "b c\n/etc\nweb\n".to_owned()));
    let told = inspect(&agent, &exec);
    assert!(told["Running"] == false && told["Pid"] == 0 && told["ContainerID"] == id.as_str(), "{told}");
    let privileged = create(&agent, &id, "grep CapEff /proc/self/status", json!({ "Privileged": true }));
    assert!(!outcome(&agent, &privileged, false).1.contains("00000000a80425fb"));
    let tty = create(&agent, &id, "stty size; tty", json!({ "Tty": true, "ConsoleSize": [31, 101] }));
    assert_eq!(outcome(&agent, &tty, true), (0, "31 101\r\n/dev/pts/0\r\n".to_owned()));
    for _ in 0..20 {
        let exec = create(&agent, &id, "exit 9", json!({}));
        assert_eq!(outcome(&agent, &exec, false), (9, String::new()));
    }
}

#[test]
fn programs_that_are_not_there_are_told_on_the_stream() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let exec = |cmd: &str| {
        let body = json!({ "Cmd": [cmd], "AttachStdout": true });
        agent.client.post(&format!("/containers/{id}/exec"), &body).json()["Id"].as_str().unwrap().to_owned()
    };
    let why = "OCI runtime exec failed: exec failed: unable to start container process: exec:";
    let expected = format!("{why} \"nosuch\": executable file not found in $PATH: unknown\r\n");
    assert_eq!(outcome(&agent, &exec("nosuch"), false), (127, expected));
    let expected = format!("{why} \"/etc/passwd\": permission denied: unknown\r\n");
    assert_eq!(outcome(&agent, &exec("/etc/passwd"), false), (126, expected));
    let answer = agent.client.post(&format!("/exec/{}/start", exec("nosuch")), &json!({ "Detach": true }));
    assert!(answer.status == 400 && answer.text().contains("executable file not found in $PATH"), "{}", answer.text());
}

#[test]
fn input_ends_where_the_client_ends_it() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let exec = create(&agent, &id, "cat; echo end", json!({ "AttachStdin": true }));
    let mut stream = agent.client.hijack(&format!("/exec/{exec}/start"), b"{}");
    stream.get_ref().write_all(b"in\n").unwrap();
    stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(unframe(&bytes), "in\nend\n");
}

#[test]
fn keys_detach_and_the_program_is_not_stopped_by_it() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let script = "read x; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; touch /over; sleep 1000";
    let exec = create(&agent, &id, script, json!({ "Tty": true, "AttachStdin": true, "DetachKeys": "ctrl-x" }));
    let mut stream = agent.client.hijack(&format!("/exec/{exec}/start"), b"{}");
    stream.get_ref().write_all(b"go\n\x18").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let over = create(&agent, &id, "while [ ! -e /over ]; do sleep 0.05; done", json!({}));
    assert_eq!(outcome(&agent, &over, false).0, 0);
    let told = inspect(&agent, &exec);
    assert!(told["Running"] == true && told["Pid"].as_i64() > Some(0) && told["ExitCode"].is_null(), "{told}");
    assert_eq!(agent.inspect(&id)["ExecIDs"], json!([exec]));
    assert_eq!(agent.client.request("POST", &format!("/exec/{exec}/resize?h=20&w=70"), b"").status, 200);
    eventually("the detachment is told", || !agent.client.events(&json!({ "event": ["exec_detach"] })).is_empty());
}

#[test]
fn every_step_is_told() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({ "Labels": { "color": "red" } }));
    let exec = create(&agent, &id, "exit 4", json!({}));
    assert_eq!(agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true })).status, 200);
    eventually("it has ended", || inspect(&agent, &exec)["ExitCode"] == 4);
    let filters = json!({ "event": ["exec_create", "exec_start", "exec_die"], "container": [id], "label": ["color=red"] });
    eventually("all is told", || agent.client.events(&filters).len() == 3);
    let events = agent.client.events(&filters);
    let actions: Vec<&str> = events.iter().map(|event| event["Action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die"]);
    assert!(events.iter().all(|event| event["Actor"]["Attributes"]["execID"] == exec.as_str()));
    assert_eq!(events[2]["Actor"]["Attributes"]["exitCode"], "4");
}

#[test]
fn refusals() {
    let agent = Agent::start();
    let id = agent.run("sleep 1000", json!({}));
    let exec = create(&agent, &id, "sleep 1000", json!({}));
    let start = |exec: &str| agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true }));
    assert_eq!(start(&exec).status, 200);
    let again = start(&exec);
    assert!(again.status == 409 && again.text().contains("is already running"), "{}", again.text());
    let short = create(&agent, &id, "true", json!({}));
    outcome(&agent, &short, false);
    let again = start(&short);
    assert!(again.status == 409 && again.text().contains("has already run"), "{}", again.text());
    assert_eq!(start("nobody").status, 404);
    let post = |body: Value| agent.client.post(&format!("/containers/{id}/exec"), &body);
    assert_eq!(post(json!({ "Cmd": [] })).json()["message"], "No exec command specified");
    assert_eq!(post(json!({ "Cmd": ["true"], "DetachKeys": "ctrl-%" })).status, 400);
    let late = create(&agent, &id, "true", json!({}));
    assert_eq!(agent.client.request("POST", &format!("/containers/{id}/stop?t=0"), b"").status, 204);
    let answer = start(&late);
    assert!(answer.status == 409 && answer.text().contains("is not running"), "{}", answer.text());
    eventually("the exec ended with the container", || inspect(&agent, &exec)["Running"] == false);
    assert_eq!(inspect(&agent, &exec)["ExitCode"], 137);
}
