//! Running properties over generated inputs, and documents with anything in the place of anything.
pub mod upload;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

/// Runs `property` on `cases` inputs of `strategy`; the same ones in every run unless `SLIPWAY_PROPERTY_SEED` says otherwise.
///
/// # Panics
/// With the smallest input found that fails.
pub fn for_all<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("SLIPWAY_PROPERTY_SEED").unwrap_or(0).to_le_bytes());
    let config = Config {
        cases: number("SLIPWAY_PROPERTY_CASES").unwrap_or(cases),
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    if let Err(error) = runner.run(strategy, property) {
        panic!("{error}");
    }
}

/// One change of a document: the how-manieth value in it, and what comes there.
#[derive(Debug, Clone)]
pub struct Change {
    place: usize,
    to: Option<Value>,
}

/// Up to `most` changes.
pub fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let change = (any::<usize>(), prop_oneof![1 => Just(None), 9 => odd_value().prop_map(Some)]);
    prop::collection::vec(change.prop_map(|(place, to)| Change { place, to }), 1..=most)
}

/// What a document should not hold there.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0i64), Just(-1), Just(i64::MAX), Just(i64::MIN), any::<i64>()].prop_map(Value::from),
        Just(json!(1e300)),
        Just(json!(18_446_744_073_709_551_615u64)),
        odd_text().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, [], {}, ""])),
        (1usize..200).prop_map(deep),
        Just(json!("x".repeat(100_000))),
        Just(Value::from(vec![""; 5_000])),
    ]
}

/// Names, paths and numbers that were somebody's undoing.
pub fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            ".",
            "..",
            "/",
            "../../etc/passwd",
            "/proc/self/fd/3",
            "a\0b",
            "\n",
            "-1",
            "0",
            "4294967295",
            "99999999999999999999",
            "1e9",
            "0x10",
            " ",
            "sha256:",
            "sha256:../../../x",
            "latest@",
            ":",
            "@",
            "host",
            "container:",
            "container:none",
            "0:0",
            "root:root",
            "80/tcp",
            "65536",
            "0-65535",
            "::1",
            "[::]:80",
            "%s%n",
            "$(id)",
            "\u{202e}",
            "é",
            "a=b=c",
            "=",
            "NaN",
            "true",
            "null",
            "{}",
        ])
        .prop_map(String::from),
        "\\PC{0,40}",
        ".{0,20}",
    ]
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!("deep"), |value, level| if level % 2 == 0 { json!([value]) } else { json!({ "x": value }) })
}

/// The document with its changes made, in order.
#[must_use]
pub fn changed(document: &Value, changes: &[Change]) -> Value {
    let mut document = document.clone();
    for change in changes {
        let count = count(&document);
        let mut place = change.place % count.max(1);
        put(&mut document, &mut place, change.to.as_ref());
    }
    document
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        Value::Object(fields) => fields.values().map(|field| 1 + count(field)).sum(),
        _ => 0,
    }
}

/// Replaces, or without `to` removes, the value at `place` in depth-first order; whether it was met.
fn put(value: &mut Value, place: &mut usize, to: Option<&Value>) -> bool {
    match value {
        Value::Array(items) => {
            for index in 0..items.len() {
                if *place == 0 {
                    match to {
                        Some(to) => items[index] = to.clone(),
                        None => drop(items.remove(index)),
                    }
                    return true;
                }
                *place -= 1;
                if put(&mut items[index], place, to) {
                    return true;
                }
            }
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                if *place == 0 {
                    match to {
                        Some(to) => drop(fields.insert(name, to.clone())),
                        None => drop(fields.remove(&name)),
                    }
                    return true;
                }
                *place -= 1;
                if fields.get_mut(&name).is_some_and(|field| put(field, place, to)) {
                    return true;
                }
            }
        }
        _ => {}
    }
    false
}

/// Bytes with some of them flipped, cut out or doubled.
pub fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len().max(1);
    prop::collection::vec((0..length, 0..4u8, any::<u8>()), 1..8).prop_map(move |hits| {
        let mut bytes = bytes.clone();
        for (at, what, byte) in hits {
            let at = at.min(bytes.len().saturating_sub(1));
            match what {
                _ if bytes.is_empty() => break,
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => drop(bytes.drain(at..(at + usize::from(byte) * 4).min(bytes.len()))),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_can_be_changed() {
        let document = json!({ "a": [1, { "b": 2 }], "c": "d" });
        let mut seen = std::collections::HashSet::new();
        for place in 0..count(&document) {
            seen.insert(changed(&document, &[Change { place, to: Some(json!("!")) }]).to_string());
            seen.insert(changed(&document, &[Change { place, to: None }]).to_string());
        }
        assert_eq!(seen.len(), 10);
    }
}
