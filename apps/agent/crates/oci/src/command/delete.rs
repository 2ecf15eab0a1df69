//! `delete`: undoes what `create` did.
use std::time::{Duration, Instant};

use slipway_cgroups::Group;
use slipway_runtime::fault;

use crate::args::Global;
use crate::error::{During, Error, Result};
use crate::state::{Record, Status, Store};
use crate::{group, hooks, host_mounts, lock, report};

/// How long a killed process may take to end; one that waits for a disk in the kernel ends when the disk has answered.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub fn run(global: &Global, id: &str, force: bool) -> Result<()> {
    let store = Store::of(&global.root, id)?;
    let locked = match lock::take(&store.dir) {
        Err(Error::NoSuchContainer) if force => return Ok(()),
        other => other?,
    };
    let record = match store.load() {
        // Left by a `create` that was killed at its very start.
        Err(Error::NoSuchContainer) => {
            store.remove()?;
            return if force { Ok(()) } else { Err(Error::NoSuchContainer) };
        }
        other => other?,
    };
    match store.status_locked(&record) {
        Status::Stopped => {}
        _ if force => end(&record)?,
        status => {
            let message = format!("cannot delete container {id} that is not stopped: {}", status.name());
            return Err(Error::Told(message));
        }
    }
    drop_after(locked, || destroy(&store, &record))
}

/// The lock goes with the directory.
fn drop_after<T>(lock: lock::Lock, work: impl FnOnce() -> T) -> T {
    let done = work();
    drop(lock);
    done
}

fn end(record: &Record) -> Result<()> {
    if record.cgroup_made.is_empty() {
        // Somebody else's group: others may be in it.
    } else {
        Group::at(&record.cgroup)?.kill();
    }
    let Some(init) = &record.init else { return Ok(()) };
    match init.signal(libc::SIGKILL) {
        Ok(()) | Err(Error::NotRunning) => {}
        Err(error) => return Err(error),
    }
    let end = Instant::now() + PATIENCE;
    while init.is_alive() {
        if Instant::now() > end {
            return Err(Error::Told("the container's first process does not end".into()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Ends what is left of the container and removes what was made for it. The state goes last, so that a call that is cut off can
/// be repeated.
pub fn destroy(store: &Store, record: &Record) -> Result<()> {
    fault::point("oci.delete.begun");
    group::remove(record)?;
    fault::point("oci.delete.ungrouped");
    host_mounts::remove(record)?;
    let state = record.for_hook(Status::Stopped).map_err(std::io::Error::from).during("write the state")?;
    store.remove()?;
    fault::point("oci.delete.removed");
    // The spec: a failure is a warning, and the others run all the same.
    hooks::run_each("poststop", &record.config.hooks.poststop, &state).iter().for_each(|failure| report::warn(failure));
    Ok(())
}
