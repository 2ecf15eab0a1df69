//! Images as directories: what is found in them, and what a hostile one gets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use proptest::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, openat};
use slipway_property::for_all;
use slipway_sbom::{Error, Inventory, Kind, Limits, Subject, document, scan};

fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn look(root: &Path, layers: &[PathBuf], limits: Limits) -> Result<Inventory, Error> {
    let fd = openat(CWD, root, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
    scan(fd, layers, &limits)
}

fn found(root: &Path) -> Inventory {
    look(root, &[root.to_path_buf()], Limits::default()).unwrap()
}

fn names(inventory: &Inventory, kind: Kind) -> Vec<String> {
    inventory.packages.iter().filter(|p| p.kind == kind).map(|p| format!("{} {}", p.name, p.version)).collect()
}

const STATUS: &str = "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 13.8\n";

#[test]
fn each_kind_is_found_with_its_file_and_layer() {
    let dir = tempfile::tempdir().unwrap();
    let (low, high) = (dir.path().join("low"), dir.path().join("high"));
    put(&low, "etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
    put(&low, "var/lib/dpkg/status", STATUS);
    put(&low, "usr/share/doc/base-files/copyright", "Format: x\n\nFiles: *\nLicense: GPL-2+\n");
    put(&high, "app/node_modules/@a/b/package.json", r#"{"name":"@a/b","version":"1.0.0","license":"Weird License"}"#);
    put(&high, "app/package-lock.json", r#"{"packages":{"node_modules/not-there":{"version":"1"}}}"#);
    put(&high, "other/package-lock.json", r#"{"packages":{"node_modules/bundled":{"version":"2"}}}"#);
    put(&high, "usr/lib/python3/site-packages/flask-3.dist-info/METADATA", "Name: Flask\nVersion: 3.1.0\n\ntext");
    put(&high, "lib/apk/db/installed", "P:musl\nV:1.2.5-r9\nA:x86_64\nL:MIT\n");
    // As overlayfs would merge them.
    let merged = dir.path().join("merged");
    for layer in [&low, &high] {
        assert!(Command::new("cp").args(["-a", "-T"]).arg(layer).arg(&merged).status().unwrap().success());
    }
    let inventory = look(&merged, &[low, high], Limits::default()).unwrap();
    assert_eq!(names(&inventory, Kind::Deb), ["base-files 13.8"]);
    assert_eq!(names(&inventory, Kind::Npm), ["@a/b 1.0.0", "bundled 2"]);
    assert_eq!(names(&inventory, Kind::Python), ["Flask 3.1.0"]);
    assert_eq!(names(&inventory, Kind::Apk), ["musl 1.2.5-r9"]);
    assert_eq!((inventory.evidence["var/lib/dpkg/status"].layer, inventory.evidence["other/package-lock.json"].layer), (Some(0), Some(1)));

    let layers = ["sha256:aa".to_owned(), "sha256:bb".to_owned()];
    let subject = Subject {
        name: "slipway.local/acme/shop",
        manifest_digest: "sha256:00",
        created: "2026-11-28T10:00:00.123Z",
        layers: &layers,
        tool_version: "1",
    };
    let json = document(&inventory, &subject);
    assert_eq!(document(&inventory, &subject), json);
    assert_eq!((json["spdxVersion"].as_str(), json["creationInfo"]["created"].as_str()), (Some("SPDX-2.3"), Some("2026-11-28T10:00:00Z")));
    let package = json["packages"].as_array().unwrap().iter().find(|p| p["name"] == "base-files").unwrap();
    assert_eq!(package["licenseDeclared"], "GPL-2.0-or-later");
    assert_eq!(package["externalRefs"][0]["referenceLocator"], "pkg:deb/debian/base-files@13.8?arch=amd64&distro=debian-13");
    let file = json["files"].as_array().unwrap().iter().find(|f| f["fileName"] == "/var/lib/dpkg/status").unwrap();
    assert_eq!(
        (file["comment"].as_str(), file["checksums"][0]["checksumValue"].as_str().map(str::len)),
        (Some("layerID: sha256:aa"), Some(40))
    );
    assert_eq!(json["hasExtractedLicensingInfos"][0]["name"], "Weird License");
}

#[test]
fn links_do_not_lead_out() {
    let dir = tempfile::tempdir().unwrap();
    let (root, secret) = (dir.path().join("root"), dir.path().join("secret"));
    put(&secret, "status", STATUS);
    put(&secret, "node_modules/stolen/package.json", r#"{"name":"stolen","version":"1"}"#);
    fs::create_dir_all(root.join("var/lib/dpkg")).unwrap();
    fs::create_dir_all(root.join("app")).unwrap();
    symlink(secret.join("status"), root.join("var/lib/dpkg/status")).unwrap();
    symlink("../../../../../../../../etc/os-release", root.join("os-release")).unwrap();
    symlink(&secret, root.join("app/link")).unwrap();
    symlink(secret.join("node_modules"), root.join("app/node_modules")).unwrap();
    put(&root, "b/node_modules/x/real.json", r#"{"name":"x","version":"1"}"#);
    symlink("/secret/node_modules/stolen/package.json", root.join("b/node_modules/x/package.json")).unwrap();
    // A pipe would never give an end, a device does something.
    assert!(Command::new("mkfifo").arg(root.join("b/x.egg-info")).status().unwrap().success());
    assert_eq!(found(&root).packages, []);
    // Inside of the root a link is followed for the places that are known.
    fs::remove_file(root.join("var/lib/dpkg/status")).unwrap();
    put(&root, "usr/status", STATUS);
    symlink("/usr/status", root.join("var/lib/dpkg/status")).unwrap();
    assert_eq!(names(&found(&root), Kind::Deb), ["base-files 13.8"]);
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..50 {
        put(dir.path(), &format!("node_modules/p{i}/package.json"), format!(r#"{{"name":"p{i}","version":"1"}}"#));
    }
    let with = |limits: Limits| look(dir.path(), &[], limits);
    let few = with(Limits { packages: 10, ..Limits::default() }).unwrap();
    assert_eq!((few.packages.len(), few.notes.len()), (10, 1));
    assert!(matches!(with(Limits { entries: 20, ..Limits::default() }), Err(Error::TooManyEntries(20))));
    assert!(matches!(with(Limits { time: Duration::ZERO, ..Limits::default() }), Err(Error::Timeout(0))));
    let mut deep = dir.path().join("deep");
    for _ in 0..400 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    put(&deep, "node_modules/hidden/package.json", r#"{"name":"hidden","version":"1"}"#);
    put(dir.path(), "node_modules/huge/package.json", vec![b' '; 3 << 20]);
    assert_eq!(found(dir.path()).packages.len(), 50);
}

#[test]
fn the_list_of_this_machine_is_what_dpkg_says() {
    let list = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev}\t${Package} ${Version}\n"]).output().unwrap();
    let mut expected: Vec<String> =
        String::from_utf8(list.stdout).unwrap().lines().filter_map(|line| line.strip_prefix("ii \t").map(str::to_owned)).collect();
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "var/lib/dpkg/status", fs::read("/var/lib/dpkg/status").unwrap());
    let mut ours = names(&found(dir.path()), Kind::Deb);
    expected.sort_unstable();
    ours.sort_unstable();
    ours.dedup();
    expected.dedup();
    assert!(expected.len() > 50);
    assert_eq!(ours, expected);
}

/// Any bytes in any of the places, and real files with bytes changed: nothing panics, hangs or takes memory without end.
#[test]
fn no_content_of_a_file_is_too_much() {
    let go: Vec<u8> = tiny_go();
    let real: [(&str, &[u8]); 7] = [
        ("var/lib/dpkg/status", STATUS.as_bytes()),
        ("lib/apk/db/installed", b"P:musl\nV:1\nA:x\nL:MIT\n\nP:b\nV:2\n"),
        ("var/lib/rpm/rpmdb.sqlite", include_bytes!("rpm/rpmdb.sqlite")),
        ("a/node_modules/b/package.json", br#"{"name":"b","version":"1","license":{"type":"MIT"},"licenses":[{"type":"x"}]}"#),
        (
            "a/package-lock.json",
            br#"{"packages":{"node_modules/a":{"version":"1"}},"dependencies":{"a":{"version":"1","dependencies":{}}}}"#,
        ),
        ("x.dist-info/METADATA", b"Name: a\nVersion: 1\nLicense: MIT\n"),
        ("bin/go", &go),
    ];
    let file =
        (0..real.len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), any::<prop::sample::Index>(), 0u8..4);
    for_all(300, &file, |(which, changes, cut, how)| {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = real[which];
        let mut bytes = bytes.to_vec();
        // Headers are where the numbers are.
        for (place, byte) in changes {
            let within = if how & 1 == 0 { bytes.len().min(200) } else { bytes.len() };
            bytes[place.index(within)] = byte;
        }
        if how == 3 {
            bytes.truncate(cut.index(bytes.len()));
        }
        put(dir.path(), path, bytes);
        fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        let inventory = found(dir.path());
        let subject = Subject { name: "x", manifest_digest: "sha256:0", created: "", layers: &[], tool_version: "" };
        prop_assert!(serde_json::to_vec(&document(&inventory, &subject)).unwrap().len() < 64 << 20);
        Ok(())
    });
}

/// The database was written by rpm 4.18 (`tests/rpm/make`).
#[test]
fn an_rpm_database_is_read() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "usr/lib/sysimage/rpm/rpmdb.sqlite", include_bytes!("rpm/rpmdb.sqlite"));
    fs::create_dir_all(dir.path().join("var/lib")).unwrap();
    symlink("../../usr/lib/sysimage/rpm", dir.path().join("var/lib/rpm")).unwrap();
    let inventory = found(dir.path());
    assert_eq!(names(&inventory, Kind::Rpm), ["dock-1 1-1", "dock-2 1-1", "dock-3 1-1", "dock-4 1-1", "harbour 2:1.4-3", "quay 0.9-1"]);
    let harbour = &inventory.packages[4];
    assert_eq!((harbour.licence.as_deref(), harbour.architecture.as_deref()), (Some("MIT and Zlib"), Some("noarch")));

    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "var/lib/rpm/Packages", "old");
    assert!(found(dir.path()).notes[0].contains("Berkeley"));
}

#[test]
fn modules_of_go_programs_are_read() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "usr/bin/app", tiny_go());
    fs::set_permissions(dir.path().join("usr/bin/app"), fs::Permissions::from_mode(0o755)).unwrap();
    put(dir.path(), "usr/bin/not-run", tiny_go());
    assert_eq!(names(&found(dir.path()), Kind::Go), ["example.com/app (devel)", "golang.org/x/text v0.3.0", "stdlib 1.22.3"]);
}

/// An ELF file with the one section that matters, as Go's linker has written it since 1.18.
fn tiny_go() -> Vec<u8> {
    let list = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgolang.org/x/text\tv0.3.0\th1:x=\n";
    let list = [&[0x30; 16][..], list.as_bytes(), &[0x31; 16]].concat();
    let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    info.extend([8]);
    info.extend(b"go1.22.3");
    info.extend([u8::try_from(list.len() & 0x7f).unwrap() | 0x80, u8::try_from(list.len() >> 7).unwrap()]);
    info.extend(list);
    let names = b"\0.shstrtab\0.go.buildinfo\0";
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    let (at_names, at_info) = (64_u64, 64 + names.len() as u64);
    elf.extend(names);
    elf.extend(&info);
    elf.resize(20_000, 0);
    let table = elf.len() as u64;
    for (name, offset, size) in [(0_u32, 0, 0), (1, at_names, names.len() as u64), (11, at_info, info.len() as u64)] {
        let mut section = [0_u8; 64];
        section[..4].copy_from_slice(&name.to_le_bytes());
        section[24..32].copy_from_slice(&offset.to_le_bytes());
        section[32..40].copy_from_slice(&size.to_le_bytes());
        elf.extend(section);
    }
    elf[40..48].copy_from_slice(&table.to_le_bytes());
    for (at, value) in [(58, 64_u16), (60, 3), (62, 1)] {
        elf[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    elf
}
