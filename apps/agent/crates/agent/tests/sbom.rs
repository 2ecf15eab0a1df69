//! The list of an image's packages, asked over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::builds::{Plan, build, clean, last, minute};
use support::{Agent, eventually};

const STATUS: &str = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 13.8\n";

#[test]
fn a_built_image_tells_its_packages_and_the_layer_of_each() {
    let agent = Agent::start();
    let plan = Plan::new(&agent)
        .copy("status", "/var/lib/dpkg/")
        .copy("package.json", "/app/node_modules/left-pad/")
        .run("rm -rf /app/node_modules/none; ln -s /etc/shadow /var/lib/apk; mkdir -p /gone.dist-info; echo 'Name: gone' > /gone.dist-info/METADATA")
        .run("rm -r /gone.dist-info");
    let files = [("status", STATUS), ("package.json", r#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#)];
    let events = build(&agent, &plan.request("b1", minute()), &files);
    assert_eq!(last(&events)["type"], "result", "{events:#?}");

    let path = "/slipway/v1/images/slipway.local%2Facme%2Fapp%3A1/sbom";
    let answer = agent.client.request("GET", path, b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document: Value = answer.json();
    let purls: Vec<&str> =
        document["packages"].as_array().unwrap().iter().filter_map(|p| p["externalRefs"][0]["referenceLocator"].as_str()).collect();
    assert_eq!(purls, ["pkg:deb/debian/base-files@13.8?arch=amd64", "pkg:npm/left-pad@1.3.0"]);
    let layers = last(&events)["layers"].as_array().unwrap();
    let of = |name: &str| document["files"].as_array().unwrap().iter().find(|f| f["fileName"] == name).unwrap()["comment"].clone();
    let layer = |from_end: usize| json!(format!("layerID: {}", layers[layers.len() - from_end]["diffId"].as_str().unwrap()));
    assert_eq!((of("/var/lib/dpkg/status"), of("/app/node_modules/left-pad/package.json")), (layer(4), layer(3)));
    assert_eq!(document["packages"][0]["versionInfo"], last(&events)["manifestDigest"]);

    assert_eq!(agent.client.request("GET", path, b"").text(), answer.text(), "the same image gives the same document");
    assert_eq!(agent.client.request("GET", "/slipway/v1/images/nothing%3Ahere/sbom", b"").status, 404);
    eventually("nothing of it stays", || clean(&agent));
}
