//! What clients see of a container: `GET /containers/{id}/json` and the entries of `GET /containers/json`.
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_net::PublishedPort;
use slipway_runtime::clock;

use super::record::{Health, MountKind, MountPoint, Record, State, Status, log_path};
use super::spec;
use super::{Container, Containers};

/// Docker's way of saying "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

fn time(nanoseconds: i64) -> String {
    if nanoseconds == 0 { NEVER.to_owned() } else { clock::rfc3339(nanoseconds) }
}

/// Of the network that a container was made for, as the client wrote it.
fn network_mode(record: &Record) -> String {
    match record.host_config.network_mode.as_str() {
        "" | "default" => "bridge".to_owned(),
        mode => mode.to_owned(),
    }
}

fn health(health: &Health) -> Value {
    let log: Vec<Value> = health
        .log
        .iter()
        .map(|probe| json!({ "Start": time(probe.start), "End": time(probe.end), "ExitCode": probe.exit_code, "Output": probe.output }))
        .collect();
    json!({ "Status": health.status, "FailingStreak": health.failing_streak, "Log": log })
}

fn state(state: &State, trouble: String) -> Value {
    let mut value = json!({
        "Status": state.name(),
        "Running": matches!(state.status, Status::Running | Status::Restarting),
        "Paused": state.paused && state.is_running(),
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": state.oom_killed,
        "Dead": false,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": trouble,
        "StartedAt": time(state.started_at),
        "FinishedAt": time(state.finished_at),
    });
    if let Some(found) = &state.health {
        value["Health"] = health(found);
    }
    value
}

fn ports(record: &Record, state: &State) -> Value {
    let mut map: BTreeMap<String, Value> = record.config.exposed_ports.keys().map(|key| (key.clone(), Value::Null)).collect();
    for port in &state.ports {
        let key = format!("{}/{}", port.container_port, port.protocol.name());
        let entry = map.entry(key).or_insert(Value::Null);
        if entry.is_null() {
            *entry = json!([]);
        }
        if let Some(list) = entry.as_array_mut() {
            for ip in host_ips(port) {
                list.push(json!({ "HostIp": ip, "HostPort": port.host_port.to_string() }));
            }
        }
    }
    json!(map)
}

/// The wildcard socket serves both families.
fn host_ips(port: &PublishedPort) -> Vec<String> {
    match port.host_ip {
        None => vec!["0.0.0.0".into(), "::".into()],
        Some(ip) => vec![ip.to_string()],
    }
}

fn mount(mount: &MountPoint) -> Value {
    let kind = match mount.kind {
        MountKind::Bind => "bind",
        MountKind::Volume => "volume",
        MountKind::Tmpfs => "tmpfs",
    };
    let mut value = json!({
        "Type": kind,
        "Source": mount.source,
        "Destination": mount.destination,
        "Mode": "",
        "RW": !mount.readonly,
        "Propagation": if mount.kind == MountKind::Bind && mount.propagation.is_empty() { "rprivate" } else { &mount.propagation },
    });
    if mount.kind == MountKind::Volume {
        value["Name"] = json!(mount.name);
        value["Driver"] = json!("local");
    }
    value
}

impl Containers {
    pub fn inspect(&self, container: &Container, size: Option<(u64, u64)>) -> Value {
        let (record, now) = (container.record(), container.state());
        let mut args = record.config.entrypoint.clone().unwrap_or_default();
        args.extend(record.config.cmd.clone().unwrap_or_default());
        let path = if args.is_empty() { String::new() } else { args.remove(0) };
        let file = |name: &str| container.dir.join(name);
        let upper = self.deps.images.layers.snapshots().dirs(&record.id).ok();
        let layer_data = upper
            .map(|dirs| json!({ "UpperDir": dirs.upper, "WorkDir": dirs.work, "MergedDir": dirs.merged, "LowerDir": join(&dirs.lower) }));
        let mut config = json!(record.config);
        if let Some(map) = config.as_object_mut() {
            map.insert("Hostname".into(), json!(spec::hostname(&record)));
            map.entry("Cmd").or_insert(Value::Null);
        }
        let mut value = json!({
            "Id": record.id,
            "Created": time(record.created),
            "Path": path,
            "Args": args,
            "State": state(&now, container.trouble()),
            "Image": record.image_id,
            "ResolvConfPath": file("resolv.conf"),
            "HostnamePath": file("hostname"),
            "HostsPath": file("hosts"),
            "LogPath": log_path(&container.dir),
            "Name": format!("/{}", record.name),
            "RestartCount": now.restart_count,
            "Driver": "overlay2",
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": "",
            "AppArmorProfile": "",
            "ExecIDs": null,
            "HostConfig": host_config(&record),
            "GraphDriver": { "Name": "overlay2", "Data": layer_data },
            "Mounts": record.mounts.iter().map(mount).collect::<Vec<_>>(),
            "Config": config,
            "NetworkSettings": self.network_settings(&record, &now, ports(&record, &now)),
        });
        if let Some((own, all)) = size {
            value["SizeRw"] = json!(own);
            value["SizeRootFs"] = json!(all);
        }
        value
    }

    pub fn summary(&self, container: &Container, size: Option<(u64, u64)>) -> Value {
        let (record, now) = (container.record(), container.state());
        let mut command = record.config.entrypoint.clone().unwrap_or_default();
        command.extend(record.config.cmd.clone().unwrap_or_default());
        let mut list: Vec<Value> = Vec::new();
        for (key, binding) in ports(&record, &now).as_object().cloned().unwrap_or_else(Map::new) {
            let Ok((port, protocol)) = spec::parse_port(&key) else { continue };
            let published = binding.as_array().cloned().unwrap_or_default();
            if published.is_empty() && now.is_running() {
                list.push(json!({ "PrivatePort": port, "Type": protocol.name() }));
            }
            for entry in published {
                let public = entry["HostPort"].as_str().and_then(|port| port.parse::<u16>().ok());
                list.push(json!({ "IP": entry["HostIp"], "PrivatePort": port, "PublicPort": public, "Type": protocol.name() }));
            }
        }
        let mut value = json!({
            "Id": record.id,
            "Names": [format!("/{}", record.name)],
            "Image": record.config.image,
            "ImageID": record.image_id,
            "Command": command.join(" "),
            "Created": record.created / 1_000_000_000,
            "Ports": list,
            "Labels": record.config.labels,
            "State": now.name(),
            "Status": status_text(&now),
            "HostConfig": { "NetworkMode": network_mode(&record) },
            "NetworkSettings": { "Networks": self.endpoints(&record, &now) },
            "Mounts": record.mounts.iter().map(mount).collect::<Vec<_>>(),
        });
        if let Some((own, all)) = size {
            value["SizeRw"] = json!(own);
            value["SizeRootFs"] = json!(all);
        }
        value
    }
}

fn join(paths: &[std::path::PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

/// As it came, with Docker's defaults where clients rely on a value.
fn host_config(record: &Record) -> Value {
    let mut value = json!(record.host_config);
    let Some(map) = value.as_object_mut() else { return value };
    let empty = |value: Option<&Value>| value.is_none_or(|value| value.is_null() || value == "");
    for (key, default) in [
        ("NetworkMode", json!(network_mode(record))),
        ("IpcMode", json!("private")),
        ("CgroupnsMode", json!("private")),
        ("Runtime", json!("slipway")),
        ("ShmSize", json!(64 << 20)),
        ("MaskedPaths", json!(slipway_runtime::spec::LaunchSpec::default_masked_paths())),
        ("ReadonlyPaths", json!(slipway_runtime::spec::LaunchSpec::default_readonly_paths())),
    ] {
        if empty(map.get(key)) || map.get(key) == Some(&json!(0)) || (key == "NetworkMode" && map[key] == "default") {
            map.insert(key.to_owned(), default);
        }
    }
    if let Some(log) = map.get_mut("LogConfig").filter(|log| log["Type"] == "") {
        log["Type"] = json!("json-file");
    }
    if let Some(policy) = map.get_mut("RestartPolicy").filter(|policy| policy["Name"] == "") {
        policy["Name"] = json!("no");
    }
    value
}

/// `Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`.
fn status_text(state: &State) -> String {
    let since = |nanoseconds: i64| human((clock::now() - nanoseconds).max(0) / 1_000_000_000);
    match state.status {
        Status::Created => "Created".into(),
        Status::Running => {
            let health = match state.paused.then_some("paused").or(state.health.as_ref().map(|health| health.status)) {
                Some("paused") => " (Paused)",
                Some("starting") => " (health: starting)",
                Some("healthy") => " (healthy)",
                Some("unhealthy") => " (unhealthy)",
                _ => "",
            };
            format!("Up {}{health}", since(state.started_at))
        }
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, since(state.finished_at)),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, since(state.finished_at)),
        Status::Removing => "Removal In Progress".into(),
    }
}

/// Docker's rounding of durations.
fn human(seconds: i64) -> String {
    let (minutes, hours) = ((seconds as f64 / 60.0).round() as i64, (seconds as f64 / 3_600.0).round() as i64);
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".into(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".into(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn durations_read_as_dockers() {
        let cases = [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (75, "About a minute"),
            (3_000, "50 minutes"),
            (3_700, "About an hour"),
            (90_000, "25 hours"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(seconds), text);
        }
    }
}
