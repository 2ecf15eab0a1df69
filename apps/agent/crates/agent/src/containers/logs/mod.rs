//! Reading a container's log: from the tail without reading the rest, filtered by stream and time, and following it as it
//! grows and rotates, until the container ends or the client leaves.
mod changes;
mod files;
mod page;
mod reader;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slipway_runtime::{LogPosition, clock};
use tokio::sync::mpsc;

use super::Container;
use super::record::{Record, log_path};
use changes::Changes;
pub use page::{Page, parse_cursor, read as read_page};
use reader::Reader;

#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    pub stdout: bool,
    pub stderr: bool,
    pub follow: bool,
    pub timestamps: bool,
    /// What stands before each line: the attributes the log's options name.
    pub details: Option<String>,
    /// Lines from the end; `None`: all.
    pub tail: Option<usize>,
    /// Nanoseconds since the epoch, both inclusive.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Nothing that came after it.
    pub end: Option<LogPosition>,
}

pub type Chunks = mpsc::Receiver<io::Result<Bytes>>;
type Sender = mpsc::Sender<io::Result<Bytes>>;

/// Streams the log. The channel's end is the log's end.
pub fn stream(container: &Arc<Container>, request: LogRequest) -> Chunks {
    let (sender, receiver) = mpsc::channel(8);
    let container = container.clone();
    tokio::spawn(async move {
        if let Err(error) = copy(&container, request, &sender).await {
            let _ = sender.send(Err(error)).await; // the client may have left
        }
    });
    receiver
}

async fn copy(container: &Container, request: LogRequest, sender: &Sender) -> io::Result<()> {
    let path = log_path(&container.dir);
    let raw = container.record().config.tty;
    let follow = request.follow;
    let until = request.until.map(|until| Duration::from_nanos(u64::try_from(until - clock::now()).unwrap_or(0)));
    let over = async {
        match until {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut watch = container.watch();
    // Watched before the first read, so that nothing written in between is missed.
    let changes = if follow { Some(Changes::new(&container.dir)?) } else { None };
    let out = sender.clone();
    let mut reader = blocking(move || {
        let mut reader = Reader::new(path, request, raw);
        reader.history(&out)?;
        Ok(reader)
    })
    .await?;
    let Some(changes) = changes else { return Ok(()) };
    let mut last = false;
    loop {
        // Asked before reading: what was written before the end is read after it.
        let ended = !watch.borrow_and_update().is_running();
        let out = sender.clone();
        reader = blocking(move || {
            reader.news(&out)?;
            Ok(reader)
        })
        .await?;
        if ended || last || reader.is_past_the_end() {
            return Ok(());
        }
        tokio::select! {
            changed = changes.wait() => changed?,
            changed = watch.changed() => if changed.is_err() { return Ok(()) },
            () = sender.closed() => return Ok(()),
            () = &mut over => last = true,
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The attributes that `--log-opt labels=…,env=…,tag=…` add to each line of `docker logs --details`: `a=1,b=2`.
pub fn details(record: &Record) -> String {
    let options = &record.host_config.log_config.config;
    let names = |option: &str| options.get(option).into_iter().flat_map(|list| list.split(',')).map(str::trim);
    let labels = names("labels").filter_map(|name| Some((name, record.config.labels.get(name)?.as_str())));
    let env = names("env").filter_map(|name| {
        let mut values = record.config.env.iter().filter_map(|entry| entry.split_once('='));
        values.rfind(|(key, _)| *key == name)
    });
    let tag = options.get("tag").map(|tag| {
        let short = &record.id[..record.id.len().min(12)];
        let fields =
            [("{{.ID}}", short), ("{{.FullID}}", &record.id), ("{{.Name}}", &record.name), ("{{.ImageName}}", &record.config.image)];
        fields.iter().fold(tag.clone(), |text, (field, value)| text.replace(field, value))
    });
    let tag = tag.iter().map(|tag| ("tag", tag.as_str())).filter(|(_, tag)| !tag.is_empty());
    let all: std::collections::BTreeMap<&str, &str> = labels.chain(env).chain(tag).collect();
    let escape = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    all.into_iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect::<Vec<_>>().join(",")
}
