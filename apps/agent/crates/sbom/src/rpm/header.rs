//! A package header: an index of tags, and the data that it points into.
use super::be32;
use crate::package::{Kind, Package};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENCE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const INT32: u32 = 4;
const STRING: u32 = 6;
const MAX_TAGS: usize = 10_000;

pub(super) fn parse(bytes: &[u8], path: &str) -> Option<Package> {
    let count = usize::try_from(be32(bytes, 0)?).ok().filter(|count| *count <= MAX_TAGS)?;
    let data = bytes.get(8 + 16 * count..)?;
    let entry = |tag: u32, kind: u32| {
        let mut entries = bytes[8..8 + 16 * count].chunks_exact(16);
        let found = entries.find(|entry| be32(entry, 0) == Some(tag) && be32(entry, 4) == Some(kind))?;
        usize::try_from(be32(found, 8)?).ok()
    };
    let text = |tag: u32| {
        let rest = data.get(entry(tag, STRING)?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    let epoch = entry(EPOCH, INT32).and_then(|at| be32(data, at));
    let release = text(RELEASE).map(|release| format!("-{release}")).unwrap_or_default();
    let version = format!("{}{}{release}", epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default(), text(VERSION)?);
    let package = Package::new(Kind::Rpm, &text(NAME)?, &version, path)?;
    Some(
        package
            .with_architecture(text(ARCHITECTURE).as_deref())
            .with_licence(text(LICENCE).as_deref())
            .with_supplier(text(VENDOR).as_deref()),
    )
}
