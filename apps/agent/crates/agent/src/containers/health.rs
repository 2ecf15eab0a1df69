//! Health checks: a command run inside every so often, and what it says over time. All waiting is by the monotonic clock;
//! the wall clock, which may be set at any time, only stamps the probes.
use std::sync::Arc;
use std::time::Duration;

use slipway_runtime::{ExecStreams, clock};
use slipway_store::HealthConfig;
use tokio::io::AsyncReadExt;

use super::record::{Health, Probe};
use super::{Container, Containers, ExecRequest};
use crate::error::{ApiError, ApiResult};

/// Bytes of a probe's output that are kept.
const KEPT_OUTPUT: usize = 4_096;
const KEPT_PROBES: usize = 5;
/// An image may ask for more checks than a host can bear.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

fn duration(nanoseconds: i64, default: Duration) -> Duration {
    u64::try_from(nanoseconds).ok().filter(|n| *n > 0).map_or(default, Duration::from_nanos)
}

/// As Go writes it: `1m30s`, `1.5s`, `250ms`.
fn go_duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_secs_f64() * 1e3);
    }
    let (minutes, rest) = (time.as_secs() / 60, time.as_secs_f64() % 60.0);
    let seconds = format!("{}s", (rest * 1e3).round() / 1e3);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// Refuses what cannot be meant.
pub(super) fn check(check: &HealthConfig) -> ApiResult<()> {
    for (name, time) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if time != 0 && time < 1_000_000 {
            return Err(ApiError::bad_request(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    match check.retries {
        ..0 => Err(ApiError::bad_request("Retries in Healthcheck cannot be negative")),
        _ => Ok(()),
    }
}

/// The command of a check; `None`: there is no check.
fn command(check: &HealthConfig, shell: Option<&Vec<String>>) -> Option<Vec<String>> {
    let (kind, rest) = check.test.split_first()?;
    match kind.as_str() {
        "CMD" => (!rest.is_empty()).then(|| rest.to_vec()),
        "CMD-SHELL" => {
            let mut args = shell.cloned().unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
            args.push(rest.first()?.clone());
            Some(args)
        }
        _ => None,
    }
}

impl Containers {
    /// Starts checking a container that has just begun to run; ends with the run.
    pub(super) fn watch_health(self: &Arc<Self>, container: &Arc<Container>) {
        let record = container.record();
        let Some(check) = record.config.healthcheck.clone() else { return };
        let Some(args) = command(&check, record.config.shell.as_ref()) else { return };
        container.state.send_modify(|state| state.health = Some(Health { status: "starting", failing_streak: 0, log: Vec::new() }));
        let (this, container) = (self.clone(), container.clone());
        tokio::spawn(async move { this.check_until_end(&container, &check, args).await });
    }

    async fn check_until_end(self: &Arc<Self>, container: &Arc<Container>, check: &HealthConfig, args: Vec<String>) {
        let run = container.state().run;
        let interval = duration(check.interval, Duration::from_secs(30)).max(SHORTEST_PAUSE);
        let start_period = duration(check.start_period, Duration::ZERO);
        let start_interval = duration(check.start_interval, Duration::from_secs(5)).clamp(SHORTEST_PAUSE, interval);
        let timeout = duration(check.timeout, Duration::from_secs(30));
        let retries = u32::try_from(check.retries).ok().filter(|n| *n > 0).unwrap_or(3);
        let begun = tokio::time::Instant::now();
        let mut watch = container.watch();
        loop {
            let status = container.state().health.map(|health| health.status);
            let starting = status == Some("starting") && begun.elapsed() < start_period;
            let pause = if starting { start_interval } else { interval };
            let ended = watch.wait_for(|state| state.run != run || !state.is_running());
            if tokio::time::timeout(pause, ended).await.is_ok() {
                return;
            }
            if container.state().paused {
                continue; // it cannot answer, and is not asked
            }
            let probe = self.probe(container, args.clone(), timeout).await;
            if container.state().run != run || !container.state().is_running() {
                return;
            }
            self.judge(container, probe, begun.elapsed() < start_period, retries);
        }
    }

    fn judge(&self, container: &Arc<Container>, probe: Probe, in_start_period: bool, retries: u32) {
        let Some(mut health) = container.state().health else { return };
        let before = health.status;
        if probe.exit_code == 0 {
            health.status = "healthy";
            health.failing_streak = 0;
        } else if !(in_start_period && before == "starting") {
            // Failures while a container may still be starting do not count.
            health.failing_streak += 1;
            if health.failing_streak >= retries {
                health.status = "unhealthy";
            }
        }
        health.log.push(probe);
        if health.log.len() > KEPT_PROBES {
            health.log.remove(0);
        }
        let after = health.status;
        container.state.send_modify(|state| state.health = Some(health));
        if after != before {
            self.event(container, format!("health_status: {after}"), &[]);
        }
    }

    /// Runs the command once. Its outcome is a probe in any case: a check that cannot run is a failed one.
    async fn probe(self: &Arc<Self>, container: &Arc<Container>, args: Vec<String>, timeout: Duration) -> Probe {
        let start = clock::now();
        let (exit_code, output) = self.run_probe(container, args, timeout).await.unwrap_or_else(|message| (-1, message));
        Probe { start, end: clock::now(), exit_code, output }
    }

    async fn run_probe(
        self: &Arc<Self>,
        container: &Arc<Container>,
        args: Vec<String>,
        timeout: Duration,
    ) -> Result<(i32, String), String> {
        let text = |error: std::io::Error| error.to_string();
        let null = std::fs::File::options().read(true).open("/dev/null").map_err(text)?;
        let (mut reader, writer) =
            tokio::net::unix::pipe::pipe().and_then(|(sender, receiver)| Ok((receiver, sender.into_blocking_fd()?))).map_err(text)?;
        let stderr = writer.try_clone().map_err(text)?;
        let request = ExecRequest { args, ..ExecRequest::default() };
        let exec =
            self.exec(container, request, ExecStreams::Pipes([null.into(), writer, stderr])).await.map_err(|error| error.to_string())?;
        let ended = async {
            let (mut output, mut written) = (Vec::new(), 0);
            let mut chunk = [0; 4_096];
            loop {
                match reader.read(&mut chunk).await.map_err(text)? {
                    0 => break,
                    count => {
                        written += count;
                        output.extend_from_slice(&chunk[..count.min(KEPT_OUTPUT.saturating_sub(output.len()))]);
                    }
                }
            }
            if written > KEPT_OUTPUT {
                output.extend(b"...");
            }
            let code = exec.wait().await.ok_or("the container ended during the check")?;
            Ok((code, String::from_utf8_lossy(&output).into_owned()))
        };
        match tokio::time::timeout(timeout, ended).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // Or there would be one more hanging process after every interval.
                let _ = exec.kill().await; // the timeout is what is told
                Err(format!("Health check exceeded timeout ({})", go_duration(timeout)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (milliseconds, text) in [(250, "250ms"), (1_000, "1s"), (1_500, "1.5s"), (90_000, "1m30s"), (3_600_000, "1h0m0s")] {
            assert_eq!(go_duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
