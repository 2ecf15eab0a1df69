//! Processes started in a running container: for clients and for health checks.
use std::sync::Arc;

use slipway_runtime::spec::Process;
use slipway_runtime::{ExecStreams, RunningExec};

use super::record::Status;
use super::{Container, Containers, paused, restarting, spec};
use crate::error::{ApiError, ApiResult};

/// A command to run inside.
#[derive(Debug, Clone, Default)]
pub struct ExecRequest {
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    pub tty: bool,
    /// Rows and columns of the terminal.
    pub size: Option<[u16; 2]>,
    pub privileged: bool,
}

/// Why an exec did not start.
#[derive(Debug)]
pub enum ExecError {
    /// The program is not there (127) or cannot be run (126).
    Program {
        message: String,
        exit_code: i32,
    },
    Engine(ApiError),
}

impl From<ApiError> for ExecError {
    fn from(error: ApiError) -> Self {
        Self::Engine(error)
    }
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program { message, .. } => f.write_str(message),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl Containers {
    /// Refuses execs of containers that cannot have any now.
    pub fn can_exec(&self, container: &Container) -> ApiResult<()> {
        let state = container.state();
        match state.status {
            Status::Running if state.paused => Err(paused(container, "exec")),
            Status::Running => Ok(()),
            Status::Restarting => Err(restarting(container)),
            _ => Err(ApiError::conflict(format!("container {} is not running", container.id))),
        }
    }

    /// Starts the command with the container's own environment, user and confinement unless the request says otherwise.
    pub async fn exec(&self, container: &Arc<Container>, request: ExecRequest, streams: ExecStreams) -> Result<RunningExec, ExecError> {
        self.can_exec(container)?;
        let record = container.record();
        let host = &record.host_config;
        let security = spec::security(host)?;
        let capabilities = match request.privileged || host.privileged {
            true => slipway_runtime::caps::ALL,
            false => slipway_runtime::caps::adjust(&host.cap_add, &host.cap_drop)
                .map_err(|name| ApiError::bad_request(format!("invalid capability: {name:?}")))?,
        };
        let filter = if request.privileged { spec::Seccomp::Unconfined } else { security.seccomp };
        let allowed = self.deps.config.file.policy.check_process(request.privileged, filter.is_default(), capabilities);
        allowed.map_err(|why| ApiError::new(axum::http::StatusCode::FORBIDDEN, why))?;
        let seccomp = self.deps.filters.select(capabilities, &filter)?;
        let mut env = spec::environment(&record);
        env.extend(request.env);
        if request.args.iter().chain(&env).chain([&request.cwd, &request.user]).any(|text| text.contains('\0')) {
            return Err(ApiError::bad_request("the command, its variables and its folder must not hold a zero byte").into());
        }
        let process = Process {
            args: request.args,
            env,
            cwd: if request.cwd.is_empty() { record.config.working_dir.clone() } else { request.cwd },
            user: if request.user.is_empty() { record.config.user.clone() } else { request.user },
            groups: host.group_add.clone(),
            capabilities,
            no_new_privileges: security.no_new_privileges,
            tty: request.tty,
            size: request.size,
            rlimits: spec::rlimits(host)?,
            oom_score_adj: None,
        };
        RunningExec::start(&container.dir, process, seccomp.as_deref(), streams).await.map_err(|error| match error {
            slipway_runtime::Error::NotStarted { stage, message, exit_code } => {
                let message = match stage == "find the user" {
                    true => message,
                    false => format!("OCI runtime exec failed: exec failed: unable to start container process: {message}: unknown"),
                };
                // 125 is for a container that does not start; an exec that does not has 126.
                ExecError::Program { message, exit_code: if exit_code == 125 { 126 } else { exit_code } }
            }
            slipway_runtime::Error::ShimGone | slipway_runtime::Error::Refused(_) => {
                ApiError::conflict(format!("container {} is not running", container.id)).into()
            }
            other => ApiError::internal("cannot start the process in the container", other).into(),
        })
    }
}
