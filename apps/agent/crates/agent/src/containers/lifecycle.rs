//! Start, stop, kill, restart.
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use slipway_net::files;
use slipway_runtime::spec::Rootfs;
use slipway_runtime::{Error, LaunchFds, fault, peer_is_gone};

use super::record::{Record, State, Status};
use super::spec::{self, NetworkMode};
use super::{Container, Containers, lock};
use crate::error::{ApiError, ApiResult};

/// Docker's `StopTimeout` when none is given.
pub(super) const STOP_TIMEOUT: u64 = 10;
/// Clients whose sockets fit into the message that launches; further ones are connected right after.
const ATTACHED_AT_LAUNCH: usize = 8;
/// How long a killed process may take to vanish before its whole control group is killed.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A signal by name (with or without SIG) or number.
pub fn signal_number(text: &str) -> ApiResult<i32> {
    let invalid = || ApiError::bad_request(format!("Invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { Err(invalid()) };
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = bare.strip_prefix("RTMIN+").and_then(|n| n.parse::<i32>().ok()) {
        return if (0..=30).contains(&offset) { Ok(34 + offset) } else { Err(invalid()) };
    }
    const NAMES: [(&str, i32); 31] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("STKFLT", 16),
        ("CHLD", 17),
        ("CONT", 18),
        ("STOP", 19),
        ("TSTP", 20),
        ("TTIN", 21),
        ("TTOU", 22),
        ("URG", 23),
        ("XCPU", 24),
        ("XFSZ", 25),
        ("VTALRM", 26),
        ("PROF", 27),
        ("WINCH", 28),
        ("IO", 29),
        ("PWR", 30),
        ("SYS", 31),
    ];
    NAMES.iter().find(|(name, _)| *name == bare).map(|(_, number)| *number).ok_or_else(invalid)
}

impl Containers {
    /// Starts a container. `Ok(false)`: it ran already.
    pub async fn start(self: &Arc<Self>, container: &Arc<Container>) -> ApiResult<bool> {
        let _operation = container.operations.lock().await;
        match container.state().status {
            Status::Running if container.state().paused => {
                return Err(ApiError::conflict("cannot start a paused container, try unpause instead"));
            }
            Status::Running => return Ok(false),
            Status::Removing => return Err(ApiError::conflict("the container is being removed")),
            _ => {}
        }
        container.update(|state| {
            state.restart_count = 0;
            state.backoff = 0;
            state.stopped_by_user = false;
        });
        self.run(container).await?;
        Ok(true)
    }

    /// One run, from nothing to the user's program. The operations lock is held.
    pub(super) async fn run(self: &Arc<Self>, container: &Arc<Container>) -> ApiResult<()> {
        let before = container.state().status;
        let run = container.state().run + 1;
        match self.try_run(container, run).await {
            Ok(()) => Ok(()),
            Err((exit_code, error)) => {
                self.release(container).await;
                container.update(|state| {
                    state.status = if before == Status::Created { Status::Created } else { Status::Exited };
                    state.run = run;
                    state.pid = 0;
                    state.paused = false;
                    state.exit_code = exit_code;
                    state.error = error.message.clone();
                    state.finished_at = slipway_runtime::clock::now();
                    state.ends += 1;
                });
                lock(&container.waiting).clear();
                self.event(container, "die", &[("exitCode", exit_code.to_string())]);
                if container.record().host_config.auto_remove {
                    self.spawn_removal(container);
                }
                Err(error)
            }
        }
    }

    async fn try_run(self: &Arc<Self>, container: &Arc<Container>, run: u64) -> Result<(), (i32, ApiError)> {
        self.expect_start();
        let engine = |error: ApiError| (125, error);
        let internal = |what: &'static str| move |error: std::io::Error| (125, ApiError::internal(what, error));
        let record = self.named_by_owner(container.record());
        let shared = self.shared(&record).map_err(engine)?;
        let mut users = self.users(&record).await.map_err(engine)?;
        let ids = users.as_ref().map(|users| users.ids);
        let held = self.deps.networks.hold().await;
        let network = users.as_mut().and_then(|users| users.network.take());
        let joined = self.join_networks(&record, network).await.map_err(engine)?;
        fault::point("start.attached");
        // Written before anything runs: should this daemon die now, the next one knows which address is taken.
        container.update(|state| {
            state.status = Status::Running;
            state.run = run;
            state.pid = 0;
            state.paused = false;
            state.started_at = slipway_runtime::clock::now();
            state.finished_at = 0;
            state.exit_code = 0;
            state.error.clear();
            state.oom_killed = false;
            container.oom_told.store(0, std::sync::atomic::Ordering::Relaxed);
            state.health = None;
            state.resume = false;
            state.endpoints = joined.endpoints;
            state.gateway = joined.gateway;
            state.dns = joined.dns.is_some();
            state.users = ids;
            state.ports.clear();
            state.boot = self.boot.clone();
        });
        drop(held);
        self.tell_joined(container, "connect");
        self.set_names(container);
        if let Some(sockets) = joined.dns {
            self.serve_dns(container, sockets).map_err(engine)?;
        }
        if let Some(target) = container.state().target() {
            let wanted = spec::ports(&record, self.host_binding(container)).map_err(engine)?;
            let published = self.deps.network.publish(&container.id, target, &wanted).await;
            let ports = published.map_err(|error| (125, self.unpublished(container, error)))?;
            if !ports.is_empty() {
                container.update(|state| state.ports = ports);
            }
        }
        fault::point("start.published");
        if self.network_owner(&record).is_none() {
            self.write_network_files(container, &record).map_err(internal("cannot write the container's network files"))?;
        }
        let mut limits = spec::limits(&record.host_config).map_err(engine)?;
        spec::discard(&mut limits, &self.deps.groups); // as was told at creation
        let group = self.deps.groups.create(&container.id, &limits);
        let group = group.map_err(|error| (125, ApiError::internal("cannot make the container's control group", error)))?;
        fault::point("start.grouped");
        self.hold_volumes(&record).await.map_err(engine)?;
        fault::point("start.mounted");
        let layers = &self.deps.images.layers;
        let dirs = layers.snapshots().dirs(&container.id).map_err(|error| (125, error.into()))?;
        let lower = dirs.lower_links.into_iter().map(Into::into).chain([layers.base_link()]).collect();
        let at = Some(layers.mount_point());
        let rootfs = Rootfs::Overlay { base: dirs.link_dir, lower, upper: dirs.upper, work: dirs.work, at };
        let mut spec = spec::build(&record, run, &container.dir, rootfs, group.join()).map_err(engine)?;
        self.set_users(&mut spec, ids);
        self.use_owners_files(&record, container, &mut spec);
        let filter = spec::security(&record.host_config).map_err(engine)?.seccomp;
        self.allow(&record, &spec, filter.is_default()).map_err(engine)?;
        let seccomp = self.deps.filters.select(spec.process.capabilities, &filter).map_err(engine)?;
        let mut attach = std::mem::take(&mut *lock(&container.waiting));
        attach.retain(|socket| !peer_is_gone(socket.as_fd()));
        let late = attach.split_off(attach.len().min(ATTACHED_AT_LAUNCH));
        let users = users.map(|users| users.namespace);
        let fds = LaunchFds { seccomp, netns: joined.netns, pidns: shared.pidns, ipc: shared.ipc, users, stdio: None, attach };
        let shim = self.deps.runtime.launch(&spec, fds).await.map_err(explain)?;
        fault::point("start.launched");
        let shim = Arc::new(shim);
        for socket in late {
            let _ = shim.attach(socket, true).await; // a program that ended already has no more output
        }
        self.volume_events(container, "mount");
        // Before its end can be noticed, so that the two are told in this order.
        self.event(container, "start", &[]);
        self.adopt(container, shim.clone());
        // Who came since they were taken above.
        let late = std::mem::take(&mut *lock(&container.waiting));
        for socket in late {
            let _ = shim.attach(socket, true).await; // a program that ended already has no more output
        }
        Ok(())
    }

    fn write_network_files(&self, container: &Container, record: &Record) -> std::io::Result<()> {
        let hostname = spec::hostname(record);
        let host = &record.host_config;
        let state = container.state();
        let addresses: Vec<_> = state.endpoints.iter().flat_map(|own| [Some(own.address), own.address6]).flatten().collect();
        // `host-gateway`: the host's own address where the container can reach it.
        let gateway = state.endpoints.iter().find_map(|own| self.deps.network.info(&own.network)).map(|info| info.gateway);
        let hosts = files::hosts(&spec::full_hostname(record), &addresses, gateway, &host.extra_hosts);
        for (name, text) in [("hosts", hosts), ("hostname", format!("{hostname}\n"))] {
            std::fs::write(container.dir.join(name), text)?;
        }
        self.write_resolv_conf(container, record)
    }

    /// In place: it is bound into the container.
    pub(super) fn write_resolv_conf(&self, container: &Container, record: &Record) -> std::io::Result<()> {
        let host = &record.host_config;
        let dns = files::DnsSettings { servers: host.dns.clone(), search: host.dns_search.clone(), options: host.dns_options.clone() };
        let text = match spec::network_mode(host) {
            Ok(NetworkMode::Host) => std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
            _ if container.state().dns => files::resolv_conf_embedded(&dns),
            _ => files::resolv_conf(&dns),
        };
        std::fs::write(container.dir.join("resolv.conf"), text)
    }

    /// Stops with the container's stop signal, and SIGKILL after `timeout` seconds. `Ok(false)`: it did not run.
    pub async fn stop(self: &Arc<Self>, container: &Arc<Container>, timeout: Option<i64>, signal: Option<&str>) -> ApiResult<bool> {
        let _operation = container.operations.lock().await;
        self.stop_locked(container, timeout, signal, true).await
    }

    pub(super) async fn stop_locked(
        self: &Arc<Self>,
        container: &Arc<Container>,
        timeout: Option<i64>,
        signal: Option<&str>,
        by_user: bool,
    ) -> ApiResult<bool> {
        let record = container.record();
        let signal = signal_number(signal.or(record.config.stop_signal.as_deref()).unwrap_or("SIGTERM"))?;
        let was_waiting = container.state().status == Status::Restarting;
        if by_user {
            container.update(|state| {
                state.stopped_by_user = true;
                if was_waiting {
                    state.status = Status::Exited;
                }
            });
        }
        if !container.state().is_running() {
            return Ok(was_waiting);
        }
        let seconds = timeout.or(record.config.stop_timeout).unwrap_or(STOP_TIMEOUT as i64);
        fault::point("stop.marked");
        self.signal(container, signal).await?;
        fault::point("stop.signalled");
        let ended = match u64::try_from(seconds) {
            Ok(seconds) => wait_until(container, Duration::from_secs(seconds), |state| !state.is_running()).await,
            // Negative: wait for as long as it takes.
            Err(_) => wait_until(container, Duration::from_secs(u64::from(u32::MAX)), |state| !state.is_running()).await,
        };
        if !ended {
            self.kill_hard(container).await?;
        }
        self.event(container, "stop", &[]);
        Ok(true)
    }

    /// SIGKILL, then the whole control group, then an error.
    pub(super) async fn kill_hard(self: &Arc<Self>, container: &Arc<Container>) -> ApiResult<()> {
        self.signal(container, libc_kill()).await?;
        if wait_until(container, KILL_PATIENCE, |state| !state.is_running()).await {
            return Ok(());
        }
        let group = self.group(container);
        let _ = tokio::task::spawn_blocking(move || group.kill()).await; // the next line says whether it worked
        if wait_until(container, KILL_PATIENCE, |state| !state.is_running()).await {
            return Ok(());
        }
        Err(ApiError::internal("the container does not end", "its processes are stuck in the kernel"))
    }

    async fn signal(&self, container: &Container, signal: i32) -> ApiResult<()> {
        let Some(shim) = container.shim() else { return Ok(()) };
        // Before the end that it may bring about.
        self.event(container, "kill", &[("signal", signal.to_string())]);
        match shim.kill(signal).await {
            // The shim may be ending at this moment, which is what was wanted.
            Ok(()) | Err(Error::ShimGone) => {}
            Err(error) => return Err(ApiError::internal("cannot signal the container", error)),
        }
        // What stands still takes no signal. After it, so that the signal is the first it meets.
        match container.state().paused {
            true => self.thaw(container).await,
            false => Ok(()),
        }
    }

    pub async fn kill(self: &Arc<Self>, container: &Arc<Container>, signal: &str) -> ApiResult<()> {
        let number = signal_number(if signal.is_empty() { "SIGKILL" } else { signal })?;
        let state = container.state();
        if !state.is_running() {
            return Err(ApiError::conflict(format!(
                "cannot kill container: {}: container {} is not running",
                container.name(),
                container.id
            )));
        }
        let stop = container.record().config.stop_signal.and_then(|name| signal_number(&name).ok()).unwrap_or(15);
        if number == libc_kill() || number == stop {
            container.update(|state| state.stopped_by_user = true);
        }
        self.signal(container, number).await?;
        if number == libc_kill() && !wait_until(container, KILL_PATIENCE, |state| !state.is_running()).await {
            return self.kill_hard(container).await;
        }
        Ok(())
    }

    pub async fn restart(self: &Arc<Self>, container: &Arc<Container>, timeout: Option<i64>, signal: Option<&str>) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        self.stop_locked(container, timeout, signal, true).await?;
        container.update(|state| {
            state.stopped_by_user = false;
            state.restart_count = 0;
            state.backoff = 0;
        });
        self.run(container).await?;
        self.event(container, "restart", &[]);
        Ok(())
    }
}

fn libc_kill() -> i32 {
    9
}

/// Waits for a state; false when `patience` is over first.
pub(super) async fn wait_until(container: &Container, patience: Duration, wanted: impl FnMut(&State) -> bool) -> bool {
    let mut watch = container.watch();
    matches!(tokio::time::timeout(patience, watch.wait_for(wanted)).await, Ok(Ok(_)))
}

/// In Docker's words and with its status codes: a program that is not there is the client's mistake.
fn explain(error: Error) -> (i32, ApiError) {
    const TASK: &str = "failed to create task for container: failed to create shim task";
    match error {
        // Asked for by name, and not there: dockerd finds out before it calls a runtime.
        Error::NotStarted { stage, message, exit_code } if stage == "find the user" => (exit_code, ApiError::bad_request(message)),
        Error::NotStarted { stage, message, exit_code } => {
            let why = format!("OCI runtime create failed: unable to start container process: {message}: unknown");
            match stage == "exec" || exit_code > 125 {
                true => (exit_code, ApiError::bad_request(format!("{TASK}: {why}"))),
                false => (exit_code, ApiError::internal(TASK, why)),
            }
        }
        other => (125, ApiError::internal(TASK, other)),
    }
}

#[cfg(test)]
mod tests {
    use super::signal_number;

    #[test]
    fn signals_by_every_name() {
        for (text, number) in [("SIGTERM", 15), ("kill", 9), ("9", 9), ("RTMIN+3", 37)] {
            assert_eq!(signal_number(text).unwrap(), number);
        }
        assert!(signal_number("SIGNOPE").is_err() && signal_number("65").is_err());
    }
}
