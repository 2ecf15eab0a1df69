//! An upper directory becomes a layer that gives the same file system when it is unpacked.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use common::{Room, archive, dir, file, read};
use slipway_snapshot::{Compression, DiffOptions, OverlayDirs};
use slipway_store::Digest;

struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(dirs: &OverlayDirs) -> Mounted {
        let lower: Vec<_> = dirs.lower.iter().map(|d| d.to_str().unwrap()).collect();
        std::fs::create_dir_all(&dirs.merged).unwrap();
        let (upper, work) = (dirs.upper.display(), dirs.work.display());
        let options = format!("lowerdir={},upperdir={upper},workdir={work},redirect_dir=off,metacopy=off,index=off", lower.join(":"));
        let done = Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&dirs.merged).status().unwrap();
        assert!(done.success());
        Mounted(dirs.merged.clone())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(&self.0).status().unwrap().success());
    }
}

fn base(room: &Room) -> Digest {
    let tar = archive(&[
        dir("etc/"),
        file("etc/a", b"1"),
        file("etc/b", b"2"),
        dir("opt/"),
        file("opt/old", b"3"),
        dir("var/"),
        file("var/keep", b"4"),
    ]);
    room.unpack(&tar).unwrap();
    Digest::of(&tar)
}

fn change(root: &Path) {
    fs::remove_file(root.join("etc/a")).unwrap();
    fs::write(root.join("etc/b"), "changed").unwrap();
    fs::remove_dir_all(root.join("opt")).unwrap();
    fs::create_dir(root.join("opt")).unwrap();
    fs::write(root.join("opt/new"), vec![5; 3 << 20]).unwrap();
    fs::hard_link(root.join("opt/new"), root.join("opt/same")).unwrap();
    symlink("../etc/b", root.join("opt/link")).unwrap();
    fs::write(root.join("opt").join("n".repeat(150)), "long").unwrap();
    fs::set_permissions(root.join("opt/new"), fs::Permissions::from_mode(0o4750)).unwrap();
    rustix::fs::lsetxattr(root.join("opt/new"), "user.k", b"v", rustix::fs::XattrFlags::empty()).unwrap();
}

fn check(root: &Path) {
    assert!(!root.join("etc/a").exists() && !root.join("opt/old").exists());
    assert_eq!((read(root.join("etc/b")), read(root.join("var/keep"))), ("changed".into(), "4".into()));
    let new = fs::metadata(root.join("opt/new")).unwrap();
    assert_eq!((new.len(), new.mode() & 0o7777, new.nlink()), (3 << 20, 0o4750, 2));
    assert_eq!(fs::read_link(root.join("opt/link")).unwrap().to_str(), Some("../etc/b"));
    assert_eq!(read(root.join("opt").join("n".repeat(150))), "long");
    let mut value = [0; 8];
    let n = rustix::fs::lgetxattr(root.join("opt/new"), "user.k", &mut value[..]).unwrap();
    assert_eq!(&value[..n], b"v");
}

#[test]
fn a_diff_unpacked_elsewhere_gives_the_same_tree() {
    for compression in [Compression::Gzip, Compression::None, Compression::Zstd] {
        let (here, there) = (Room::new(), Room::new());
        let base_id = base(&here);
        let dirs = here.layers.snapshots().prepare("step", &[base_id]).unwrap();
        {
            let mounted = Mounted::new(&dirs);
            change(&mounted.0);
        }
        let options = DiffOptions { compression, ..DiffOptions::default() };
        let made = here.layers.diff(&here.lease, &dirs.upper, &options).unwrap();
        assert_eq!(here.layers.diff(&here.lease, &dirs.upper, &options).unwrap(), made, "the same bytes again");
        assert_eq!(made.unpacked_size, (3 << 20) + 7 + 4);
        let blob = here.store.open_blob(&made.descriptor.digest).unwrap();
        base(&there);
        there.layers.unpack(&there.lease, blob, &made.descriptor.media_type, &made.diff_id).unwrap();
        let dirs = there.layers.snapshots().prepare("look", &[base_id, made.diff_id]).unwrap();
        check(&Mounted::new(&dirs).0);
    }
}

#[test]
fn an_adopted_upper_directory_is_the_layer() {
    let room = Room::new();
    let base_id = base(&room);
    let snapshots = room.layers.snapshots();
    let dirs = snapshots.prepare("step", &[base_id]).unwrap();
    change(&Mounted::new(&dirs).0);
    let made = room.layers.diff(&room.lease, &dirs.upper, &DiffOptions::default()).unwrap();
    room.layers.adopt(&room.lease, &dirs.upper, &made).unwrap();
    snapshots.remove("step").unwrap();
    let dirs = snapshots.prepare("next", &[base_id, made.diff_id]).unwrap();
    check(&Mounted::new(&dirs).0);
}

#[test]
fn a_hundred_layers_stack_by_their_short_names() {
    let room = Room::new();
    let mut ids = Vec::new();
    for n in 0..100 {
        let name = format!("f{n}");
        let tar = archive(&[file(&name, name.as_bytes())]);
        room.unpack(&tar).unwrap();
        ids.push(Digest::of(&tar));
    }
    let dirs = room.layers.snapshots().prepare("deep", &ids).unwrap();
    let options = format!("lowerdir={},upperdir={},workdir={}", dirs.lower_links.join(":"), dirs.upper.display(), dirs.work.display());
    assert!(options.len() < 4096, "{}", options.len());
    std::fs::create_dir_all(&dirs.merged).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "overlay", "overlay", "-o", &options]).arg(&dirs.merged).current_dir(&dirs.link_dir);
    assert!(mount.status().unwrap().success());
    let mounted = Mounted(dirs.merged.clone());
    assert_eq!((read(mounted.0.join("f0")), read(mounted.0.join("f99"))), ("f0".into(), "f99".into()));
}

#[test]
fn gc_keeps_what_a_snapshot_stands_on() {
    let room = Room::new();
    let Room { dir: _keep, store, layers, lease } = room;
    let unpack = |name: &str| {
        let tar = archive(&[file(name, b"x")]);
        let blob = store.put_bytes(&lease, &tar).unwrap();
        layers.unpack(&lease, tar.as_slice(), slipway_store::media_type::OCI_LAYER, &Digest::of(&tar)).unwrap();
        blob.digest
    };
    let (used, dead) = (unpack("used"), unpack("dead"));
    assert!(layers.collect().unwrap().blobs.is_empty(), "the lease holds everything");
    let dirs = layers.snapshots().prepare("c1", &[used]).unwrap();
    fs::write(dirs.upper.join("data"), vec![1; 8192]).unwrap();
    drop(lease);
    let reclaimed = layers.collect().unwrap();
    assert_eq!(reclaimed.layers, [dead]);
    assert_eq!(reclaimed.blobs.len(), 2, "unpacked layers do not need their blobs");
    assert!(layers.get(&used).is_some() && layers.get(&dead).is_none());
    assert!(layers.snapshots().usage("c1").unwrap().bytes >= 8192);
    layers.snapshots().remove("c1").unwrap();
    assert_eq!(layers.collect().unwrap().layers, [used]);
}
