//! `GET /containers/{id}/stats`.
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use slipway_cgroups::{Stats, host_cpu};
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
    network: [u64; 8],
    time: i64,
}

async fn sample(app: &App, container: &Container) -> ApiResult<Sample> {
    let (group, pid) = (app.containers.group(container), container.state().pid);
    let work = tokio::task::spawn_blocking(move || {
        let (host_cpu, cpus) = host_cpu();
        Sample { stats: group.stats(), host_cpu, cpus, network: network(pid), time: clock::now() }
    });
    work.await.map_err(|error| ApiError::internal("cannot read the container's figures", error))
}

/// Received and sent: bytes, packets, errors, drops; from the container's own view of eth0.
fn network(pid: i32) -> [u64; 8] {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
    let fields: Vec<u64> = line.unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let at = |index: usize| fields.get(index).copied().unwrap_or(0);
    [at(0), at(1), at(2), at(3), at(8), at(9), at(10), at(11)]
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

fn render(container: &Container, before: &Sample, now: &Sample, host_memory: u64) -> Value {
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped] = now.network;
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
        "blkio_stats": { "io_service_bytes_recursive": [] },
        "networks": { "eth0": {
            "rx_bytes": rx_bytes, "rx_packets": rx_packets, "rx_errors": rx_errors, "rx_dropped": rx_dropped,
            "tx_bytes": tx_bytes, "tx_packets": tx_packets, "tx_errors": tx_errors, "tx_dropped": tx_dropped,
        } },
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
