//! Archives made to escape, to fill the disk or to confuse: refused or harmless, and nothing outside the layer changes.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Item, Room, archive, dir, file, hard_link, read, symlink};
use slipway_snapshot::Limits;

/// A room with a file next to the layers that every test tries to reach.
fn guarded() -> (Room, PathBuf) {
    let room = Room::new();
    let secret = room.dir.path().join("secret");
    fs::write(&secret, "untouched").unwrap();
    (room, secret)
}

#[test]
fn dot_dot_is_refused_and_absolute_stays_inside() {
    let (room, secret) = guarded();
    for path in ["../../../secret", "a/../../secret", "/../secret", ".."] {
        assert_eq!(room.unpack(&archive(&[file(path, b"x")])).unwrap_err().code(), "LAYER_REFUSED", "{path}");
    }
    let absolute = secret.to_str().unwrap().trim_start_matches('/').to_string();
    let layer = room.unpack(&archive(&[file(secret.to_str().unwrap(), b"x"), file("a/b/../c", b"y")])).unwrap();
    assert_eq!((read(layer.dir.join(absolute)), read(layer.dir.join("a/c"))), ("x".into(), "y".into()));
    assert_eq!(read(&secret), "untouched");
    room.assert_clean();
}

#[test]
fn a_symlink_then_a_file_through_it_stays_inside() {
    let (room, secret) = guarded();
    let outside = secret.parent().unwrap().to_str().unwrap().to_string();
    for target in [outside.as_str(), "../../..", "/", "../../../../../../../.."] {
        let tar = archive(&[symlink("out", target), file("out/secret", b"x")]);
        // Resolved inside the layer: made there, or refused because the target is not there. Never outside.
        let _ = room.unpack(&tar);
        assert_eq!(read(&secret), "untouched", "{target}");
    }
    let onto = archive(&[symlink("s", secret.to_str().unwrap()), file("s", b"x")]);
    let layer = room.unpack(&onto).unwrap();
    assert_eq!((read(layer.dir.join("s")), read(&secret)), ("x".into(), "untouched".into()));
    let proc = archive(&[symlink("p", "/proc/self/root"), file("p/tmp/slipway-escape", b"x")]);
    let _ = room.unpack(&proc);
    assert!(!PathBuf::from("/tmp/slipway-escape").exists());
}

#[test]
fn hard_links_out_are_refused() {
    let (room, secret) = guarded();
    for items in [
        [file("x", b""), hard_link("steal", "../../../secret")],
        [file("x", b""), hard_link("steal", secret.to_str().unwrap())],
        [symlink("up", "../../.."), hard_link("steal", "up/secret")],
        [dir("d/"), hard_link("steal", "d")],
        [dir("d/"), hard_link("steal", "/")],
    ] {
        assert_eq!(room.unpack(&archive(&items)).unwrap_err().code(), "LAYER_REFUSED");
    }
    let to_symlink = archive(&[symlink("s", secret.to_str().unwrap()), hard_link("h", "s"), file("h", b"x")]);
    room.unpack(&to_symlink).unwrap();
    assert_eq!(read(&secret), "untouched");
    room.assert_clean();
}

#[test]
fn whiteouts_outside_are_refused() {
    let (room, secret) = guarded();
    for path in [".wh...", ".wh..", ".wh.", "../../../.wh.secret"] {
        assert_eq!(room.unpack(&archive(&[file(path, b"")])).unwrap_err().code(), "LAYER_REFUSED", "{path}");
    }
    let _ = room.unpack(&archive(&[symlink("up", "../../.."), file("up/.wh.secret", b"")]));
    assert_eq!(read(&secret), "untouched");
}

#[test]
fn replacing_directories_and_links_deletes_nothing_outside() {
    let (room, secret) = guarded();
    let outside = secret.parent().unwrap().to_str().unwrap().to_string();
    let tar = archive(&[dir("d/"), dir("d/e/"), symlink("d/e/out", &outside), file("d/f", b""), file("d", b"now a file")]);
    let layer = room.unpack(&tar).unwrap();
    assert_eq!((read(layer.dir.join("d")), read(&secret)), ("now a file".into(), "untouched".into()));
    let tar = archive(&[symlink("d", &outside), Item { mode: 0o700, ..dir("d/") }, file("d/secret", b"x")]);
    let layer = room.unpack(&tar).unwrap();
    assert_eq!((read(layer.dir.join("d/secret")), read(&secret)), ("x".into(), "untouched".into()));
}

#[test]
fn too_many_entries_and_too_many_bytes_are_refused() {
    let room = Room::with_limits(Limits { entries: 100, bytes: 1 << 20, directory_paths: 1_000 });
    let names: Vec<String> = (0..101).map(|n| format!("f{n}")).collect();
    let items: Vec<Item<'_>> = names.iter().map(|n| file(n, b"")).collect();
    assert_eq!(room.unpack(&archive(&items)).unwrap_err().code(), "TOO_LARGE");
    assert_eq!(room.unpack(&archive(&[file("big", &vec![0; 2 << 20])])).unwrap_err().code(), "TOO_LARGE");
    let names: Vec<String> = (0..20).map(|n| format!("{}{n}/", "long".repeat(15))).collect();
    let items: Vec<Item<'_>> = names.iter().map(|n| dir(n)).collect();
    assert!(room.unpack(&archive(&items)).unwrap_err().to_string().contains("1000 bytes of directory names"));
    room.unpack(&archive(&items[..10])).unwrap();
    assert!(room.layers.collect().is_ok());
    // A file that claims a terabyte, as a sparse one would.
    let mut header = tar::Header::new_gnu();
    header.set_path("huge").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    assert_eq!(room.unpack(header.as_bytes()).unwrap_err().code(), "TOO_LARGE");
    room.assert_clean();
}

#[test]
fn endless_extension_headers_take_no_memory() {
    let room = Room::new();
    for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_path("x").unwrap();
        header.set_entry_type(kind);
        header.set_size(1 << 35);
        header.set_cksum();
        assert_eq!(room.unpack(header.as_bytes()).unwrap_err().code(), "TOO_LARGE");
        header.set_size(0);
        header.set_cksum();
        let many: Vec<u8> = std::iter::repeat_n(*header.as_bytes(), 1000).flatten().collect();
        assert_eq!(room.unpack(&many).unwrap_err().code(), "LAYER_INVALID");
    }
}

#[test]
fn the_pax_size_wins_so_that_no_entry_hides_in_another() {
    let room = Room::new();
    // ustar says 0 bytes: a reader that believes it would find the header inside the data.
    let hidden = archive(&[file("hidden", b"evil")]);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("size", hidden.len().to_string().as_bytes())]).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    let mut header = tar::Header::new_ustar();
    header.set_path("carrier").unwrap();
    header.set_size(0);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&hidden);
    let layer = room.unpack(&bytes).unwrap();
    assert!(!layer.dir.join("hidden").exists());
    assert_eq!(fs::read(layer.dir.join("carrier")).unwrap(), hidden);
}

/// A property test: whatever a few bit flips or random pieces make of an archive, unpacking ends with a result, leaves no
/// temporary files, and never touches what is outside.
#[test]
fn random_damage_is_refused_or_harmless() {
    let (room, secret) = guarded();
    let seed = archive(&[
        dir("d/"),
        file("d/f", &[9; 700]),
        symlink("l", "../../../"),
        hard_link("h", "d/f"),
        file("d/.wh.x", b""),
        file("l/secret", b"x"),
    ]);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..1_500 {
        let mut bytes = seed.clone();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
            // Mostly with a right checksum, or nothing behind it would be reached.
            let block = at / 512 * 512;
            let mut header = tar::Header::from_byte_slice(&bytes[block..block + 512]).clone();
            if random(4) > 0 && header.as_bytes().iter().any(|b| *b != 0) {
                header.set_cksum();
                bytes[block..block + 512].copy_from_slice(header.as_bytes());
            }
        }
        bytes.truncate(bytes.len() - random(3) * random(600));
        let _ = room.unpack(&bytes);
    }
    assert_eq!(read(&secret), "untouched");
    room.assert_clean();
}
