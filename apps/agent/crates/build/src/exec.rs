//! RUN: prepares the files, hands over to the [`Executor`], forwards the output, and says what went wrong.
//!
//! [`Executor`]: crate::executor::Executor
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slipway_sys::remove::remove_tree;
use tokio::task::JoinHandle;

use crate::build::{Build, StepDirs, blocking};
use crate::disk::Counted;
use crate::error::{BuildError, ErrorCode, Result};
use crate::executor::{ExecError, ExecNetwork, ExecOutcome, ExecRequest, ExecUser, OverlayDirs};
use crate::layer::Output;
use crate::output::{forward, pipe};
use crate::overlay;
use crate::plan::{ExecOp, OtherNetwork, Vertex};
use crate::run_mounts;
use crate::stubs::Stubs;
use crate::tree::Tree;
use crate::users::UserFiles;

/// What a finished RUN left.
pub struct Ran {
    pub upper: PathBuf,
    pub outcome: ExecOutcome,
}

const MAX_USER_FILE: u64 = 4 << 20;
/// After the last process is gone its pipes are at their end; this is for an executor that breaks its promise.
const LAST_OUTPUT: Duration = Duration::from_secs(5);
/// Less free space than this and a failed command most likely failed for it.
const NEARLY_FULL: u64 = 1 << 20;

/// # Errors
/// `EXEC_FAILED`, `OUT_OF_MEMORY`, `DISK_FULL`, `SECRET_MISSING`, `CANCELED`, `INTERNAL`.
pub async fn run(build: &Arc<Build>, vertex: &Vertex, op: &ExecOp, input: &Output, others: &[Output]) -> Result<Ran> {
    let caches = tokio::select! {
        caches = run_mounts::caches(build, op, others) => caches?,
        () = build.stop.cancelled() => return Err(BuildError::canceled()),
    };
    build.mark_ran();
    let Prepared { step, user, stubs, mounts, _counted } = {
        let (build, vertex, op, input, others) = (build.clone(), vertex.clone(), op.clone(), input.clone(), others.to_vec());
        blocking(move || prepare(&build, &vertex, &op, &input, &others, caches)).await?
    };
    let run_mounts::Mounts { list, env: secret_env, held } = mounts;
    let dirs = &step.dirs;
    let pipes = || pipe().map_err(|error| BuildError::io("running a step", &error));
    let ((out_read, stdout), (err_read, stderr)) = (pipes()?, pipes()?);
    let (events, id, masks) = (build.events.clone(), vertex.id.clone(), build.masks.clone());
    let forwarder = tokio::spawn(async move { forward(out_read, err_read, &id, &events, &masks).await });
    let request = ExecRequest {
        build_id: build.request.id.clone(),
        vertex_id: vertex.id.clone(),
        rootfs: dirs.clone(),
        args: op.args.clone(),
        env: op.env.iter().cloned().chain(secret_env).collect(),
        cwd: op.cwd.clone(),
        user,
        limits: build.exec_limits(),
        network: match op.network {
            None => ExecNetwork::Bridge,
            Some(OtherNetwork::None) => ExecNetwork::None,
            Some(OtherNetwork::Host) => ExecNetwork::Host,
        },
        insecure: op.insecure,
        hostname: op.hostname.clone(),
        mounts: list,
        stdout,
        stderr,
    };
    let outcome = build.executor.run(request, build.stop.clone()).await;
    finish_output(forwarder).await;
    held.give_back(build);
    if build.verdict(&vertex.id).is_some() {
        // Its files are of no use, and the disk needs their room now.
        let upper = dirs.upper.clone();
        blocking(move || remove_tree(&upper).map_err(|error| BuildError::io("removing a step's files", &error))).await?;
    }
    let outcome = outcome.map_err(|error| match error {
        ExecError::Canceled => BuildError::canceled(),
        ExecError::Setup { message } => BuildError::internal("starting a step's container", message),
    })?;
    if outcome.exit_code == 0 {
        let (upper, build, vertex) = (dirs.upper.clone(), build.clone(), vertex.clone());
        blocking(move || {
            build.check_disk(&vertex)?;
            stubs.remove(&upper).map_err(|error| BuildError::io("cleaning a step's files", &error))
        })
        .await?;
        return Ok(Ran { upper: dirs.upper.clone(), outcome });
    }
    Err(failure(build, vertex, &outcome, dirs))
}

async fn finish_output(mut forwarder: JoinHandle<std::io::Result<()>>) {
    match tokio::time::timeout(LAST_OUTPUT, &mut forwarder).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "a step's output could not be read to its end"),
        Ok(Err(error)) => tracing::warn!(%error, "a step's output could not be read to its end"),
        Err(_) => {
            forwarder.abort();
            tracing::warn!("a step ended, but something holds its output open");
        }
    }
}

/// What the runtime mounts over in every step.
const ALWAYS: [&str; 6] = ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/proc", "/sys", "/dev"];

struct Prepared {
    step: StepDirs,
    user: ExecUser,
    /// Made by the runtime, and no part of the layer.
    stubs: Stubs,
    mounts: run_mounts::Mounts,
    _counted: Counted,
}

fn prepare(build: &Build, vertex: &Vertex, op: &ExecOp, input: &Output, others: &[Output], caches: run_mounts::Caches) -> Result<Prepared> {
    let step = build.prepare(vertex, input)?;
    let failed = |error: std::io::Error| BuildError::io("reading a step's files", &error);
    let view = overlay::open_readonly(&step.dirs.lower).map(Tree::new).map_err(failed)?;
    let files = user_files(&view).map_err(failed)?;
    let user = files.resolve(&op.user).map_err(|text| {
        BuildError::new(ErrorCode::ExecFailed, format!("`{}` cannot run: {text}; check USER, or create it before.", short(vertex)))
    })?;
    let mounts = run_mounts::prepare(build, vertex, op, others, caches)?;
    let targets = mounts.list.iter().map(|mount| mount.target.as_str()).filter(|target| !target.starts_with("/dev/"));
    let stubs = Stubs::find(&view, ALWAYS.into_iter().chain(targets)).map_err(failed)?;
    let (scratch, caches) = mounts.held.written();
    let _counted = build.uses.count(vertex, vec![step.dirs.upper.clone(), scratch], caches);
    Ok(Prepared { step, user, stubs, mounts, _counted })
}

/// # Errors
/// When they exist and cannot be read.
pub fn user_files(view: &Tree) -> std::io::Result<UserFiles> {
    let read = |path: &str| view.read_small(Path::new(path), MAX_USER_FILE);
    Ok(UserFiles { passwd: read("etc/passwd")?, group: read("etc/group")? })
}

fn failure(build: &Build, vertex: &Vertex, outcome: &ExecOutcome, dirs: &OverlayDirs) -> BuildError {
    let name = short(vertex);
    let code = outcome.exit_code;
    let mut error = if outcome.oom_killed {
        let limit = build.request.limits.memory_bytes.map_or_else(String::new, |bytes| format!(" of {} MB", bytes.div_ceil(1_000_000)));
        let peak = outcome.peak_memory_bytes.map_or_else(String::new, |bytes| format!(" (its peak: {} MB)", bytes.div_ceil(1_000_000)));
        BuildError::new(
            ErrorCode::OutOfMemory,
            format!(
                "`{name}` (line {}) was killed because it needed more memory than the build's limit{limit}{peak}; raise the limit or use less.",
                vertex.line
            ),
        )
    } else if nearly_full(&dirs.upper) {
        let mut error = BuildError::new(
            ErrorCode::DiskFull,
            format!(
                "`{name}` (line {}) ended with exit code {code} on a build host whose disk is full; free some space or remove unused \
                 images, then build again.",
                vertex.line
            ),
        );
        error.cause = Some(format!("exit code {code} with a full disk"));
        error
    } else {
        let how = match code {
            126 => " (the program may not be executed)",
            127 => " (the program was not found)",
            129..=192 => " (it was ended by a signal)",
            _ => "",
        };
        BuildError::new(ErrorCode::ExecFailed, format!("`{name}` (line {}) ended with exit code {code}{how}.", vertex.line))
    };
    error.exit_code = Some(code);
    error.outcome = Some(Box::new(*outcome));
    error
}

fn nearly_full(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) < NEARLY_FULL)
}

/// The instruction, short enough for a sentence.
pub fn short(vertex: &Vertex) -> String {
    let line = vertex.instruction.lines().next().unwrap_or("");
    let mut text: String = line.chars().take(100).collect();
    if text.len() < vertex.instruction.len() {
        text.push('…');
    }
    text
}
