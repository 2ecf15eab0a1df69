//! The build cache over HTTP: what it holds, what would go, what goes; and Docker's words for the same.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::builds::{Plan, build, last, minute, status};
use support::disk::close;
use support::{Agent, eventually};

#[test]
fn is_told_previewed_and_cleared_by_organization() {
    let agent = Agent::start();
    let cache = json!({ "mounts": [{ "type": "cache", "id": "npm", "target": "/c", "from": null, "source": ".", "sharing": "shared",
        "mode": 0o755, "uid": 0, "gid": 0 }] });
    let plan = Plan::new(&agent).run("head -c 300000 /dev/urandom > /a").run_with("head -c 100000 /dev/urandom > /c/x", &cache);
    assert_eq!(last(&build(&agent, &plan.request("b1", minute()), &[]))["type"], "result");
    let view = |scope: &str| agent.client.get(&format!("/slipway/v1/build-cache?scope={scope}"));
    let records = |view: &Value| view["records"].as_array().unwrap().clone();
    eventually("the mount is counted", || records(&view("org")).iter().any(|one| one["kind"] == "mount" && one["uses"] == 1));
    let told = view("org");
    let step = records(&told).into_iter().find(|one| one["text"] == "RUN head -c 300000 /dev/urandom > /a").unwrap();
    assert_eq!((&step["app"], &step["keptBy"]), (&json!("slipway.local/acme/app"), &json!(["slipway.local/acme/app:1"])), "{step}");
    assert!(told["disk"]["free"].as_u64() > told["disk"]["reserve"].as_u64() && told["policy"]["maxBytes"] == 20u64 << 30, "{told}");
    assert_eq!((records(&view("other")).len(), view("other")["scopes"].as_array().unwrap().len()), (0, 0));
    assert_eq!(records(&agent.client.get("/slipway/v1/build-cache")).len(), records(&told).len());

    assert_eq!(agent.client.request("DELETE", "/images/slipway.local/acme/app:1", b"").status, 200);
    let prune = |body: Value| agent.client.request("POST", "/slipway/v1/build-cache/prune", body.to_string().as_bytes());
    let preview = prune(json!({ "scope": "org", "dryRun": true })).json();
    assert_eq!((&preview["entries"], &preview["reclaimed"]), (&json!(3), &json!(0)), "{preview}");
    assert!(preview["bytes"].as_u64() > Some(600_000), "packed, unpacked, and the mount's: {preview}");
    assert_eq!(prune(json!({ "scope": "org", "kind": "mount", "dryRun": true })).json()["entries"], 1);
    assert_eq!(prune(json!({ "scope": "org", "unusedForMs": 3_600_000, "dryRun": true })).json()["entries"], 0);
    assert_eq!(prune(json!({ "scope": "other" })).json()["entries"], 0);
    for bad in [json!({ "scope": 1 }), json!({ "all": true }), json!({ "unusedForMs": -1 })] {
        assert_eq!(prune(bad).status, 400);
    }
    let same = build(&agent, &plan.request("b2", minute()), &[]);
    assert_eq!((status(&same, "v1"), status(&same, "v2")), ("cached", "cached"), "what was only looked at is still there");
    assert_eq!(agent.client.request("DELETE", "/images/slipway.local/acme/app:1", b"").status, 200);
    let gone = prune(json!({ "scope": "org" })).json();
    assert_eq!(gone["entries"], 3);
    assert!(gone["reclaimed"].as_u64() > Some(600_000), "{gone}");
    assert_eq!(records(&view("org")).len(), 0);
    let anew = build(&agent, &plan.request("b3", minute()), &[]);
    assert_eq!(anew.iter().find(|event| event["id"] == "v1").unwrap()["miss"]["reason"], "evicted");
}

#[test]
fn docker_sees_rows_and_prunes_by_its_own_filters() {
    let agent = Agent::start();
    let plan = Plan::new(&agent).run("head -c 300000 /dev/urandom > /a").run("head -c 200000 /dev/urandom > /b");
    build(&agent, &plan.request("b1", minute()), &[]);
    assert_eq!(agent.client.request("DELETE", "/images/slipway.local/acme/app:1", b"").status, 200);
    let rows = || agent.client.get("/system/df?type=build-cache")["BuildCache"].as_array().unwrap().clone();
    let step = rows().into_iter().find(|row| row["Description"] == "RUN head -c 300000 /dev/urandom > /a").unwrap();
    assert!(step["Size"].as_u64() > Some(600_000) && step["Shared"] == false && step["LastUsedAt"].is_string(), "{step}");
    let sum: u64 = rows().iter().filter(|row| row["Shared"] == false).map(|row| row["Size"].as_u64().unwrap()).sum();
    let disk = agent.client.get("/slipway/v1/disk");
    close(&disk["buildCache"], sum);
    let prune = |query: &str| {
        let answer = agent.client.request("POST", &format!("/build/prune?{query}"), b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["CachesDeleted"].as_array().unwrap().len()
    };
    let filters = |json: Value| format!("filters={}", form_urlencoded::byte_serialize(json.to_string().as_bytes()).collect::<String>());
    assert_eq!(prune("all=1&keep-storage=1000000000"), 0);
    assert_eq!(prune(&filters(json!({ "until": ["24h"] }))), 0);
    assert_eq!(prune(&filters(json!({ "type": ["exec.cachemount"] }))), 0);
    assert_eq!(prune(&filters(json!({ "id": [step["ID"]] }))), 1);
    assert_eq!(prune("all=1"), 1);
    assert_eq!(agent.client.request("POST", &format!("/build/prune?{}", filters(json!({ "colour": ["red"] }))), b"").status, 400);
}
