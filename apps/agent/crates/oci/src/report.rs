//! Errors and warnings, in runc's formats: on standard error, and in the log file an engine above gave.
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::config::{Capabilities, Process};

#[derive(Debug, Default)]
pub struct Log {
    pub path: Option<PathBuf>,
    pub json: bool,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Once, before anything is told.
pub fn set_up(log: Log) {
    let _ = LOG.set(log); // a second call would change nothing
}

pub fn error(message: &str) {
    write("error", message);
    // With a log file the person at the terminal is told, too.
    if LOG.get().is_some_and(|log| log.path.is_some()) {
        say(message);
    }
}

pub fn warn(message: &str) {
    write("warning", message);
}

fn write(level: &str, message: &str) {
    let (path, json) = LOG.get().map_or((None, false), |log| (log.path.as_ref(), log.json));
    let time = slipway_runtime::clock::rfc3339(slipway_runtime::clock::now());
    let line = match json {
        true => serde_json::json!({ "level": level, "msg": message, "time": time }).to_string(),
        false => format!("time={time:?} level={level} msg={message:?}"),
    };
    let Some(path) = path else { return say(&line) };
    let written = OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| writeln!(file, "{line}"));
    if written.is_err() {
        say(&line);
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}"); // there is nobody else to tell
}

/// The spec: a name the runtime does not know, or cannot give, is worth a warning, not an error.
pub fn unknown_capabilities(process: Option<&Process>) {
    let Some(Capabilities { bounding, effective, inheritable, permitted, ambient }) =
        process.and_then(|process| process.capabilities.as_ref())
    else {
        return;
    };
    let names = [bounding, effective, inheritable, permitted, ambient].into_iter().flatten();
    let mut unknown: Vec<&str> = names.filter(|name| slipway_runtime::caps::bit(name).is_none()).map(String::as_str).collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        warn(&format!("ignoring unknown capabilities: {}", unknown.join(", ")));
    }
}
