//! A directory of an uploaded context as one object, named by the SHA-256 of its bytes:
//!
//! ```text
//! slipway-tree-1\n
//! f <mode> <size> <sha256> <name>\0        a file; its content is the blob of that name
//! d <mode> <sha256> <name>\0               a directory; another object
//! l <name>\0<target>\0                     a symbolic link
//! ```
//!
//! Modes are three or four octal digits, sizes are decimal, digests are 64 lower-case hex digits. Entries are sorted by the
//! bytes of their names, so that a directory has one spelling and no name comes twice. `packages/contracts` has the writer.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use slipway_store::Digest;

const HEAD: &[u8] = b"slipway-tree-1\n";
const MAX_NAME: usize = 255;
/// As the kernel's PATH_MAX.
const MAX_TARGET: usize = 4095;

#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    pub name: &'a OsStr,
    pub kind: Kind<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    File { mode: u32, size: u64, digest: Digest },
    Dir { mode: u32, digest: Digest },
    Link { target: &'a OsStr },
}

/// The entries of an object; `Err` says what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry<'_>>, &'static str> {
    let mut rest = bytes.strip_prefix(HEAD).ok_or("it does not begin with slipway-tree-1")?;
    let mut entries: Vec<Entry<'_>> = Vec::new();
    while !rest.is_empty() {
        let entry = entry(&mut rest)?;
        if entries.last().is_some_and(|last| last.name.as_bytes() >= entry.name.as_bytes()) {
            return Err("its names are not sorted, or one is there twice");
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry<'a>(rest: &mut &'a [u8]) -> Result<Entry<'a>, &'static str> {
    let kind = match until(rest, b' ')? {
        b"f" => Kind::File { mode: mode(until(rest, b' ')?)?, size: size(until(rest, b' ')?)?, digest: digest(until(rest, b' ')?)? },
        b"d" => Kind::Dir { mode: mode(until(rest, b' ')?)?, digest: digest(until(rest, b' ')?)? },
        b"l" => Kind::Link { target: OsStr::new("") },
        _ => return Err("it has an entry of an unknown kind"),
    };
    let name = until(rest, 0)?;
    if name.is_empty() || name.len() > MAX_NAME || name == b"." || name == b".." || name.contains(&b'/') {
        return Err("it has an entry whose name cannot name a file");
    }
    let kind = match kind {
        Kind::Link { .. } => match until(rest, 0)? {
            target if target.is_empty() || target.len() > MAX_TARGET => return Err("it has a link to nothing, or with too long a target"),
            target => Kind::Link { target: OsStr::from_bytes(target) },
        },
        other => other,
    };
    Ok(Entry { name: OsStr::from_bytes(name), kind })
}

fn until<'a>(rest: &mut &'a [u8], end: u8) -> Result<&'a [u8], &'static str> {
    let at = rest.iter().position(|&byte| byte == end).ok_or("it ends inside an entry")?;
    let (field, after) = rest.split_at(at);
    *rest = &after[1..];
    Ok(field)
}

fn mode(field: &[u8]) -> Result<u32, &'static str> {
    let octal = (3..=4).contains(&field.len()) && field.iter().all(|byte| (b'0'..=b'7').contains(byte));
    let canonical = octal && (field.len() == 3 || field[0] != b'0');
    if !canonical {
        return Err("it has a mode that is not three or four octal digits");
    }
    Ok(field.iter().fold(0, |mode, byte| mode * 8 + u32::from(byte - b'0')))
}

fn size(field: &[u8]) -> Result<u64, &'static str> {
    let text = std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let canonical = text.filter(|text| *text == "0" || !text.starts_with('0'));
    canonical.and_then(|text| text.parse().ok()).ok_or("it has a size that is not a number")
}

fn digest(field: &[u8]) -> Result<Digest, &'static str> {
    std::str::from_utf8(field).ok().and_then(|text| Digest::from_hex(text).ok()).ok_or("it has a digest that is not 64 hex digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn object(entries: &[&str]) -> Vec<u8> {
        format!("slipway-tree-1\n{}", entries.concat().replace("HEX", HEX)).into_bytes()
    }

    #[test]
    fn reads_what_it_holds() {
        let bytes = object(&["f 644 0 HEX A\0", "f 4755 17 HEX a b\n\0", "l c\0../x\0", "d 755 HEX d\0"]);
        let entries = parse(&bytes).unwrap();
        let digest = Digest::from_hex(HEX).unwrap();
        assert_eq!(entries[0].kind, Kind::File { mode: 0o644, size: 0, digest });
        assert_eq!((entries[1].name, &entries[1].kind), (OsStr::new("a b\n"), &Kind::File { mode: 0o4755, size: 17, digest }));
        assert_eq!(entries[2].kind, Kind::Link { target: OsStr::new("../x") });
        assert_eq!(entries[3].kind, Kind::Dir { mode: 0o755, digest });
        assert_eq!(parse(&object(&[])), Ok(Vec::new()));
    }

    #[test]
    fn reads_what_clients_write() {
        let fixture = include_str!("../../../../../../packages/contracts/fixtures/contexts/tree.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let names: Vec<String> = parse(fixture["object"].as_str().unwrap().as_bytes())
            .unwrap()
            .iter()
            .map(|entry| entry.name.to_string_lossy().into())
            .collect();
        assert_eq!(names, ["a b", "link", "run.sh", "～.txt", "🚀.txt"]);
    }

    #[test]
    fn refuses_tricks() {
        let long = format!("f 644 0 HEX {}\0", "x".repeat(256));
        let cases: &[&[&str]] = &[
            &["f 644 0 HEX ..\0"],
            &["f 644 0 HEX .\0"],
            &["f 644 0 HEX \0"],
            &["f 644 0 HEX a/b\0"],
            &["f 644 0 HEX /etc/passwd\0"],
            &[&long],
            &["f 644 0 HEX a\0", "f 644 0 HEX a\0"],
            &["f 644 0 HEX a\0", "l a\0/etc\0"],
            &["f 644 0 HEX b\0", "f 644 0 HEX a\0"],
            &["f 644 0 HEX a"],
            &["l a\0\0"],
            &["l a\0x"],
            &["f 99 0 HEX a\0"],
            &["f 888 0 HEX a\0"],
            &["f 0644 0 HEX a\0"],
            &["f 10644 0 HEX a\0"],
            &["f 644 -1 HEX a\0"],
            &["f 644 01 HEX a\0"],
            &["f 644 99999999999999999999999 HEX a\0"],
            &["f 644 0 E3B0 a\0"],
            &["d 755 a\0"],
            &["c 644 HEX a\0"],
            &["h a\0b\0"],
            &["\0"],
        ];
        for case in cases {
            assert!(parse(&object(case)).is_err(), "{case:?}");
        }
        assert!(parse(b"").is_err());
        assert!(parse(b"slipway-tree-2\n").is_err());
    }
}
