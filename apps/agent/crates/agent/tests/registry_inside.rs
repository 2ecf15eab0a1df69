//! Registries over TLS whose storage is further inside this network than they are: refused, unless the settings allow it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::Agent;
use support::content::{done, layers};
use support::registry::Registry;

const CERTIFICATE: &str = r#"
set -e
new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
printf 'subjectAltName=IP:127.0.0.1,IP:%s\nbasicConstraints=CA:FALSE\n' "$1" > leaf
$new -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
$new -subj /CN=registry -keyout registry.key -out registry.csr
openssl x509 -req -days 2 -in registry.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile leaf -out registry.pem
"#;

#[test]
fn storage_inside_this_network_is_used_only_when_the_settings_allow_it() {
    let mut agent = Agent::bare();
    // An address of this host that is no loopback one: its own bridge's.
    let bridge = agent.client.get("/networks/bridge")["IPAM"]["Config"][0]["Gateway"].as_str().unwrap().to_owned();
    let root = agent.root.path().to_owned();
    let made = Command::new("sh").args(["-c", CERTIFICATE, "sh", &bridge]).current_dir(&root).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let start = || Registry::start_tls(&root.join("registry.pem"), &root.join("registry.key"));
    let (front, storage) = (start(), start());
    front.put("v1", &layers());
    storage.put("v1", &layers());
    front.redirect_blobs(&format!("https://{}", storage.address));
    let port = front.address.rsplit(':').next().unwrap();
    agent.env = vec![("SSL_CERT_FILE".to_owned(), root.join("ca.pem").display().to_string())];
    for (inside, fine) in [
        (json!({}), false),
        (json!({ "other.example": ["127.0.0.0/8"] }), false),
        (json!({ "registry.example": ["10.0.0.0/8", "127.0.0.2"] }), false),
        (json!({ "registry.example": ["127.0.0.0/8"] }), true),
    ] {
        let settings = json!({ "registries": { "registry.example": format!("https://{bridge}:{port}") }, "registryInside": inside });
        std::fs::write(root.join("settings.json"), settings.to_string()).unwrap();
        agent.kill();
        agent.respawn();
        let path = "/images/create?fromImage=registry.example/acme/app:v1";
        if fine {
            assert!(done(&agent, "POST", path, b""), "{inside}");
            continue;
        }
        let answer = agent.client.request("POST", path, b"");
        let told: Value = serde_json::from_str(answer.text().lines().last().unwrap()).unwrap();
        let message = told["message"].as_str().or(told["error"].as_str()).unwrap_or_default();
        assert!(message.contains("an address inside this network, 127.0.0.1; if that is meant, allow it under registryInside"), "{told}");
    }
}
