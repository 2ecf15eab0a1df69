//! `GET /containers/{id}/stats`.
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Map, Value, json};
use slipway_cgroups::{DeviceIo, Stats, host_cpu};
use slipway_runtime::clock;

use crate::containers::Container;
use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

/// Between two samples of one answer; Docker's clients compute percentages from the two.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Sample {
    stats: Stats,
    host_cpu: u64,
    cpus: usize,
    networks: Map<String, Value>,
    time: i64,
}

async fn sample(app: &App, container: &Container) -> ApiResult<Sample> {
    let (group, pid) = (app.containers.group(container), container.state().pid);
    // The host's interfaces are not this container's figures.
    let shared = container.record().host_config.network_mode == "host";
    let work = tokio::task::spawn_blocking(move || {
        let (host_cpu, cpus) = host_cpu();
        Sample { stats: group.stats(), host_cpu, cpus, networks: if shared { Map::new() } else { networks(pid) }, time: clock::now() }
    });
    work.await.map_err(|error| ApiError::internal("cannot read the container's figures", error))
}

/// Received and sent by each interface: bytes, packets, errors, drops; as the container sees them.
fn networks(pid: i32) -> Map<String, Value> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let mut networks = Map::new();
    for (name, figures) in text.lines().filter_map(|line| line.trim().split_once(':')).filter(|(name, _)| *name != "lo") {
        let fields: Vec<u64> = figures.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or(0);
        let figures = json!({
            "rx_bytes": at(0), "rx_packets": at(1), "rx_errors": at(2), "rx_dropped": at(3),
            "tx_bytes": at(8), "tx_packets": at(9), "tx_errors": at(10), "tx_dropped": at(11),
        });
        networks.insert(name.to_owned(), figures);
    }
    networks
}

fn cpu(sample: &Sample) -> Value {
    json!({
        "cpu_usage": {
            "total_usage": sample.stats.cpu_total,
            "usage_in_kernelmode": sample.stats.cpu_system,
            "usage_in_usermode": sample.stats.cpu_user,
        },
        "system_cpu_usage": sample.host_cpu,
        "online_cpus": sample.cpus,
        "throttling_data": { "periods": 0, "throttled_periods": sample.stats.throttled_periods, "throttled_time": sample.stats.throttled_time },
    })
}

/// One entry for each device and direction, under the names of cgroup v1.
fn blkio(stats: &Stats) -> Value {
    let entries = |read: fn(&DeviceIo) -> u64, write: fn(&DeviceIo) -> u64| -> Vec<Value> {
        let entry = |io: &DeviceIo, op: &str, value: u64| json!({ "major": io.major, "minor": io.minor, "op": op, "value": value });
        stats.io.iter().flat_map(|io| [entry(io, "read", read(io)), entry(io, "write", write(io))]).collect()
    };
    json!({
        "io_service_bytes_recursive": entries(|io| io.read_bytes, |io| io.written_bytes),
        "io_serviced_recursive": entries(|io| io.reads, |io| io.writes),
        "io_queue_recursive": null,
        "io_service_time_recursive": null,
        "io_wait_time_recursive": null,
        "io_merged_recursive": null,
        "io_time_recursive": null,
        "sectors_recursive": null,
    })
}

fn render(container: &Container, before: &Sample, now: &Sample, host_memory: u64) -> Value {
    json!({
        "id": container.id,
        "name": format!("/{}", container.name()),
        "read": clock::rfc3339(now.time),
        "preread": if before.time == 0 { "0001-01-01T00:00:00Z".to_owned() } else { clock::rfc3339(before.time) },
        "num_procs": 0,
        "pids_stats": { "current": now.stats.pids },
        "cpu_stats": cpu(now),
        "precpu_stats": cpu(before),
        "memory_stats": {
            "usage": now.stats.memory,
            "max_usage": now.stats.memory_peak,
            "limit": now.stats.memory_limit.unwrap_or(host_memory).min(host_memory),
            // Under both names: clients look for the one of their cgroup version.
            "stats": { "inactive_file": now.stats.memory_inactive_file, "total_inactive_file": now.stats.memory_inactive_file },
        },
        "storage_stats": {},
        "blkio_stats": blkio(&now.stats),
        "networks": now.networks,
    })
}

pub async fn stats(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Response> {
    let container = app.containers.get(&id)?;
    let host_memory = super::super::system::total_memory();
    let line = |value: Value| Bytes::from(format!("{value}\n"));
    let once = params.text("stream").is_some() && !params.flag("stream");
    if !container.state().is_running() {
        let none = Sample::default();
        return Ok(([(header::CONTENT_TYPE, "application/json")], line(render(&container, &none, &none, host_memory))).into_response());
    }
    if once {
        let mut before = Sample::default();
        if !params.flag("one-shot") {
            before = sample(&app, &container).await?;
            tokio::time::sleep(INTERVAL).await;
        }
        let now = sample(&app, &container).await?;
        return Ok(([(header::CONTENT_TYPE, "application/json")], line(render(&container, &before, &now, host_memory))).into_response());
    }
    let first = sample(&app, &container).await?;
    let body = stream::unfold((app, container, first), move |(app, container, before)| async move {
        tokio::time::sleep(INTERVAL).await;
        if container.state().removed {
            return None;
        }
        let now = if container.state().is_running() { sample(&app, &container).await.ok()? } else { Sample::default() };
        let text = line(render(&container, &before, &now, host_memory));
        Some((Ok::<_, std::convert::Infallible>(text), (app, container, now)))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}
