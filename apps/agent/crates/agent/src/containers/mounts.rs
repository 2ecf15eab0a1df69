//! What a client asked to mount, made concrete: binds, volumes (made now when missing) and tmpfs.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::{Config, HostConfig, MountRequest};
use super::record::{MountKind, MountPoint};
use super::spec::parse_size;
use crate::error::{ApiError, ApiResult};
use crate::volumes::options::{self, Options};
use crate::volumes::{NewVolume, Volumes};

/// Mount points of one container.
const MOST: usize = 256;

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

fn point(kind: MountKind, destination: String) -> MountPoint {
    MountPoint {
        kind,
        name: String::new(),
        source: PathBuf::new(),
        destination,
        readonly: false,
        recursive: true,
        propagation: String::new(),
        anonymous: false,
        bound: false,
        populate: false,
        tmpfs_size: None,
        tmpfs_mode: None,
        tmpfs_exec: false,
        tmpfs_options: Vec::new(),
        tmpfs_suid: false,
        tmpfs_devices: false,
        subpath: String::new(),
        only_top_readonly: false,
    }
}

/// All mount points of a new container; those of other containers (`inherited`) give way to its own. Blocking, as it makes
/// directories.
pub fn resolve(
    volumes: &Volumes,
    config: &Config,
    host: &HostConfig,
    inherited: Vec<MountPoint>,
    random: impl Fn() -> ApiResult<String>,
) -> ApiResult<Vec<MountPoint>> {
    // An image may declare any number of volumes, and each is made.
    if host.binds.len() + host.mounts.len() + host.tmpfs.len() + config.volumes.len() + inherited.len() > MOST {
        return Err(bad(format!("more than {MOST} mounts and volumes")));
    }
    let mut points: Vec<MountPoint> = Vec::new();
    for bind in &host.binds {
        points.push(parse_bind(volumes, bind, &random)?);
    }
    for request in &host.mounts {
        points.push(from_request(volumes, request, &random)?);
    }
    for (path, options) in &host.tmpfs {
        points.push(parse_tmpfs(path, options)?);
    }
    for point in inherited {
        if !points.iter().any(|own| own.destination == point.destination) {
            points.push(point);
        }
    }
    for path in config.volumes.keys() {
        let destination = clean(path)?;
        if !points.iter().any(|point| point.destination == destination) {
            points.push(volume(volumes, "", destination, true, BTreeMap::new(), Options::new(), &random)?);
        }
    }
    for (index, point) in points.iter().enumerate() {
        if points[..index].iter().any(|other| other.destination == point.destination) {
            return Err(bad(format!("Duplicate mount point: {}", point.destination)));
        }
    }
    Ok(points)
}

/// An absolute container path without `.`, `..` and double slashes.
fn clean(path: &str) -> ApiResult<String> {
    if !path.starts_with('/') {
        return Err(bad(format!("invalid mount path: '{path}' mount path must be absolute")));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    match parts.is_empty() {
        true => Err(bad("invalid specification: destination can't be '/'")),
        false => Ok(format!("/{}", parts.join("/"))),
    }
}

/// A relative path that leads nowhere above its beginning.
fn clean_part(path: &str) -> ApiResult<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match path.starts_with('/') || parts.contains(&"..") || path.contains('\0') {
        true => Err(bad(format!("invalid mount config for type \"volume\": subpath must be a relative path within the volume: {path:?}"))),
        false => Ok(parts.join("/")),
    }
}

fn volume(
    volumes: &Volumes,
    name: &str,
    destination: String,
    populate: bool,
    labels: BTreeMap<String, String>,
    driver: Options,
    random: &impl Fn() -> ApiResult<String>,
) -> ApiResult<MountPoint> {
    let anonymous = name.is_empty();
    let name = if anonymous { random()? } else { name.to_owned() };
    let (volume, _) = volumes.ensure(NewVolume { name: &name, labels, anonymous, options: driver })?;
    let bound = options::plan(&volume.options).is_some_and(|plan| plan.options.bind);
    Ok(MountPoint { name: volume.name, source: volume.path, anonymous, bound, populate, ..point(MountKind::Volume, destination) })
}

fn bind(source: &str, destination: String, create: bool) -> ApiResult<MountPoint> {
    let path = Path::new(source);
    if create && !path.exists() {
        std::fs::create_dir_all(path).map_err(|error| bad(format!("cannot make {source}: {error}")))?;
    }
    // The policy looks at where it really leads.
    let source = path
        .canonicalize()
        .map_err(|_| bad(format!("invalid mount config for type \"bind\": bind source path does not exist: {source}")))?;
    Ok(MountPoint { source, ..point(MountKind::Bind, destination) })
}

/// `source:destination[:options]`, or `destination` alone for an anonymous volume.
fn parse_bind(volumes: &Volumes, text: &str, random: &impl Fn() -> ApiResult<String>) -> ApiResult<MountPoint> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts.as_slice() {
        [destination] => ("", *destination, ""),
        [source, destination] => (*source, *destination, ""),
        [source, destination, options] => (*source, *destination, *options),
        _ => return Err(bad(format!("invalid volume specification: {text:?}"))),
    };
    let destination = clean(destination)?;
    let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
    let mut made = match source.starts_with('/') {
        true => bind(source, destination, true)?,
        false => volume(volumes, source, destination, !options.contains(&"nocopy"), BTreeMap::new(), Options::new(), random)?,
    };
    for option in options {
        match option {
            "ro" => made.readonly = true,
            "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => made.propagation = option.to_owned(),
            "bind" => made.recursive = false,
            // Read-write is the default; labels are for SELinux, which is not used here.
            "rw" | "rbind" | "z" | "Z" | "nocopy" | "cached" | "delegated" | "consistent" => {}
            other => return Err(bad(format!("invalid mode: {other}"))),
        }
    }
    Ok(made)
}

fn from_request(volumes: &Volumes, request: &MountRequest, random: &impl Fn() -> ApiResult<String>) -> ApiResult<MountPoint> {
    let destination =
        clean(&request.target).map_err(|error| bad(format!("invalid mount config for type {:?}: {}", request.kind, error.message)))?;
    let made = match request.kind.as_str() {
        "bind" => {
            if !request.source.starts_with('/') {
                return Err(bad(format!(
                    "invalid mount config for type \"bind\": invalid mount path: '{}' mount path must be absolute",
                    request.source
                )));
            }
            let made = bind(&request.source, destination, request.bind_options.create_mountpoint)?;
            let options = &request.bind_options;
            if options.read_only_non_recursive && options.read_only_force_recursive {
                return Err(bad(
                    "invalid mount config for type \"bind\": must not set ReadOnlyForceRecursive and ReadOnlyNonRecursive at the same time",
                ));
            }
            MountPoint {
                propagation: options.propagation.clone(),
                recursive: !options.non_recursive,
                only_top_readonly: options.read_only_non_recursive,
                ..made
            }
        }
        "volume" => {
            let options = &request.volume_options;
            let subpath = clean_part(&options.subpath)?;
            if !subpath.is_empty() && request.source.is_empty() {
                return Err(bad("invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes"));
            }
            let driver = options.driver_config.name.as_str();
            if !matches!(driver, "" | "local") {
                return Err(bad(format!("error looking up volume plugin {driver}: plugin \"{driver}\" not found")));
            }
            if request.source.is_empty() && request.read_only {
                return Err(bad("invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes"));
            }
            let (labels, driver) = (options.labels.clone(), options.driver_config.options.clone());
            MountPoint { subpath, ..volume(volumes, &request.source, destination, !options.no_copy, labels, driver, random)? }
        }
        "tmpfs" => {
            let options = &request.tmpfs_options;
            let size = u64::try_from(options.size_bytes).ok().filter(|size| *size > 0);
            let mode = (options.mode != 0).then_some(options.mode);
            MountPoint { tmpfs_size: size, tmpfs_mode: mode, ..point(MountKind::Tmpfs, destination) }
        }
        other => return Err(bad(format!("invalid mount config for type {other:?}: mount type unknown; use bind, volume or tmpfs"))),
    };
    Ok(MountPoint { readonly: request.read_only, ..made })
}

/// `/run` with `rw,noexec,size=64m,mode=1777`.
fn parse_tmpfs(path: &str, options: &str) -> ApiResult<MountPoint> {
    let mut made = point(MountKind::Tmpfs, clean(path)?);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let invalid = || bad(format!("invalid tmpfs option {option:?}"));
        match option.split_once('=').unwrap_or((option, "")) {
            ("size", size) => made.tmpfs_size = Some(parse_size(size).ok_or_else(invalid)?),
            ("mode", mode) => made.tmpfs_mode = Some(u32::from_str_radix(mode, 8).map_err(|_| invalid())?),
            ("ro", "") => made.readonly = true,
            ("exec", "") => made.tmpfs_exec = true,
            ("suid", "") => made.tmpfs_suid = true,
            ("dev", "") => made.tmpfs_devices = true,
            ("uid" | "gid" | "nr_inodes" | "nr_blocks", number) => {
                let (key, _) = option.split_once('=').ok_or_else(invalid)?;
                number.parse::<u32>().map_err(|_| invalid())?;
                made.tmpfs_options.push((key.to_owned(), number.to_owned()));
            }
            // As ever for a tmpfs, or without meaning for one.
            (
                "rw" | "noexec" | "nosuid" | "nodev" | "async" | "sync" | "atime" | "noatime" | "diratime" | "nodiratime" | "relatime"
                | "norelatime" | "strictatime",
                "",
            ) => {}
            _ => return Err(invalid()),
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(host: HostConfig, declared: &[&str]) -> ApiResult<Vec<MountPoint>> {
        let dir = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(dir.path(), crate::policy::Policy::default()).unwrap();
        let config = Config { volumes: declared.iter().map(|path| ((*path).into(), serde_json::json!({}))).collect(), ..Config::default() };
        resolve(&volumes, &config, &host, Vec::new(), || Ok("random".into()))
    }

    #[test]
    fn declared_volumes_give_way_to_explicit_ones() {
        let host = HostConfig { binds: vec!["data:/var/lib/x/:ro".into()], ..HostConfig::default() };
        let points = all(host, &["/var/lib/x", "/other"]).unwrap();
        assert_eq!(points.len(), 2);
        assert!(points[0].name == "data" && points[0].readonly && !points[0].anonymous);
        assert!(points[1].name == "random" && points[1].anonymous && points[1].populate);
    }

    #[test]
    fn bad_requests_are_refused() {
        for bind in ["relative:also-relative", "/nope/../..:/", "a:b:c:d", "data:/x:weird"] {
            assert!(all(HostConfig { binds: vec![bind.into()], ..HostConfig::default() }, &[]).is_err(), "{bind}");
        }
        let many: Vec<String> = (0..300).map(|n| format!("/v{n}")).collect();
        assert!(all(HostConfig::default(), &many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err().message.contains("256"));
        let twice = HostConfig { binds: vec!["one:/x".into(), "two:/x/".into()], ..HostConfig::default() };
        assert!(all(twice, &[]).unwrap_err().message.contains("Duplicate"));
    }
}
