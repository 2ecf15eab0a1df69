//! rpm: a database of package headers, as SQLite (`rpmdb.sqlite`) or in rpm's own format (`Packages.db`). Read here rather than
//! by SQLite's library: one table is walked, and no C code meets a hostile file as root.
mod header;
mod ndb;
mod sqlite;

use crate::package::Package;

/// Directories that distributions keep the database in.
pub(crate) const PLACES: [&str; 3] = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];
pub(crate) const SQLITE: &str = "rpmdb.sqlite";
pub(crate) const NDB: &str = "Packages.db";
/// Of distributions before 2021. Not read.
pub(crate) const BERKELEY: &str = "Packages";

/// Signing keys are in the database too; they are no software.
const KEYS: &str = "gpg-pubkey";

/// `path` says which of the two formats it is. `None` when it is not of that format, or damaged.
pub(crate) fn parse(bytes: &[u8], path: &str) -> Option<Vec<Package>> {
    let headers = if path.ends_with(SQLITE) { sqlite::blobs(bytes)? } else { ndb::blobs(bytes)? };
    Some(headers.iter().filter_map(|header| header::parse(header, path)).filter(|package| package.name != KEYS).collect())
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The headers of a real database, laid out as `rpmpkg.c` does: no rpm at hand writes that format.
    fn as_ndb(headers: &[Vec<u8>]) -> Vec<u8> {
        let words = |words: [u32; 4]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let magic = |text: &[u8; 4]| u32::from_le_bytes(*text);
        let mut file = [words([magic(b"RpmP"), 0, 1, 1]), words([0; 4])].concat();
        let mut blobs = Vec::new();
        for slot in 0..254_u32 {
            let Some(header) = headers.get(slot as usize) else {
                file.extend(words([magic(b"Slot"), 0, 0, 0]));
                continue;
            };
            let length = u32::try_from(header.len()).unwrap();
            file.extend(words([magic(b"Slot"), slot + 1, u32::try_from((4096 + blobs.len()) / 16).unwrap(), 0]));
            blobs.extend(words([magic(b"BlbS"), slot + 1, 0, length]));
            blobs.extend(header);
            blobs.resize(blobs.len().div_ceil(16) * 16 + 16, 0);
        }
        file.extend(blobs);
        file
    }

    #[test]
    fn both_formats_give_the_same() {
        let database = include_bytes!("../../tests/rpm/rpmdb.sqlite");
        let headers = sqlite::blobs(database).unwrap();
        let ndb = as_ndb(&headers);
        assert_eq!(ndb::blobs(&ndb).unwrap(), headers);
        assert_eq!(parse(&ndb, "x/Packages.db").unwrap().len(), parse(database, "x/rpmdb.sqlite").unwrap().len());
        // Slots that all name one place, and a place beyond the end.
        for (at, value) in [(32 + 16 + 8, 256_u32), (32 + 8, u32::MAX)] {
            let mut hostile = ndb.clone();
            hostile[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert!(ndb::blobs(&hostile).is_none());
        }
        assert!(ndb::blobs(b"RpmP").is_none() && sqlite::blobs(b"SQLite format 3\0").is_none());
    }
}
