//! Names and ids.
use std::io::Read;

use crate::error::{ApiError, ApiResult};

const LEFT: [&str; 48] = [
    "amber", "able", "agile", "bold", "brave", "bright", "brisk", "calm", "candid", "clear", "clever", "cool", "crisp", "deft", "eager",
    "early", "fair", "fast", "fine", "firm", "fond", "free", "fresh", "gentle", "glad", "grand", "happy", "keen", "kind", "light",
    "lively", "lucid", "merry", "mild", "neat", "noble", "plain", "proud", "quick", "quiet", "ready", "sharp", "smart", "solid", "steady",
    "sunny", "swift", "warm",
];

const RIGHT: [&str; 48] = [
    "anchor",
    "barge",
    "beacon",
    "bow",
    "brig",
    "buoy",
    "cabin",
    "canal",
    "cargo",
    "clipper",
    "compass",
    "cove",
    "crane",
    "cutter",
    "deck",
    "dock",
    "ferry",
    "fleet",
    "gale",
    "galley",
    "harbor",
    "helm",
    "hull",
    "jetty",
    "keel",
    "ketch",
    "lantern",
    "lighthouse",
    "mast",
    "mooring",
    "oar",
    "pier",
    "pilot",
    "port",
    "prow",
    "quay",
    "raft",
    "reef",
    "rigging",
    "rudder",
    "sail",
    "schooner",
    "sloop",
    "spar",
    "tide",
    "tug",
    "wharf",
    "yawl",
];

fn random<const N: usize>() -> ApiResult<[u8; N]> {
    let mut bytes = [0; N];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|error| ApiError::internal("no random numbers", error))
}

/// 64 hex digits. Twelve digits never are a number alone, or tools would take the short form for one.
pub fn new_id() -> ApiResult<String> {
    loop {
        let id = hex::encode(random::<32>()?);
        if !id[..12].bytes().all(|b| b.is_ascii_digit()) {
            return Ok(id);
        }
    }
}

/// `swift_anchor`, with a number after a few collisions.
pub fn generate(taken: impl Fn(&str) -> bool) -> ApiResult<String> {
    for attempt in 0..32 {
        let [left, right, number] = random::<3>()?;
        let mut name = format!("{}_{}", LEFT[usize::from(left) % LEFT.len()], RIGHT[usize::from(right) % RIGHT.len()]);
        if attempt > 3 {
            name.push_str(&number.to_string());
        }
        if !taken(&name) {
            return Ok(name);
        }
    }
    Ok(format!("container_{}", hex::encode(random::<6>()?)))
}

/// The name is another container's.
pub fn taken(name: &str, owner: &str) -> ApiError {
    ApiError::conflict(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". \
         You have to remove (or rename) that container to be able to reuse that name."
    ))
}

pub fn check(name: &str) -> ApiResult<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    match first && rest && (2..=128).contains(&name.len()) {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"))),
    }
}
