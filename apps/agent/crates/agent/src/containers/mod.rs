//! The containers of this host: what they are, what state they are in, and every change of it.
//!
//! One container's changes (start, stop, remove) are serialized by its `operations` lock. Its end is not such a change:
//! it happens, and is noticed by a task that waits on the shim (`exit.rs`). Whoever waits for a state watches it.
mod commit;
mod create;
pub mod endpoints;
mod exec;
mod exit;
pub mod files;
mod filter;
mod health;
mod held;
pub mod inspect;
mod lifecycle;
pub mod logs;
pub mod model;
mod mounts;
mod names;
mod networking;
mod oom;
mod pause;
pub mod record;
mod remove;
mod restore;
mod shared;
pub mod spec;
mod update;
mod users;
mod volumes_from;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use slipway_cgroups::{Group, Groups};
use slipway_net::Network;
use slipway_runtime::{LogPosition, Runtime, Shim, peer_is_gone};
use tokio::sync::watch;

pub use commit::CommitRequest;
pub use exec::{ExecError, ExecRequest};
pub use filter::Filters;
pub use names::new_id;
use record::{Record, State};
pub use restore::Found;
pub use update::UpdateRequest;

use crate::config::Config;
use crate::error::{ApiError, ApiResult};
use crate::events::Events;
use crate::images::Images;
use crate::networks::Networks;
use crate::volumes::Volumes;

/// What containers are made with.
pub struct Deps {
    pub config: Config,
    pub images: Arc<Images>,
    pub volumes: Arc<Volumes>,
    pub events: Arc<Events>,
    pub runtime: Arc<Runtime>,
    pub groups: Groups,
    pub network: Arc<Network>,
    pub networks: Arc<Networks>,
    pub filters: Arc<crate::seccomp::Filters>,
}

pub struct Containers {
    deps: Deps,
    root: PathBuf,
    boot: String,
    all: RwLock<Index>,
}

#[derive(Default)]
struct Index {
    by_id: BTreeMap<String, Arc<Container>>,
    by_name: BTreeMap<String, String>,
}

pub struct Container {
    pub id: String,
    pub dir: PathBuf,
    record: RwLock<Record>,
    state: watch::Sender<State>,
    operations: Arc<tokio::sync::Mutex<()>>,
    shim: Mutex<Option<Arc<Shim>>>,
    /// Stream sockets of clients that attached before the start; the next launch takes them.
    waiting: Mutex<Vec<OwnedFd>>,
    /// Kills for lack of memory in this run that were told already.
    oom_told: std::sync::atomic::AtomicU64,
    /// Why the state, as it is now, is not on disk.
    unwritten: Mutex<Option<String>>,
}

/// Bytes of labels that a container's events carry; more are left out, all of them.
const LARGEST_LABELS: usize = 16 * 1024;
/// Clients that may wait for one container's start.
const MOST_WAITING: usize = 64;

/// Docker's words for what cannot be done to a container that stands still.
pub fn paused(container: &Container, what: &str) -> ApiError {
    ApiError::conflict(format!("container {} is paused, unpause the container before {what}", container.id))
}

pub fn restarting(container: &Container) -> ApiError {
    ApiError::conflict(format!("Container {} is restarting, wait until the container is running", container.id))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Container {
    fn new(dir: PathBuf, record: Record, state: State) -> Self {
        Self {
            id: record.id.clone(),
            dir,
            record: RwLock::new(record),
            state: watch::Sender::new(state),
            operations: Arc::default(),
            shim: Mutex::default(),
            waiting: Mutex::default(),
            oom_told: Default::default(),
            unwritten: Mutex::default(),
        }
    }

    pub fn record(&self) -> Record {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn name(&self) -> String {
        self.record.read().unwrap_or_else(PoisonError::into_inner).name.clone()
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub fn shim(&self) -> Option<Arc<Shim>> {
        lock(&self.shim).clone()
    }

    /// Changes the state, for everyone to see at once, and writes it down. A failing disk is told in the log and by `inspect`:
    /// what runs goes on running, and the shim's own record says how it ends.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let before = self.state();
        self.state.send_modify(change);
        if before == *self.state.borrow() {
            return;
        }
        let written = record::save_state(&self.dir, &self.state.borrow());
        if let Err(error) = &written {
            tracing::error!(%error, container = %self.id, "cannot write the container's state");
        }
        *lock(&self.unwritten) = written.err().map(|error| error.to_string());
    }

    /// `State.Error` for people: what went wrong at the last start, or that the disk does not take what is shown.
    pub fn trouble(&self) -> String {
        let (error, unwritten) = (self.state.borrow().error.clone(), lock(&self.unwritten).clone());
        match unwritten {
            Some(reason) if error.is_empty() => {
                format!("this state could not be written to disk ({reason}): the next start of the daemon may not know it; check the disk")
            }
            _ => error,
        }
    }

    /// Connects a client's stream: to the running container, or to its next run. For a client that wants the log first,
    /// gives where it ends and the stream begins; of a container that does not run the log is whole (`None`).
    pub async fn attach(&self, socket: OwnedFd, after_log: bool) -> ApiResult<Option<LogPosition>> {
        let failed = |error| ApiError::internal("cannot attach to the container", error);
        let Some(shim) = self.wait_for_start(&socket)? else { return Ok(None) };
        if after_log {
            return slipway_runtime::attach_after_log(&self.dir, socket).await.map(Some).map_err(failed);
        }
        shim.attach(socket, false).await.map_err(failed)?;
        Ok(None)
    }

    /// Leaves the stream for the next launch, unless there is a shim already.
    fn wait_for_start(&self, socket: &OwnedFd) -> ApiResult<Option<Arc<Shim>>> {
        let mut waiting = lock(&self.waiting);
        // Asked under the lock: a launch under way takes what waits once more when there is a shim.
        if let Some(shim) = self.shim() {
            return Ok(Some(shim));
        }
        waiting.retain(|socket| !peer_is_gone(socket.as_fd()));
        if waiting.len() >= MOST_WAITING {
            return Err(ApiError::conflict(format!("{MOST_WAITING} clients wait for this container's start already")));
        }
        waiting.push(socket.try_clone().map_err(|error| ApiError::internal("cannot attach to the container", error))?);
        Ok(None)
    }
}

impl Containers {
    pub fn deps(&self) -> &Deps {
        &self.deps
    }

    fn index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Newest first.
    pub fn list(&self) -> Vec<Arc<Container>> {
        let mut all: Vec<_> = self.index().by_id.values().cloned().collect();
        all.sort_by_key(|container| std::cmp::Reverse(container.record.read().unwrap_or_else(PoisonError::into_inner).created));
        all
    }

    /// By id, name, or unambiguous beginning of an id.
    pub fn get(&self, name: &str) -> ApiResult<Arc<Container>> {
        let index = self.index();
        let bare = name.strip_prefix('/').unwrap_or(name);
        let exact = index.by_id.get(bare).or_else(|| index.by_id.get(index.by_name.get(bare)?));
        if let Some(container) = exact {
            return Ok(container.clone());
        }
        let missing = || ApiError::not_found(format!("No such container: {name}"));
        if bare.is_empty() {
            return Err(missing());
        }
        let mut matches = index.by_id.range(bare.to_owned()..).take_while(|(id, _)| id.starts_with(bare));
        match (matches.next(), matches.next()) {
            (Some((_, container)), None) => Ok(container.clone()),
            (Some(_), Some(_)) => Err(ApiError::bad_request(format!("Multiple IDs found with provided prefix: {name}"))),
            _ => Err(missing()),
        }
    }

    pub fn running(&self) -> usize {
        self.index().by_id.values().filter(|container| container.state.borrow().is_running()).count()
    }

    /// The control group of a container's run.
    pub fn group(&self, container: &Container) -> Group {
        let own_devices = spec::own_devices(&container.record.read().unwrap_or_else(PoisonError::into_inner).host_config);
        self.deps.groups.group(&container.id, own_devices)
    }

    /// `mount` or `unmount`, for each of the container's volumes.
    fn volume_events(&self, container: &Container, action: &str) {
        let record = container.record.read().unwrap_or_else(PoisonError::into_inner);
        for mount in record.mounts.iter().filter(|mount| mount.kind == record::MountKind::Volume) {
            let mut attributes =
                BTreeMap::from([("driver".to_owned(), "local".to_owned()), ("container".to_owned(), container.id.clone())]);
            if action == "mount" {
                attributes.insert("destination".into(), mount.destination.clone());
                attributes.insert("read/write".into(), (!mount.readonly).to_string());
                attributes.insert("propagation".into(), mount.propagation.clone());
            }
            self.deps.events.publish("volume", action, &mount.name, attributes);
        }
    }

    /// Publishes an event with the attributes every container event has.
    pub fn event(&self, container: &Container, action: impl Into<String>, more: &[(&str, String)]) {
        let record = container.record();
        let mut attributes = record.config.labels;
        // An image may have megabytes of them, and a thousand events are remembered.
        if attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > LARGEST_LABELS {
            attributes.clear();
        }
        attributes.insert("image".into(), record.config.image);
        attributes.insert("name".into(), record.name);
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.deps.events.publish("container", action, &container.id, attributes);
    }
}
