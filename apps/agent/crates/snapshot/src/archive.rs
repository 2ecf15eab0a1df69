use std::io::{BufReader, Read, Write};

use crate::beneath::clean;
use crate::decompress::{MAGIC, Packing, read_full};
use crate::tar::{Entry, EntryKind, TarReader, TarWriter};
use crate::{Error, Result};

/// Reads a tar that is not a layer: image archives, build contexts. Same limits and same care as for layers; plain, gzip or
/// zstd by its first bytes.
pub struct ArchiveReader<'a> {
    tar: TarReader<BufReader<Box<dyn Read + Send + 'a>>>,
}

/// Paths are clean: relative, without `.` and `..`, UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveEntry {
    File {
        path: String,
        size: u64,
        mode: u32,
    },
    /// A hard link or symlink; its target is resolved against the link's directory and stays inside the archive.
    Link {
        path: String,
        target: String,
    },
    Other,
}

impl<'a> ArchiveReader<'a> {
    pub fn new(mut reader: impl Read + Send + 'a) -> Result<ArchiveReader<'a>> {
        let mut first = [0; MAGIC];
        let n = read_full(&mut reader, &mut first).map_err(Error::Source)?;
        let packing = Packing::of_magic(&first[..n]);
        let whole = std::io::Cursor::new(first[..n].to_vec()).chain(reader);
        Ok(ArchiveReader { tar: TarReader::new(BufReader::with_capacity(256 << 10, packing.reader(whole)?)) })
    }

    pub fn next_entry(&mut self) -> Result<Option<ArchiveEntry>> {
        let Some(entry) = self.tar.next_entry()? else { return Ok(None) };
        let Some(path) = cleaned(&entry.path)? else { return Ok(Some(ArchiveEntry::Other)) };
        Ok(Some(match entry.kind {
            EntryKind::File if entry.sparse.is_none() => ArchiveEntry::File { path, size: entry.size, mode: entry.mode },
            EntryKind::HardLink => link(path, cleaned(&entry.link)?),
            EntryKind::Symlink => {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent).to_string();
                link(path, cleaned(&[parent.as_bytes(), b"/", &entry.link].concat())?)
            }
            _ => ArchiveEntry::Other,
        }))
    }

    /// Copies the current file's data.
    pub fn copy_data(&mut self, out: &mut dyn Write) -> Result<u64> {
        let mut copied = 0;
        loop {
            let piece = self.tar.fill_data(u64::MAX)?;
            let n = piece.len();
            if n == 0 {
                return Ok(copied);
            }
            out.write_all(piece).map_err(Error::reading)?;
            self.tar.consume(n);
            copied += n as u64;
        }
    }
}

fn link(path: String, target: Option<String>) -> ArchiveEntry {
    target.map_or(ArchiveEntry::Other, |target| ArchiveEntry::Link { path, target })
}

fn cleaned(name: &[u8]) -> Result<Option<String>> {
    let Some((parent, last)) = clean(name)? else { return Ok(None) };
    Ok(parent.join(last).into_os_string().into_string().ok())
}

/// Writes a tar that is not a layer. Entries belong to root and have no time: equal content gives equal bytes.
pub struct ArchiveWriter<W: Write> {
    tar: TarWriter<W>,
}

impl<W: Write> ArchiveWriter<W> {
    pub fn new(out: W) -> ArchiveWriter<W> {
        ArchiveWriter { tar: TarWriter::new(out) }
    }

    pub fn directory(&mut self, path: &str) -> std::io::Result<()> {
        self.tar.entry(&plain(&format!("{path}/"), EntryKind::Directory, 0o755, 0))
    }

    /// A file of `size` bytes, which `content` writes; more or fewer are an error, for the archive would be broken.
    pub fn file(&mut self, path: &str, size: u64, content: &mut dyn FnMut(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
        self.tar.entry(&plain(path, EntryKind::File, 0o644, size))?;
        let mut counted = Counted { tar: &mut self.tar, left: size };
        content(&mut counted)?;
        if counted.left != 0 {
            return Err(std::io::Error::other(format!("{path} has fewer bytes than it should have")));
        }
        self.tar.end_data(size)
    }

    pub fn finish(self) -> std::io::Result<W> {
        self.tar.finish()
    }
}

fn plain(path: &str, kind: EntryKind, mode: u32, size: u64) -> Entry {
    let (path, link, xattrs) = (path.as_bytes().to_vec(), Vec::new(), Vec::new());
    Entry { path, link, kind, mode, uid: 0, gid: 0, size, mtime: (0, 0), device: (0, 0), xattrs, sparse: None }
}

struct Counted<'a, W: Write> {
    tar: &'a mut TarWriter<W>,
    left: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| std::io::Error::other("more bytes than announced"))?;
        self.tar.data(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
