//! What a layer's archive says is what lies on disk.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use common::{Item, Room, archive, dir, file, gzip, hard_link, read, symlink};
use slipway_snapshot::Error;
use slipway_store::{Descriptor, Digest, Store, media_type};

#[test]
fn keeps_content_modes_owners_times_and_links() {
    let room = Room::new();
    let setuid = Item { mode: 0o4755, ..file("bin/su", b"#!") };
    let sticky = Item { mode: 0o1777, ..dir("tmp/") };
    let fifo = Item { kind: tar::EntryType::Fifo, ..file("run/pipe", b"") };
    let tar = archive(&[
        dir("bin/"),
        setuid,
        file("etc/motd", b"hello"),
        hard_link("etc/motd2", "etc/motd"),
        symlink("lib", "/usr/lib"),
        sticky,
        fifo,
        file("./tmp/x", b"1"),
    ]);
    let layer = room.unpack(&tar).unwrap();
    let at = |path: &str| fs::symlink_metadata(layer.dir.join(path)).unwrap();
    assert_eq!((at("bin/su").mode() & 0o7777, at("bin/su").uid(), at("bin/su").gid()), (0o4755, 1000, 1001));
    assert_eq!(at("etc/motd").ino(), at("etc/motd2").ino());
    assert_eq!(
        (at("bin").mtime(), at("etc/motd").mtime(), at("lib").mtime(), at("tmp").mtime()),
        (1_600_000_000, 1_600_000_000, 1_600_000_000, 1_600_000_000)
    );
    assert_eq!(fs::read_link(layer.dir.join("lib")).unwrap().to_str(), Some("/usr/lib"));
    assert_eq!(at("tmp").mode() & 0o7777, 0o1777);
    assert!(at("run/pipe").file_type().is_fifo());
    assert_eq!((read(layer.dir.join("tmp/x")), layer.size), ("1".to_string(), 8));
    assert_eq!((at("etc").mode() & 0o7777, at("etc").uid()), (0o755, 0), "directories the archive leaves out");
    room.assert_clean();
}

#[test]
fn unpacks_gzip_of_several_members_and_zstd() {
    let room = Room::new();
    let tar = archive(&[file("a", &vec![7; 3 << 20])]);
    let members = [gzip(&tar[..1000]), gzip(&tar[1000..])].concat();
    let layer = room.layers.unpack(&room.lease, members.as_slice(), media_type::DOCKER_LAYER_GZIP, &Digest::of(&tar)).unwrap();
    assert_eq!(fs::read(layer.dir.join("a")).unwrap(), vec![7; 3 << 20]);
    let tar = archive(&[file("b", b"zstd")]);
    let packed = zstd::encode_all(tar.as_slice(), 3).unwrap();
    let layer = room.layers.unpack(&room.lease, packed.as_slice(), media_type::OCI_LAYER_ZSTD, &Digest::of(&tar)).unwrap();
    assert_eq!(read(layer.dir.join("b")), "zstd");
    let error = room.layers.unpack(&room.lease, packed.as_slice(), "application/vnd.in-toto+json", &Digest::of(b"x")).unwrap_err();
    assert_eq!(error.code(), "LAYER_UNSUPPORTED");
}

#[test]
fn whiteouts_hide_lower_layers_and_not_their_own() {
    let room = Room::new();
    let tar = archive(&[
        file("a/.wh.gone", b""),
        dir("b/"),
        file("b/.wh..wh..opq", b""),
        file("c", b"new"),
        file(".wh.c", b""),
        file(".wh.d", b""),
        dir("d/"),
        file(".wh..wh.plnk", b""),
    ]);
    let layer = room.unpack(&tar).unwrap();
    let whiteout = fs::symlink_metadata(layer.dir.join("a/gone")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    let opaque = |path: &str| {
        let mut value = [0; 4];
        rustix::fs::lgetxattr(layer.dir.join(path), "trusted.overlay.opaque", &mut value[..]).is_ok_and(|n| &value[..n] == b"y")
    };
    assert!(opaque("b") && opaque("d") && !opaque("a"));
    assert_eq!(read(layer.dir.join("c")), "new");
    assert!(!layer.dir.join(".wh..wh.plnk").exists());
}

#[test]
fn long_names_xattrs_and_sparse_files() {
    let room = Room::new();
    let long = format!("{}/file", "d".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    builder.append_data(&mut header.clone(), &long, &b"ok"[..]).unwrap();
    builder
        .append_pax_extensions([
            ("SCHILY.xattr.user.color", &b"blue"[..]),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("size", b"3"),
        ])
        .unwrap();
    header.set_size(3);
    builder.append_data(&mut header, "colored", &b"abc"[..]).unwrap();
    let mut sparse = tempfile::NamedTempFile::new_in(room.dir.path()).unwrap();
    std::io::Write::write_all(&mut sparse, b"head").unwrap();
    sparse.as_file().set_len(10 << 20).unwrap();
    builder.append_path_with_name(sparse.path(), "sparse").unwrap();
    let layer = room.unpack(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(read(layer.dir.join(&long)), "ok");
    let xattr = |name: &str| {
        let mut value = [0; 16];
        rustix::fs::lgetxattr(layer.dir.join("colored"), name, &mut value[..]).map(|n| value[..n].to_vec())
    };
    assert_eq!(xattr("user.color").unwrap(), b"blue");
    assert!(xattr("trusted.overlay.redirect").is_err());
    let meta = fs::metadata(layer.dir.join("sparse")).unwrap();
    assert_eq!(meta.len(), 10 << 20);
    assert!(meta.blocks() * 512 < 1 << 20, "holes stay holes");
}

#[test]
fn a_wrong_diff_id_or_a_cut_stream_leaves_nothing() {
    let room = Room::new();
    let tar = archive(&[file("a", &[1; 5000])]);
    let wrong = room.layers.unpack(&room.lease, tar.as_slice(), media_type::OCI_LAYER, &Digest::of(b"other")).unwrap_err();
    assert!(matches!(wrong, Error::DiffIdMismatch { .. }), "{wrong}");
    let cut = gzip(&tar);
    for bytes in [&tar[..3000], &cut[..cut.len() - 9], &cut[..20]] {
        let kind = if bytes[0] == 0x1f { media_type::OCI_LAYER_GZIP } else { media_type::OCI_LAYER };
        room.layers.unpack(&room.lease, bytes, kind, &Digest::of(&tar)).unwrap_err();
    }
    room.assert_clean();
    assert!(room.layers.list().is_empty());
}

#[test]
fn a_damaged_blob_is_found_named_and_set_aside() {
    let room = Room::new();
    let tar = archive(&[file("a", &[1; 5000])]);
    let packed = gzip(&tar);
    let blob = room.store.put_bytes(&room.lease, &packed).unwrap();
    let path = room.store.blob_path(&blob.digest);
    fs::remove_file(&path).unwrap();
    let mut damaged = packed.clone();
    damaged[60] ^= 1;
    fs::write(&path, damaged).unwrap();
    let descriptor = Descriptor::new(media_type::OCI_LAYER_GZIP, blob.digest, blob.size);
    let error = room.layers.unpack_blob(&room.lease, &descriptor, &Digest::of(&tar)).unwrap_err();
    assert_eq!(error.code(), "BLOB_CORRUPT", "{error}");
    assert_eq!(room.store.stat(&blob.digest).unwrap(), None);
    room.store.put_bytes(&room.lease, &packed).unwrap();
    room.layers.unpack_blob(&room.lease, &descriptor, &Digest::of(&tar)).unwrap();
}

#[test]
fn many_threads_unpack_a_layer_once_and_a_restart_finds_it() {
    let room = Room::new();
    let tar = archive(&[file("a", &vec![1; 1 << 20])]);
    let unpacked: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| room.unpack(&tar).unwrap())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(unpacked.windows(2).all(|pair| pair[0] == pair[1]));
    fs::create_dir(room.dir.path().join("layers/tmp/left-by-a-kill")).unwrap();
    let store = Store::open(room.dir.path()).unwrap();
    let again = slipway_snapshot::Layers::open(&store).unwrap();
    assert_eq!(again.get(&Digest::of(&tar)).as_ref(), Some(&unpacked[0]));
    room.assert_clean();
}
