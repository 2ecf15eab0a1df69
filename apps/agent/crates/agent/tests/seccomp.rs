//! Seccomp profiles of the user's own, as the `docker` CLI sends them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::Agent;

fn with(profile: &Value) -> Value {
    json!({ "HostConfig": { "SecurityOpt": [format!("seccomp={profile}")] } })
}

#[test]
fn profiles_are_in_force_for_the_program_and_its_execs() {
    let agent = Agent::start();
    let profile = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 },
        { "names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 1, "value": 10, "op": "SCMP_CMP_EQ" }] },
        { "names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
    ] });
    // What the default refuses is allowed, as the profile replaces it.
    let script = "grep Seccomp: /proc/self/status; mkdir /x; kill -USR1 $$ 2>/dev/null || echo refused; kill -0 $$ && echo sent";
    let output = agent.text(script, with(&profile));
    assert!(output.contains("Seccomp:\t2") && output.contains("No space left") && output.contains("refused\nsent\n"), "{output}");
    let id = agent.run("sleep 600", with(&profile));
    let body = json!({ "Cmd": ["sh", "-c", "mkdir /x 2>&1 | grep -q 'No space'"], "AttachStdout": true });
    let exec = agent.client.post(&format!("/containers/{id}/exec"), &body).json()["Id"].as_str().unwrap().to_owned();
    agent.client.post(&format!("/exec/{exec}/start"), &json!({ "Detach": true }));
    support::eventually("the exec's end", || agent.client.get(&format!("/exec/{exec}/json"))["Running"] == false);
    assert_eq!(agent.client.get(&format!("/exec/{exec}/json"))["ExitCode"], 0);
    // A privileged container has no filter but the one it is given.
    let mut privileged = with(&profile);
    privileged["HostConfig"]["Privileged"] = json!(true);
    let output = agent.text("mkdir /x; hostname anew && hostname", privileged);
    assert!(output.contains("No space left") && output.contains("anew"), "{output}");
}

#[test]
fn a_killing_rule_kills() {
    let agent = Agent::start();
    let profile =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" }] });
    let (code, output) = agent.outcome("sh -c 'mkdir /x' 2>/dev/null; echo $?", with(&profile));
    assert!(code == 0 && output.contains("159\n"), "{code} {output}");
}

#[test]
fn bad_profiles_are_refused_with_the_reason() {
    let agent = Agent::start();
    for (profile, why) in [
        ("/etc/profile.json", "Decoding seccomp profile failed"),
        ("{}", "not a valid action"),
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "SCMP_ACT_NOTIFY is not supported"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"archMap":[{"architecture":"x"}]}"#,
            "use either 'architectures' or 'archMap'",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]}"#,
            "no argument 9",
        ),
    ] {
        let body = json!({ "Image": support::IMAGE, "Cmd": ["true"], "HostConfig": { "SecurityOpt": [format!("seccomp={profile}")] } });
        let answer = agent.client.post("/containers/create", &body);
        assert!(answer.status == 400 && answer.text().contains(why), "{profile}: {} {}", answer.status, answer.text());
    }
}
