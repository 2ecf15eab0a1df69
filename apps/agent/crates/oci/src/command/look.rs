//! `state` and `list`: what there is, without a lock, as a hook of a call that holds one may ask.
use std::path::Path;

use serde::Serialize;

use crate::args::{Global, ListFormat};
use crate::error::{During, Result};
use crate::state::{OCI_VERSION, Record, State, Status, Store};

/// JSON, for printing.
pub fn state(global: &Global, id: &str) -> Result<String> {
    let store = Store::of(&global.root, id)?;
    let record = store.load()?;
    let owner = user(record.owner);
    let state = describe(&record, store.status(&record), &owner);
    serde_json::to_string_pretty(&state).map_err(std::io::Error::from).during("write the state")
}

fn describe<'a>(record: &'a Record, status: Status, owner: &'a str) -> State<'a> {
    let pid = match status {
        Status::Stopped => 0,
        _ => record.init.as_ref().map_or(0, |init| init.pid),
    };
    State {
        oci_version: OCI_VERSION,
        id: &record.id,
        pid,
        status: status.name(),
        bundle: &record.bundle,
        rootfs: Some(&record.rootfs),
        created: Some(&record.created),
        annotations: &record.config.annotations,
        owner: Some(owner),
    }
}

pub fn list(global: &Global, format: ListFormat) -> Result<String> {
    let mut found = Vec::new();
    for store in all(&global.root)? {
        // One that is being deleted right now is not there.
        let Ok(record) = store.load() else { continue };
        let status = store.status(&record);
        found.push((user(record.owner), record, status));
    }
    found.sort_by(|(_, a, _), (_, b, _)| a.created.cmp(&b.created));
    let states: Vec<State<'_>> = found.iter().map(|(owner, record, status)| describe(record, *status, owner)).collect();
    match format {
        ListFormat::Quiet => Ok(states.iter().map(|state| format!("{}\n", state.id)).collect()),
        ListFormat::Json => Ok(json(&states)? + "\n"),
        ListFormat::Table => Ok(table(&states)),
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(std::io::Error::from).during("write the list")
}

fn all(root: &Path) -> Result<Vec<Store>> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.during(&format!("read {}", root.display()))?,
    };
    let dirs = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(dirs.map(|entry| Store { dir: entry.path() }).collect())
}

fn table(states: &[State<'_>]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let mut rows = vec![head];
    for state in states {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let bundle = state.bundle.display().to_string();
        rows.push([state.id.into(), state.pid.to_string(), state.status.into(), bundle, text(state.created), text(state.owner)]);
    }
    let widths: Vec<usize> = (0..6).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("   ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Name, or the number when it has none.
fn user(uid: u32) -> String {
    let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    found.map_or_else(|| format!("#{uid}"), |user| user.name)
}
