//! What a client asks for and this engine has not: told at creation, as a container that runs without it would surprise.
use serde_json::Value;

use super::bad;
use crate::containers::record::Record;
use crate::error::ApiResult;

/// Names that clients give to the runtime that is here.
const RUNTIMES: [&str; 4] = ["", "slipway", "runc", "io.containerd.runc.v2"];

/// In dockerd's words.
pub fn check(record: &Record) -> ApiResult<()> {
    let (config, host) = (&record.config, &record.host_config);
    let text = |key: &str| host.rest.get(key).and_then(Value::as_str).unwrap_or_default();
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(bad(format!("the working directory '{}' is invalid, it needs to be an absolute path", config.working_dir)));
    }
    if !RUNTIMES.contains(&text("Runtime")) {
        return Err(bad(format!("unknown or invalid runtime name: {}", text("Runtime"))));
    }
    if !matches!(text("Isolation"), "" | "default") {
        return Err(bad(format!("Invalid isolation: {:?} - linux only supports 'default'", text("Isolation"))));
    }
    if !matches!(text("VolumeDriver"), "" | "local") {
        let driver = text("VolumeDriver");
        return Err(bad(format!("error looking up volume plugin {driver}: plugin {driver:?} not found")));
    }
    if !host.storage_opt.is_empty() {
        return Err(bad("--storage-opt is not supported: writable layers have no limit of their own"));
    }
    if !host.device_requests.is_empty() {
        return Err(bad("could not select device driver \"\" with capabilities: this engine has no drivers of GPUs; use --device"));
    }
    if !(-1_000..=1_000).contains(&host.oom_score_adj) {
        return Err(bad(format!("Invalid value {}, range for oom score adj is [-1000, 1000]", host.oom_score_adj)));
    }
    Ok(())
}
