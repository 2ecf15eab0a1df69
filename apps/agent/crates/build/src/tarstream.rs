//! Reads a tar stream entry by entry with bounded memory. The `tar` crate parses headers; long names and PAX records are
//! read here, because a hostile archive may declare one of any size.
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use tar::{Archive, EntryType};

/// More than any real name or PAX record needs.
const MAX_META: u64 = 1 << 20;
const MAX_XATTRS: usize = 1_000;

/// What an archive says about one entry. The path is as written: nothing about it has been checked.
#[derive(Debug)]
pub struct Member {
    pub path: PathBuf,
    pub kind: EntryType,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Seconds and nanoseconds.
    pub mtime: (i64, i64),
    pub link: Option<OsString>,
    pub device: Option<(u32, u32)>,
    /// Capabilities and `user.*`: what travels with a file into an image.
    pub xattrs: Vec<(OsString, Vec<u8>)>,
}

#[derive(Default)]
struct Overrides {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    size: Option<u64>,
    mtime: Option<(i64, i64)>,
    xattrs: Vec<(OsString, Vec<u8>)>,
}

/// Calls `visit` for each entry with its contents, in order, until the end or the first error.
///
/// # Errors
/// `InvalidData` for a malformed archive; what `visit` returns.
pub fn each<E: From<io::Error>>(reader: impl Read, mut visit: impl FnMut(Member, &mut dyn Read) -> Result<(), E>) -> Result<(), E> {
    let mut archive = Archive::new(reader);
    let mut overrides = Overrides::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => overrides.path = Some(long_name(&mut entry)?),
            EntryType::GNULongLink => overrides.link = Some(long_name(&mut entry)?),
            EntryType::XHeader => read_pax(&mut entry, &mut overrides)?,
            EntryType::XGlobalHeader => drop(read_meta(&mut entry)?),
            _ => {
                let member = member(entry.header(), kind, std::mem::take(&mut overrides))?;
                visit(member, &mut entry)?;
            }
        }
    }
    Ok(())
}

fn member(header: &tar::Header, kind: EntryType, overrides: Overrides) -> io::Result<Member> {
    let size = header.entry_size()?;
    if overrides.size.is_some_and(|pax| pax != size) {
        return Err(invalid("an entry is larger than 8 GiB"));
    }
    let path = overrides.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let link = overrides.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
    // Writers leave fields blank that they have no value for.
    let id = |value: io::Result<u64>| u32::try_from(value.unwrap_or(0)).map_err(|_| invalid("an owner is out of range"));
    let device = match (kind, header.device_major(), header.device_minor()) {
        (EntryType::Char | EntryType::Block, Ok(Some(major)), Ok(Some(minor))) => Some((major, minor)),
        _ => None,
    };
    Ok(Member {
        path: PathBuf::from(OsString::from_vec(path)),
        kind,
        mode: header.mode().unwrap_or(0o644) & 0o7777,
        uid: overrides.uid.map_or_else(|| id(header.uid()), Ok)?,
        gid: overrides.gid.map_or_else(|| id(header.gid()), Ok)?,
        size,
        mtime: overrides.mtime.unwrap_or((i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0), 0)),
        link: link.map(OsString::from_vec),
        device,
        xattrs: overrides.xattrs,
    })
}

fn read_meta(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(MAX_META + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_META { Err(invalid("a name or PAX record is larger than 1 MiB")) } else { Ok(bytes) }
}

fn long_name(entry: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut name = read_meta(entry)?;
    if let Some(end) = name.iter().position(|&byte| byte == 0) {
        name.truncate(end);
    }
    Ok(name)
}

fn read_pax(entry: &mut impl Read, overrides: &mut Overrides) -> io::Result<()> {
    let bytes = read_meta(entry)?;
    for (key, value) in pax_records(&bytes)? {
        let text = std::str::from_utf8(value).unwrap_or("");
        match key {
            b"path" => overrides.path = Some(value.to_vec()),
            b"linkpath" => overrides.link = Some(value.to_vec()),
            b"uid" => overrides.uid = text.parse().ok(),
            b"gid" => overrides.gid = text.parse().ok(),
            b"size" => overrides.size = text.parse().ok(),
            b"mtime" => overrides.mtime = pax_time(text),
            key => {
                let name = key.strip_prefix(b"SCHILY.xattr.").filter(|name| *name == b"security.capability" || name.starts_with(b"user."));
                if let Some(name) = name.filter(|_| overrides.xattrs.len() < MAX_XATTRS) {
                    overrides.xattrs.push((OsString::from_vec(name.to_vec()), value.to_vec()));
                }
            }
        }
    }
    Ok(())
}

/// `<length> <key>=<value>\n` again and again; values may hold anything, line ends too.
fn pax_records(mut bytes: &[u8]) -> io::Result<Vec<(&[u8], &[u8])>> {
    let bad = || invalid("a PAX header does not parse");
    let mut records = Vec::new();
    // Some writers pad with NULs.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let space = bytes.iter().take(12).position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?;
        if length > bytes.len() || length < space + 3 || bytes[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = &bytes[length..];
    }
    Ok(records)
}

/// `1700000000.123456789`, maybe negative, with any number of digits behind the point.
fn pax_time(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanos: i64 = digits.parse().ok()?;
    if whole.starts_with('-') && nanos > 0 { Some((seconds - 1, 1_000_000_000 - nanos)) } else { Some((seconds, nanos)) }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_long_names_and_times() {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o640);
        builder.append_pax_extensions([("mtime", b"1700000000.25".as_slice())]).unwrap();
        builder.append_data(&mut header, &long, &b"abc"[..]).unwrap();
        let bytes = builder.into_inner().unwrap();
        let mut seen = Vec::new();
        each(&bytes[..], |member, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            seen.push((member.path, member.mode, text, member.mtime));
            io::Result::Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(PathBuf::from(long), 0o640, "abc".to_string(), (1_700_000_000, 250_000_000))]);
        assert_eq!(pax_time("-1.5"), Some((-2, 500_000_000)));
    }

    #[test]
    fn refuses_a_name_of_any_size() {
        let mut header = tar::Header::new_gnu();
        header.set_path("././@LongLink").unwrap();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(MAX_META + 10);
        header.set_cksum();
        let bytes = [header.as_bytes().as_slice(), &vec![b'a'; 2 << 20]].concat();
        let error = each(&bytes[..], |_, _| io::Result::Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
