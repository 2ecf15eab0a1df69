//! `_ping`, `version`, `info`.
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use slipway_runtime::clock;

use super::{API_VERSION, MIN_API_VERSION};
use crate::containers::record::Status;
use crate::state::App;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn router() -> Router<App> {
    // axum answers HEAD with the same headers and no body.
    Router::new().route("/_ping", get(ping)).route("/version", get(version)).route("/info", get(info))
}

async fn ping() -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    // The classic one: clients that prefer BuildKit ask for /session, and are told there what builds here.
    headers.insert("Builder-Version", HeaderValue::from_static("1"));
    headers.insert("Swarm", HeaderValue::from_static("inactive"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    (headers, "OK")
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Bytes of memory of the host.
pub fn total_memory() -> u64 {
    let meminfo = read("/proc/meminfo");
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1_024)
}

fn os_name() -> String {
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

async fn version() -> Json<Value> {
    let kernel = read("/proc/sys/kernel/osrelease");
    let details = json!({ "ApiVersion": API_VERSION, "MinAPIVersion": MIN_API_VERSION, "Os": "linux", "Arch": architecture(), "KernelVersion": kernel, "Experimental": "false" });
    Json(json!({
        "Platform": { "Name": "Slipway agent" },
        "Components": [{ "Name": "Engine", "Version": VERSION, "Details": details }],
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "Os": "linux",
        "Arch": architecture(),
        "KernelVersion": kernel,
        "GitCommit": "",
        "GoVersion": "",
        "BuildTime": "",
    }))
}

fn security_options(app: &App) -> Vec<&'static str> {
    let mut options = vec!["name=seccomp,profile=builtin"];
    options.extend(app.config.file.userns_remap.as_ref().map(|_| "name=userns"));
    options.push("name=cgroupns");
    options
}

async fn info(State(app): State<App>) -> Json<Value> {
    let all = app.containers.list();
    let running = all.iter().filter(|container| matches!(container.state().status, Status::Running | Status::Restarting)).count();
    let paused = all.iter().filter(|container| container.state().name() == "paused").count();
    let cgroups = app.containers.deps().groups.layout();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut info = json!({
        "ID": app.instance,
        "Name": read("/proc/sys/kernel/hostname"),
        "ServerVersion": VERSION,
        "Containers": all.len(),
        "ContainersRunning": running - paused,
        "ContainersPaused": paused,
        "ContainersStopped": all.len() - running,
        "Images": app.images.store.images().len(),
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "native"], ["Native Overlay Diff", "true"]],
        "DockerRootDir": app.config.data_root,
        "Plugins": { "Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file"] },
        "MemoryLimit": true,
        "SwapLimit": true,
        "CpuCfsPeriod": true,
        "CpuCfsQuota": true,
        "CPUShares": true,
        "CPUSet": true,
        "PidsLimit": true,
    });
    let rest = json!({
        "OomKillDisable": false,
        "IPv4Forwarding": true,
        "BridgeNfIptables": false,
        "BridgeNfIp6tables": false,
        "Debug": false,
        "LiveRestoreEnabled": true,
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": cgroups.version(),
        "KernelVersion": read("/proc/sys/kernel/osrelease"),
        "OperatingSystem": os_name(),
        "OSType": "linux",
        "OSVersion": "",
        "Architecture": std::env::consts::ARCH,
        "NCPU": cpus,
        "MemTotal": total_memory(),
        "SystemTime": clock::rfc3339(clock::now()),
        "IndexServerAddress": "https://index.docker.io/v1/",
        "DefaultRuntime": "slipway",
        "Runtimes": { "slipway": { "path": "slipway-agent" } },
        "Swarm": { "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null },
        "InitBinary": "slipway-agent",
        "SecurityOptions": security_options(&app),
        "RegistryConfig": { "InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": [] },
        "Labels": [],
        "Warnings": null,
    });
    if let (Some(info), Value::Object(rest)) = (info.as_object_mut(), rest) {
        info.extend(rest); // in two parts, because the macro has a depth limit
    }
    Json(info)
}
