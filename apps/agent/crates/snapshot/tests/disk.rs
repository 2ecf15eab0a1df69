//! A disk that is full, and a machine that went down before its data was on disk.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{Room, archive, file};
use slipway_snapshot::{Compression, DiffOptions, Layers};
use slipway_store::{Digest, Store, media_type};

/// A file system of 4 MiB that goes away with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(dir: &tempfile::TempDir) -> SmallDisk {
        let at = dir.path().join("small");
        fs::create_dir(&at).unwrap();
        assert!(Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&at).status().unwrap().success());
        SmallDisk(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg("-l").arg(&self.0).status().unwrap().success());
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(&dir);
    let store = Store::open(&disk.0).unwrap();
    let layers = Layers::open(&store).unwrap();
    let lease = store.lease("test");
    let noise: Vec<u8> = (0..6u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(store.put_bytes(&lease, &noise).unwrap_err().code(), "DISK_FULL");
    let big = archive(&[file("small", b"x"), file("big", &noise)]);
    let unpack = layers.unpack(&lease, big.as_slice(), media_type::OCI_LAYER, &Digest::of(&big));
    assert_eq!(unpack.unwrap_err().code(), "DISK_FULL");
    assert_eq!(layers.ingest(&lease, big.as_slice(), Compression::Gzip).unwrap_err().code(), "DISK_FULL");
    let upper = dir.path().join("upper");
    fs::create_dir(&upper).unwrap();
    fs::write(upper.join("big"), &noise).unwrap();
    let options = DiffOptions { compression: Compression::None, ..DiffOptions::default() };
    assert_eq!(layers.diff(&lease, &upper, &options).unwrap_err().code(), "DISK_FULL");
    for area in ["layers/tmp", "layers/trash", "content/ingest"] {
        assert_eq!(fs::read_dir(disk.0.join(area)).unwrap().count(), 0, "{area}");
    }
    // What was freed can be used at once.
    store.put_bytes(&lease, &noise[..2 << 20]).unwrap();
}

#[test]
fn after_a_power_cut_unsynced_layers_are_dropped_and_made_again() {
    let room = Room::new();
    let (kept, torn) = (archive(&[file("a", b"kept")]), archive(&[file("a", b"torn")]));
    room.unpack(&kept).unwrap();
    room.unpack(&torn).unwrap();
    assert!(room.store.pending().wait(std::time::Duration::from_secs(30)));
    let marker = format!("meta/pending/anotherboot.layer.{}", Digest::of(&torn).hex());
    fs::write(room.dir.path().join(&marker), b"").unwrap();
    let store = Store::open(room.dir.path()).unwrap();
    let layers = Layers::open(&store).unwrap();
    assert!(layers.get(&Digest::of(&kept)).is_some() && layers.get(&Digest::of(&torn)).is_none());
    assert!(!room.dir.path().join(marker).exists());
    layers.unpack(&store.lease("again"), torn.as_slice(), media_type::OCI_LAYER, &Digest::of(&torn)).unwrap();
}

/// A record can be lost, as files that were not synced are by a power cut; what a container wrote must not go with it.
#[test]
fn a_snapshot_with_a_damaged_record_keeps_what_was_written_to_it() {
    let room = Room::new();
    let layer = room.unpack(&archive(&[file("a", b"x")])).unwrap();
    let damages: [(&str, Option<&[u8]>); 5] =
        [("empty", Some(b"")), ("zeros", Some(&[0; 64])), ("torn", Some(br#"{"id":"to"#)), ("garbage", Some(b"\xff[")), ("gone", None)];
    let dir = |id: &str| room.dir.path().join("snapshots").join(id);
    for (name, bytes) in damages {
        for id in [name.to_string(), format!("{name}.written")] {
            room.layers.snapshots().prepare(&id, &[layer.diff_id]).unwrap();
            let record = dir(&id).join("snapshot.json");
            bytes.map_or_else(|| fs::remove_file(&record), |bytes| fs::write(&record, bytes)).unwrap();
        }
        fs::write(dir(&format!("{name}.written")).join("upper/own"), b"precious").unwrap();
    }
    let layers = Layers::open(&Store::open(room.dir.path()).unwrap()).unwrap();
    assert!(layers.snapshots().list().is_empty(), "none is there to be used");
    for (name, _) in damages {
        assert!(!dir(name).exists(), "{name}: made only in part");
        let written = format!("{name}.written");
        assert_eq!(fs::read(dir(&written).join("upper/own")).unwrap(), b"precious", "{name}");
        layers.snapshots().remove(&written).unwrap();
        assert!(!dir(&written).exists(), "{name}");
    }
}
