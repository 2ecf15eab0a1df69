//! `start`: the program.
use slipway_runtime::fault;

use crate::args::Global;
use crate::error::{During, Error, Result};
use crate::state::{SOCKET, Status, Store};
use crate::wire::{self, Message};
use crate::{hooks, lock, report};

pub fn run(global: &Global, id: &str) -> Result<()> {
    let store = Store::of(&global.root, id)?;
    let lock = lock::take(&store.dir)?;
    let record = store.load()?;
    match store.status_locked(&record) {
        Status::Created => {}
        Status::Stopped => return Err(Error::Told("cannot start a container that has stopped".into())),
        Status::Running => return Err(Error::Told("cannot start an already running container".into())),
        Status::Creating => return Err(Error::Told("cannot start a container in the creating state".into())),
    }
    let connection = store.connect().ok_or_else(|| Error::Told("cannot start a container that has stopped".into()))?;
    fault::point("oci.start.connected");
    wire::send(&connection, &Message::Go(None), &[])?;
    fault::point("oci.start.told");
    // A startContainer hook may have any time its author gave it.
    let patience = record.config.hooks.start_container.is_empty().then_some(wire::PATIENCE);
    match wire::receive(&connection, patience)? {
        // Closed by the program's start.
        None => {}
        Some((Message::Failed(error), _)) => return Err(Error::Inside(error.message)),
        Some(_) => return Err(Error::Inside("the init sent nonsense".into())),
    }
    match std::fs::remove_file(store.dir.join(SOCKET)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).during("remove the socket"),
        _ => {}
    }
    // A hook may well call us about this container.
    drop(lock);
    let state = record.for_hook(Status::Running).map_err(std::io::Error::from).during("write the state")?;
    // The spec: a failure is a warning, and the others run all the same.
    hooks::run_each("poststart", &record.config.hooks.poststart, &state).iter().for_each(|failure| report::warn(failure));
    Ok(())
}
