//! Volumes whose options mount something: there from a container's start to its end, and while files of one that does not
//! run are copied.
use std::sync::Arc;
use std::time::Duration;

use super::record::{MountKind, Record};
use super::{Container, Containers};
use crate::error::{ApiError, ApiResult};
use crate::volumes::Volumes;

/// How long a start waits for another host to give what is to be mounted.
const MOUNT_PATIENCE: Duration = Duration::from_secs(60);
/// How long an end waits for what it unmounts, before that goes on by itself.
const UNMOUNT_PATIENCE: Duration = Duration::from_secs(10);

fn names(record: &Record) -> Vec<String> {
    let mut names: Vec<String> = record.mounts.iter().filter(|mount| mount.kind == MountKind::Volume).map(|m| m.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Holds volumes until it is dropped.
pub(super) struct Held {
    volumes: Arc<Volumes>,
    names: Vec<String>,
    holder: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.names.is_empty() {
            return;
        }
        let release = || self.names.iter().for_each(|name| self.volumes.give_back(name, &self.holder));
        // The end of a mount may write to a disk.
        match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::task::block_in_place(release),
            Err(_) => release(),
        }
    }
}

impl Containers {
    fn elsewhere(&self, record: &Record) -> Vec<String> {
        let is = |name: &String| self.deps.volumes.get(name).is_ok_and(|volume| volume.is_elsewhere());
        names(record).into_iter().filter(is).collect()
    }

    /// For a run; [`Containers::give_back_volumes`] ends it, also when this fails half-way.
    pub(super) async fn hold_volumes(&self, record: &Record) -> ApiResult<()> {
        self.hold(self.elsewhere(record), record.id.clone()).await
    }

    async fn hold(&self, names: Vec<String>, holder: String) -> ApiResult<()> {
        for name in names {
            let (volumes, holder, volume) = (self.deps.volumes.clone(), holder.clone(), name.clone());
            let work = tokio::task::spawn_blocking(move || volumes.hold(&volume, &holder));
            match tokio::time::timeout(MOUNT_PATIENCE, work).await {
                Ok(done) => done.map_err(|error| ApiError::internal("the mount was cut off", error))??,
                Err(_) => {
                    let why = format!("nothing answered within {} seconds", MOUNT_PATIENCE.as_secs());
                    return Err(ApiError::internal(format!("error while mounting volume '{name}'"), why));
                }
            }
        }
        Ok(())
    }

    /// For as long as what is given lives.
    pub(super) async fn hold_for_copy(&self, record: &Record) -> ApiResult<Held> {
        let (names, holder) = (self.elsewhere(record), format!("a copy from or to {}", record.id));
        let held = Held { volumes: self.deps.volumes.clone(), names: names.clone(), holder: holder.clone() };
        self.hold(names, holder).await.map(|()| held)
    }

    /// It ran when the daemon came.
    pub(super) fn keep_volumes(&self, container: &Container) {
        self.elsewhere(&container.record()).iter().for_each(|name| self.deps.volumes.held(name, &container.id));
    }

    pub(super) async fn give_back_volumes(&self, container: &Container) {
        let names = self.elsewhere(&container.record());
        if names.is_empty() {
            return;
        }
        let (volumes, holder) = (self.deps.volumes.clone(), container.id.clone());
        // A mount that is still waited for ends first, and is taken back then.
        let work = tokio::task::spawn_blocking(move || names.iter().for_each(|name| volumes.give_back(name, &holder)));
        if tokio::time::timeout(UNMOUNT_PATIENCE, work).await.is_err() {
            tracing::warn!(container = %container.id, "its volumes are not unmounted yet");
        }
    }

    /// What a daemon that was killed left mounted, once those that run have been found.
    pub(super) async fn unmount_unheld(&self) {
        let volumes = self.deps.volumes.clone();
        if tokio::time::timeout(UNMOUNT_PATIENCE, tokio::task::spawn_blocking(move || volumes.unmount_unheld())).await.is_err() {
            tracing::warn!("volumes that nothing uses are not unmounted yet");
        }
    }
}
