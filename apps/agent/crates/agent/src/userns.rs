//! Which ids of this host stand for the users of containers that have a user namespace of their own.
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use slipway_runtime::spec::IdRange;

/// `usernsRemap` of the settings: where the ids come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Remap {
    /// `default`, or whose ids of `/etc/subuid` and `/etc/subgid` they are: `user`, `user:group`.
    Named(String),
    Range(Range),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub base: u32,
    pub count: u32,
}

/// Whose entries `default` looks for.
const OWN_NAME: &str = "slipway";
/// Without such entries: above what adduser and systemd give away, below where 32 bits become negative. As ids on disk stay
/// unshifted, nothing depends on it but processes that run.
const OWN: Range = Range { base: 0x7000_0000, count: 65_536 };
/// The kernel keeps the last two for "none" and "leave it as it is".
const LAST_ID: u32 = u32::MAX - 2;

pub fn range(remap: Option<&Remap>) -> anyhow::Result<IdRange> {
    let read = |path: &str| std::fs::read_to_string(Path::new("/etc").join(path)).unwrap_or_default();
    resolve(remap, &read("subuid"), &read("subgid"))
}

fn resolve(remap: Option<&Remap>, subuid: &str, subgid: &str) -> anyhow::Result<IdRange> {
    let name = match remap {
        None => "default",
        Some(Remap::Named(name)) => name.as_str(),
        Some(Remap::Range(range)) => return both(*range, *range),
    };
    if name == "default" {
        return both(entry(subuid, OWN_NAME)?.unwrap_or(OWN), entry(subgid, OWN_NAME)?.unwrap_or(OWN));
    }
    let (user, group) = name.split_once(':').unwrap_or((name, name));
    let find = |text, name, file| entry(text, name)?.with_context(|| format!("usernsRemap: {file} has no line for {name:?}"));
    both(find(subuid, user, "/etc/subuid")?, find(subgid, group, "/etc/subgid")?)
}

/// The first line of `name`, as newuidmap reads it: name, first id, count.
fn entry(text: &str, name: &str) -> anyhow::Result<Option<Range>> {
    let Some(line) = text.lines().find(|line| line.split(':').next() == Some(name)) else { return Ok(None) };
    let mut fields = line.split(':').skip(1).map(str::parse);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Ok(base)), Some(Ok(count)), None) => Ok(Some(Range { base, count })),
        _ => bail!("usernsRemap: the line {line:?} is not name:first:count"),
    }
}

fn both(users: Range, groups: Range) -> anyhow::Result<IdRange> {
    for range in [users, groups] {
        ensure!(range.base > 0, "usernsRemap: the range begins at 0, which is the host's root");
        let last = range.base.checked_add(range.count).filter(|end| range.count > 0 && *end <= LAST_ID);
        ensure!(last.is_some(), "usernsRemap: {} ids from {} on are not ids of a host", range.count, range.base);
    }
    Ok(IdRange { uid: users.base, gid: groups.base, count: users.count.min(groups.count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let (subuid, subgid) = ("a:1:2\nbuild:100000:65536\nbad:x:1\n", "build:200000:1000\nops:300000:65536\n");
        let get = |json: &str| resolve(Some(&serde_json::from_str(json).unwrap()), subuid, subgid);
        assert_eq!(get(r#""build""#).unwrap(), IdRange { uid: 100_000, gid: 200_000, count: 1_000 });
        assert_eq!(get(r#""build:ops""#).unwrap(), IdRange { uid: 100_000, gid: 300_000, count: 65_536 });
        assert_eq!(get(r#"{"base": 5000, "count": 10}"#).unwrap(), IdRange { uid: 5_000, gid: 5_000, count: 10 });
        assert_eq!(get(r#""default""#).unwrap(), resolve(None, "", "").unwrap());
        assert_eq!(resolve(None, "slipway:7:9", "slipway:8:9").unwrap(), IdRange { uid: 7, gid: 8, count: 9 });
        for (json, why) in [
            (r#""nobody""#, "no line"),
            (r#""bad:build""#, "not name:first:count"),
            (r#"{"base": 0, "count": 10}"#, "host's root"),
            (r#"{"base": 10, "count": 0}"#, "not ids"),
            (r#"{"base": 4294967290, "count": 10}"#, "not ids"),
        ] {
            assert!(get(json).unwrap_err().to_string().contains(why), "{json}");
        }
        assert!(serde_json::from_str::<Remap>(r#"{"base": 1, "count": 1, "size": 1}"#).is_err());
    }
}
