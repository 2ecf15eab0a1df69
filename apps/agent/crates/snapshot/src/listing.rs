//! What is inside a layer, told without unpacking it: one pass over its archive, in memory that the entries' names bound.
//! Names are cleaned as the extractor does, so that a listing says what a container would see; an archive that the extractor
//! refuses for its names is refused here too.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use slipway_store::Hasher;

use crate::beneath::clean;
use crate::decompress::{MAGIC, Packing, read_full};
use crate::tar::{Entry, EntryKind, TarReader};
use crate::{Error, Result};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
const AUFS: &str = ".wh..wh.";

/// What a listing may cost.
#[derive(Debug, Clone, Copy)]
pub struct ListingLimits {
    pub entries: u64,
    /// Of all names and link targets together.
    pub names: u64,
    /// Of the inflated stream.
    pub bytes: u64,
    pub time: Duration,
}

impl Default for ListingLimits {
    fn default() -> ListingLimits {
        ListingLimits { entries: 500_000, names: 128 << 20, bytes: 128 << 30, time: Duration::from_secs(600) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListedKind {
    /// Hides the path in lower layers.
    Whiteout,
    /// Hides what lower layers have below the directory.
    Opaque,
    Directory,
    File,
    HardLink,
    Symlink,
    Char,
    Block,
    Fifo,
}

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Clean and relative; what is no UTF-8 is replaced. Of a whiteout: what it hides.
    pub path: String,
    pub kind: ListedKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Apparent size of a file; 0 for all else.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Of a symlink as it is written, of a hard link as a clean path.
    pub link: Option<String>,
    /// The first half of the content's SHA-256. A hard link has its file's.
    pub digest: Option<[u8; 16]>,
    /// Its number in the archive, for [`copy_entry`].
    pub ordinal: u32,
}

/// Somebody who looks into files while they pass.
pub trait Look {
    /// How many bytes of a file at most are wanted whole; 0: none.
    fn wanted(&mut self, path: &str, mode: u32, size: u64) -> u64;
    fn take(&mut self, path: &str, bytes: Vec<u8>);
}

/// The entries of a layer blob, by path; of several with one path only the last, as an extraction would leave it. The reader may
/// be as it is, or compressed by gzip or zstd (its first bytes tell).
pub fn list(reader: impl Read + Send, limits: ListingLimits, look: &mut dyn Look) -> Result<Vec<Listed>> {
    let mut tar = open(reader, limits)?;
    let until = Instant::now() + limits.time;
    let (mut all, mut names, mut ordinal) = (Vec::new(), 0_u64, 0_u32);
    while let Some(entry) = tar.next_entry()? {
        if u64::from(ordinal) >= limits.entries {
            return Err(Error::OverLimit { what: "entries", limit: limits.entries });
        }
        in_time(until, limits)?;
        let listed = one(&entry, ordinal)?;
        ordinal += 1;
        let Some(mut listed) = listed else { continue };
        names += (listed.path.len() + listed.link.as_ref().map_or(0, String::len)) as u64;
        if names > limits.names {
            return Err(Error::OverLimit { what: "bytes of names", limit: limits.names });
        }
        if listed.kind == ListedKind::File {
            listed.digest = Some(content(&entry, &mut tar, &listed, look, until, limits)?);
        }
        all.push(listed);
    }
    tar.drain()?;
    Ok(ordered(all))
}

/// Writes the content of the file with that number; gives its bytes. A sparse file's holes are written as zeros.
pub fn copy_entry(reader: impl Read + Send, ordinal: u32, limits: ListingLimits, out: &mut dyn Write) -> Result<u64> {
    let mut tar = open(reader, limits)?;
    let until = Instant::now() + limits.time;
    let mut at = 0;
    while let Some(entry) = tar.next_entry()? {
        in_time(until, limits)?;
        if at < ordinal {
            at += 1;
            continue;
        }
        if entry.kind != EntryKind::File {
            break;
        }
        let mut write = |piece: &[u8]| -> Result<()> {
            in_time(until, limits)?;
            out.write_all(piece).map_err(Error::Source)
        };
        each_piece(&entry, &mut tar, &mut write)?;
        return Ok(entry.size);
    }
    Err(Error::FileNotFound(format!("file with the number {ordinal} in this layer")))
}

type Source<'a> = BufReader<Box<dyn Read + Send + 'a>>;

fn open<'a>(mut reader: impl Read + Send + 'a, limits: ListingLimits) -> Result<TarReader<Source<'a>>> {
    let mut first = [0; MAGIC];
    let n = read_full(&mut reader, &mut first).map_err(Error::Source)?;
    let packing = Packing::of_magic(&first[..n]);
    let whole = std::io::Cursor::new(first[..n].to_vec()).chain(reader);
    let inflated: Box<dyn Read + Send + 'a> = Box::new(Bounded { inner: packing.reader(whole)?, left: limits.bytes });
    Ok(TarReader::new(BufReader::with_capacity(256 << 10, inflated)))
}

fn in_time(until: Instant, limits: ListingLimits) -> Result<()> {
    if Instant::now() > until {
        return Err(Error::OverLimit { what: "seconds to read the layer", limit: limits.time.as_secs() });
    }
    Ok(())
}

/// `None` for the root and for what other engines keep in layers for themselves.
fn one(entry: &Entry, ordinal: u32) -> Result<Option<Listed>> {
    let Some((parent, name)) = clean(&entry.path)? else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (parent, name) = (text(parent.as_os_str().as_bytes()), text(name.as_bytes()));
    let below = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
    let (path, kind) = match name.strip_prefix(WHITEOUT) {
        Some(_) if name == OPAQUE => (parent, ListedKind::Opaque),
        Some(_) if name.starts_with(AUFS) => return Ok(None),
        Some("" | "." | "..") => {
            let path = text(&entry.path).chars().take(300).collect();
            return Err(Error::HostileEntry { path, reason: "it deletes a name that is none".into() });
        }
        Some(hidden) => (below(hidden), ListedKind::Whiteout),
        None => (below(&name), kind(entry.kind)),
    };
    let link = match kind {
        ListedKind::Symlink => Some(text(&entry.link)),
        ListedKind::HardLink => clean(&entry.link)?.map(|(parent, name)| text(parent.join(name).as_os_str().as_bytes())),
        _ => None,
    };
    Ok(Some(Listed {
        path,
        kind,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        size: if kind == ListedKind::File { entry.size } else { 0 },
        mtime: entry.mtime.0,
        link,
        digest: None,
        ordinal,
    }))
}

fn kind(kind: EntryKind) -> ListedKind {
    match kind {
        EntryKind::File => ListedKind::File,
        EntryKind::HardLink => ListedKind::HardLink,
        EntryKind::Symlink => ListedKind::Symlink,
        EntryKind::Char => ListedKind::Char,
        EntryKind::Block => ListedKind::Block,
        EntryKind::Directory => ListedKind::Directory,
        EntryKind::Fifo => ListedKind::Fifo,
    }
}

fn content(
    entry: &Entry,
    tar: &mut TarReader<Source<'_>>,
    listed: &Listed,
    look: &mut dyn Look,
    until: Instant,
    limits: ListingLimits,
) -> Result<[u8; 16]> {
    let wanted = look.wanted(&listed.path, listed.mode, listed.size);
    let mut kept = (listed.size <= wanted && wanted > 0).then(Vec::new);
    let mut hasher = Hasher::new();
    each_piece(entry, tar, &mut |piece| {
        hasher.update(piece);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(piece);
        }
        in_time(until, limits)
    })?;
    if let Some(kept) = kept {
        look.take(&listed.path, kept);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finish().bytes()[..16]);
    Ok(half)
}

/// The content as it would be read: a sparse file's holes are zeros. A hole may be endless, which the limit of time ends.
fn each_piece(entry: &Entry, tar: &mut TarReader<Source<'_>>, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let dense = [(0, entry.size)];
    let mut at = 0;
    for (offset, length) in entry.sparse.as_deref().unwrap_or(&dense) {
        zeros(offset.saturating_sub(at), take)?;
        let mut left = *length;
        while left > 0 {
            let piece = tar.fill_data(left)?;
            let n = piece.len();
            take(piece)?;
            tar.consume(n);
            left -= n as u64;
        }
        at = offset + length;
    }
    zeros(entry.size.saturating_sub(at), take)
}

fn zeros(mut left: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while left > 0 {
        let n = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        take(&ZEROS[..n])?;
        left -= n as u64;
    }
    Ok(())
}

/// By path, each once; a whiteout stands beside what the same layer brings in its place.
fn ordered(mut all: Vec<Listed>) -> Vec<Listed> {
    let class = |one: &Listed| one.kind.min(ListedKind::Directory);
    all.sort_by(|a, b| (a.path.as_str(), class(a), b.ordinal).cmp(&(b.path.as_str(), class(b), a.ordinal)));
    all.dedup_by(|later, kept| later.path == kept.path && class(later) == class(kept));
    let links = all.iter().filter(|one| one.kind == ListedKind::HardLink);
    let mut targets: HashMap<String, Option<[u8; 16]>> = links.filter_map(|one| Some((one.link.clone()?, None))).collect();
    for one in all.iter().filter(|one| one.kind == ListedKind::File) {
        if let Some(digest) = targets.get_mut(&one.path) {
            *digest = one.digest;
        }
    }
    for one in all.iter_mut().filter(|one| one.kind == ListedKind::HardLink) {
        one.digest = one.link.as_ref().and_then(|link| targets.get(link).copied().flatten());
    }
    all
}

struct Bounded<'a> {
    inner: Box<dyn Read + Send + 'a>,
    left: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| std::io::Error::other("it inflates beyond the limit"))?;
        Ok(n)
    }
}
