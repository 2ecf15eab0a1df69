//! The container's log: one JSON object a line, `{"log":"…\n","stream":"stdout","time":"…"}`, as Docker's json-file.
//!
//! Nothing here may stop the container: when the disk is full, lines are dropped and counted, and the count is told in
//! the log once there is room again.
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::clock;
use crate::say::say;
use crate::spec::LogSettings;

/// Longer lines are split into several entries, of which only the last ends with a newline.
const LONGEST: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout = 1,
    Stderr = 2,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

pub(crate) struct Log {
    settings: LogSettings,
    file: File,
    size: u64,
    partial: [Vec<u8>; 2],
    buffer: String,
    dropped: u64,
}

impl Log {
    pub fn open(settings: &LogSettings) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&settings.path)?;
        let size = file.metadata()?.len();
        Ok(Self { settings: settings.clone(), file, size, partial: Default::default(), buffer: String::new(), dropped: 0 })
    }

    /// Takes output as it comes; whole lines go to the file at once, the rest waits for its end.
    pub fn write(&mut self, stream: Stream, mut data: &[u8]) {
        let time = clock::now();
        let partial = &mut self.partial[stream as usize - 1];
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = data.split_at(end + 1);
            data = rest;
            if partial.is_empty() {
                entries(&mut self.buffer, stream, time, line);
            } else {
                partial.extend_from_slice(line);
                entries(&mut self.buffer, stream, time, partial);
                partial.clear();
            }
        }
        partial.extend_from_slice(data);
        if partial.len() >= LONGEST {
            let keep = partial.split_off(partial.len() / LONGEST * LONGEST);
            entries(&mut self.buffer, stream, time, partial);
            *partial = keep;
        }
        self.flush();
    }

    /// The stream has ended; a last line without a newline is written as it is.
    pub fn end(&mut self, stream: Stream) {
        let partial = std::mem::take(&mut self.partial[stream as usize - 1]);
        entries(&mut self.buffer, stream, clock::now(), &partial);
        self.flush();
    }

    /// What was written of a line that has no end yet.
    pub fn unfinished(&self, stream: Stream) -> &[u8] {
        &self.partial[stream as usize - 1]
    }

    /// Inode number and length of the file that is written now.
    pub fn position(&self) -> (u64, u64) {
        use std::os::unix::fs::MetadataExt;
        (self.file.metadata().map_or(0, |data| data.ino()), self.size)
    }

    fn flush(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_str();
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(self.fitting(rest));
            rest = tail;
            self.flush_part(part);
        }
        self.buffer = buffer;
        self.buffer.clear();
        self.buffer.shrink_to(LONGEST * 4);
    }

    /// Bytes of the whole entries at the start of `entries` that go into one file: at least one.
    fn fitting(&self, entries: &str) -> usize {
        let Some(max) = self.settings.max_size.and_then(|max| usize::try_from(max).ok()) else { return entries.len() };
        let used = usize::try_from(self.size).unwrap_or(max);
        let first = entries.find('\n').map_or(entries.len(), |end| end + 1);
        // When nothing more fits in, what follows goes into the next file.
        let room = if used + first > max { max } else { max - used };
        if entries.len() <= room {
            return entries.len();
        }
        entries.as_bytes()[..room].iter().rposition(|byte| *byte == b'\n').map_or(first, |end| end + 1)
    }

    fn flush_part(&mut self, part: &str) {
        let full = self.settings.max_size.is_some_and(|max| self.size > 0 && self.size + part.len() as u64 > max);
        if full && let Err(error) = self.rotate() {
            self.note_failure(&error);
        }
        if self.dropped > 0 {
            let note = format!("slipway: {} log entries were lost, the disk was full\n", self.dropped);
            let mut text = String::new();
            entries(&mut text, Stream::Stderr, clock::now(), note.as_bytes());
            if self.append(&text).is_ok() {
                self.dropped = 0;
            }
        }
        if let Err(error) = self.append(part) {
            self.dropped += part.lines().count() as u64;
            self.note_failure(&error);
        }
    }

    /// A torn entry would make the rest of the file unreadable, so a failed write is taken back.
    fn append(&mut self, text: &str) -> io::Result<()> {
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => {
                self.size += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.size)?;
                Err(error)
            }
        }
    }

    /// The shim's standard error is the daemon's log, when there is one.
    fn note_failure(&self, error: &io::Error) {
        if self.dropped <= 1 {
            say!("slipway shim: cannot write {}: {error}", self.settings.path.display());
        }
    }

    /// `log` → `log.1` → `log.2` …; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        let files = self.settings.max_files.max(1);
        let free = (1..files).find(|number| !numbered(&self.settings.path, *number).exists());
        for number in (1..=free.unwrap_or(files - 1)).rev() {
            let from = if number == 1 { self.settings.path.clone() } else { numbered(&self.settings.path, number - 1) };
            match std::fs::rename(&from, numbered(&self.settings.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // A new file also when none is kept: whoever follows reads the old one to its end.
        if files == 1 {
            std::fs::remove_file(&self.settings.path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
        }
        self.file = OpenOptions::new().append(true).create(true).open(&self.settings.path)?;
        self.size = 0;
        Ok(())
    }
}

/// The rotated file `number` of the log at `path`.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Appends `data` as one entry, or several when it is long.
fn entries(out: &mut String, stream: Stream, time: i64, data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() {
        let (entry, tail) = rest.split_at(cut(rest));
        rest = tail;
        out.push_str("{\"log\":\"");
        escape(out, &String::from_utf8_lossy(entry));
        out.push_str("\",\"stream\":\"");
        out.push_str(stream.name());
        out.push_str("\",\"time\":\"");
        clock::push_rfc3339(time, out);
        out.push_str("\"}\n");
    }
}

/// Where to split: at most `LONGEST` bytes, not inside a character.
fn cut(data: &[u8]) -> usize {
    if data.len() <= LONGEST {
        return data.len();
    }
    (LONGEST - 3..=LONGEST).rev().find(|at| data[*at] & 0xc0 != 0x80).unwrap_or(LONGEST)
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                use std::fmt::Write;
                let _ = write!(out, "\\u{:04x}", c as u32); // writing to a String cannot fail
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let entry = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            (value["stream"].as_str().unwrap().to_owned(), value["log"].as_str().unwrap().to_owned())
        };
        text.lines().map(entry).collect()
    }

    #[test]
    fn lines_wait_for_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&LogSettings { path: path.clone(), max_size: None, max_files: 1 }).unwrap();
        log.write(Stream::Stdout, b"one\ntw");
        log.write(Stream::Stderr, b"err \"q\" \x01\xff\n");
        log.write(Stream::Stdout, b"o\nlast");
        assert_eq!(read(&path).len(), 3);
        log.end(Stream::Stdout);
        let lines = read(&path);
        assert_eq!(lines[1], ("stderr".into(), "err \"q\" \u{1}\u{fffd}\n".into()));
        assert_eq!(lines[2].1, "two\n");
        assert_eq!(lines[3].1, "last");
    }

    #[test]
    fn long_lines_split_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&LogSettings { path: path.clone(), max_size: None, max_files: 1 }).unwrap();
        let line = format!("{}\n", "ü€".repeat(10_000));
        log.write(Stream::Stdout, line.as_bytes());
        let joined: String = read(&path).into_iter().map(|(_, text)| text).collect();
        assert_eq!(joined, line);
        assert!(read(&path).len() >= 3);
    }

    #[test]
    fn rotates_and_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&LogSettings { path: path.clone(), max_size: Some(1_000), max_files: 3 }).unwrap();
        for number in 0..100 {
            log.write(Stream::Stdout, format!("line {number}\n").as_bytes());
        }
        assert_eq!(read(&path).last().unwrap().1, "line 99\n");
        assert!(numbered(&path, 2).exists() && !numbered(&path, 3).exists());
        for file in [path.clone(), numbered(&path, 1), numbered(&path, 2)] {
            assert!(file.metadata().unwrap().len() <= 1_000);
        }
    }

    #[test]
    fn one_burst_is_spread_over_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&LogSettings { path: path.clone(), max_size: Some(1_000), max_files: 50 }).unwrap();
        let burst: String = (0..200).map(|number| format!("line {number}\n")).collect();
        log.write(Stream::Stdout, burst.as_bytes());
        let mut files: Vec<PathBuf> = (1..50).map(|number| numbered(&path, number)).filter(|file| file.exists()).collect();
        files.insert(0, path);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 1_000) && files.len() > 10);
        let all: String = files.iter().rev().flat_map(|file| read(file)).map(|(_, text)| text).collect();
        assert_eq!(all, burst);
    }
}
