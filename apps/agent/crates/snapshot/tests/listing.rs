//! What a layer tells of itself without being unpacked.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Item, archive, dir, file, gzip, hard_link, symlink};
use slipway_snapshot::{Listed, ListedKind, ListingLimits, Look, Result, copy_entry, list};
use slipway_store::Digest;

#[derive(Default)]
struct Taken(Vec<(String, Vec<u8>)>);

impl Look for Taken {
    fn wanted(&mut self, path: &str, _mode: u32, _size: u64) -> u64 {
        if path.ends_with("status") { 100 } else { 0 }
    }
    fn take(&mut self, path: &str, bytes: Vec<u8>) {
        self.0.push((path.to_owned(), bytes));
    }
}

fn listed(tar: &[u8]) -> Result<Vec<Listed>> {
    list(tar, ListingLimits::default(), &mut Taken::default())
}

fn content(tar: &[u8], ordinal: u32) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    copy_entry(tar, ordinal, ListingLimits::default(), &mut out).map(|_| out)
}

fn items<'a>() -> Vec<Item<'a>> {
    vec![
        dir("./etc/"),
        file("etc/passwd", b"root"),
        file("/var/lib/status", b"Package: a"),
        hard_link("etc/shadow", "./etc/passwd"),
        symlink("etc/self", "../../etc"),
        file("usr/.wh.share", b""),
        dir("usr/share/"),
        file("opt/.wh..wh..opq", b""),
        file(".wh..wh.plnk", b"aufs"),
        file("etc/passwd", b"root:x"),
    ]
}

#[test]
fn tells_paths_kinds_links_and_digests() {
    let tar = archive(&items());
    let mut taken = Taken::default();
    let all = list(tar.as_slice(), ListingLimits::default(), &mut taken).unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.path.as_str(), one.kind, one.size, one.link.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("etc", ListedKind::Directory, 0, None),
            // The last of a name is what an extraction leaves.
            ("etc/passwd", ListedKind::File, 6, None),
            ("etc/self", ListedKind::Symlink, 0, Some("../../etc")),
            ("etc/shadow", ListedKind::HardLink, 0, Some("etc/passwd")),
            ("opt", ListedKind::Opaque, 0, None),
            ("usr/share", ListedKind::Whiteout, 0, None),
            ("usr/share", ListedKind::Directory, 0, None),
            ("var/lib/status", ListedKind::File, 10, None),
        ]
    );
    let half: [u8; 16] = Digest::of(b"root:x").bytes()[..16].try_into().unwrap();
    assert_eq!((all[1].digest, all[3].digest, all[2].digest), (Some(half), Some(half), None));
    assert_eq!((all[1].mode, all[1].uid, all[1].gid, all[1].mtime), (0o644, 1000, 1001, 1_600_000_000));
    assert_eq!(taken.0, [("var/lib/status".to_owned(), b"Package: a".to_vec())]);
    assert_eq!(content(&tar, all[1].ordinal).unwrap(), b"root:x");
    assert_eq!(content(&tar, 0).unwrap_err().code(), "FILE_NOT_FOUND");
    assert_eq!(content(&tar, 99).unwrap_err().code(), "FILE_NOT_FOUND");
}

#[test]
fn every_packing_gives_the_same() {
    let tar = archive(&items());
    let plain = listed(&tar).unwrap();
    assert_eq!(listed(&gzip(&tar)).unwrap(), plain);
    assert_eq!(listed(&zstd::encode_all(tar.as_slice(), 3).unwrap()).unwrap(), plain);
    assert!(listed(&[]).unwrap().is_empty());
}

#[test]
fn hostile_archives_are_refused_by_name_number_size_and_time() {
    for (path, code) in
        [("../up", "LAYER_REFUSED"), ("a/../../b", "LAYER_REFUSED"), ("a/.wh...", "LAYER_REFUSED"), ("a/.wh.", "LAYER_REFUSED")]
    {
        assert_eq!(listed(&archive(&[file(path, b"")])).unwrap_err().code(), code, "{path}");
    }
    let tar = archive(&[file("a", b"1"), file("b", &[0; 4096]), file("c", b"3")]);
    let with = |change: fn(&mut ListingLimits)| {
        let mut limits = ListingLimits::default();
        change(&mut limits);
        list(tar.as_slice(), limits, &mut Taken::default()).map(|all| all.len()).map_err(|error| error.code())
    };
    assert_eq!(with(|_| {}), Ok(3));
    assert_eq!(with(|limits| limits.entries = 2), Err("TOO_LARGE"));
    assert_eq!(with(|limits| limits.names = 2), Err("TOO_LARGE"));
    assert_eq!(with(|limits| limits.time = Duration::ZERO), Err("TOO_LARGE"));
    assert!(with(|limits| limits.bytes = 2048).is_err());
    // Cut in the middle, and bytes that are no archive.
    assert!(listed(&tar[..900]).is_err());
    assert_eq!(listed(&[7; 5000]).unwrap_err().code(), "LAYER_INVALID");
    let packed = gzip(&tar);
    assert!(listed(&packed[..packed.len() / 2]).is_err());
}

#[test]
fn names_that_are_no_text_are_told_as_far_as_they_are() {
    let mut tar = archive(&[file("name-?", b"x")]);
    tar[5] = 0xff;
    // The checksum of the header, anew.
    let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
    let all = listed(&tar).unwrap();
    assert_eq!(all[0].path, "name-\u{fffd}");
    assert_eq!(content(&tar, all[0].ordinal).unwrap(), b"x");
}

#[test]
fn a_hundred_thousand_entries() {
    let mut builder = tar::Builder::new(Vec::new());
    for at in 0..100_000_u32 {
        let mut header = tar::Header::new_ustar();
        header.set_size(8);
        header.set_mode(0o644);
        header.set_cksum();
        let data = format!("{at:08}");
        builder.append_data(&mut header, format!("srv/{}/{}/{at}.txt", at % 100, at % 1000), data.as_bytes()).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let all = listed(&tar).unwrap();
    assert_eq!(all.len(), 100_000);
    assert!(all.is_sorted_by(|a, b| a.path < b.path));
}
