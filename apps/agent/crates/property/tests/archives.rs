//! Archives: whatever their entries say, nothing is written outside of the root, and nothing is left of what was refused.
#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use proptest::prelude::*;
use slipway_property::{damaged, for_all};
use slipway_snapshot::{ArchiveReader, Layers, Limits};
use slipway_store::{Digest, Store, media_type};

#[derive(Debug, Clone)]
struct Item {
    path: Vec<u8>,
    kind: u8,
    link: Vec<u8>,
    size: usize,
    mode: u32,
}

/// Paths that lead up, out, through links of the same archive, and to the canary beside the root.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec!["a", "b", "c", "..", ".", "", "link", "dir", ".wh.a", ".wh..wh..opq", ".wh.", "é", "canary"]);
    (prop::sample::select(vec!["", "/", "./", "../", "../../../../", "//"]), prop::collection::vec(part, 1..5))
        .prop_map(|(start, parts)| format!("{start}{}", parts.join("/")).into_bytes())
}

fn item() -> impl Strategy<Value = Item> {
    let kind = prop::sample::select(b"00005222211113467xLgS".to_vec());
    (path(), kind, path(), 0usize..1500, 0u32..0o10000).prop_map(|(path, kind, link, size, mode)| Item { path, kind, link, size, mode })
}

fn archive(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        let mut header = tar::Header::new_ustar();
        let fields = header.as_mut_bytes();
        fields[..item.path.len().min(100)].copy_from_slice(&item.path[..item.path.len().min(100)]);
        fields[157..157 + item.link.len().min(100)].copy_from_slice(&item.link[..item.link.len().min(100)]);
        fields[156] = item.kind;
        header.set_mode(item.mode);
        let size = if matches!(item.kind, b'0' | b'x' | b'L' | b'g') { item.size } else { 0 };
        header.set_size(size as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend(std::iter::repeat_n(b'x', size.div_ceil(512) * 512));
    }
    bytes.extend([0; 1024]);
    bytes
}

/// Every file outside of the store: path → (mode, size, links, time).
fn outside(dir: &Path) -> BTreeMap<String, (u32, u64, u64, i64)> {
    let mut seen = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten().filter(|entry| entry.file_name() != "store") {
        let meta = entry.path().symlink_metadata().unwrap();
        seen.insert(entry.path().display().to_string(), (meta.mode(), meta.size(), meta.nlink(), meta.mtime_nsec()));
        if meta.is_dir() {
            seen.extend(outside(&entry.path()));
        }
    }
    seen
}

#[test]
fn nothing_leaves_its_root() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let layers = Layers::open_with(&store, Limits { entries: 1_000, bytes: 10 << 20, ..Limits::default() }).unwrap();
    for name in ["a", "canary", "link"] {
        std::fs::write(dir.path().join(name), "untouched").unwrap();
    }
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    let before = outside(dir.path());
    for_all(400, &prop::collection::vec(item(), 1..12), |items| {
        let tar = archive(&items);
        let lease = store.lease("property");
        let unpacked = layers.unpack(&lease, &tar[..], media_type::OCI_LAYER, &Digest::of(&tar));
        prop_assert_eq!(outside(dir.path()), before.clone());
        if let Ok(layer) = &unpacked {
            prop_assert!(layer.dir.starts_with(dir.path().join("store")));
        }
        for area in ["layers/tmp", "content/ingest"] {
            prop_assert_eq!(std::fs::read_dir(store.root().join(area)).unwrap().count(), 0);
        }
        Ok(())
    });
}

#[test]
fn damaged_archives_end() {
    let items = [(b"dir/a".to_vec(), b'0'), (b"dir/link".to_vec(), b'2'), (b"pax".to_vec(), b'x'), (b"dir/c".to_vec(), b'0')];
    let items = items.map(|(path, kind)| Item { path, kind, link: b"a".to_vec(), size: 700, mode: 0o644 });
    for_all(600, &damaged(archive(&items)), |bytes| {
        let Ok(mut reader) = ArchiveReader::new(&bytes[..]) else { return Ok(()) };
        for _ in 0..1_000 {
            match reader.next_entry() {
                Ok(Some(_)) => drop(reader.copy_data(&mut std::io::sink())),
                Ok(None) | Err(_) => return Ok(()),
            }
        }
        Err(TestCaseError::fail("it does not end"))
    });
}
