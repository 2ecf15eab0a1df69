//! The data root's bytes: counted by `du`, and told by the agent.
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Agent;

/// Bytes that `du` counts in all of these together; what is not there is left out.
pub fn du(paths: &[String]) -> u64 {
    let script = "du --block-size=1 --total --summarize \"$@\" 2>/dev/null | tail -n 1 | cut -f 1";
    let output = Command::new("sh").args(["-c", script, "du"]).args(paths).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[track_caller]
pub fn close(told: &Value, counted: u64) {
    let told = told.as_u64().unwrap();
    assert!(counted > 0 && told.abs_diff(counted) * 100 <= counted, "{told} is told, {counted} is there");
}

/// Paths below the data root.
pub fn data(agent: &Agent, paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| agent.root.path().join("data").join(path).display().to_string()).collect()
}

/// The names in a folder of the data root; none when it is not there.
pub fn names(agent: &Agent, path: &str) -> Vec<String> {
    entries(&agent.root.path().join("data").join(path))
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing on its way in or out is on disk, and every byte of content is told of.
#[track_caller]
pub fn assert_whole(agent: &Agent, when: &str) {
    for area in ["content/ingest", "layers/tmp", "layers/trash", "builds", "runs"] {
        super::eventually(&format!("{when}: {area} is empty: {:?}", names(agent, area)), || names(agent, area).is_empty());
    }
    for area in ["meta/images", "meta/refs", "meta/leases"] {
        let odd: Vec<String> = names(agent, area).into_iter().filter(|name| !name.ends_with(".json")).collect();
        assert!(odd.is_empty(), "{when}: {area} has {odd:?}");
    }
    let told = agent.client.get("/slipway/v1/disk");
    let content = told["images"].as_u64().unwrap() + told["buildCache"].as_u64().unwrap();
    println!("{when}: {told}");
    close(&content.into(), du(&data(agent, &["layers", "content", "build-cache", "contexts"])));
}
