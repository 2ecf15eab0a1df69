//! Finding everything again when the daemon starts, and leaving nothing when it shuts down.
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use futures::future::join_all;
use slipway_runtime::{ExitRecord, Shim, clock};

use super::exit::remaining_pause;
use super::lifecycle::STOP_TIMEOUT;
use super::record::{self, Record, State, Status};
use super::{Container, Containers, Deps, Index};

/// Seconds that any container may take to stop when the agent is shut down.
const LONGEST_LAST_STOP: i64 = 120;
/// Attempts to reach a shim that is there but does not answer; each takes up to five seconds.
const ATTEMPTS: u32 = 5;

/// The shim of a container that runs. A mistake here ends a running container, so a busy machine gets time.
async fn find_shim(container: &Container) -> Option<Shim> {
    for _ in 0..ATTEMPTS {
        match Shim::connect(&container.dir).await {
            Ok(shim) => return shim,
            Err(error) => tracing::warn!(%error, container = %container.id, "cannot connect to the shim"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    None
}

/// Whether the policy of a container that does not run starts it with the daemon: `always` also one that was stopped.
fn wants_to_run(container: &Container) -> bool {
    let (policy, state) = (container.record().host_config.restart_policy, container.state());
    match policy.name.as_str() {
        "always" => true,
        "unless-stopped" => !state.stopped_by_user,
        "on-failure" => {
            let left = policy.maximum_retry_count == 0 || state.restart_count < policy.maximum_retry_count;
            state.exit_code != 0 && left && !state.stopped_by_user
        }
        _ => false,
    }
}

/// Containers read from disk, before there is a network.
pub struct Found {
    containers: Vec<(PathBuf, Record, State)>,
    /// Folders of containers that were never wholly made, or are wholly removed but for these.
    unfinished: Vec<PathBuf>,
}

impl Found {
    /// Reads every container directory. What is not readable was never created (the record is written last) or is
    /// damaged; it is told and left alone. Blocking.
    pub fn read(data_root: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let root = data_root.join("containers");
        std::fs::create_dir_all(&root)?;
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700))?;
        let mut found = Self { containers: Vec::new(), unfinished: Vec::new() };
        for entry in std::fs::read_dir(&root)? {
            let dir = entry?.path();
            match record::load(&dir) {
                Ok((record, state)) => found.containers.push((dir, record, state)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => found.unfinished.push(dir),
                Err(error) => tracing::error!(%error, dir = %dir.display(), "this container is not readable and is left alone"),
            }
        }
        Ok(found)
    }

    /// Places in networks of containers that may still run.
    pub fn places(&self) -> Vec<slipway_net::Found> {
        let running = self.containers.iter().filter(|(_, _, state)| state.is_running());
        let place = |(_, record, state): &(PathBuf, Record, State)| slipway_net::Found {
            container: record.id.clone(),
            endpoints: state.endpoints.clone(),
            target: state.target(),
            ports: state.ports.clone(),
        };
        running.map(place).collect()
    }
}

impl Containers {
    /// Takes the found containers in charge: running ones are connected to again, ended ones get their exit recorded,
    /// and those that are to run are started.
    pub async fn open(deps: Deps, found: Found) -> Arc<Self> {
        let root = deps.config.data_root.join("containers");
        let mut index = Index::default();
        for (dir, record, state) in found.containers {
            index.by_name.insert(record.name.clone(), record.id.clone());
            index.by_id.insert(record.id.clone(), Arc::new(Container::new(dir, record, state)));
        }
        let this = Arc::new(Self { deps, root, boot: record::boot_id(), all: RwLock::new(index) });
        let strays = this.clone();
        let removed = tokio::task::spawn_blocking(move || {
            strays.remove_unfinished(&found.unfinished);
            strays.remove_strays();
        });
        if let Err(error) = removed.await {
            tracing::error!(%error, "what nothing uses was not all removed");
        }
        let all = this.list();
        // All before the first question is answered, or one would be told that another is not there.
        all.iter().filter(|container| container.state().is_running()).for_each(|container| this.set_names(container));
        join_all(all.iter().map(|container| this.reconnect(container))).await;
        this.unmount_unheld().await;
        this
    }

    fn remove_unfinished(&self, dirs: &[PathBuf]) {
        for dir in dirs {
            for name in record::load_making(dir) {
                match self.deps.volumes.remove(&name) {
                    Err(error) if error.status != 404 => tracing::warn!(%error, %name, "cannot remove a volume that nothing uses"),
                    _ => {}
                }
            }
            let removed = if dir.is_dir() { slipway_sys::remove::remove_tree(dir) } else { std::fs::remove_file(dir) };
            if let Err(error) = removed {
                tracing::warn!(%error, dir = %dir.display(), "cannot remove what is left of a container");
            }
        }
    }

    /// Writable layers and control groups whose container is gone.
    fn remove_strays(&self) {
        let snapshots = self.deps.images.layers.snapshots();
        let is_ours = |id: &String| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        // A container that is not readable has a folder still, and keeps what it has.
        let is_stray = |id: &&String| is_ours(id) && !self.index().by_id.contains_key(*id) && !self.root.join(id).exists();
        for id in snapshots.list().iter().filter(is_stray) {
            if let Err(error) = snapshots.remove(id) {
                tracing::warn!(%error, %id, "cannot remove a writable layer that nothing uses");
            }
        }
        for id in self.deps.groups.list().iter().filter(is_stray) {
            for privileged in [false, true] {
                let group = self.deps.groups.group(id, privileged);
                group.kill();
                if let Err(error) = group.remove(std::time::Duration::from_secs(2)) {
                    tracing::warn!(%error, %id, "cannot remove a control group that nothing uses");
                }
            }
        }
    }

    async fn reconnect(self: &Arc<Self>, container: &Arc<Container>) {
        let state = container.state();
        match find_shim(container).await {
            Some(shim) if !matches!(state.status, Status::Removing) => {
                self.republish(container, &state).await;
                self.serve_dns_again(container, &State { pid: shim.pid, ..state.clone() }).await;
                // The control group knows: this may have been killed between a freeze and its note.
                let group = self.group(container);
                let paused = tokio::task::spawn_blocking(move || group.frozen()).await.unwrap_or(state.paused);
                container.update(|state| state.paused = paused);
                if paused && state.committing {
                    // Whoever stopped it for a commit is dead, and nobody else would let it go on.
                    if let Err(error) = self.thaw(container).await {
                        tracing::error!(%error, container = %container.id, "cannot let the container go on after a commit that was cut off");
                    }
                }
                container.update(|state| state.committing = false);
                self.keep_volumes(container);
                self.adopt(container, Arc::new(shim));
                return;
            }
            _ => {}
        }
        match state.status {
            Status::Running if state.boot != self.boot => {
                // The host was restarted under it.
                container.state.send_modify(|state| state.resume = true);
                let exit = ExitRecord {
                    disk: None,
                    run: state.run,
                    exit_code: 255,
                    oom_killed: false,
                    started_at: state.started_at,
                    finished_at: clock::now(),
                    ran: None,
                    error: Some("the host was restarted".to_owned()),
                };
                self.settle(container, exit).await;
                container.update(|state| state.resume = false);
                if wants_to_run(container) {
                    self.spawn_resume(container);
                }
            }
            Status::Running => self.ended(container, None).await,
            // The policy's decision stands, with its count and its pause: neither starts anew with the daemon.
            Status::Restarting => self.restart_later(container, remaining_pause(&state)),
            Status::Removing => {
                if let Err(error) = self.remove(container, true, false).await {
                    tracing::error!(%error, container = %container.id, "cannot finish the removal");
                }
            }
            Status::Created | Status::Exited if state.resume => self.spawn_resume(container),
            // Its end was recorded, and its removal not yet begun.
            Status::Exited if container.record().host_config.auto_remove => self.spawn_removal(container),
            Status::Exited if state.started_at > 0 && wants_to_run(container) => self.spawn_resume(container),
            Status::Created | Status::Exited => {}
        }
    }

    async fn republish(&self, container: &Container, state: &State) {
        let Some(target) = state.target() else { return };
        if let Err(error) = self.deps.network.publish(&container.id, target, &state.ports).await {
            tracing::error!(%error, container = %container.id, "cannot publish its ports again");
        }
    }

    /// Starts in the background: the API is not kept waiting.
    fn spawn_resume(self: &Arc<Self>, container: &Arc<Container>) {
        let (this, container) = (self.clone(), container.clone());
        tokio::spawn(async move {
            let _operation = container.operations.lock().await;
            if container.state().is_running() {
                return;
            }
            this.await_shared(&container.record()).await;
            if let Err(error) = this.run(&container).await {
                tracing::error!(%error, container = %container.id, "cannot start the container again");
            }
        });
    }

    /// Stops every running container, remembering that it is to run again.
    pub async fn shut_down(self: &Arc<Self>) {
        let stop = |container: Arc<Container>| async move {
            let _operation = container.operations.lock().await;
            let status = container.state().status;
            if !matches!(status, Status::Running | Status::Restarting) {
                return;
            }
            // Set first: it also keeps the restart policy still.
            container.update(|state| {
                state.resume = true;
                if status == Status::Restarting {
                    state.status = Status::Exited;
                }
            });
            let patience = container.record().config.stop_timeout.unwrap_or(STOP_TIMEOUT as i64);
            // "As long as it takes" would keep the host from ever going down.
            let patience = if patience < 0 { LONGEST_LAST_STOP } else { patience.min(LONGEST_LAST_STOP) };
            if let Err(error) = self.stop_locked(&container, Some(patience), None, false).await {
                tracing::error!(%error, container = %container.id, "cannot stop the container");
            }
        };
        join_all(self.list().into_iter().map(stop)).await;
    }
}
