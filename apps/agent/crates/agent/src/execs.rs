//! Execs made by `POST /containers/{id}/exec`, until they have ended and a while after.
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use crate::containers::{Container, ExecRequest};
use crate::error::{ApiError, ApiResult};

/// Ended execs that are still known; clients ask for the exit code right after the end.
const KEPT: usize = 256;

/// Execs that are known at all, unless more than that are running.
const MOST: usize = 4 * KEPT;

pub struct Exec {
    pub id: String,
    pub container: Arc<Container>,
    pub request: ExecRequest,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub detach_keys: String,
    pub state: Mutex<ExecState>,
}

#[derive(Default)]
pub struct ExecState {
    pub started: bool,
    pub running: bool,
    pub pid: i32,
    pub exit_code: Option<i32>,
    pub terminal: Option<Arc<OwnedFd>>,
}

#[derive(Default)]
pub struct Execs(Mutex<BTreeMap<String, Arc<Exec>>>);

impl Exec {
    pub fn state(&self) -> std::sync::MutexGuard<'_, ExecState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Execs {
    pub fn add(&self, exec: Exec) -> Arc<Exec> {
        let exec = Arc::new(exec);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            let ended: Vec<String> = all.values().filter(|exec| exec.state().exit_code.is_some()).map(|exec| exec.id.clone()).collect();
            for id in ended.into_iter().take(KEPT / 2) {
                all.remove(&id);
            }
            // Made and never started: the client that made them has gone.
            while all.len() >= MOST {
                let Some(id) = all.values().find(|exec| !exec.state().started).map(|exec| exec.id.clone()) else { break };
                all.remove(&id);
            }
        }
        all.insert(exec.id.clone(), exec.clone());
        exec
    }

    /// Ids of the execs that run in a container now.
    pub fn running_in(&self, container: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|exec| exec.container.id == container && exec.state().running).map(|exec| exec.id.clone()).collect()
    }

    pub fn get(&self, id: &str) -> ApiResult<Arc<Exec>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned().ok_or_else(|| ApiError::not_found(format!("No such exec instance: {id}")))
    }
}
