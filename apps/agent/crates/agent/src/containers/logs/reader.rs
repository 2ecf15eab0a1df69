//! From the entries of a log to the bytes a client gets.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;
use slipway_runtime::clock;

use super::files::{Chain, Opened, seek_back};
use super::{LogRequest, Sender};

#[derive(Deserialize)]
struct Entry {
    log: String,
    stream: String,
    time: String,
}

/// One write to the client; larger ones wait for memory, smaller ones for system calls.
const BATCH: usize = 32 * 1024;

pub(super) struct Reader {
    path: PathBuf,
    request: LogRequest,
    raw: bool,
    file: Option<BufReader<Take<File>>>,
    inode: u64,
    /// A line whose end is not written yet.
    partial: Vec<u8>,
    /// Per stream: the last entry ended inside a line, so the next continues it.
    inside: [bool; 2],
    batch: Vec<u8>,
    past_the_end: bool,
}

impl Reader {
    pub fn new(path: PathBuf, request: LogRequest, raw: bool) -> Self {
        let inside = [false; 2];
        Self { path, request, raw, file: None, inode: 0, partial: Vec::new(), inside, batch: Vec::new(), past_the_end: false }
    }

    /// An entry after `until` was met: nothing more is wanted.
    pub fn is_past_the_end(&self) -> bool {
        self.past_the_end
    }

    /// Everything that is there, oldest first.
    pub fn history(&mut self, out: &Sender) -> io::Result<()> {
        let mut files = Vec::new();
        let mut wanted = self.request.tail;
        let mut end = self.request.end;
        for opened in Chain::new(&self.path.clone()) {
            let mut opened = opened?;
            let mut limit = u64::MAX;
            if let Some(position) = end {
                if position.inode != opened.inode {
                    continue; // newer than what is wanted
                }
                limit = position.length;
                end = None;
            }
            let mut read = 0;
            let mut enough = false;
            if let Some(count) = wanted {
                let found = seek_back(&mut opened.file, count, limit)?;
                wanted = Some(count - found);
                enough = found == count;
                read = io::Seek::stream_position(&mut opened.file)?;
            }
            files.push((opened, limit.saturating_sub(read)));
            if enough {
                break;
            }
        }
        for (opened, limit) in files.into_iter().rev() {
            self.begin(opened, limit);
            self.read_on(out)?;
        }
        self.flush(out)
    }

    fn begin(&mut self, opened: Opened, limit: u64) {
        self.partial.clear();
        self.inode = opened.inode;
        self.file = Some(BufReader::new(opened.file.take(limit)));
    }

    /// What came since, also across rotations, however many.
    pub fn news(&mut self, out: &Sender) -> io::Result<()> {
        self.read_on(out)?;
        if self.replaced()? {
            let path = self.path.clone();
            let mut newer = Vec::new();
            for opened in Chain::new(&path) {
                let opened = opened?;
                if self.file.is_some() && opened.inode == self.inode {
                    break;
                }
                newer.push(opened);
            }
            // The old file is complete now; whatever it holds was read above or is read here.
            self.read_on(out)?;
            for opened in newer.into_iter().rev() {
                self.begin(opened, u64::MAX);
                self.read_on(out)?;
            }
        }
        self.flush(out)
    }

    fn replaced(&self) -> io::Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(now) => Ok(self.file.is_none() || now.ino() != self.inode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_on(&mut self, out: &Sender) -> io::Result<()> {
        while !self.past_the_end {
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
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return }; // torn by a crash of the machine
        let stderr = entry.stream == "stderr";
        if !(if stderr { self.request.stderr } else { self.request.stdout }) {
            return;
        }
        if self.request.since.is_some() || self.request.until.is_some() {
            let Some(time) = clock::parse_rfc3339(&entry.time) else { return };
            if self.request.until.is_some_and(|until| time > until) {
                self.past_the_end = true;
                return;
            }
            if self.request.since.is_some_and(|since| time < since) {
                return;
            }
        }
        let continues = std::mem::replace(&mut self.inside[usize::from(stderr)], !entry.log.ends_with('\n'));
        let mut before = String::new();
        if self.request.timestamps && !continues {
            before = format!("{} ", entry.time);
        }
        if let (Some(details), false) = (&self.request.details, continues) {
            before.push_str(details);
            before.push(' ');
        }
        if !self.raw {
            let length = (before.len() + entry.log.len()) as u32;
            self.batch.extend([if stderr { 2 } else { 1 }, 0, 0, 0]);
            self.batch.extend(length.to_be_bytes());
        }
        self.batch.extend(before.as_bytes());
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use slipway_runtime::rotated_log;
    use tokio::sync::mpsc;

    use super::*;

    fn write(path: &Path, from: usize, to: usize) {
        let lines: String = (from..to)
            .map(|n| format!("{{\"log\":\"line {n}\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:{n:02}.000000000Z\"}}\n"))
            .collect();
        std::fs::write(path, lines).unwrap();
    }

    fn collect(reader: &mut Reader, read: impl FnOnce(&mut Reader, &Sender) -> io::Result<()>) -> String {
        let (sender, mut receiver) = mpsc::channel(64);
        read(reader, &sender).unwrap();
        drop(sender);
        let mut text = Vec::new();
        while let Some(chunk) = receiver.blocking_recv() {
            text.extend(chunk.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    fn read(path: &Path, request: LogRequest) -> String {
        collect(&mut Reader::new(path.into(), request, true), Reader::history)
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
    fn several_rotations_between_two_looks_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, 0, 10);
        let mut reader = Reader::new(path.clone(), LogRequest { stdout: true, ..LogRequest::default() }, true);
        assert_eq!(collect(&mut reader, Reader::history).lines().count(), 10);
        for (from, to) in [(10, 20), (20, 30), (30, 40)] {
            for number in (1..5).rev() {
                let older = if number == 1 { path.clone() } else { rotated_log(&path, number - 1) };
                let _ = std::fs::rename(older, rotated_log(&path, number)); // there are not so many yet
            }
            write(&path, from, to);
        }
        let news = collect(&mut reader, Reader::news);
        let expected: String = (10..40).map(|n| format!("line {n}\n")).collect();
        assert_eq!(news, expected);
    }

    #[test]
    fn stops_where_a_stream_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, 0, 5);
        let (inode, length) = std::fs::metadata(&path).map(|data| (data.ino(), data.len())).unwrap();
        write(&path, 0, 9); // grown
        std::fs::rename(&path, rotated_log(&path, 1)).unwrap();
        write(&path, 9, 12);
        let end = Some(slipway_runtime::LogPosition { inode, length });
        assert_eq!(read(&path, LogRequest { stdout: true, end, ..LogRequest::default() }).lines().count(), 5);
        assert_eq!(read(&path, LogRequest { stdout: true, end, tail: Some(2), ..LogRequest::default() }), "line 3\nline 4\n");
    }

    #[test]
    fn filters_by_time_and_stream() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, 0, 10);
        let second = 1_000_000_000;
        let request =
            LogRequest { stdout: true, since: Some(3 * second), until: Some(4 * second), timestamps: true, ..LogRequest::default() };
        assert_eq!(read(&path, request), "1970-01-01T00:00:03.000000000Z line 3\n1970-01-01T00:00:04.000000000Z line 4\n");
        assert_eq!(read(&path, LogRequest { stderr: true, ..LogRequest::default() }), "");
    }
}
