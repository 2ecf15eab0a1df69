//! A store with layers in a directory of its own, and archives made by an independent writer (the `tar` crate).
#![allow(dead_code, clippy::unwrap_used)]

use std::io::Write as _;
use std::path::Path;

use slipway_snapshot::{Layer, Layers, Limits, Result};
use slipway_store::{Digest, Lease, Store, media_type};

pub struct Room {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub layers: Layers,
    pub lease: Lease,
}

impl Room {
    pub fn new() -> Room {
        Room::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Room {
        assert!(rustix::process::geteuid().is_root(), "these tests make device nodes and overlay mounts: run them as root");
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let layers = Layers::open_with(&store, limits).unwrap();
        let lease = store.lease("test");
        Room { dir, store, layers, lease }
    }

    pub fn unpack(&self, tar: &[u8]) -> Result<Layer> {
        self.layers.unpack(&self.lease, tar, media_type::OCI_LAYER, &Digest::of(tar))
    }

    /// Nothing may be left of a failed unpack.
    pub fn assert_clean(&self) {
        for area in ["layers/tmp", "layers/trash", "content/ingest"] {
            let left: Vec<_> = std::fs::read_dir(self.dir.path().join(area)).unwrap().collect();
            assert!(left.is_empty(), "{area}: {left:?}");
        }
    }
}

/// One entry for [`archive`].
pub struct Item<'a> {
    pub path: &'a str,
    pub kind: tar::EntryType,
    pub data: &'a [u8],
    pub link: &'a str,
    pub mode: u32,
}

pub fn file<'a>(path: &'a str, data: &'a [u8]) -> Item<'a> {
    Item { path, kind: tar::EntryType::Regular, data, link: "", mode: 0o644 }
}
pub fn dir(path: &str) -> Item<'_> {
    Item { path, kind: tar::EntryType::Directory, data: b"", link: "", mode: 0o755 }
}
pub fn symlink<'a>(path: &'a str, link: &'a str) -> Item<'a> {
    Item { path, kind: tar::EntryType::Symlink, data: b"", link, mode: 0o777 }
}
pub fn hard_link<'a>(path: &'a str, link: &'a str) -> Item<'a> {
    Item { path, kind: tar::EntryType::Link, data: b"", link, mode: 0o644 }
}

/// An archive whose names are written as they are, however hostile.
pub fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..item.path.len()].copy_from_slice(item.path.as_bytes());
        header.as_old_mut().linkname[..item.link.len()].copy_from_slice(item.link.as_bytes());
        header.set_entry_type(item.kind);
        header.set_size(item.data.len() as u64);
        header.set_mode(item.mode);
        header.set_uid(1000);
        header.set_gid(1001);
        header.set_mtime(1_600_000_000);
        header.set_device_major(0).unwrap();
        header.set_device_minor(0).unwrap();
        header.set_cksum();
        builder.append(&header, item.data).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
