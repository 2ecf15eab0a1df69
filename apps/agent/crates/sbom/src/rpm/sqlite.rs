//! As much of SQLite's file format (<https://www.sqlite.org/fileformat2.html>) as it takes to read the blobs of the table
//! `Packages(hnum INTEGER PRIMARY KEY, blob BLOB)`. A write-ahead log beside the file is not looked at: rpm leaves none behind.
use super::{be16, be32};

const MAGIC: &[u8] = b"SQLite format 3\0";
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;
/// Of one header. Those of kernels have some hundred thousand file names.
const MAX_PAYLOAD: u64 = 32 << 20;

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// Of a page, without what is reserved at its end.
    usable: usize,
}

pub(super) fn blobs(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let page_size = match be16(bytes, 16)? {
        1 => 65536,
        size if size >= 512 && size.is_power_of_two() => usize::from(size),
        _ => return None,
    };
    let usable = page_size - usize::from(*bytes.get(20)?);
    let database = Database { bytes, page_size, usable: (usable >= 480).then_some(usable)? };
    let root = database.rows(1)?.into_iter().find_map(|row| {
        let schema = columns(&row)?;
        (schema.first()? == b"table" && schema.get(1)? == b"Packages").then(|| schema.get(3).map(|n| number(n)))?
    })?;
    let rows = database.rows(u32::try_from(root).ok()?)?;
    Some(rows.iter().filter_map(|row| columns(row)?.get(1).map(|blob| blob.to_vec())).collect())
}

impl Database<'_> {
    /// The page's bytes, and where its own header begins in them.
    fn page(&self, number: u32) -> Option<(&[u8], usize)> {
        let start = usize::try_from(number.checked_sub(1)?).ok()?.checked_mul(self.page_size)?;
        let page = self.bytes.get(start..start.checked_add(self.page_size)?)?;
        Some((page, if number == 1 { 100 } else { 0 }))
    }

    /// The records of a table, in the order of its tree. Each page is read once: a tree that bites its tail ends.
    fn rows(&self, root: u32) -> Option<Vec<Vec<u8>>> {
        let mut seen = vec![false; self.bytes.len() / self.page_size + 1];
        let mut open = vec![root];
        let mut rows = Vec::new();
        let mut taken: u64 = 0;
        while let Some(number) = open.pop() {
            let mark = seen.get_mut(usize::try_from(number).ok()?)?;
            if std::mem::replace(mark, true) {
                return None;
            }
            let (page, at) = self.page(number)?;
            let cells = usize::from(be16(page, at + 3)?);
            let first = at + if page[at] == INTERIOR { 12 } else { 8 };
            let cell = |index: usize| be16(page, first + 2 * index).map(usize::from);
            match page[at] {
                INTERIOR => {
                    open.push(be32(page, at + 8)?);
                    for index in (0..cells).rev() {
                        open.push(be32(page, cell(index)?)?);
                    }
                }
                LEAF => {
                    for index in 0..cells {
                        let row = self.payload(page, cell(index)?)?;
                        taken += row.len() as u64;
                        // Cells may all lie in the same place; their sum may not be more than there is.
                        if taken > self.bytes.len() as u64 {
                            return None;
                        }
                        rows.push(row);
                    }
                }
                _ => return None,
            }
        }
        Some(rows)
    }

    /// A cell's record, together with what went over to other pages.
    fn payload(&self, page: &[u8], at: usize) -> Option<Vec<u8>> {
        let (length, after) = varint(page.get(at..)?)?;
        let (_row, rest) = varint(after)?;
        let length = usize::try_from((length <= MAX_PAYLOAD).then_some(length)?).ok()?;
        let most = self.usable - 35;
        if length <= most {
            return rest.get(..length).map(<[u8]>::to_vec);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let local = least + (length - least) % (self.usable - 4);
        let local = if local <= most { local } else { least };
        let mut payload = rest.get(..local)?.to_vec();
        let mut next = be32(rest, local)?;
        // Ends: each page adds bytes, or what is left is none.
        while payload.len() < length {
            let start = usize::try_from(next.checked_sub(1)?).ok()?.checked_mul(self.page_size)?;
            let page = self.bytes.get(start..start.checked_add(self.page_size)?)?;
            next = be32(page, 0)?;
            let part = (length - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(&page[4..4 + part]);
        }
        Some(payload)
    }
}

/// A record's columns as they lie there.
fn columns(row: &[u8]) -> Option<Vec<&[u8]>> {
    let (head, _) = varint(row)?;
    let head = usize::try_from(head).ok()?;
    let mut body = row.get(head..)?;
    let (_, mut kinds) = varint(row.get(..head)?)?;
    let mut found = Vec::new();
    while !kinds.is_empty() && found.len() < 16 {
        let (kind, rest) = varint(kinds)?;
        kinds = rest;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            kind => (kind - 12) / 2,
        };
        let (column, rest) = body.split_at_checked(usize::try_from(length).ok()?)?;
        body = rest;
        found.push(column);
    }
    Some(found)
}

fn number(column: &[u8]) -> u64 {
    column.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// 1 to 9 bytes, the highest first.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        if index == 8 {
            return Some(((value << 8) | u64::from(*byte), &bytes[9..]));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}
