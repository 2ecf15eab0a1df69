//! Log drivers and their options.
use std::path::Path;

use slipway_runtime::spec::LogSettings;

use super::bad;
use crate::containers::model::HostConfig;
use crate::containers::record::log_path;
use crate::error::ApiResult;

pub(super) fn log_settings(host: &HostConfig, dir: &Path) -> ApiResult<LogSettings> {
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
    let max_size = option("max-size")
        .map(|text| parse_size(text).ok_or_else(|| bad(format!("failed to initialize logging driver: invalid size: '{text}'"))))
        .transpose()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!((parse_size("10m"), parse_size("1.5k"), parse_size("7"), parse_size("x")), (Some(10 << 20), Some(1_536), Some(7), None));
    }
}
