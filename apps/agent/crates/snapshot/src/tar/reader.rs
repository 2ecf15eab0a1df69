use std::io::{BufRead, ErrorKind, Read as _};

use super::header::Header;
use super::pax::{self, Pax};
use super::{BLOCK, Entry, EntryKind, sparse};
use crate::{Error, Result};

/// Reads entries one after another from a stream; after [`TarReader::next_entry`], the entry's data by
/// [`TarReader::read_data`]. What is left unread is skipped.
pub(crate) struct TarReader<R> {
    source: R,
    /// Data of the current entry that was not read yet, and the padding after it.
    data_left: u64,
    padding: u64,
}

/// A long name is a path; the kernel takes no longer ones.
const MAX_LONG_NAME: u64 = 64 << 10;
const MAX_PAX: u64 = 1 << 20;
/// Extension headers in a row before an entry.
const MAX_EXTENSIONS: usize = 16;

impl<R: BufRead> TarReader<R> {
    pub fn new(source: R) -> TarReader<R> {
        TarReader { source, data_left: 0, padding: 0 }
    }

    /// The next entry, or `None` at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        for _ in 0..MAX_EXTENSIONS {
            self.skip(self.data_left + self.padding)?;
            let Some(header) = self.read_header()? else { return Ok(None) };
            let size = header.size().ok_or_else(|| invalid("a header's size does not parse"))?;
            match header.type_flag() {
                b'x' => pax = pax::parse(&self.read_extension(size, MAX_PAX)?)?,
                b'L' => long_name = Some(trim_nul(self.read_extension(size, MAX_LONG_NAME)?)),
                b'K' => long_link = Some(trim_nul(self.read_extension(size, MAX_LONG_NAME)?)),
                _ => match header.kind() {
                    Some(kind) => return self.entry(&header, kind, size, pax, long_name, long_link).map(Some),
                    // Global headers, labels and unknown kinds have nothing for a file system.
                    None => {
                        self.set_data(pax.size.filter(|_| header.type_flag() != b'g').unwrap_or(size));
                        pax = Pax::default();
                        (long_name, long_link) = (None, None);
                    }
                },
            }
        }
        Err(invalid("too many extension headers in a row"))
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: EntryKind,
        size: u64,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry> {
        let field = |value: Option<u64>, what: &str| {
            value.and_then(|v| u32::try_from(v).ok()).ok_or_else(|| invalid(&format!("a header's {what} does not parse")))
        };
        let device = header.device().ok_or_else(|| invalid("a header's device does not parse"))?;
        // POSIX: an extended header's size wins over the ustar field, or the two readings of one archive would differ.
        // Kinds without data have none, whatever their size says (as Go reads them).
        let stored = if kind == EntryKind::File { pax.size.unwrap_or(size) } else { 0 };
        self.set_data(stored);
        let mut entry = Entry {
            path: pax.path.or(long_name).unwrap_or_else(|| header.path()),
            link: pax.link.or(long_link).unwrap_or_else(|| header.link()),
            kind,
            mode: field(header.mode(), "mode")? & 0o7777,
            uid: field(pax.uid.or(header.uid()), "uid")?,
            gid: field(pax.gid.or(header.gid()), "gid")?,
            size: stored,
            mtime: match pax.mtime {
                Some(time) => time,
                None => (header.mtime().and_then(|t| i64::try_from(t).ok()).ok_or_else(|| invalid("a header's time does not parse"))?, 0),
            },
            device: (field(Some(device.0), "device")?, field(Some(device.1), "device")?),
            xattrs: pax.xattrs,
            sparse: None,
        };
        // A file whose name ends in a slash is a directory (v7 archives had no other way to say so).
        if kind == EntryKind::File && entry.path.ends_with(b"/") {
            entry.kind = EntryKind::Directory;
        }
        let (map, real_size) = if header.type_flag() == b'S' {
            sparse::read_old_gnu(header, self)?
        } else if kind == EntryKind::File && pax.sparse.major == Some(1) && pax.sparse.minor == Some(0) {
            (sparse::read_pax_1_0(self)?, pax.sparse.real_size.unwrap_or(0))
        } else if kind == EntryKind::File && pax.sparse.real_size.is_some() && !pax.sparse.map.is_empty() {
            (sparse::pairs(&pax.sparse.map), pax.sparse.real_size.unwrap_or(0))
        } else {
            return Ok(entry);
        };
        if let Some(name) = pax.sparse.name {
            entry.path = name;
        }
        sparse::check(&map, real_size, self.data_left)?;
        entry.size = real_size;
        entry.sparse = Some(map);
        Ok(entry)
    }

    /// The next piece of the current entry's data, at most `most` bytes; empty at its end. Call [`TarReader::consume`] for
    /// what was used.
    pub fn fill_data(&mut self, most: u64) -> Result<&[u8]> {
        let most = self.data_left.min(most);
        if most == 0 {
            return Ok(&[]);
        }
        let available = self.source.fill_buf().map_err(Error::reading)?;
        if available.is_empty() {
            return Err(truncated());
        }
        let n = available.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(&available[..n])
    }

    pub fn consume(&mut self, n: usize) {
        self.source.consume(n);
        self.data_left -= n as u64;
    }

    pub(super) fn read_data_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        if (buffer.len() as u64) > self.data_left {
            return Err(truncated());
        }
        self.data_left -= buffer.len() as u64;
        self.source.read_exact(buffer).map_err(source_error)
    }

    /// Reads the stream to its end, so that its whole content passes the hash above.
    pub fn drain(&mut self) -> Result<()> {
        loop {
            let n = self.source.fill_buf().map_err(Error::reading)?.len();
            if n == 0 {
                return Ok(());
            }
            self.source.consume(n);
        }
    }

    fn set_data(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn read_header(&mut self) -> Result<Option<Header>> {
        let Some(block) = self.read_block()? else { return Ok(None) };
        if block == [0; BLOCK] {
            // The end is two blocks of zeros; one alone, then nothing, is common too.
            return match self.read_block()? {
                Some(second) if second != [0; BLOCK] => Err(invalid("a single block of zeros between entries")),
                _ => Ok(None),
            };
        }
        Header::checked(block).map(Some).ok_or_else(|| invalid("a header's checksum is wrong"))
    }

    /// A block, or `None` at the very end of the stream.
    pub(super) fn read_block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        if self.source.fill_buf().map_err(Error::reading)?.is_empty() {
            return Ok(None);
        }
        self.source.read_exact(&mut block).map_err(source_error)?;
        Ok(Some(block))
    }

    fn read_extension(&mut self, size: u64, limit: u64) -> Result<Vec<u8>> {
        if size > limit {
            return Err(Error::OverLimit { what: "bytes in an extension header", limit });
        }
        self.set_data(size);
        let mut bytes = Vec::new();
        let read = self.source.by_ref().take(size).read_to_end(&mut bytes).map_err(source_error)?;
        if (read as u64) < size {
            return Err(truncated());
        }
        self.data_left = 0;
        Ok(bytes)
    }

    fn skip(&mut self, mut n: u64) -> Result<()> {
        while n > 0 {
            let available = self.source.fill_buf().map_err(Error::reading)?.len();
            if available == 0 {
                return Err(truncated());
            }
            let step = n.min(available as u64);
            self.source.consume(step as usize);
            n -= step;
        }
        (self.data_left, self.padding) = (0, 0);
        Ok(())
    }
}

fn trim_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn invalid(reason: &str) -> Error {
    Error::InvalidArchive(reason.to_string())
}

fn truncated() -> Error {
    invalid("it ends in the middle of an entry")
}

fn source_error(error: std::io::Error) -> Error {
    if error.kind() == ErrorKind::UnexpectedEof { truncated() } else { Error::reading(error) }
}
