//! npm: the `package.json` of each folder in `node_modules`, and lock files of applications that come without that folder.
use serde_json::{Map, Value};

use crate::package::{Kind, Package};

/// Whether a path is the manifest of an installed package: `node_modules/<name>` or `node_modules/@<scope>/<name>`. Packages have
/// more files of that name, which only switch module kinds.
pub(crate) fn is_installed(path: &str) -> bool {
    let Some((_, rest)) = path.rsplit_once("node_modules/") else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [name, "package.json"] => !name.starts_with(['@', '.']),
        [scope, _, "package.json"] => scope.starts_with('@'),
        _ => false,
    }
}

pub(crate) fn parse(bytes: &[u8], path: &str) -> Option<Package> {
    let manifest: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let text = |name: &str| manifest.get(name).and_then(Value::as_str);
    let package = Package::new(Kind::Npm, text("name")?, text("version").unwrap_or_default(), path)?;
    // Either a string, or what npm took long ago: an object, or a list of those.
    let licence = match (manifest.get("license"), manifest.get("licenses")) {
        (Some(Value::String(name)), _) => Some(name.clone()),
        (Some(Value::Object(one)), _) => one.get("type").and_then(Value::as_str).map(str::to_owned),
        (_, Some(Value::Array(all))) => {
            let names: Vec<&str> = all.iter().filter_map(|one| one.get("type").unwrap_or(one).as_str()).take(10).collect();
            (!names.is_empty()).then(|| names.join(" OR "))
        }
        _ => None,
    };
    Some(package.with_licence(licence.as_deref()))
}

/// What `package-lock.json` (versions 1 to 3) installs for production.
pub(crate) fn parse_lock(bytes: &[u8], path: &str) -> Vec<Package> {
    let Ok(lock) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return Vec::new() };
    let mut found = Vec::new();
    let is_development = |entry: &Value| entry.get("dev").and_then(Value::as_bool) == Some(true);
    if let Some(packages) = lock.get("packages").and_then(Value::as_object) {
        for (place, entry) in packages {
            let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
            let name = entry.get("name").and_then(Value::as_str).unwrap_or(name);
            let Some(version) = entry.get("version").and_then(Value::as_str).filter(|_| !is_development(entry)) else { continue };
            let licence = entry.get("license").and_then(Value::as_str);
            found.extend(Package::new(Kind::Npm, name, version, path).map(|package| package.with_licence(licence)));
        }
        return found;
    }
    // Version 1 nests; serde_json itself stops at a depth of 128.
    let mut open = vec![&lock];
    while let Some(level) = open.pop() {
        let Some(dependencies) = level.get("dependencies").and_then(Value::as_object) else { continue };
        for (name, entry) in dependencies {
            let Some(version) = entry.get("version").and_then(Value::as_str).filter(|_| !is_development(entry)) else { continue };
            found.extend(Package::new(Kind::Npm, name, version, path));
            open.extend(entry.as_object().filter(|entry| entry.contains_key("dependencies")));
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tells_packages_from_their_inner_manifests() {
        for (path, installed) in [
            ("app/node_modules/a/package.json", true),
            ("app/node_modules/@s/a/package.json", true),
            ("app/node_modules/a/node_modules/b/package.json", true),
            ("app/node_modules/a/dist/esm/package.json", false),
            ("app/node_modules/@s/package.json", false),
            ("app/node_modules/.cache/package.json", false),
            ("app/package.json", false),
        ] {
            assert_eq!(is_installed(path), installed, "{path}");
        }
    }

    #[test]
    fn reads_licences_of_all_times() {
        let licence = |json: &str| parse(json.as_bytes(), "x").and_then(|package| package.licence);
        assert_eq!(licence(r#"{"name":"a","version":"1","license":"MIT"}"#).as_deref(), Some("MIT"));
        assert_eq!(licence(r#"{"name":"a","version":"1","license":{"type":"BSD-3-Clause"}}"#).as_deref(), Some("BSD-3-Clause"));
        assert_eq!(licence(r#"{"name":"a","licenses":[{"type":"MIT"},{"type":"ISC"}]}"#).as_deref(), Some("MIT OR ISC"));
        assert!(parse(b"[1]", "x").is_none() && parse(b"{\"name\":3}", "x").is_none());
    }

    #[test]
    fn locks_of_every_version() {
        let names =
            |json: &str| parse_lock(json.as_bytes(), "x").into_iter().map(|p| format!("{}@{}", p.name, p.version)).collect::<Vec<_>>();
        let three = r#"{"lockfileVersion":3,"packages":{"":{"name":"app"},"node_modules/a":{"version":"1","license":"MIT"},
            "node_modules/a/node_modules/@s/b":{"version":"2"},"node_modules/dev":{"version":"3","dev":true}}}"#;
        assert_eq!(names(three), ["a@1", "@s/b@2"]);
        let one = r#"{"dependencies":{"a":{"version":"1","dependencies":{"b":{"version":"2"}}},"d":{"version":"3","dev":true}}}"#;
        assert_eq!(names(one), ["a@1", "b@2"]);
    }
}
