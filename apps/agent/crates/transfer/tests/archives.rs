//! Archives of other tools become images.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{config, gzip, tar_of};
use slipway_snapshot::Layers;
use slipway_store::{Descriptor, Digest, Index, Manifest, Reference, Store, media_type};
use slipway_transfer::{ArchiveForm, ImportOptions, ToSave, import, load, save, silent};

fn layers() -> (tempfile::TempDir, Layers) {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::open(&Store::open(dir.path()).unwrap()).unwrap();
    (dir, layers)
}

#[test]
fn loads_docker_save_archives_with_names_and_leaves_their_layers_plain() {
    let (_dir, layers) = layers();
    let layer = tar_of(&[("hello", &[b'x'; 50_000])]);
    let config = config(Digest::of(&layer));
    let manifest = br#"[{"Config":"c.json","RepoTags":["acme/app:1","acme/app:2"],"Layers":["abc/layer.tar"]}]"#;
    let archive = tar_of(&[("abc/layer.tar", &layer), ("c.json", &config), ("manifest.json", manifest)]);
    for bytes in [archive.clone(), gzip(&archive)] {
        let loaded = load(&layers, bytes.as_slice(), &silent()).unwrap();
        assert_eq!(loaded[0].references.iter().map(Reference::familiar).collect::<Vec<_>>(), ["acme/app:1", "acme/app:2"]);
        assert_eq!(loaded[0].image.record.id, Digest::of(&config));
    }
    let image = layers.store().resolve("acme/app:2").unwrap();
    assert_eq!(image.record.layers[0].media_type, media_type::OCI_LAYER);
    assert_eq!(image.record.layers[0].digest, image.record.diff_ids[0]);
    assert_eq!(fs::read(layers.get(&image.record.diff_ids[0]).unwrap().dir.join("hello")).unwrap().len(), 50_000);
    layers.collect().unwrap();
    assert_eq!(layers.store().blobs().unwrap().len(), 3, "the spooled archive is gone");
}

#[test]
fn loads_oci_layouts() {
    let (_dir, layers) = layers();
    let layer = tar_of(&[("hello", b"oci")]);
    let (packed, config) = (gzip(&layer), config(Digest::of(&layer)));
    let describe = |kind: &str, bytes: &[u8]| Descriptor::new(kind, Digest::of(bytes), bytes.len() as u64);
    let manifest =
        serde_json::to_vec(&Manifest::oci(describe(media_type::OCI_CONFIG, &config), vec![describe(media_type::OCI_LAYER_GZIP, &packed)]))
            .unwrap();
    let mut entry = describe(media_type::OCI_MANIFEST, &manifest);
    entry.annotations.insert("io.containerd.image.name".into(), "slipway.local/acme/app:7".into());
    let index = serde_json::to_vec(&Index { schema_version: 2, media_type: None, manifests: vec![entry], annotations: Default::default() })
        .unwrap();
    let path = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
    let archive = tar_of(&[("index.json", &index), (&path(&manifest), &manifest), (&path(&config), &config), (&path(&packed), &packed)]);
    load(&layers, archive.as_slice(), &silent()).unwrap();
    let image = layers.store().resolve("slipway.local/acme/app:7").unwrap();
    assert_eq!(fs::read(layers.get(&image.record.diff_ids[0]).unwrap().dir.join("hello")).unwrap(), b"oci");
    // A blob under another's name is found by its digest.
    let lying =
        tar_of(&[("index.json", &index), (&path(&manifest), &manifest), (&path(&config), &config), (&path(&packed), b"not the layer")]);
    let (_dir, other) = self::layers();
    assert!(load(&other, lying.as_slice(), &silent()).is_err());
    assert!(other.store().images().is_empty());
}

#[test]
fn what_is_no_image_says_why() {
    let (_dir, layers) = layers();
    let layer = tar_of(&[("a", b"b")]);
    let wrong_diff = config(Digest::of(b"other"));
    let manifest = br#"[{"Config":"c.json","RepoTags":null,"Layers":["l.tar"]}]"#;
    for (archive, code) in [
        (tar_of(&[("readme", b"x")]), "ARCHIVE_INVALID"),
        (tar_of(&[("manifest.json", b"{}")]), "ARCHIVE_INVALID"),
        (tar_of(&[("manifest.json", manifest)]), "ARCHIVE_INVALID"),
        (tar_of(&[("manifest.json", manifest), ("c.json", &wrong_diff), ("l.tar", &layer)]), "DIGEST_MISMATCH"),
        (b"no tar at all, but long enough to be a header block".repeat(20), "LAYER_INVALID"),
    ] {
        assert_eq!(load(&layers, archive.as_slice(), &silent()).unwrap_err().code(), code);
    }
    assert!(layers.store().images().is_empty());
    layers.collect().unwrap();
    assert!(layers.store().blobs().unwrap().is_empty());
}

#[test]
fn imports_a_root_file_system_with_changes() {
    let (_dir, layers) = layers();
    let options = ImportOptions {
        changes: vec!["CMD [\"/hello\"]".into(), "ENV A=b".into()],
        reference: Some(Reference::parse("slipway.local/base/tiny").unwrap()),
        ..Default::default()
    };
    let image = import(&layers, tar_of(&[("hello", b"#!")]).as_slice(), &options).unwrap();
    assert_eq!(image.tags[0].familiar(), "slipway.local/base/tiny:latest");
    let config = layers.store().image_config(&image.record).unwrap();
    assert_eq!(config.config.unwrap().cmd.unwrap(), ["/hello"]);
    assert_eq!(fs::read(layers.get(&image.record.diff_ids[0]).unwrap().dir.join("hello")).unwrap(), b"#!");
    let again = import(&layers, gzip(&tar_of(&[("hello", b"#!")])).as_slice(), &options).unwrap();
    assert_eq!(again.record.layers, image.record.layers, "the same layer, however it was compressed");
}

#[test]
fn what_is_saved_loads_elsewhere_with_the_same_ids_and_names() {
    let ((_dir, here), (_other_dir, there)) = (layers(), layers());
    let name = Reference::parse("acme/app:1").unwrap();
    let options = ImportOptions { reference: Some(name.clone()), ..Default::default() };
    let image = import(&here, tar_of(&[("hello", &[b'x'; 10_000])]).as_slice(), &options).unwrap();
    let mut archive = Vec::new();
    save(&here, &[ToSave { image: image.clone(), names: vec![name], index: None }], ArchiveForm::Both, &mut archive).unwrap();
    let loaded = load(&there, archive.as_slice(), &silent()).unwrap();
    assert_eq!(loaded[0].image.record.id, image.record.id);
    assert_eq!(loaded[0].image.record.layers, image.record.layers);
    assert_eq!(there.store().resolve("acme/app:1").unwrap().record.id, image.record.id);
}
