//! Rules about which devices may be used.
use slipway_cgroups::Group;

use crate::config::resources::DeviceRule;
use crate::error::{Error, Result};

/// What every container may use, whatever the config says (runtime spec, "Default Devices"); as with runc, after its rules.
const DEFAULTS: [&str; 12] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
    "c 10:200 rwm",
];

pub fn apply(group: &Group, rules: &[DeviceRule]) -> Result<()> {
    // No rules: the kernel's default, which allows all. The spec leaves that to the runtime; runc does the same.
    if rules.is_empty() {
        return Ok(());
    }
    let lines = rules.iter().map(|rule| line(rule).map(|line| (rule.allow, line))).collect::<Result<Vec<_>>>()?;
    if group.is_v2() {
        return Err(Error::Told("device rules of a bundle are not supported on cgroup v2 yet".into()));
    }
    if group.dir("devices").is_none() {
        return Err(Error::Told("this host's kernel cannot limit devices: its cgroup controller is not there".into()));
    }
    for (allow, line) in lines {
        group.set("devices", if allow { "devices.allow" } else { "devices.deny" }, &line)?;
    }
    DEFAULTS.iter().try_for_each(|line| group.set("devices", "devices.allow", line))?;
    Ok(())
}

/// `c 1:3 rwm`, or `a` for everything.
fn line(rule: &DeviceRule) -> Result<String> {
    let kind = rule.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("a");
    let access = rule.access.as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm");
    if !matches!(kind, "a" | "b" | "c" | "u") || !access.bytes().all(|b| matches!(b, b'r' | b'w' | b'm')) {
        return Err(Error::Told(format!("invalid device rule: type {kind:?}, access {access:?}")));
    }
    let number = |number: Option<i64>| number.filter(|n| *n >= 0).map_or("*".to_owned(), |n| n.to_string());
    let kind = if kind == "u" { "c" } else { kind };
    Ok(format!("{kind} {}:{} {access}", number(rule.major), number(rule.minor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_kernels() {
        let rule = |kind: &str, major, minor, access: &str| {
            line(&DeviceRule { allow: true, kind: Some(kind.into()), major, minor, access: Some(access.into()) })
        };
        assert_eq!(line(&DeviceRule::default()).unwrap(), "a *:* rwm");
        assert_eq!(rule("c", Some(10), Some(229), "rw").unwrap(), "c 10:229 rw");
        assert_eq!(rule("b", Some(8), None, "r").unwrap(), "b 8:* r");
        assert!(rule("x", None, None, "r").is_err() && rule("c", None, None, "r\nw").is_err());
    }
}
