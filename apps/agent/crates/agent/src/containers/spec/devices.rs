//! Devices of the host that a container is given: the nodes to be made, and the rules that let it use them.
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use slipway_cgroups::DeviceRule;
use slipway_runtime::spec::Device;

use super::bad;
use crate::containers::model::{DeviceMapping, HostConfig};
use crate::error::ApiResult;

/// Nodes of one container; a folder may hold any number.
const MOST: usize = 1_024;
const DEEPEST: usize = 16;
/// Of a folder of devices these are no devices of the host; as with Docker.
const LEFT_OUT: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];

/// Whether its control group has a list of devices of its own.
pub fn own_devices(host: &HostConfig) -> bool {
    host.privileged || !host.devices.is_empty() || !host.device_cgroup_rules.is_empty()
}

pub(super) fn nodes(host: &HostConfig) -> ApiResult<Vec<Device>> {
    Ok(found(host)?.into_iter().map(|(device, _)| device).collect())
}

/// Beyond the default list. Nothing for privileged containers, which may use every device.
pub(super) fn rules(host: &HostConfig) -> ApiResult<Vec<DeviceRule>> {
    let given = host.device_cgroup_rules.iter().map(|text| rule(text)).collect::<ApiResult<Vec<_>>>()?;
    if host.privileged {
        return Ok(Vec::new());
    }
    let own = found(host)?.into_iter().map(|(device, access)| DeviceRule {
        allow: true,
        kind: if device.block { 'b' } else { 'c' },
        major: Some(device.major),
        minor: Some(device.minor),
        access,
    });
    Ok(own.chain(given).collect())
}

fn found(host: &HostConfig) -> ApiResult<Vec<(Device, String)>> {
    let mut devices = Vec::new();
    for mapping in &host.devices {
        let access = access(mapping)?;
        let inside = match mapping.path_in_container.as_str() {
            "" => mapping.path_on_host.as_str(),
            path => path,
        };
        let parts: Vec<&str> = inside.split('/').collect();
        if !inside.starts_with('/') || parts.contains(&"..") || inside.contains('\0') {
            return Err(bad(format!("{inside} is not an absolute path")));
        }
        gather(mapping, Path::new(&mapping.path_on_host), inside.trim_end_matches('/'), 0, &mut |device| {
            devices.push((device, access.clone()))
        })?;
        if devices.len() > MOST {
            return Err(bad(format!("more than {MOST} devices")));
        }
    }
    Ok(devices)
}

fn access(mapping: &DeviceMapping) -> ApiResult<String> {
    let letters = &mapping.cgroup_permissions;
    let twice = letters.char_indices().any(|(at, letter)| letters[..at].contains(letter));
    match letters.as_str() {
        "" => Ok("rwm".into()),
        letters if letters.bytes().all(|b| matches!(b, b'r' | b'w' | b'm')) && !twice => Ok(letters.into()),
        _ => Err(bad(format!("invalid device mode: {letters}"))),
    }
}

/// The node `path`, or all nodes beneath the folder `path`; only the path itself may be a link.
fn gather(mapping: &DeviceMapping, path: &Path, inside: &str, depth: usize, add: &mut impl FnMut(Device)) -> ApiResult<()> {
    let failed =
        |why: &str| bad(format!("error gathering device information while adding custom device \"{}\": {why}", mapping.path_on_host));
    let meta = match depth {
        0 => fs::metadata(path),
        _ => fs::symlink_metadata(path),
    };
    let meta = match (meta, depth) {
        (Ok(meta), _) => meta,
        (Err(error), 0) if error.kind() == std::io::ErrorKind::NotFound => return Err(failed("no such file or directory")),
        (Err(error), 0) => return Err(failed(&error.to_string())),
        (Err(_), _) => return Ok(()), // unplugged meanwhile
    };
    let kind = meta.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        let number = meta.rdev();
        add(Device {
            path: inside.to_owned(),
            block: kind.is_block_device(),
            major: rustix::fs::major(number),
            minor: rustix::fs::minor(number),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
        });
        return Ok(());
    }
    if !kind.is_dir() {
        return if depth == 0 { Err(failed("not a device node")) } else { Ok(()) };
    }
    if depth >= DEEPEST {
        return Err(failed("its folders are nested too deeply"));
    }
    let mut names: Vec<_> =
        fs::read_dir(path).map_err(|error| failed(&error.to_string()))?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let Some(text) = name.to_str().filter(|name| !LEFT_OUT.contains(name) && *name != "console") else { continue };
        gather(mapping, &path.join(text), &format!("{inside}/{text}"), depth + 1, add)?;
    }
    Ok(())
}

/// `c 10:229 rwm`, with `*` for any number.
fn rule(text: &str) -> ApiResult<DeviceRule> {
    let parse = || {
        let mut words = text.split(' ');
        let (kind, numbers, access, end) = (words.next()?, words.next()?, words.next()?, words.next());
        let (major, minor) = numbers.split_once(':')?;
        let number = |text: &str| match text {
            "*" => Some(None),
            // What `parse` would also take: a sign.
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
            _ => None,
        };
        let letters = (1..=3).contains(&access.len()) && access.bytes().all(|b| matches!(b, b'r' | b'w' | b'm'));
        let kind = kind.chars().next().filter(|c| kind.len() == 1 && matches!(c, 'a' | 'b' | 'c'))?;
        let rule = DeviceRule { allow: true, kind, major: number(major)?, minor: number(minor)?, access: access.to_owned() };
        (letters && end.is_none()).then_some(rule)
    };
    parse().ok_or_else(|| bad(format!("invalid device cgroup rule format: '{text}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_strictly() {
        for text in ["c 1:3 rwm", "b *:* r", "a 7:* m"] {
            assert_eq!(rule(text).unwrap().line(), text);
        }
        for text in ["", "c 1:3", "c 1:3 x", "d 1:3 r", "c 1 r", "c -1:3 r", "c 1:+3 r", "c 1:3 r w", "c 1:3 rwmr", "c  1:3 r"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nodes_are_found_and_others_refused() {
        let host = |path: &str, inside: &str, mode: &str| HostConfig {
            devices: vec![DeviceMapping { path_on_host: path.into(), path_in_container: inside.into(), cgroup_permissions: mode.into() }],
            ..HostConfig::default()
        };
        let one = host("/dev/null", "/dev/nothing", "r");
        let nodes = nodes(&one).unwrap();
        assert!(nodes.len() == 1 && nodes[0].path == "/dev/nothing" && (nodes[0].major, nodes[0].minor, nodes[0].block) == (1, 3, false));
        assert_eq!(rules(&one).unwrap()[0].line(), "c 1:3 r");
        for (path, inside, mode, why) in [
            ("/dev/not-there", "/dev/x", "rwm", "no such file"),
            ("/etc/passwd", "/dev/x", "rwm", "not a device node"),
            ("/dev/null", "x", "rwm", "absolute"),
            ("/dev/null", "/dev/../x", "rwm", "absolute"),
            ("/dev/null", "/dev/x", "rr", "invalid device mode"),
        ] {
            assert!(rules(&host(path, inside, mode)).unwrap_err().message.contains(why), "{path} {inside} {mode}");
        }
    }
}
