use crate::{Error, Result};

/// The records of one extended header that matter for a layer.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: PaxSparse,
}

/// GNU's three ways to say "sparse" in PAX.
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Format 0.0 and 0.1: offset, length, offset, …
    pub map: Vec<u64>,
}

const MAX_XATTRS: usize = 1_000;
const MAX_NUMBERS: usize = 200_000;

/// Parses records of the form `<length> <key>=<value>\n`.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Pax> {
    let bad = || Error::InvalidArchive("a PAX header does not parse".into());
    let mut pax = Pax::default();
    // Some writers pad with NULs.
    while bytes.first().is_some_and(|b| *b != 0) {
        let space = bytes.iter().take(12).position(|b| *b == b' ').ok_or_else(bad)?;
        let length = usize::try_from(decimal(&bytes[..space]).ok_or_else(bad)?).map_err(|_| bad())?;
        if length > bytes.len() || length < space + 3 || bytes[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
        pax.take(&record[..equals], &record[equals + 1..]).ok_or_else(bad)?;
        bytes = &bytes[length..];
    }
    Ok(pax)
}

impl Pax {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()).filter(|v| !v.is_empty()),
            b"linkpath" => self.link = Some(value.to_vec()).filter(|v| !v.is_empty()),
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = Some(decimal(value)?),
            b"gid" => self.gid = Some(decimal(value)?),
            b"mtime" => self.mtime = Some(timestamp(value)?),
            b"GNU.sparse.major" => self.sparse.major = Some(decimal(value)?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(decimal(value)?),
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.real_size = Some(decimal(value)?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse.map.push(decimal(value)?),
            b"GNU.sparse.map" => {
                let numbers: Option<Vec<u64>> = value.split(|b| *b == b',').filter(|n| !n.is_empty()).map(decimal).collect();
                self.sparse.map = numbers?;
            }
            key => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        (self.xattrs.len() <= MAX_XATTRS && self.sparse.map.len() <= MAX_NUMBERS).then_some(())
    }
}

pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `[-]seconds[.fraction]`; before 1970 reads as 1970.
fn timestamp(text: &[u8]) -> Option<(i64, u32)> {
    if text.first() == Some(&b'-') {
        return Some((0, 0));
    }
    let mut parts = text.splitn(2, |b| *b == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let mut nanos = 0;
    let mut digits = parts.next().unwrap_or_default().iter();
    for _ in 0..9 {
        let digit = digits.next().copied().unwrap_or(b'0');
        nanos = nanos * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some((seconds, nanos))
}
