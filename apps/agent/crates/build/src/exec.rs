//! RUN: prepares the files, hands over to the [`Executor`], forwards the output, and says what went wrong.
//!
//! [`Executor`]: crate::executor::Executor
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::build::{Build, StepDirs, blocking};
use crate::error::{BuildError, ErrorCode, Result};
use crate::executor::{ExecError, ExecNetwork, ExecOutcome, ExecRequest, ExecUser, OverlayDirs};
use crate::layer::Output;
use crate::output::{forward, pipe};
use crate::overlay;
use crate::plan::{Op, Vertex};
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
/// `EXEC_FAILED`, `OUT_OF_MEMORY`, `DISK_FULL`, `CANCELED`, `INTERNAL`.
pub async fn run(build: &Arc<Build>, vertex: &Vertex, input: &Output) -> Result<Ran> {
    let Op::Exec { args, env, cwd, user, .. } = &vertex.op else {
        return Err(BuildError::internal("running a step", "it is not a RUN"));
    };
    build.mark_ran();
    let (step, user, stubs) = {
        let (build, vertex, input, user) = (build.clone(), vertex.clone(), input.clone(), user.clone());
        blocking(move || prepare(&build, &vertex, &input, &user)).await?
    };
    let dirs = &step.dirs;
    let pipes = || pipe().map_err(|error| BuildError::io("running a step", &error));
    let ((out_read, stdout), (err_read, stderr)) = (pipes()?, pipes()?);
    let (events, id) = (build.events.clone(), vertex.id.clone());
    let forwarder = tokio::spawn(async move { forward(out_read, err_read, &id, &events).await });
    let request = ExecRequest {
        build_id: build.request.id.clone(),
        vertex_id: vertex.id.clone(),
        rootfs: dirs.clone(),
        args: args.clone(),
        env: env.clone(),
        cwd: cwd.clone(),
        user,
        limits: build.exec_limits(),
        network: ExecNetwork::Bridge,
        stdout,
        stderr,
    };
    let outcome = build.executor.run(request, build.stop.clone()).await;
    finish_output(forwarder).await;
    let outcome = outcome.map_err(|error| match error {
        ExecError::Canceled => BuildError::canceled(),
        ExecError::Setup { message } => BuildError::internal("starting a step's container", message),
    })?;
    if outcome.exit_code == 0 {
        let upper = dirs.upper.clone();
        blocking(move || remove_stubs(&upper, &stubs)).await?;
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

/// What the runtime mounts over: made by it when missing, and not part of the layer then.
const STUBS: [&str; 6] = ["etc/resolv.conf", "etc/hosts", "etc/hostname", "proc", "sys", "dev"];

fn prepare(build: &Build, vertex: &Vertex, input: &Output, user: &str) -> Result<(StepDirs, ExecUser, Vec<PathBuf>)> {
    let step = build.prepare(vertex, input)?;
    let failed = |error: std::io::Error| BuildError::io("reading a step's files", &error);
    let view = overlay::open_readonly(&step.dirs.lower).map(Tree::new).map_err(failed)?;
    let files = user_files(&view).map_err(failed)?;
    let user = files.resolve(user).map_err(|text| {
        BuildError::new(ErrorCode::ExecFailed, format!("`{}` cannot run: {text}; check USER, or create it before.", short(vertex)))
    })?;
    let mut stubs = Vec::new();
    for path in STUBS.map(Path::new) {
        if view.stat(path).map_err(failed)?.is_none() {
            stubs.push(path.to_path_buf());
        }
    }
    if view.stat(Path::new("etc")).map_err(failed)?.is_none() {
        stubs.push(PathBuf::from("etc"));
    }
    Ok((step, user, stubs))
}

/// # Errors
/// When they exist and cannot be read.
pub fn user_files(view: &Tree) -> std::io::Result<UserFiles> {
    let read = |path: &str| view.read_small(Path::new(path), MAX_USER_FILE);
    Ok(UserFiles { passwd: read("etc/passwd")?, group: read("etc/group")? })
}

fn remove_stubs(upper: &Path, stubs: &[PathBuf]) -> Result<()> {
    let failed = |error: std::io::Error| BuildError::io("cleaning a step's files", &error);
    for stub in stubs {
        let path = upper.join(stub);
        // Only when the parent is a real directory of the upper layer: a step may have put a link in its place.
        let parent_is_real = path.parent().and_then(|parent| parent.symlink_metadata().ok()).is_some_and(|meta| meta.is_dir());
        let Some(meta) = path.symlink_metadata().ok().filter(|_| parent_is_real) else { continue };
        if meta.is_file() && meta.len() == 0 {
            std::fs::remove_file(&path).map_err(failed)?;
        } else if meta.is_dir() {
            match std::fs::remove_dir(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => return Err(failed(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn failure(build: &Build, vertex: &Vertex, outcome: &ExecOutcome, dirs: &OverlayDirs) -> BuildError {
    let name = short(vertex);
    let code = outcome.exit_code;
    let mut error = if outcome.oom_killed {
        let limit = build.request.limits.memory_bytes.map_or_else(String::new, |bytes| format!(" of {} MiB", bytes >> 20));
        let peak = outcome.peak_memory_bytes.map_or_else(String::new, |bytes| format!(" (its peak: {} MiB)", bytes.div_ceil(1 << 20)));
        BuildError::new(
            ErrorCode::OutOfMemory,
            format!(
                "`{name}` (line {}) was killed because it needed more memory than the build's limit{limit}{peak}; raise the limit or use less.",
                vertex.line
            ),
        )
    } else if nearly_full(&dirs.upper) {
        BuildError::disk_full(format!("exit code {code} with a full disk"))
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
