//! The files of a log: the one that is written and those that it was rotated into; and finding lines from the end.
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use slipway_runtime::rotated_log;

pub(super) struct Opened {
    pub file: File,
    pub inode: u64,
}

/// The log's files, newest first, each once. Rotation only moves files to higher numbers, so none that was there at the
/// start is missed on the way up; one that moved along is met again and passed over.
pub(super) struct Chain<'a> {
    path: &'a Path,
    number: u32,
    seen: Vec<u64>,
    /// Numbers without a file just now.
    missing: u32,
}

/// A rotation renames the highest number first, so there is a number without a file at any moment of it; and another may
/// begin while one is passed.
const MOST_MISSING: u32 = 3;

impl<'a> Chain<'a> {
    pub fn new(path: &'a Path) -> Self {
        Self { path, number: 0, seen: Vec::new(), missing: 0 }
    }

    fn name(&self) -> PathBuf {
        if self.number == 0 { self.path.to_owned() } else { rotated_log(self.path, self.number) }
    }
}

impl Iterator for Chain<'_> {
    type Item = io::Result<Opened>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let opened = File::open(self.name()).and_then(|file| Ok(Opened { inode: file.metadata()?.ino(), file }));
            self.number += 1;
            match opened {
                Ok(opened) if self.seen.contains(&opened.inode) => self.missing = 0,
                Ok(opened) => {
                    self.missing = 0;
                    self.seen.push(opened.inode);
                    return Some(Ok(opened));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.missing == MOST_MISSING => return None,
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.missing += 1,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What follows the text in every entry; always of the same length.
const TAIL: usize = r#"","stream":"stdout","time":"2026-11-20T22:54:01.000000123Z"}"#.len();

/// Whether the entry that ends before `end` (its newline's place) is the end of a line of the container's.
fn ends_a_line(file: &File, end: u64) -> io::Result<bool> {
    const LOOK: usize = 16;
    let Some(start) = end.checked_sub((TAIL + LOOK) as u64) else { return Ok(true) };
    let mut bytes = [0; LOOK];
    file.read_exact_at(&mut bytes, start)?;
    let Some(rest) = bytes.strip_suffix(b"n") else { return Ok(false) };
    // `\n`, and not the end of `\\n`, which is a backslash and a letter.
    Ok(rest.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1)
}

/// Seeks to the start of the last `count` lines before `limit` (bytes); gives how many there are. Reads no more than those
/// lines and a block before them. A long line, which is several entries, counts once.
pub(super) fn seek_back(file: &mut File, count: usize, limit: u64) -> io::Result<usize> {
    let mut end = file.seek(SeekFrom::End(0))?.min(limit);
    if count == 0 {
        file.seek(SeekFrom::Start(end))?;
        return Ok(0);
    }
    let mut found = 0;
    let mut block = vec![0; 16 * 1024];
    while end > 0 {
        let length = end.min(block.len() as u64);
        let start = end - length;
        let block = &mut block[..length as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        for at in (0..block.len()).rev().filter(|at| block[*at] == b'\n').map(|at| start + at as u64) {
            // The last entry ends the last line, whether it is complete or not.
            if found > 0 && !ends_a_line(file, at)? {
                continue;
            }
            if found == count {
                file.seek(SeekFrom::Start(at + 1))?;
                return Ok(found);
            }
            found += 1;
        }
        end = start;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> String {
        let text = serde_json::to_string(text).unwrap();
        format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2026-11-20T22:54:01.000000123Z\"}}\n")
    }

    fn tail(path: &Path, count: usize) -> (usize, String) {
        let mut file = File::open(path).unwrap();
        let found = seek_back(&mut file, count, u64::MAX).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        (found, text)
    }

    #[test]
    fn a_long_line_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let lines = ["one\n", "lo", "ng", "er\n", "back\\n", "slash\n", "open"].map(entry);
        std::fs::write(&path, lines.concat()).unwrap();
        assert_eq!(tail(&path, 1), (1, lines[6].clone()));
        assert_eq!(tail(&path, 2), (2, lines[4..].concat()));
        assert_eq!(tail(&path, 3), (3, lines[1..].concat()));
        assert_eq!(tail(&path, 9), (4, lines.concat()));
        assert_eq!(tail(&path, 0), (0, String::new()));
    }
}
