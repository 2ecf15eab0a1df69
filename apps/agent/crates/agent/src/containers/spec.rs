//! From what a client asked for to what the runtime runs.
use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use slipway_cgroups::{Join, Limits};
use slipway_net::{Protocol, PublishedPort};
use slipway_runtime::spec::{LaunchSpec, LogSettings, Mount, MountKind, Namespaces, Network, Process, Propagation, Rlimit, Rootfs, Stdin};
use slipway_runtime::{caps, is_rlimit};

use super::model::{HostConfig, PortBinding};
use super::record::{self, MountPoint, Record, log_path};
use crate::error::{ApiError, ApiResult};

/// Docker's smallest memory limit; less kills the container before it runs.
const SMALLEST_MEMORY: i64 = 6 << 20;
const DEFAULT_SHM: u64 = 64 << 20;
const MOST_PORTS: usize = 4_096;
/// The kernel's limit.
const LONGEST_HOSTNAME: usize = 64;
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

/// How a container is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// The default network.
    Bridge,
    None,
    Host,
    /// A network of the user's, by name or id.
    Named(String),
}

pub fn network_mode(host: &HostConfig) -> ApiResult<NetworkMode> {
    match host.network_mode.as_str() {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "none" => Ok(NetworkMode::None),
        "host" => Ok(NetworkMode::Host),
        mode if mode.starts_with("container:") => Err(bad("sharing another container's network is not supported")),
        name => Ok(NetworkMode::Named(name.to_owned())),
    }
}

/// Security options that change the filter and the privileges.
pub struct Security {
    pub no_new_privileges: bool,
    pub seccomp: bool,
}

pub fn security(host: &HostConfig) -> ApiResult<Security> {
    let mut security = Security { no_new_privileges: false, seccomp: !host.privileged };
    for option in &host.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
        match (key, value) {
            ("no-new-privileges", value) => {
                security.no_new_privileges = value.parse().map_err(|_| bad(format!("invalid security option {option:?}")))?;
            }
            ("seccomp", "unconfined") => security.seccomp = false,
            ("seccomp", "builtin") => {}
            ("seccomp", _) => return Err(bad("custom seccomp profiles are not supported; use the default, or seccomp=unconfined")),
            // This engine uses neither AppArmor nor SELinux, so there is nothing to turn off or on.
            ("apparmor" | "label" | "disable", _) => {}
            _ => return Err(bad(format!("unknown security option {option:?}"))),
        }
    }
    Ok(security)
}

/// The limits in the units of the kernel; also checks them.
pub fn limits(host: &HostConfig) -> ApiResult<Limits> {
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let text = |value: &String| (!value.is_empty()).then(|| value.clone());
    if host.memory != 0 && host.memory < SMALLEST_MEMORY {
        return Err(bad("Minimum memory limit allowed is 6MB"));
    }
    if host.memory_swap > 0 && host.memory_swap < host.memory {
        return Err(bad("Minimum memoryswap limit should be larger than memory limit, see usage"));
    }
    if host.nano_cpus != 0 && (host.cpu_quota != 0 || host.cpu_period != 0) {
        return Err(bad("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set"));
    }
    if host.nano_cpus < 0 {
        return Err(bad("the number of CPUs must be positive"));
    }
    let mut limits = Limits {
        memory: positive(host.memory),
        memory_swap: (host.memory_swap != 0).then_some(host.memory_swap),
        cpu_quota: positive(host.cpu_quota),
        cpu_period: positive(host.cpu_period),
        cpu_shares: positive(host.cpu_shares),
        cpuset_cpus: text(&host.cpuset_cpus),
        cpuset_mems: text(&host.cpuset_mems),
        pids: host.pids_limit.and_then(positive),
        all_devices: host.privileged,
    };
    if let Some(nano) = positive(host.nano_cpus) {
        limits.set_nano_cpus(nano);
    }
    Ok(limits)
}

/// The ports to publish, with host port 0 for "any"; on `binding` where no address is given.
pub fn ports(record: &Record, binding_ip: Option<IpAddr>) -> ApiResult<Vec<PublishedPort>> {
    let mut ports = Vec::new();
    let mut seen = HashSet::new();
    for (key, bindings) in &record.host_config.port_bindings {
        let (container_port, protocol) = parse_port(key)?;
        let any = [PortBinding::default()];
        let bindings = bindings.as_deref().filter(|bindings| !bindings.is_empty()).unwrap_or(&any);
        for binding in bindings {
            let host_ip = match binding.host_ip.trim_matches(['[', ']']) {
                "" => binding_ip,
                ip => Some(ip.parse().map_err(|_| bad(format!("invalid IP address {ip:?} to publish a port on")))?),
            };
            let (host_port, last_host_port) = host_ports(&binding.host_port)?;
            let port = PublishedPort { host_ip, host_port, last_host_port, container_port, protocol };
            if seen.insert(port.clone()) || host_port == 0 {
                ports.push(port);
            }
        }
    }
    if record.host_config.publish_all_ports {
        let mut bound: HashSet<(u16, Protocol)> = ports.iter().map(|port| (port.container_port, port.protocol)).collect();
        for key in record.config.exposed_ports.keys() {
            let (container_port, protocol) = parse_port(key)?;
            if bound.insert((container_port, protocol)) {
                ports.push(PublishedPort { host_ip: binding_ip, host_port: 0, last_host_port: 0, container_port, protocol });
            }
        }
    }
    // Each takes a socket of this host; an image may expose all ports there are.
    match ports.len() > MOST_PORTS {
        true => Err(bad(format!("more than {MOST_PORTS} published ports"))),
        false => Ok(ports),
    }
}

/// `8080`, `8000-8010` (any of these), or nothing for any at all.
fn host_ports(text: &str) -> ApiResult<(u16, u16)> {
    let invalid = || bad(format!("invalid host port {text:?}"));
    let number = |text: &str| text.parse::<u16>().map_err(|_| invalid());
    match text.split_once('-') {
        None if text.is_empty() => Ok((0, 0)),
        None => Ok((number(text)?, 0)),
        Some((first, last)) => match (number(first)?, number(last)?) {
            (first, last) if first > 0 && first <= last => Ok((first, last)),
            _ => Err(invalid()),
        },
    }
}

/// `80`, `80/tcp`, `53/udp`.
pub fn parse_port(text: &str) -> ApiResult<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(bad(format!("ports of {other} cannot be published, only tcp and udp"))),
    };
    match u16::from_str(port) {
        Ok(port) if port > 0 => Ok((port, protocol)),
        _ => Err(bad(format!("invalid port {text:?}"))),
    }
}

/// Everything but the network namespace's descriptor. `resolv.conf`, `hosts` and `hostname` are expected in `dir`.
pub fn build(record: &Record, run: u64, dir: &Path, rootfs: Rootfs, cgroup: Join) -> ApiResult<LaunchSpec> {
    let (config, host) = (&record.config, &record.host_config);
    let network = network_mode(host)?;
    let host_namespace = |mode: &str, what: &str| match mode {
        "" | "private" | "shareable" | "none" => Ok(false),
        "host" => Ok(true),
        other => Err(bad(format!("the {what} mode {other:?} is not supported"))),
    };
    let namespaces = Namespaces {
        network: match network {
            NetworkMode::Bridge | NetworkMode::Named(_) => Network::Given,
            NetworkMode::None => Network::Loopback,
            NetworkMode::Host => Network::Host,
        },
        pid_host: host_namespace(&host.pid_mode, "pid")?,
        ipc_host: host_namespace(&host.ipc_mode, "ipc")?,
        uts_host: host_namespace(&host.uts_mode, "uts")?,
        cgroup_host: host_namespace(&host.cgroupns_mode, "cgroup namespace")?,
    };
    if !matches!(host.userns_mode.as_str(), "" | "host") {
        return Err(bad("user namespaces are not supported"));
    }
    if !host.devices.is_empty() {
        return Err(bad("single host devices are not supported; --privileged gives all"));
    }
    let security = security(host)?;
    let capabilities = match host.privileged {
        true => caps::ALL,
        false => caps::adjust(&host.cap_add, &host.cap_drop).map_err(|name| bad(format!("invalid capability: {name:?}")))?,
    };
    let paths = |own: &Option<Vec<String>>, default: fn() -> Vec<String>| match (own, host.privileged) {
        (Some(paths), _) => paths.clone(),
        (None, true) => Vec::new(),
        (None, false) => default(),
    };
    let mut args = config.entrypoint.clone().unwrap_or_default();
    args.extend(config.cmd.clone().unwrap_or_default());
    if args.first().is_none_or(String::is_empty) {
        return Err(bad("no command specified"));
    }
    let texts = args.iter().chain(&config.env).chain([&config.working_dir, &config.user, &config.hostname]);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(bad("the command, its variables, folder, user and host name must not hold a zero byte"));
    }
    if config.hostname.len() > LONGEST_HOSTNAME || config.hostname.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(bad(format!("invalid host name {:?}: it has at most {LONGEST_HOSTNAME} characters, and no spaces", config.hostname)));
    }
    Ok(LaunchSpec {
        id: record.id.clone(),
        dir: dir.to_owned(),
        run,
        ephemeral: false,
        rootfs,
        readonly_root: host.readonly_rootfs,
        process: Process {
            args,
            env: environment(record),
            cwd: config.working_dir.clone(),
            user: config.user.clone(),
            groups: host.group_add.clone(),
            capabilities,
            no_new_privileges: security.no_new_privileges,
            tty: config.tty,
            rlimits: rlimits(host)?,
            size: (host.console_size != [0, 0]).then_some(host.console_size),
            oom_score_adj: (host.oom_score_adj != 0).then_some(host.oom_score_adj),
        },
        hostname: hostname(record),
        mounts: mounts(record, dir)?,
        masked_paths: paths(&host.masked_paths, LaunchSpec::default_masked_paths),
        readonly_paths: paths(&host.readonly_paths, LaunchSpec::default_readonly_paths),
        sysctls: sysctls(host, &namespaces)?,
        namespaces,
        cgroup,
        shm_size: u64::try_from(host.shm_size).ok().filter(|size| *size > 0).unwrap_or(DEFAULT_SHM),
        privileged: host.privileged,
        init: host.init == Some(true),
        stdin: match (config.open_stdin, config.stdin_once) {
            (false, _) => Stdin::Null,
            (true, false) => Stdin::Open,
            (true, true) => Stdin::Once,
        },
        log: Some(log_settings(host, dir)?),
    })
}

pub fn hostname(record: &Record) -> String {
    match record.config.hostname.as_str() {
        "" => record.id.chars().take(12).collect(),
        name => name.to_owned(),
    }
}

/// The image's and the client's variables, after the ones every container has.
pub fn environment(record: &Record) -> Vec<String> {
    let own = &record.config.env;
    let has = |name: &str| own.iter().any(|entry| entry.split_once('=').map_or(entry.as_str(), |(key, _)| key) == name);
    let mut env = Vec::new();
    if !has("PATH") {
        env.push(DEFAULT_PATH.to_owned());
    }
    if !has("HOSTNAME") {
        env.push(format!("HOSTNAME={}", hostname(record)));
    }
    if record.config.tty && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    // `-e NAME` without a value removes a variable.
    env.extend(own.iter().filter(|entry| entry.contains('=')).cloned());
    env
}

fn rlimits(host: &HostConfig) -> ApiResult<Vec<Rlimit>> {
    let value = |n: i64| u64::try_from(n).unwrap_or(u64::MAX); // -1 is unlimited
    let convert = |limit: &super::model::Ulimit| match is_rlimit(&limit.name) {
        true if limit.hard >= 0 && (limit.soft < 0 || limit.soft > limit.hard) => {
            Err(bad(format!("ulimit {}: the soft limit is above the hard one", limit.name)))
        }
        true => Ok(Rlimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }),
        false => Err(bad(format!("unknown ulimit {:?}", limit.name))),
    };
    host.ulimits.iter().map(convert).collect()
}

/// Only settings that belong to the container's own namespaces.
fn sysctls(host: &HostConfig, names: &Namespaces) -> ApiResult<std::collections::BTreeMap<String, String>> {
    for name in host.sysctls.keys() {
        let ipc =
            name.starts_with("kernel.msg") || name.starts_with("kernel.shm") || name == "kernel.sem" || name.starts_with("fs.mqueue.");
        let net = name.starts_with("net.");
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) && !name.contains("..");
        if !plain || !((ipc && !names.ipc_host) || (net && names.network != Network::Host)) {
            return Err(bad(format!("sysctl {name:?} is not in a separate kernel namespace")));
        }
    }
    Ok(host.sysctls.clone())
}

fn log_settings(host: &HostConfig, dir: &Path) -> ApiResult<LogSettings> {
    let driver = if host.log_config.kind.is_empty() { "json-file" } else { host.log_config.kind.as_str() };
    let known: &[&str] = match driver {
        "json-file" => {
            &["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size"]
        }
        "local" => &["max-file", "max-size", "compress", "mode", "max-buffer-size"],
        "none" => &[],
        other => return Err(bad(format!("logger: no log driver named '{other}' is registered"))),
    };
    // The driver `none` takes any and uses none of them.
    if let Some(name) = host.log_config.config.keys().find(|name| driver != "none" && !known.contains(&name.as_str())) {
        return Err(bad(format!("unknown log opt '{name}' for {driver} log driver")));
    }
    let option = |name: &str| host.log_config.config.get(name);
    let max_size = option("max-size").map(|text| parse_size(text).ok_or_else(|| bad(format!("invalid max-size {text:?}")))).transpose()?;
    let max_files =
        option("max-file").map(|text| text.parse::<u32>().map_err(|_| bad(format!("invalid max-file {text:?}")))).transpose()?;
    let none = host.log_config.kind == "none";
    Ok(LogSettings {
        path: log_path(dir),
        // Without a log there still is a short one, for attaching clients to catch up from.
        max_size: if none { Some(64 * 1024) } else { max_size.filter(|size| *size > 0) },
        max_files: if none { 1 } else { max_files.unwrap_or(1).clamp(1, 1_000) },
    })
}

/// `10m`, `1g`, `512`; powers of 1,024 as Docker counts here.
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[digits.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<f64>().ok().filter(|n| *n >= 0.0).map(|n| (n * (1u64 << shift) as f64) as u64)
}

fn mounts(record: &Record, dir: &Path) -> ApiResult<Vec<Mount>> {
    let mut mounts = Vec::new();
    for name in ["resolv.conf", "hosts", "hostname"] {
        let target = format!("/etc/{name}");
        if !record.mounts.iter().any(|mount| mount.destination == target) {
            let kind = MountKind::Bind { source: dir.join(name), recursive: false, propagation: Propagation::Private, populate: false };
            mounts.push(Mount { target, kind, readonly: false });
        }
    }
    // Outer before inner, whatever order they were given in.
    let mut own: Vec<&MountPoint> = record.mounts.iter().collect();
    own.sort_by_key(|mount| mount.destination.split('/').filter(|part| !part.is_empty()).count());
    for mount in own {
        mounts.push(Mount { target: mount.destination.clone(), kind: kind(mount)?, readonly: mount.readonly });
    }
    Ok(mounts)
}

fn kind(mount: &MountPoint) -> ApiResult<MountKind> {
    if mount.kind == record::MountKind::Tmpfs {
        return Ok(MountKind::Tmpfs { size: mount.tmpfs_size, mode: mount.tmpfs_mode.unwrap_or(0o1777), exec: mount.tmpfs_exec });
    }
    let propagation = match mount.propagation.trim_start_matches('r') {
        "" | "private" => Propagation::Private,
        "slave" => Propagation::Slave,
        "shared" => Propagation::Shared,
        other => return Err(bad(format!("invalid mount propagation {other:?}"))),
    };
    Ok(MountKind::Bind { source: mount.source.clone(), recursive: mount.recursive, propagation, populate: mount.populate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ports() {
        assert_eq!((parse_size("10m"), parse_size("1.5k"), parse_size("7"), parse_size("x")), (Some(10 << 20), Some(1_536), Some(7), None));
        assert_eq!(parse_port("53/udp").unwrap(), (53, Protocol::Udp));
        assert!(parse_port("0").is_err() && parse_port("80/sctp").is_err() && parse_port("99999").is_err());
    }

    #[test]
    fn memory_limits_are_checked_as_docker_does() {
        let host = |memory, swap| HostConfig { memory, memory_swap: swap, ..HostConfig::default() };
        assert!(limits(&host(1 << 20, 0)).is_err());
        assert!(limits(&host(64 << 20, 32 << 20)).is_err());
        assert_eq!(limits(&host(64 << 20, -1)).unwrap().memory_swap, Some(-1));
        let cpus = HostConfig { nano_cpus: 1_500_000_000, ..HostConfig::default() };
        assert_eq!(limits(&cpus).unwrap().cpu_quota, Some(150_000));
    }
}
