//! What happens on this host, for `docker events`: a live stream and a short memory for `since`.
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use slipway_runtime::clock;
use tokio::sync::broadcast;

/// Events kept for clients that ask for the past: as many as dockerd, which forgets them with its end too. Each takes about 1 KB.
const MEMORY: usize = 256;
/// How far a client may lag behind.
const LAG: usize = 1_024;

#[derive(Debug, Clone)]
pub struct Event {
    /// `container`, `image`, `volume`, `network`.
    pub kind: &'static str,
    /// `start`, `die`, …
    pub action: String,
    pub id: String,
    pub attributes: BTreeMap<String, String>,
    /// Nanoseconds since the epoch.
    pub time: i64,
}

impl Event {
    pub fn json(&self) -> Value {
        let mut value = json!({
            "Type": self.kind,
            "Action": self.action,
            "Actor": { "ID": self.id, "Attributes": self.attributes },
            "scope": "local",
            "time": self.time / 1_000_000_000,
            "timeNano": self.time,
        });
        // Fields of the days before `Actor`, which older clients still read.
        if matches!(self.kind, "container" | "image") {
            value["status"] = json!(self.action);
            value["id"] = json!(self.id);
        }
        if let (Some(image), "container") = (self.attributes.get("image"), self.kind) {
            value["from"] = json!(image);
        }
        value
    }
}

pub struct Events {
    live: broadcast::Sender<Event>,
    past: Mutex<VecDeque<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { live: broadcast::channel(LAG).0, past: Mutex::default() }
    }
}

impl Events {
    pub fn publish(&self, kind: &'static str, action: impl Into<String>, id: &str, attributes: BTreeMap<String, String>) {
        let event = Event { kind, action: action.into(), id: id.to_owned(), attributes, time: clock::now() };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == MEMORY {
            past.pop_front();
        }
        past.push_back(event.clone());
        let _ = self.live.send(event); // nobody may be listening
    }

    /// The remembered events and everything after them, without a gap.
    pub fn subscribe(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.live.subscribe())
    }
}
