//! The end of a run: noticed, recorded, cleaned up after, and answered by the restart policy.
use std::sync::Arc;
use std::time::Duration;

use slipway_runtime::{ExitRecord, Shim, clock, fault, read_exit};

use super::record::{Record, State, Status};
use super::{Container, Containers, lock};

/// Pauses between restarts: doubling from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A run this long starts the doubling anew.
const STEADY: i64 = 10 * 1_000_000_000;

/// The pause before the next run, `backoff` pauses after a start or a steady run.
fn pause_after(backoff: u32) -> Duration {
    (FIRST_PAUSE * 2u32.pow(backoff.min(10))).min(LONGEST_PAUSE)
}

/// What is left of the pause before the next run of a container that waits for it since its end.
pub(super) fn remaining_pause(state: &State) -> Duration {
    let pause = pause_after(state.backoff.saturating_sub(1));
    // A clock that was set back makes the wait no longer than the pause.
    let waited = u64::try_from(clock::now() - state.finished_at).unwrap_or(0);
    pause.saturating_sub(Duration::from_nanos(waited))
}

/// Nanoseconds of the run. By the wall clock, which may have jumped, only if nobody measured it.
fn ran(exit: &ExitRecord, started_at: i64) -> i64 {
    let measured = exit.ran.and_then(|ran| i64::try_from(ran).ok());
    measured.unwrap_or_else(|| (exit.finished_at - started_at).max(0))
}

impl Containers {
    /// Takes charge of a running container: its shim answers from now on, and its end is waited for.
    pub(super) fn adopt(self: &Arc<Self>, container: &Arc<Container>, shim: Arc<Shim>) {
        *lock(&container.shim) = Some(shim.clone());
        container.state.send_modify(|state| {
            state.status = Status::Running;
            state.pid = shim.pid;
            state.run = shim.run;
            if shim.started_at > 0 {
                state.started_at = shim.started_at;
            }
        });
        self.watch_health(container);
        self.watch_memory(container);
        let (this, container) = (self.clone(), container.clone());
        tokio::spawn(async move {
            let record = shim.wait().await;
            drop(shim);
            this.ended(&container, record).await;
        });
    }

    /// `None`: the shim died without telling. Then nobody will ever collect the processes, so they are killed.
    pub(super) async fn ended(self: &Arc<Self>, container: &Arc<Container>, record: Option<ExitRecord>) {
        let run = container.state().run;
        let lost = || ExitRecord {
            disk: None,
            run,
            exit_code: 137,
            oom_killed: false,
            started_at: container.state().started_at,
            finished_at: clock::now(),
            ran: None,
            error: Some("the process that watched this container was killed, so the container was ended".to_owned()),
        };
        let found = record.or_else(|| read_exit(&container.dir, run));
        if found.is_none() {
            tracing::warn!(container = %container.id, "the shim is gone without an exit record");
        }
        self.settle(container, found.unwrap_or_else(lost)).await;
    }

    pub(super) async fn settle(self: &Arc<Self>, container: &Arc<Container>, exit: ExitRecord) {
        fault::point("exit.noticed");
        *lock(&container.shim) = None;
        self.release(container).await;
        fault::point("exit.released");
        let record = container.record();
        let before = container.state();
        let next = self.decide(&record, &before, &exit);
        let ran = ran(&exit, before.started_at) / 1_000_000_000;
        let how = [("exitCode", exit.exit_code.to_string()), ("execDuration", ran.to_string())];
        container.update(|state| {
            state.status = if next.is_some() { Status::Restarting } else { Status::Exited };
            state.pid = 0;
            state.paused = false;
            state.exit_code = exit.exit_code;
            state.oom_killed = exit.oom_killed;
            state.error = exit.error.clone().unwrap_or_default();
            state.finished_at = exit.finished_at;
            state.ends += 1;
            state.backoff = next.map_or(0, |backoff| backoff + 1);
            if let Some(health) = &mut state.health {
                health.status = "unhealthy"; // as Docker: the last checks are still told
            }
            // Told before anyone who waits for the end can tell more.
            if exit.oom_killed && container.oom_told.swap(0, std::sync::atomic::Ordering::Relaxed) == 0 {
                self.event(container, "oom", &[]);
            }
            self.event(container, "die", &how);
        });
        self.volume_events(container, "unmount");
        fault::point("exit.settled");
        match next {
            Some(backoff) => self.restart_later(container, pause_after(backoff)),
            None if record.host_config.auto_remove => self.spawn_removal(container),
            None => {}
        }
    }

    /// Gives back what only a running container needs. Nothing here may stop the end from being recorded.
    pub(super) async fn release(&self, container: &Arc<Container>) {
        if let Err(error) = self.deps.network.unpublish(&container.id).await {
            tracing::error!(%error, container = %container.id, "cannot withdraw the published ports");
        }
        let group = self.group(container);
        let removed = tokio::task::spawn_blocking(move || {
            if !group.exists() {
                return Ok(());
            }
            if !group.pids().is_empty() {
                group.kill();
            }
            group.remove(Duration::from_secs(5))
        });
        match removed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, container = %container.id, "cannot remove the control group"),
            Err(error) => tracing::error!(%error, "the clean-up was cut off"),
        }
        self.give_back_volumes(container).await;
        self.leave_networks(container);
    }

    /// How many pauses there were before that of the next run, if the policy wants one.
    fn decide(&self, record: &Record, state: &State, exit: &ExitRecord) -> Option<u32> {
        let policy = &record.host_config.restart_policy;
        let again = match policy.name.as_str() {
            "always" | "unless-stopped" => true,
            "on-failure" => exit.exit_code != 0 && (policy.maximum_retry_count == 0 || state.restart_count < policy.maximum_retry_count),
            _ => false,
        };
        if !again || state.stopped_by_user || state.resume || state.status == Status::Removing {
            return None;
        }
        Some(if exit.started_at > 0 && ran(exit, exit.started_at) > STEADY { 0 } else { state.backoff })
    }

    pub(super) fn restart_later(self: &Arc<Self>, container: &Arc<Container>, pause: Duration) {
        let (this, container) = (self.clone(), container.clone());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _operation = container.operations.lock().await;
            if container.state().status != Status::Restarting {
                return; // stopped, started or removed meanwhile
            }
            let count = container.state().restart_count + 1;
            container.state.send_modify(|state| state.restart_count = count);
            if let Err(error) = this.run(&container).await {
                tracing::warn!(%error, container = %container.id, "the restart failed");
                let policy = container.record().host_config.restart_policy;
                let again = policy.name != "on-failure" || policy.maximum_retry_count == 0 || count < policy.maximum_retry_count;
                if again && !container.state().stopped_by_user {
                    let backoff = container.state().backoff;
                    container.update(|state| {
                        state.status = Status::Restarting;
                        state.backoff = backoff + 1;
                    });
                    this.restart_later(&container, pause_after(backoff));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u128> = [0, 1, 2, 9, 10, 1_000_000].map(pause_after).iter().map(Duration::as_millis).collect();
        assert_eq!(pauses, [100, 200, 400, 51_200, 60_000, 60_000]);
    }

    #[test]
    fn a_clock_that_jumps_makes_no_pause_longer() {
        let state = |finished_at| State { backoff: 4, finished_at, ..State::default() };
        assert_eq!(remaining_pause(&state(clock::now() + 3_600_000_000_000)), pause_after(3), "set back by an hour");
        assert_eq!(remaining_pause(&state(clock::now() - 3_600_000_000_000)), Duration::ZERO);
    }
}
