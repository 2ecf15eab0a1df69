//! A container's files, for copying in and out: running, stopped or never started.
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use slipway_cgroups::Join;
use slipway_runtime::spec::{IdRange, Rootfs};
use slipway_runtime::view::{Scope, View};
use slipway_snapshot::{Owners, Tree};
use tokio::sync::OwnedMutexGuard;

use super::held::Held;
use super::record::{MountKind, Status};
use super::{Container, Containers, spec};
use crate::error::{ApiError, ApiResult};

/// How long the end of a container may take to be noticed.
const END_NOTICED: Duration = Duration::from_secs(10);

/// The files of one container. While they are held, one that does not run is not started, changed or removed.
pub struct Files {
    view: View,
    /// Of one that runs with a user namespace.
    users: Option<IdRange>,
    // In this order: given back before the container may be started.
    _volumes: Option<Held>,
    _idle: Option<OwnedMutexGuard<()>>,
}

impl Files {
    pub fn tree(&self) -> std::io::Result<Tree> {
        let owners = self.users.map(|ids| Owners { uid: ids.uid, gid: ids.gid, count: ids.count });
        self.view.root().try_clone().map(|root| Tree::new(root).with_owners(owners))
    }

    /// Runs work that may write to them: what it makes belongs to the container's root.
    fn as_root<T: Send>(&self, work: impl FnOnce() -> slipway_snapshot::Result<T> + Send) -> slipway_snapshot::Result<T> {
        let Some(ids) = self.users else { return work() };
        let failed = slipway_snapshot::Error::io("/");
        // The ids of new files are a thread's, and this one is not used for anything else.
        let alone = || slipway_sys::process::set_file_ids(ids.uid, ids.gid).map_err(std::io::Error::from).map(|()| work());
        let ended = std::thread::scope(|scope| scope.spawn(alone).join());
        ended.unwrap_or_else(|_| Err(std::io::Error::other("a thread ended early"))).unwrap_or_else(|error| Err(failed(error)))
    }
}

impl Containers {
    /// Opens the files of a container.
    pub async fn files(&self, container: &Arc<Container>, scope: Scope) -> ApiResult<Files> {
        // Without the lock, which a stop holds for as long as the container takes to end.
        if let Some(files) = running(container, scope).await {
            return Ok(files);
        }
        let idle = container.operations.clone().lock_owned().await;
        let state = container.state();
        if state.removed || state.status == Status::Removing {
            return Err(ApiError::conflict(format!("container {} is marked for removal", container.id)));
        }
        if state.is_running() {
            if let Some(files) = running(container, scope).await {
                return Ok(files);
            }
            super::lifecycle::wait_until(container, END_NOTICED, |state| !state.is_running()).await;
        }
        let record = container.record();
        let dirs = self.deps.images.layers.snapshots().dirs(&container.id)?;
        let lower = dirs.lower_links.into_iter().map(Into::into).collect();
        let rootfs = Rootfs::Overlay {
            base: dirs.link_dir,
            lower,
            upper: dirs.upper,
            work: dirs.work,
            at: Some(self.deps.images.layers.mount_point()),
        };
        let mut spec = spec::build(&record, 0, &container.dir, rootfs, Join::default())?;
        // What is kept, not what lives in memory; and nothing of the engine's own.
        let kept = |target: &str| record.mounts.iter().any(|own| own.kind != MountKind::Tmpfs && own.destination == target);
        spec.mounts.retain(|mount| scope == Scope::Mounted && kept(&mount.target));
        let volumes = match scope {
            Scope::Mounted => Some(self.hold_for_copy(&record).await?),
            Scope::RootOnly => None,
        };
        let view = tokio::task::spawn_blocking(move || View::of_stopped(spec)).await.map_err(cut_off)?;
        let view = view.map_err(|error| ApiError::internal("cannot mount the container's files", error))?;
        Ok(Files { view, users: None, _volumes: volumes, _idle: Some(idle) })
    }
}

impl Containers {
    /// Tells that the container was exported.
    pub fn exported(&self, container: &Container) {
        self.event(container, "export", &[]);
    }
}

fn cut_off(error: tokio::task::JoinError) -> ApiError {
    ApiError::internal("the work on the container's files was cut off", error)
}

/// `None` when it does not run, or ends just now.
async fn running(container: &Arc<Container>, scope: Scope) -> Option<Files> {
    let shim = container.shim().filter(|_| container.state().is_running())?;
    let users = container.state().users;
    let view = tokio::task::spawn_blocking(move || View::of_running(shim.pid, shim.shim_pid, scope)).await.ok()?;
    match view {
        Ok(view) => Some(Files { view, users, _volumes: None, _idle: None }),
        Err(error) => {
            tracing::debug!(%error, container = %container.id, "its files cannot be seen; it is ending");
            None
        }
    }
}

/// Runs work on files on a blocking thread, and keeps them open until it is done.
pub async fn with<T: Send + 'static>(
    files: Files,
    work: impl FnOnce(&Tree) -> slipway_snapshot::Result<T> + Send + 'static,
) -> ApiResult<(Files, T)> {
    let done = tokio::task::spawn_blocking(move || {
        let tree = files.tree().map_err(slipway_snapshot::Error::io("/"))?;
        files.as_root(|| work(&tree)).map(|result| (files, result))
    });
    done.await.map_err(cut_off)?.map_err(explain)
}

/// In dockerd's words and with its status codes.
pub fn explain(error: slipway_snapshot::Error) -> ApiError {
    use slipway_snapshot::Error;
    match error {
        Error::Kept(message) => ApiError::bad_request(message),
        Error::FileNotFound(_) => ApiError::not_found(error.to_string()),
        // It was there a moment ago.
        Error::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => ApiError::not_found(error.to_string()),
        Error::Io { ref source, .. } if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => ApiError::bad_request(error.to_string()),
        Error::Io { ref source, .. }
            if matches!(source.raw_os_error(), Some(libc_errno::ENOTDIR | libc_errno::ELOOP | libc_errno::EBUSY | libc_errno::EEXIST)) =>
        {
            ApiError::new(StatusCode::BAD_REQUEST, error.to_string())
        }
        other => other.into(),
    }
}

/// What a path can be wrong with.
mod libc_errno {
    pub const EBUSY: i32 = 16;
    /// Put there by the container while it was copied to.
    pub const EEXIST: i32 = 17;
    pub const ENOTDIR: i32 = 20;
    pub const ELOOP: i32 = 40;
}
