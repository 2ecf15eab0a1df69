//! Rules about which devices may be used.
use slipway_cgroups::{DeviceRule, Group, default_devices};

use crate::config::resources::DeviceRule as Wanted;
use crate::error::{Error, Result};

/// No rules: all may be used, which is the kernel's default; the spec leaves that to the runtime, and runc does the same.
/// With rules, what every container has (runtime spec, "Default Devices") may be used whatever they say, as with runc.
pub fn apply(group: &Group, wanted: &[Wanted]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut rules = wanted.iter().map(rule).collect::<Result<Vec<_>>>()?;
    rules.extend(default_devices());
    Ok(group.set_devices(&rules)?)
}

fn rule(wanted: &Wanted) -> Result<DeviceRule> {
    let kind = wanted.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("a");
    let access = wanted.access.as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm");
    let kind = match kind {
        "a" => 'a',
        "b" => 'b',
        "c" | "u" => 'c',
        _ => return Err(Error::Told(format!("invalid device rule: type {kind:?}"))),
    };
    if !access.bytes().all(|b| matches!(b, b'r' | b'w' | b'm')) {
        return Err(Error::Told(format!("invalid device rule: access {access:?}")));
    }
    // -1 is "any" to some.
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Ok(DeviceRule { allow: wanted.allow, kind, major: number(wanted.major), minor: number(wanted.minor), access: access.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_kernels() {
        let line = |kind: &str, major, minor, access: &str| {
            rule(&Wanted { allow: true, kind: Some(kind.into()), major, minor, access: Some(access.into()) }).map(|rule| rule.line())
        };
        assert_eq!(rule(&Wanted::default()).unwrap().line(), "a *:* rwm");
        assert_eq!(line("c", Some(10), Some(229), "rw").unwrap(), "c 10:229 rw");
        assert_eq!(line("b", Some(8), None, "r").unwrap(), "b 8:* r");
        assert!(line("x", None, None, "r").is_err() && line("c", None, None, "r\nw").is_err());
    }
}
