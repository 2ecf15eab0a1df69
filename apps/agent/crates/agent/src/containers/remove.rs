//! Removing containers.
use std::sync::Arc;

use slipway_runtime::fault;

use super::record::{self, MountKind, Status};
use super::{Container, Containers, lock, names};
use crate::error::{ApiError, ApiResult};
use crate::heap;

impl Containers {
    /// Removes a container, a running one only with `force`; with `volumes` its anonymous volumes too.
    pub async fn remove(self: &Arc<Self>, container: &Arc<Container>, force: bool, volumes: bool) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        let state = container.state();
        if state.removed {
            return Err(ApiError::not_found(format!("No such container: {}", container.id)));
        }
        if matches!(state.status, Status::Running | Status::Restarting) {
            if !force && state.paused {
                return Err(ApiError::conflict(format!(
                    "cannot remove container \"/{}\": container is paused and must be unpaused first",
                    container.name()
                )));
            }
            if !force {
                let status = state.name();
                return Err(ApiError::conflict(format!(
                    "cannot remove container \"/{}\": container is {status}: stop the container before removing or force remove",
                    container.name()
                )));
            }
            container.update(|state| state.stopped_by_user = true);
            if state.is_running() {
                self.kill_hard(container).await?;
            }
        }
        // From here on a crash is followed through at the next start.
        let volumes = volumes || (state.status == Status::Removing && state.remove_volumes);
        container.update(|state| {
            state.status = Status::Removing;
            state.remove_volumes = volumes;
        });
        fault::point("remove.marked");
        let record = container.record();
        let (this, dir, id) = (self.clone(), container.dir.clone(), container.id.clone());
        let anonymous: Vec<String> =
            record.mounts.iter().filter(|m| m.kind == MountKind::Volume && m.anonymous).map(|m| m.name.clone()).collect();
        let work = tokio::task::spawn_blocking(move || -> ApiResult<()> {
            this.deps.images.layers.snapshots().remove(&id)?;
            fault::point("remove.snapshot");
            for name in anonymous.iter().filter(|_| volumes) {
                if !this.uses_volume(name, Some(&id)) {
                    match this.deps.volumes.remove(name) {
                        Err(error) if error.status != 404 => return Err(error), // 404: an earlier attempt came that far
                        _ => {}
                    }
                }
            }
            fault::point("remove.volumes");
            record::remove_all(&dir).map_err(|error| ApiError::internal("cannot remove the container's files", error))?;
            fault::point("remove.files");
            Ok(())
        });
        work.await.map_err(|error| ApiError::internal("the removal was cut off", error))??;
        {
            let mut index = self.index_mut();
            index.by_id.remove(&container.id);
            index.by_name.remove(&record.name);
        }
        lock(&container.waiting).clear();
        self.event(container, "destroy", &[]);
        container.state.send_modify(|state| state.removed = true);
        heap::container_gone();
        Ok(())
    }

    /// `--rm`
    pub(super) fn spawn_removal(self: &Arc<Self>, container: &Arc<Container>) {
        let (this, container) = (self.clone(), container.clone());
        tokio::spawn(async move {
            match this.remove(&container, false, true).await {
                Err(error) if error.status != 404 => {
                    tracing::error!(%error, container = %container.id, "cannot remove the container after its end")
                }
                _ => {}
            }
        });
    }

    /// True when a container other than `except` has the volume mounted.
    pub fn uses_volume(&self, name: &str, except: Option<&str>) -> bool {
        self.list()
            .iter()
            .any(|container| Some(container.id.as_str()) != except && container.record().mounts.iter().any(|mount| mount.name == name))
    }

    /// The containers that have a volume mounted, running or not.
    pub fn users_of(&self, volume: &str) -> Vec<Arc<Container>> {
        self.list().into_iter().filter(|container| container.record().mounts.iter().any(|mount| mount.name == volume)).collect()
    }

    pub async fn rename(&self, container: &Arc<Container>, name: &str) -> ApiResult<()> {
        let _operation = container.operations.lock().await;
        let name = name.trim_start_matches('/');
        let refused = |error: ApiError| ApiError { message: format!("Error when allocating new name: {}", error.message), ..error };
        if name.is_empty() {
            return Err(ApiError::bad_request("Neither old nor new names may be empty"));
        }
        let mut record = container.record();
        let old = record.name.clone();
        if old == name {
            return Err(ApiError::bad_request("Renaming a container with the same name as its current name"));
        }
        names::check(name).map_err(refused)?;
        {
            let mut index = self.index_mut();
            if let Some(owner) = index.by_name.get(name) {
                return Err(refused(names::taken(name, owner)));
            }
            record.name = name.to_owned();
            record::save_record(&container.dir, &record)
                .map_err(|error| ApiError::internal("cannot write the container's files", error))?;
            index.by_name.remove(&old);
            index.by_name.insert(name.to_owned(), container.id.clone());
        }
        *container.record.write().unwrap_or_else(std::sync::PoisonError::into_inner) = record;
        self.set_names(container);
        self.event(container, "rename", &[("oldName", format!("/{old}"))]);
        Ok(())
    }
}
