//! Runs the RUN steps of builds in containers of their own.
//!
//! A build has one control group with its limits; each step gets a part of it, so that peak memory and CPU time are its
//! own. A step's files outside of the image (`resolv.conf` and so on) live in `<data root>/runs/<build>.<vertex>.<number>`.
//! The number keeps what is cleaned up after one step apart from the same step of a build that begins anew meanwhile.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slipway_build::executor::{ExecError, ExecLimits, ExecMount, ExecNetwork, ExecOutcome, ExecRequest, ExecSource, Executor};
use slipway_build::ssh_agent::Served;
use slipway_cgroups::{Group, Groups, Limits};
use slipway_net::{Endpoint, Network, files};
use slipway_runtime::spec::{LaunchSpec, Mount, MountKind, Namespaces, Network as NetworkKind, Process, Rootfs, Stdin};
use slipway_runtime::{Error, Oneshot, Runtime, caps};
use slipway_sys::remove::remove_tree;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::seccomp::Filters;

const HOSTNAME: &str = "build";
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub struct BuildExecutor {
    runtime: Arc<Runtime>,
    groups: Groups,
    network: Arc<Network>,
    filters: Arc<Filters>,
    runs: PathBuf,
    /// Counts steps.
    steps: AtomicU64,
    /// The most that this host's policy allows.
    capabilities: u64,
}

fn setup(message: impl std::fmt::Display) -> ExecError {
    ExecError::Setup { message: message.to_string() }
}

/// What one step holds on the host; given back however it ends, also when its future is dropped.
struct Held {
    dir: PathBuf,
    group: Group,
    endpoint: Option<Endpoint>,
    network: Arc<Network>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(endpoint) = &self.endpoint {
            self.network.release(endpoint);
        }
        let (dir, group) = (self.dir.clone(), self.group.clone());
        // Usually a matter of microseconds; after a kill the kernel may take a moment.
        let work = move || {
            if let Err(error) = group.remove(Duration::from_secs(5)) {
                tracing::warn!(%error, "a build step left its control group behind");
            }
            if let Err(error) = remove_tree(&dir) {
                tracing::warn!(%error, dir = %dir.display(), "a build step left its files behind");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(handle) => drop(handle.spawn_blocking(work)),
            Err(_) => work(),
        }
    }
}

impl BuildExecutor {
    /// Blocking: removes what a killed daemon left.
    pub fn open(config: &Config, runtime: Arc<Runtime>, groups: Groups, network: Arc<Network>, filters: Arc<Filters>) -> io::Result<Self> {
        let runs = config.data_root.join("runs");
        match remove_tree(&runs) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&runs)?;
        for name in groups.list().iter().filter(|name| name.starts_with("build-")) {
            let group = groups.group(name, false);
            group.kill();
            if let Err(error) = group.remove(Duration::from_secs(2)) {
                tracing::warn!(%error, "cannot remove the control group of an old build");
            }
        }
        Ok(Self { runtime, groups, network, filters, runs, steps: AtomicU64::new(0), capabilities: config.file.policy.most_capabilities() })
    }

    async fn hold(&self, request: &ExecRequest) -> Result<(Held, Option<std::os::fd::OwnedFd>), ExecError> {
        let (netns, endpoint) = match request.network {
            ExecNetwork::Bridge => {
                self.network.attach_step().await.map(|(netns, endpoint)| (Some(netns), Some(endpoint))).map_err(setup)?
            }
            ExecNetwork::None | ExecNetwork::Host => (None, None),
        };
        let group = self.groups.create(&group_name(&request.build_id), &limits(request.limits)).map_err(setup)?;
        drop(group);
        let number = self.steps.fetch_add(1, Ordering::Relaxed);
        let group = self.groups.create_within(&group_name(&request.build_id), &format!("{}.{number}", request.vertex_id)).map_err(setup)?;
        let dir = self.runs.join(format!("{}.{}.{number}", request.build_id, request.vertex_id));
        let held = Held { dir, group, endpoint, network: self.network.clone() };
        self.write_files(&held, hostname(request)).map_err(setup)?;
        Ok((held, netns))
    }

    fn write_files(&self, held: &Held, hostname: &str) -> io::Result<()> {
        let dir = &held.dir;
        let addresses: Vec<_> = held.endpoint.iter().map(|endpoint| endpoint.address).collect();
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("resolv.conf"), files::resolv_conf(&files::DnsSettings::default()))?;
        std::fs::write(dir.join("hosts"), files::hosts(hostname, &addresses, None, &[]))?;
        std::fs::write(dir.join("hostname"), format!("{hostname}\n"))
    }
}

fn hostname(request: &ExecRequest) -> &str {
    request.hostname.as_deref().unwrap_or(HOSTNAME)
}

fn group_name(build_id: &str) -> String {
    format!("build-{build_id}")
}

fn limits(limits: ExecLimits) -> Limits {
    let mut converted = Limits {
        memory: limits.memory_bytes,
        memory_swap: limits.memory_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        pids: limits.pids,
        ..Limits::default()
    };
    if let Some(millis) = limits.cpu_millis {
        converted.set_nano_cpus(millis.saturating_mul(1_000_000));
    }
    converted
}

/// What `RUN --mount=type=ssh` finds, for as long as the step runs.
fn agents(request: &ExecRequest, dir: &Path) -> io::Result<Vec<Served>> {
    let mut served = Vec::new();
    for (index, mount) in request.mounts.iter().enumerate() {
        if let ExecSource::SshAgent { relay, mode, uid, gid } = &mount.source {
            served.push(Served::start(dir, &socket(index), relay.clone(), *mode, (*uid, *gid))?);
        }
    }
    Ok(served)
}

fn socket(index: usize) -> String {
    format!("ssh.{index}")
}

/// `index`: its place among the mounts of the step, whose files lie in `dir`.
fn mounted((index, mount): (usize, &ExecMount), dir: &Path) -> Mount {
    let kind = match &mount.source {
        ExecSource::Directory { dir, subpath } => MountKind::bind_part(dir.clone(), subpath.clone()),
        ExecSource::Layers { dirs, subpath } => {
            MountKind::Layers { lower: dirs.lower.clone(), upper: dirs.upper.clone(), work: dirs.work.clone(), subpath: subpath.clone() }
        }
        ExecSource::Tmpfs { size } => {
            MountKind::Tmpfs { size: *size, mode: 0o1777, exec: true, options: Vec::new(), suid: false, devices: false }
        }
        ExecSource::SshAgent { .. } => MountKind::bind(dir.join(socket(index))),
        ExecSource::File { data, mode, uid, gid, executable } => {
            MountKind::File { data: data.bytes().to_vec(), mode: *mode, uid: *uid, gid: *gid, executable: *executable }
        }
    };
    Mount { target: mount.target.clone(), kind, readonly: mount.readonly }
}

fn spec(request: &ExecRequest, dir: &Path, capabilities: u64) -> LaunchSpec {
    let mut env = request.env.clone();
    let has = |name: &str| request.env.iter().any(|entry| entry.split_once('=').is_some_and(|(key, _)| key == name));
    for (name, entry) in [
        ("PATH", DEFAULT_PATH.to_owned()),
        ("HOSTNAME", format!("HOSTNAME={}", hostname(request))),
        ("HOME", format!("HOME={}", request.user.home)),
    ] {
        if !has(name) {
            env.push(entry);
        }
    }
    let mount = |name: &str| Mount { target: format!("/etc/{name}"), kind: MountKind::bind(dir.join(name)), readonly: false };
    LaunchSpec {
        devices: Vec::new(),
        domainname: String::new(),
        id: format!("{}.{}", request.build_id, request.vertex_id),
        dir: dir.to_owned(),
        run: 1,
        ephemeral: true,
        rootfs: Rootfs::Overlay {
            base: PathBuf::from("/"),
            lower: request.rootfs.lower.clone(),
            upper: request.rootfs.upper.clone(),
            work: request.rootfs.work.clone(),
            at: None,
        },
        readonly_root: false,
        process: Process {
            args: request.args.clone(),
            env,
            cwd: request.cwd.clone(),
            user: format!("{}:{}", request.user.uid, request.user.gid),
            groups: request.user.additional_gids.iter().map(u32::to_string).collect(),
            capabilities,
            no_new_privileges: false,
            tty: false,
            rlimits: Vec::new(),
            size: None,
            oom_score_adj: None,
        },
        hostname: hostname(request).to_owned(),
        namespaces: Namespaces {
            network: match request.network {
                ExecNetwork::Bridge => NetworkKind::Given,
                ExecNetwork::None => NetworkKind::Loopback,
                ExecNetwork::Host => NetworkKind::Host,
            },
            pid_given: false,
            ipc_given: false,
            pid_host: false,
            ipc_host: false,
            uts_host: false,
            cgroup_host: false,
        },
        cgroup: Default::default(),
        mounts: ["resolv.conf", "hosts", "hostname"]
            .map(mount)
            .into_iter()
            .chain(request.mounts.iter().enumerate().map(|mount| mounted(mount, dir)))
            .collect(),
        masked_paths: if request.insecure { Vec::new() } else { LaunchSpec::default_masked_paths() },
        readonly_paths: if request.insecure { Vec::new() } else { LaunchSpec::default_readonly_paths() },
        sysctls: Default::default(),
        users: None,
        shm_size: 64 << 20,
        privileged: request.insecure,
        init: false,
        stdin: Stdin::Null,
        log: None,
    }
}

#[async_trait::async_trait]
impl Executor for BuildExecutor {
    async fn run(&self, request: ExecRequest, cancel: CancellationToken) -> Result<ExecOutcome, ExecError> {
        if cancel.is_cancelled() {
            return Err(ExecError::Canceled);
        }
        let (held, netns) = self.hold(&request).await?;
        let _agents = agents(&request, &held.dir).map_err(setup)?;
        let wanted = if request.insecure { caps::ALL } else { caps::default_set() };
        let spec = spec(&request, &held.dir, wanted & self.capabilities);
        let seccomp = match request.insecure {
            true => None,
            false => Some(self.filters.build(spec.process.capabilities).map_err(setup)?),
        };
        let null = std::fs::File::options().read(true).write(true).open("/dev/null").map_err(setup)?;
        let complaint = request.stderr.try_clone().map_err(setup)?;
        let run = Oneshot { spec, group: held.group.clone(), seccomp, netns, stdio: [null.into(), request.stdout, request.stderr] };
        let end = self.runtime.oneshot(run, cancel.cancelled()).await;
        match end {
            Ok(end) if end.canceled => Err(ExecError::Canceled),
            Ok(end) => Ok(ExecOutcome {
                exit_code: end.exit_code,
                oom_killed: end.oom_killed,
                peak_memory_bytes: Some(end.peak_memory).filter(|bytes| *bytes > 0),
                cpu: Some(Duration::from_nanos(end.cpu_time)),
                disk: end.disk,
            }),
            // A program that is not there is the Dockerfile's mistake, not the engine's.
            Err(Error::NotStarted { message, exit_code: exit_code @ (126 | 127), .. }) => {
                complain(complaint, message).await;
                Ok(ExecOutcome { exit_code, oom_killed: false, peak_memory_bytes: None, cpu: None, disk: None })
            }
            Err(error) => Err(setup(error)),
        }
    }

    fn pause(&self, build_id: &str) {
        let group = self.groups.group(&group_name(build_id), false);
        if group.exists()
            && let Err(error) = group.freeze()
        {
            tracing::warn!(%error, build = build_id, "the steps of a build could not be paused for the disk's sake");
        }
    }

    fn resume(&self, build_id: &str) {
        if let Err(error) = self.groups.group(&group_name(build_id), false).thaw() {
            tracing::warn!(%error, build = build_id, "the steps of a build could not be resumed");
        }
    }

    async fn finish(&self, build_id: &str) -> Result<(), ExecError> {
        let group = self.groups.group(&group_name(build_id), false);
        let work = move || {
            if !group.exists() {
                return Ok(());
            }
            group.kill();
            group.remove(Duration::from_secs(5))
        };
        tokio::task::spawn_blocking(work).await.map_err(setup)?.map_err(setup)
    }
}

/// One line on the step's standard error, whose pipe may be full.
async fn complain(stderr: std::os::fd::OwnedFd, message: String) {
    let write = move || {
        use std::io::Write;
        let _ = writeln!(std::fs::File::from(stderr), "{message}"); // the reader may be gone
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), tokio::task::spawn_blocking(write)).await; // the exit code says it too
}
