//! Reading a container's log: from the tail without reading the rest, filtered by stream and time, and following it as it
//! grows and rotates, until the container ends or the client leaves.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::inotify;
use serde::Deserialize;
use slipway_runtime::{clock, rotated_log};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::Container;
use super::record::log_path;

#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    pub stdout: bool,
    pub stderr: bool,
    pub follow: bool,
    pub timestamps: bool,
    /// Entries from the end; `None`: all.
    pub tail: Option<usize>,
    /// Nanoseconds since the epoch, both inclusive.
    pub since: Option<i64>,
    pub until: Option<i64>,
}

#[derive(Deserialize)]
struct Entry {
    log: String,
    stream: String,
    time: String,
}

/// One write to the client; larger ones wait for memory, smaller ones for system calls.
const BATCH: usize = 32 * 1024;

type Sender = mpsc::Sender<io::Result<Bytes>>;

/// Streams the log. The channel's end is the log's end.
pub fn stream(container: &Arc<Container>, request: LogRequest) -> mpsc::Receiver<io::Result<Bytes>> {
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
    let mut watch = container.watch();
    // Watched before the first read, so that nothing written in between is missed.
    let changes = if follow { Some(Changes::new(&container.dir)?) } else { None };
    let out = sender.clone();
    let mut reader = blocking(move || {
        let mut reader = Reader::open(path, request, raw)?;
        reader.history(&out)?;
        Ok(reader)
    })
    .await?;
    let Some(changes) = changes else { return Ok(()) };
    loop {
        // Asked before reading: what was written before the end is read after it.
        let running = watch.borrow_and_update().is_running();
        let out = sender.clone();
        reader = blocking(move || {
            reader.news(&out)?;
            Ok(reader)
        })
        .await?;
        if !running {
            return Ok(());
        }
        tokio::select! {
            changed = changes.wait() => changed?,
            changed = watch.changed() => if changed.is_err() { return Ok(()) },
            () = sender.closed() => return Ok(()),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Tells when something in the container's directory is written or renamed.
enum Changes {
    Watched(AsyncFd<OwnedFd>),
    /// A user has 128 watches by default, all programs together: whoever comes later looks every so often.
    Polled,
}

const POLL_EVERY: Duration = Duration::from_millis(250);

impl Changes {
    fn new(dir: &Path) -> io::Result<Self> {
        let fd = match inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK) {
            Err(rustix::io::Errno::MFILE) => return Ok(Self::Polled),
            other => other?,
        };
        inotify::add_watch(&fd, dir, inotify::WatchFlags::MODIFY | inotify::WatchFlags::MOVED_FROM | inotify::WatchFlags::CREATE)?;
        Ok(Self::Watched(slipway_sys::event::async_fd(fd)?))
    }

    async fn wait(&self) -> io::Result<()> {
        let Self::Watched(fd) = self else {
            tokio::time::sleep(POLL_EVERY).await;
            return Ok(());
        };
        let mut ready = fd.readable().await?;
        let mut buffer = [0; 4_096];
        // What exactly changed does not matter; the events only have to be taken off the queue.
        while rustix::io::read(fd.get_ref(), &mut buffer).is_ok_and(|count| count > 0) {}
        ready.clear_ready();
        Ok(())
    }
}

struct Reader {
    path: PathBuf,
    request: LogRequest,
    raw: bool,
    file: Option<BufReader<File>>,
    /// A line whose end is not written yet.
    partial: Vec<u8>,
    /// Per stream: the last entry ended inside a line, so the next continues it.
    inside: [bool; 2],
    batch: Vec<u8>,
}

impl Reader {
    fn open(path: PathBuf, request: LogRequest, raw: bool) -> io::Result<Self> {
        Ok(Self { path, request, raw, file: None, partial: Vec::new(), inside: [false; 2], batch: Vec::new() })
    }

    /// Everything that is there, oldest first.
    fn history(&mut self, out: &Sender) -> io::Result<()> {
        let mut files = Vec::new();
        let mut wanted = self.request.tail;
        for number in 0.. {
            let path = if number == 0 { self.path.clone() } else { rotated_log(&self.path, number) };
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            match wanted {
                Some(count) => {
                    let found = seek_back(&mut file, count)?;
                    files.push(file);
                    wanted = Some(count - found);
                    if found == count {
                        break;
                    }
                }
                None => files.push(file),
            }
        }
        files.reverse();
        for file in files {
            self.partial.clear();
            self.file = Some(BufReader::new(file));
            self.read_on(out)?;
        }
        self.flush(out)
    }

    /// What came since, also across a rotation.
    fn news(&mut self, out: &Sender) -> io::Result<()> {
        if self.file.is_some() {
            self.read_on(out)?;
        }
        if self.replaced()? {
            // The old file is complete now; whatever it holds was read above or is read here.
            if self.file.is_some() {
                self.read_on(out)?;
            }
            self.partial.clear();
            self.file = match File::open(&self.path) {
                Ok(file) => Some(BufReader::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if self.file.is_some() {
                self.read_on(out)?;
            }
        }
        self.flush(out)
    }

    fn replaced(&mut self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &mut self.file else { return Ok(true) };
        match std::fs::metadata(&self.path) {
            Ok(now) => {
                let own = file.get_ref().metadata()?;
                Ok(now.ino() != own.ino() || now.len() < file.stream_position()?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_on(&mut self, out: &Sender) -> io::Result<()> {
        loop {
            let Some(file) = &mut self.file else { return Ok(()) };
            let mut line = std::mem::take(&mut self.partial);
            file.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                self.partial = line;
                return Ok(());
            }
            self.take(&line);
            if self.batch.len() >= BATCH {
                self.flush(out)?;
            }
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return }; // torn by a crash of the machine
        let stderr = entry.stream == "stderr";
        if !(if stderr { self.request.stderr } else { self.request.stdout }) {
            return;
        }
        if self.request.since.is_some() || self.request.until.is_some() {
            let Some(time) = clock::parse_rfc3339(&entry.time) else { return };
            if self.request.since.is_some_and(|since| time < since) || self.request.until.is_some_and(|until| time > until) {
                return;
            }
        }
        let continues = std::mem::replace(&mut self.inside[usize::from(stderr)], !entry.log.ends_with('\n'));
        let stamp = if self.request.timestamps && !continues { format!("{} ", entry.time) } else { String::new() };
        if !self.raw {
            let length = (stamp.len() + entry.log.len()) as u32;
            self.batch.extend([if stderr { 2 } else { 1 }, 0, 0, 0]);
            self.batch.extend(length.to_be_bytes());
        }
        self.batch.extend(stamp.as_bytes());
        self.batch.extend(entry.log.as_bytes());
    }

    fn flush(&mut self, out: &Sender) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = Bytes::from(std::mem::take(&mut self.batch));
        out.blocking_send(Ok(batch)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Seeks to the start of the last `count` lines; gives how many there are.
fn seek_back(file: &mut File, count: usize) -> io::Result<usize> {
    let mut end = file.seek(SeekFrom::End(0))?;
    if count == 0 {
        return Ok(0);
    }
    let mut found = 0;
    let mut block = vec![0; 16 * 1024];
    let mut last = true;
    while end > 0 {
        let length = end.min(block.len() as u64);
        file.seek(SeekFrom::Start(end - length))?;
        let block = &mut block[..length as usize];
        file.read_exact(block)?;
        for at in (0..block.len()).rev().filter(|at| block[*at] == b'\n').collect::<Vec<_>>() {
            // The newline at the very end closes the last line and opens none.
            if std::mem::take(&mut last) && end - length + at as u64 + 1 == file.metadata()?.len() {
                continue;
            }
            found += 1;
            if found == count {
                file.seek(SeekFrom::Start(end - length + at as u64 + 1))?;
                return Ok(found);
            }
        }
        end -= length;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(if file.metadata()?.len() == 0 { 0 } else { found + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, from: usize, to: usize) {
        let lines: String = (from..to)
            .map(|n| format!("{{\"log\":\"line {n}\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:{n:02}.0Z\"}}\n"))
            .collect();
        std::fs::write(path, lines).unwrap();
    }

    fn read(path: &Path, request: LogRequest) -> String {
        let (sender, mut receiver) = mpsc::channel(64);
        let mut reader = Reader::open(path.into(), request, true).unwrap();
        reader.history(&sender).unwrap();
        drop(sender);
        let mut text = Vec::new();
        while let Some(chunk) = receiver.blocking_recv() {
            text.extend(chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn tails_across_rotated_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&rotated_log(&path, 1), 0, 10);
        write(&path, 10, 20);
        let request = |tail| LogRequest { stdout: true, tail, ..LogRequest::default() };
        assert_eq!(read(&path, request(Some(2))), "line 18\nline 19\n");
        assert_eq!(read(&path, request(Some(12))).lines().next(), Some("line 8"));
        assert_eq!(read(&path, request(Some(100))).lines().count(), 20);
        assert_eq!(read(&path, request(None)).lines().count(), 20);
        assert_eq!(read(&path, request(Some(0))), "");
    }

    #[test]
    fn filters_by_time_and_stream() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, 0, 10);
        let second = 1_000_000_000;
        let request =
            LogRequest { stdout: true, since: Some(3 * second), until: Some(4 * second), timestamps: true, ..LogRequest::default() };
        assert_eq!(read(&path, request), "1970-01-01T00:00:03.0Z line 3\n1970-01-01T00:00:04.0Z line 4\n");
        assert_eq!(read(&path, LogRequest { stderr: true, ..LogRequest::default() }), "");
    }
}
