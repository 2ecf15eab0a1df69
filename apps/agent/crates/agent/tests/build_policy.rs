//! The build cache's policy over HTTP: set while the agent runs, kept over a restart, refused where it makes no sense.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::builds::{Plan, build, last, minute, status};
use support::disk::data;
use support::{Agent, eventually};

const POLICY: &str = "/slipway/v1/build-cache/policy";

fn send(agent: &Agent, method: &str, path: &str, policy: &Value) -> (u16, Value) {
    let answer = agent.client.request(method, path, policy.to_string().as_bytes());
    (answer.status, answer.json())
}

fn records(agent: &Agent) -> usize {
    agent.client.get("/slipway/v1/build-cache?scope=org")["records"].as_array().unwrap().len()
}

#[test]
fn applies_at_once_and_after_a_restart_and_a_preview_removes_nothing() {
    let mut agent = Agent::start();
    let plan = Plan::new(&agent).run("head -c 300000 /dev/urandom > /a").run("head -c 200000 /dev/urandom > /b");
    assert_eq!(last(&build(&agent, &plan.request("b1", minute()), &[]))["type"], "result");
    assert_eq!(agent.client.request("DELETE", "/images/slipway.local/acme/app:1", b"").status, 200);
    let before = agent.client.get(POLICY);
    assert_eq!((&before["set"]["maxBytes"], &before["applies"]["maxBytes"]), (&Value::Null, &json!(20u64 << 30)), "{before}");

    let small = json!({ "maxBytes": 500_000, "unusedDays": 30, "stepDiskBytes": 64 << 20 });
    let (code, told) = send(&agent, "POST", &format!("{POLICY}/preview"), &small);
    assert_eq!((code, &told["layers"], &told["mounts"]), (200, &json!(1), &json!(0)), "{told}");
    assert!(told["bytes"].as_u64() > Some(600_000), "packed and unpacked: {told}");
    // Not the free space: others write to this disk, too.
    let still = agent.client.get(POLICY);
    assert_eq!((records(&agent), &still["set"], &still["applies"]), (2, &before["set"], &before["applies"]));

    let (code, told) = send(&agent, "PUT", POLICY, &small);
    assert_eq!((code, &told["applies"]["maxBytes"], &told["applies"]["unusedDays"]), (200, &json!(500_000), &json!(30)), "{told}");
    assert_eq!(told["defaults"]["maxBytes"], 20u64 << 30);
    eventually("what is above the limit goes", || records(&agent) == 1);
    let view = agent.client.get("/slipway/v1/build-cache");
    assert_eq!(view["policy"]["maxBytes"], 500_000);

    agent.kill();
    agent.respawn();
    let after = agent.client.get(POLICY);
    assert_eq!((&after["set"], &after["applies"]), (&told["set"], &told["applies"]), "{after}");

    // What a step may write holds for builds that ask for more, and for those that say nothing.
    for limits in [minute(), json!({ "timeoutMs": 60_000, "diskBytes": 1u64 << 40 })] {
        let much = Plan::new(&agent).run("head -c 90000000 /dev/zero > /much");
        assert_eq!(last(&build(&agent, &much.request("b2", limits), &[]))["code"], "DISK_LIMIT");
    }
    let (_, told) = send(&agent, "PUT", POLICY, &json!({}));
    assert_eq!((&told["applies"]["maxBytes"], &told["applies"]["stepDiskBytes"]), (&json!(20u64 << 30), &Value::Null));
    let again = build(&agent, &plan.request("b3", minute()), &[]);
    assert_eq!(last(&again)["type"], "result");
    let same = build(&agent, &plan.request("b4", minute()), &[]);
    assert_eq!((status(&same, "v1"), status(&same, "v2")), ("cached", "cached"));
}

#[test]
fn a_policy_that_makes_no_sense_changes_nothing() {
    let agent = Agent::start();
    let before = agent.client.get(POLICY);
    for bad in [
        json!({ "maxBytes": -1 }),
        json!({ "maxBytes": 1.5 }),
        json!({ "colour": "red" }),
        json!({ "keepDays": 61 }),
        json!({ "keepDays": 8, "unusedDays": 7 }),
        json!({ "unusedDays": 3651 }),
        json!({ "reserveBytes": u64::MAX }),
        json!({ "stepDiskBytes": 1000 }),
        json!(null),
        json!("x".repeat(5000)),
    ] {
        for (method, path) in [("PUT", POLICY.to_owned()), ("POST", format!("{POLICY}/preview"))] {
            let (code, answer) = send(&agent, method, &path, &bad);
            assert!(code == 400 && answer["message"].is_string(), "{method} {bad}: {code} {answer}");
        }
    }
    assert_eq!(agent.client.get(POLICY)["set"], before["set"]);
    let never = json!({ "unusedDays": 0, "keepDays": 100, "maxBytes": 0 });
    assert_eq!(send(&agent, "PUT", POLICY, &never).0, 200, "nothing goes for its age");
}

#[test]
fn a_file_that_is_damaged_is_done_without() {
    let mut agent = Agent::start();
    assert_eq!(send(&agent, "PUT", POLICY, &json!({ "maxBytes": 7 })).0, 200);
    agent.kill();
    std::fs::write(&data(&agent, &["build-policy.json"])[0], "{").unwrap();
    agent.respawn();
    assert_eq!(agent.client.get(POLICY)["set"]["maxBytes"], Value::Null);
    assert_eq!(send(&agent, "PUT", POLICY, &json!({ "maxBytes": 8 })).0, 200);
}
