//! What cannot be kept is refused before anything is made, in runc's words where it has some.
use std::collections::HashSet;
use std::path::Path;

use super::linux::{Linux, namespace_flag};
use super::{Config, Hook, Process};
use crate::error::{Error, Result};

/// Most a config may hold; it is read whole.
const LARGEST: u64 = 16 << 20;

/// All ones would mean "leave it as it is" to the kernel, and that is root.
const LARGEST_ID: u32 = i32::MAX as u32;

/// Reads and checks the config of a bundle.
pub fn read(bundle: &Path) -> Result<Config> {
    let path = bundle.join("config.json");
    let config = crate::files::read_limited(&path, LARGEST).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::Told("JSON specification file config.json not found".into()),
        _ => Error::Told(format!("cannot read {}: {error}", path.display())),
    })?;
    let config: Config = parse(&config).map_err(|error| Error::Told(format!("config.json: {error}")))?;
    check(&config)?;
    Ok(config)
}

/// `null` is what some write for "not there".
pub fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let mut value = serde_json::from_slice(text)?;
    drop_nulls(&mut value);
    serde_json::from_value(value)
}

fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Told(message.into()))
}

fn check(config: &Config) -> Result<()> {
    version(&config.oci_version)?;
    let Some(process) = &config.process else { return refuse("process property must not be empty") };
    self::process(process)?;
    if config.root.as_ref().is_none_or(|root| root.path.as_os_str().is_empty()) {
        return refuse("root path must not be empty");
    }
    let texts = [&config.hostname, &config.domainname];
    if texts.iter().any(|text| text.len() > 64 || text.contains('\0')) {
        return refuse("the host name and the domain name have at most 64 characters");
    }
    if !config.linux.has_namespace("uts") && (!config.hostname.is_empty() || !config.domainname.is_empty()) {
        return refuse("unable to set hostname without a private UTS namespace");
    }
    for mount in &config.mounts {
        if mount.destination.is_empty() || mount.destination.contains('\0') {
            return refuse(format!("invalid mount: destination {:?}", mount.destination));
        }
    }
    let hooks = &config.hooks;
    let all = [&hooks.prestart, &hooks.create_runtime, &hooks.create_container, &hooks.start_container, &hooks.poststart, &hooks.poststop];
    all.into_iter().flatten().try_for_each(hook)?;
    linux(&config.linux)
}

/// 1.x of `major.minor.patch[-…]`.
fn version(text: &str) -> Result<()> {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<Option<u32>> = core.split('.').map(|part| part.parse().ok()).collect();
    match numbers[..] {
        [Some(1), Some(_), Some(_)] => Ok(()),
        [Some(_), Some(_), Some(_)] => refuse(format!("ociVersion {text} is not supported, only 1.x.y")),
        _ => refuse(format!("ociVersion {text:?} is no version")),
    }
}

/// Also of an exec.
pub fn process(process: &Process) -> Result<()> {
    if process.cwd.is_empty() {
        return refuse("Cwd property must not be empty");
    }
    if !process.cwd.starts_with('/') {
        return refuse("Cwd must be an absolute path");
    }
    if process.args.is_empty() {
        return refuse("args must not be empty");
    }
    if process.args.iter().chain(&process.env).chain([&process.cwd]).any(|text| text.contains('\0')) {
        return refuse("the arguments, the variables and the working directory must not hold a zero byte");
    }
    if !process.apparmor_profile.is_empty() {
        return refuse("apparmor profile specified in config, but apparmor is not supported");
    }
    if !process.selinux_label.is_empty() {
        return refuse("selinux label is specified in config, but selinux is disabled or not supported");
    }
    let user = &process.user;
    if [user.uid, user.gid].iter().chain(&user.additional_gids).any(|id| *id > LARGEST_ID) {
        return refuse(format!("user and group ids above {LARGEST_ID} are not supported"));
    }
    let mut seen = HashSet::new();
    for limit in &process.rlimits {
        let known = limit.kind.strip_prefix("RLIMIT_").is_some_and(|name| slipway_runtime::is_rlimit(&name.to_ascii_lowercase()));
        if !known {
            return refuse(format!("invalid rlimit type: {}", limit.kind));
        }
        if !seen.insert(&limit.kind) {
            return refuse(format!("duplicate rlimit type: {}", limit.kind));
        }
        if limit.soft > limit.hard {
            return refuse(format!("rlimit {}: the soft limit is above the hard one", limit.kind));
        }
    }
    Ok(())
}

fn hook(hook: &Hook) -> Result<()> {
    match hook {
        Hook { path, .. } if !path.is_absolute() => refuse(format!("hook path {:?} is not absolute", path.display())),
        Hook { timeout: Some(timeout), .. } if *timeout <= 0 => refuse(format!("hook timeout {timeout} is not above zero")),
        _ => Ok(()),
    }
}

fn linux(linux: &Linux) -> Result<()> {
    let mut seen = HashSet::new();
    for namespace in &linux.namespaces {
        if namespace_flag(&namespace.kind).is_none() {
            return refuse(format!("namespace {:?} does not exist", namespace.kind));
        }
        if !seen.insert(&namespace.kind) {
            return refuse(format!("malformed spec file: duplicated ns {:?}", namespace.kind));
        }
        if namespace.given().is_some_and(|path| !path.is_absolute()) {
            return refuse(format!("namespace path of {:?} is not absolute", namespace.kind));
        }
    }
    if linux.has_new_namespace("user") && (linux.uid_mappings.is_empty() || linux.gid_mappings.is_empty()) {
        return refuse("User namespaces enabled, but no uid and gid mappings found");
    }
    let mapped = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    if mapped && !linux.has_namespace("user") {
        return refuse("User namespace mappings specified, but USER namespace isn't enabled in the config");
    }
    if !linux.mount_label.is_empty() {
        return refuse("selinux label is specified in config, but selinux is disabled or not supported");
    }
    if linux.intel_rdt.is_some() {
        return refuse("intelRdt is specified in config, but Intel RDT is not supported");
    }
    if linux.time_offsets.is_some() {
        return refuse("time namespaces are not supported");
    }
    propagation(&linux.rootfs_propagation)?;
    if let Some(personality) = &linux.personality {
        if !matches!(personality.domain.as_str(), "LINUX" | "LINUX32") {
            return refuse(format!("unknown personality domain {:?}", personality.domain));
        }
        if !personality.flags.is_empty() {
            return refuse("personality flags are not supported");
        }
    }
    for device in &linux.devices {
        if !matches!(device.kind.as_str(), "c" | "u" | "b" | "p") {
            return refuse(format!("invalid type {:?} of the device {}", device.kind, device.path));
        }
        if !device.path.starts_with('/') {
            return refuse(format!("device path {:?} is not absolute", device.path));
        }
    }
    sysctls(linux)
}

fn propagation(text: &str) -> Result<()> {
    match text.strip_prefix('r').unwrap_or(text) {
        "" | "shared" | "slave" | "private" | "unbindable" => Ok(()),
        _ => refuse(format!("rootfsPropagation={text} is not supported")),
    }
}

/// Only settings of the container's own namespaces, as with runc: others are the host's.
fn sysctls(linux: &Linux) -> Result<()> {
    for name in linux.sysctl.keys() {
        // Some write them with slashes.
        let dotted = name.replace('/', ".");
        let ipc = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni"]
            .contains(&dotted.as_str())
            || dotted == "kernel.shm_rmid_forced"
            || dotted.starts_with("fs.mqueue.");
        let plain =
            name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':')) && !name.contains("..");
        let separate = match dotted.as_str() {
            "kernel.domainname" | "kernel.hostname" => linux.has_namespace("uts"),
            _ if ipc => linux.has_namespace("ipc"),
            _ if dotted.starts_with("net.") => linux.has_namespace("network"),
            _ => false,
        };
        if !plain || !separate {
            return refuse(format!("sysctl {name:?} is not in a separate kernel namespace"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(change: impl Fn(&mut serde_json::Value)) -> std::result::Result<(), String> {
        let mut config = serde_json::json!({
            "ociVersion": "1.0.2-dev", "process": {"cwd": "/", "args": ["true"]}, "root": {"path": "rootfs"},
            "linux": {"namespaces": [{"type": "mount"}, {"type": "network"}]}
        });
        change(&mut config);
        let config: Config = serde_json::from_value(config).map_err(|e| e.to_string())?;
        check(&config).map_err(|e| e.to_string())
    }

    #[test]
    fn refuses_what_it_cannot_keep() {
        verdict(|_| {}).unwrap();
        for (key, value, word) in [
            ("/ociVersion", serde_json::json!("invalid"), "no version"),
            ("/ociVersion", serde_json::json!("2.0.0"), "not supported"),
            ("/process/cwd", serde_json::json!("relative"), "absolute"),
            ("/process/args", serde_json::json!([]), "args"),
            ("/root/path", serde_json::json!(""), "root path"),
            ("/linux/namespaces", serde_json::json!([{"type": "mount"}, {"type": "mount"}]), "duplicated"),
            ("/linux/namespaces", serde_json::json!([{"type": "time"}]), "does not exist"),
        ] {
            let refused = verdict(|config| *config.pointer_mut(key).unwrap() = value.clone()).unwrap_err();
            assert!(refused.contains(word), "{key}: {refused}");
        }
    }

    #[test]
    fn sysctls_of_the_host_are_refused() {
        let set = |name: &str| verdict(|config| config["linux"]["sysctl"] = serde_json::json!({ name: "1" }));
        set("net.core.somaxconn").unwrap();
        for name in ["kernel.core_pattern", "kernel.shmmax", "net..x", "kernel/core_pattern", "kernel.shmmax2"] {
            assert!(set(name).is_err(), "{name}");
        }
    }
}
