//! One page of a log, and a cursor to the next: for a panel, which shows a part and comes back for what is new.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use slipway_runtime::LogPosition;

use super::files::{Chain, Opened, seek_back};

/// Bytes of one page; a page may have fewer lines than were asked for.
const LARGEST: usize = 4 << 20;

/// An entry of the log. A long line is several, of which only the last ends with a newline.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    pub time: String,
    pub stream: String,
    #[serde(rename(deserialize = "log"))]
    pub text: String,
}

#[derive(Debug, Default, Serialize)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Asked for with `after`, what is written from here on.
    pub next: Option<String>,
    /// What the cursor stood before was rotated away: lines between it and this page are gone.
    pub lost: bool,
}

/// A cursor as clients give it back.
pub fn parse_cursor(text: &str) -> Option<LogPosition> {
    let (inode, length) = text.split_once('-')?;
    Some(LogPosition { inode: inode.parse().ok()?, length: length.parse().ok()? })
}

/// At most `limit` entries: those after the cursor, or without one the last.
pub fn read(path: &Path, after: Option<LogPosition>, limit: usize) -> io::Result<Page> {
    let mut page = Page { lost: after.is_some(), ..Page::default() };
    let (mut files, mut wanted) = (Vec::new(), limit);
    for opened in Chain::new(path) {
        let mut opened = opened?;
        match after {
            Some(position) if position.inode == opened.inode => {
                page.lost = false;
                opened.file.seek(SeekFrom::Start(position.length))?;
                files.push(opened);
                break;
            }
            Some(_) => files.push(opened),
            None => {
                wanted -= seek_back(&mut opened.file, wanted, u64::MAX)?;
                files.push(opened);
                if wanted == 0 {
                    break;
                }
            }
        }
    }
    let mut bytes = 0;
    for opened in files.into_iter().rev() {
        if page.lines.len() < limit && bytes < LARGEST {
            bytes += take(opened, &mut page, limit, LARGEST - bytes)?;
        }
    }
    Ok(page)
}

/// Appends what the file has from where it stands; gives the bytes read.
fn take(opened: Opened, page: &mut Page, limit: usize, most: usize) -> io::Result<usize> {
    let inode = opened.inode;
    let mut file: BufReader<File> = BufReader::new(opened.file);
    let start = file.stream_position()?;
    let (mut read, mut line) = (0, Vec::new());
    while page.lines.len() < limit && read < most {
        line.clear();
        let count = file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break; // not wholly written
        }
        read += count;
        // One torn by a crash of the machine is passed over.
        page.lines.extend(serde_json::from_slice::<Line>(&line).ok());
    }
    page.next = Some(format!("{inode}-{}", start + read as u64));
    Ok(read)
}
