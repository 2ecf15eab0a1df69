//! As much of ELF as it takes to find a section and to turn an address into a place in the file. Every offset comes from a
//! hostile file: all reads are checked against their end.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const MAX_SECTIONS: u64 = 4096;
const MAX_SEGMENTS: u64 = 512;
const MAX_NAMES: u64 = 1 << 20;
const LOAD: u64 = 1;

/// A file of which any part can be read.
pub(crate) trait Source {
    /// Exactly `length` bytes, or an error.
    fn bytes(&self, offset: u64, length: u64) -> io::Result<Vec<u8>>;
}

impl Source for File {
    fn bytes(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }
}

impl Source for &[u8] {
    fn bytes(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let range = offset.checked_add(length).and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?));
        range.and_then(|range| self.get(range)).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

pub(crate) struct Elf<'a> {
    source: &'a dyn Source,
    pub wide: bool,
    pub little: bool,
    header: Vec<u8>,
}

impl<'a> Elf<'a> {
    /// `None` for what is no ELF file.
    pub fn open(source: &'a dyn Source) -> Option<Elf<'a>> {
        let ident = source.bytes(0, 16).ok()?;
        let (wide, little) = (ident[4] == 2, ident[5] == 1);
        if &ident[..4] != b"\x7fELF" || !matches!(ident[4], 1 | 2) || !matches!(ident[5], 1 | 2) {
            return None;
        }
        let header = source.bytes(0, if wide { 64 } else { 52 }).ok()?;
        Some(Elf { source, wide, little, header })
    }

    pub fn bytes(&self, offset: u64, length: u64) -> Option<Vec<u8>> {
        self.source.bytes(offset, length).ok()
    }

    /// A number of 2, 4 or 8 bytes in the file's order.
    pub fn number(&self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        let part = bytes.get(at..at.checked_add(length)?)?;
        let join = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.little { part.iter().rev().fold(0, join) } else { part.iter().fold(0, join) })
    }

    /// Of the header or a table's entry: `wide` and `narrow` are offset and length in the two classes.
    fn field(&self, bytes: &[u8], wide: (usize, usize), narrow: (usize, usize)) -> Option<u64> {
        let (at, length) = if self.wide { wide } else { narrow };
        self.number(bytes, at, length)
    }

    fn table(&self, offset: u64, size: u64, count: u64, most: u64, least: u64) -> Option<Vec<Vec<u8>>> {
        if count > most || size < least || size > 256 {
            return None;
        }
        let all = self.bytes(offset, count * size)?;
        Some(all.chunks_exact(usize::try_from(size).ok()?).map(<[u8]>::to_vec).collect())
    }

    /// Where a section lies in the file, and how long it is.
    pub fn section(&self, name: &str) -> Option<(u64, u64)> {
        let h = &self.header;
        let offset = self.field(h, (40, 8), (32, 4))?;
        let size = self.field(h, (58, 2), (46, 2))?;
        let count = self.field(h, (60, 2), (48, 2))?;
        let names = usize::try_from(self.field(h, (62, 2), (50, 2))?).ok()?;
        let sections = self.table(offset, size, count, MAX_SECTIONS, if self.wide { 64 } else { 40 })?;
        let place = |section: &[u8]| Some((self.field(section, (24, 8), (16, 4))?, self.field(section, (32, 8), (20, 4))?));
        let (names_at, names_length) = place(sections.get(names)?)?;
        let names = self.bytes(names_at, names_length.min(MAX_NAMES))?;
        let found = sections.iter().find(|section| {
            let own = self.number(section, 0, 4).and_then(|at| names.get(usize::try_from(at).ok()?..));
            own.is_some_and(|own| own.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0)))
        })?;
        place(found)
    }

    /// The file's bytes behind an address of the running program; they end with its segment.
    pub fn at_address(&self, address: u64, length: u64) -> Option<Vec<u8>> {
        let h = &self.header;
        let offset = self.field(h, (32, 8), (28, 4))?;
        let size = self.field(h, (54, 2), (42, 2))?;
        let count = self.field(h, (56, 2), (44, 2))?;
        let segments = self.table(offset, size, count, MAX_SEGMENTS, if self.wide { 56 } else { 32 })?;
        segments.iter().find_map(|segment| {
            let start = self.field(segment, (16, 8), (8, 4))?;
            let held = self.field(segment, (32, 8), (16, 4))?;
            let inside = address.checked_sub(start)?;
            let fits = self.number(segment, 0, 4)? == LOAD && inside.checked_add(length)? <= held;
            fits.then(|| self.bytes(self.field(segment, (8, 8), (4, 4))?.checked_add(inside)?, length))?
        })
    }
}
