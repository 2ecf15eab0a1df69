//! Pausing: every process of a container is stopped where it stands.
use std::sync::Arc;

use super::record::Status;
use super::{Container, Containers};
use crate::error::{ApiError, ApiResult};

impl Containers {
    pub async fn pause(self: &Arc<Self>, container: &Arc<Container>) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        let state = container.state();
        let id = &container.id;
        match state.status {
            Status::Running if state.paused => return Err(ApiError::conflict(format!("Container {id} is already paused"))),
            Status::Running => {}
            Status::Restarting => {
                return Err(ApiError::conflict(format!("Container {id} is restarting, wait until the container is running")));
            }
            _ => return Err(ApiError::conflict(format!("Container {id} is not running"))),
        }
        let group = self.group(container);
        let frozen = tokio::task::spawn_blocking(move || group.freeze()).await;
        frozen
            .map_err(|error| ApiError::internal("the pause was cut off", error))?
            .map_err(|error| ApiError::internal(format!("cannot pause container {id}"), error))?;
        let run = state.run;
        container.update(|state| state.paused = state.is_running() && state.run == run);
        if !container.state().paused {
            return Err(ApiError::conflict(format!("Container {id} is not running")));
        }
        self.event(container, "pause", &[]);
        Ok(())
    }

    pub async fn unpause(self: &Arc<Self>, container: &Arc<Container>) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        if !container.state().paused {
            return Err(ApiError::conflict(format!("Container {} is not paused", container.id)));
        }
        self.thaw(container).await
    }

    /// Lets a paused container go on. Of one that is not paused only the control group is asked: it may be about to be.
    pub(super) async fn thaw(&self, container: &Container) -> ApiResult<()> {
        let group = self.group(container);
        let thawed = tokio::task::spawn_blocking(move || group.thaw()).await;
        thawed
            .map_err(|error| ApiError::internal("the container's continuation was cut off", error))?
            .map_err(|error| ApiError::internal(format!("cannot unpause container {}", container.id), error))?;
        let mut was_paused = false;
        container.update(|state| was_paused = std::mem::take(&mut state.paused));
        if was_paused {
            self.event(container, "unpause", &[]);
        }
        Ok(())
    }
}
