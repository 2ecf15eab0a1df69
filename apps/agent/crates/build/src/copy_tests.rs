//! COPY's rules, each against real directories. Runs as root: owners are part of the rules.
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::archive;
use crate::copy::{CopyError, Placement, copy};
use crate::files::FileList;
use crate::mode::ModeChange;
use crate::select::{SelectError, digest_files, select};
use crate::tree::Tree;

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    /// A context and an image, with a few files each.
    fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["from/src/deep", "from/empty", "to/etc", "to/srv"] {
            std::fs::create_dir_all(this.dir.path().join(dir)).unwrap();
        }
        this.write("from/a.txt", "a", 0o644);
        this.write("from/b.txt", "b", 0o600);
        this.write("from/run.sh", "#!", 0o4755);
        this.write("from/src/main.rs", "main", 0o644);
        this.write("from/src/deep/x.rs", "x", 0o640);
        symlink("main.rs", this.path("from/src/link")).unwrap();
        symlink("src", this.path("from/srclink")).unwrap();
        symlink("../../../../etc/passwd", this.path("from/escape")).unwrap();
        this
    }
    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
    fn write(&self, path: &str, text: &str, mode: u32) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
    fn meta(&self, path: &str) -> std::fs::Metadata {
        self.path(path).symlink_metadata().unwrap_or_else(|error| panic!("{path}: {error}"))
    }
    fn trees(&self) -> (Tree, Tree) {
        (Tree::open(&self.path("from")).unwrap(), Tree::open(&self.path("to")).unwrap())
    }
    fn try_copy(&self, sources: &[&str], placement: &Placement) -> Result<(), String> {
        let (from, to) = self.trees();
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let selected = select(&from, &sources).map_err(|error| error.to_string())?;
        copy(&from, &selected, &to, placement, &|| false).map_err(|error| error.to_string())
    }
    fn copy(&self, sources: &[&str], dest: &str) {
        self.try_copy(sources, &to_root(dest)).unwrap();
    }
    fn refused(&self, sources: &[&str], dest: &str) -> String {
        self.try_copy(sources, &to_root(dest)).unwrap_err()
    }
    fn digest(&self, sources: &[&str]) -> String {
        let (from, _) = self.trees();
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let mut selected = select(&from, &sources).unwrap();
        digest_files(&from, &mut selected, &|| false).unwrap();
        FileList::new(&selected, false).digest().to_owned()
    }
}

fn to_root(dest: &str) -> Placement {
    Placement { dest: dest.into(), owner: Some((0, 0)), mode: None }
}

fn set_time(path: &Path, seconds: i64) {
    let times = crate::tree::times(seconds, 500);
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[test]
fn files_go_to_a_name_or_into_a_directory() {
    let room = Room::new();
    room.copy(&["a.txt"], "/new/name.txt");
    room.copy(&["a.txt"], "/new/dir/");
    room.copy(&["a.txt"], "/srv");
    room.copy(&["a.txt", "b.txt"], "/both/");
    assert_eq!(room.read("to/new/name.txt"), "a");
    assert_eq!(room.read("to/new/dir/a.txt"), "a");
    assert_eq!(room.read("to/srv/a.txt"), "a", "an existing directory is copied into, slash or not");
    assert_eq!((room.read("to/both/a.txt"), room.read("to/both/b.txt")), ("a".into(), "b".into()));
    assert_eq!(room.meta("to/both/b.txt").mode() & 0o7777, 0o600);
    room.copy(&["run.sh"], "/run");
    assert_eq!(room.meta("to/run").mode() & 0o7777, 0o4755, "setuid survives");
    assert!(room.refused(&["a.txt", "b.txt"], "/nowhere").contains("not a directory"));
}

#[test]
fn directories_stand_for_their_contents() {
    let room = Room::new();
    set_time(&room.path("from/src/deep"), 1_600_000_000);
    set_time(&room.path("from/src/link"), 1_600_000_001);
    room.copy(&["src"], "/app");
    assert_eq!(room.read("to/app/deep/x.rs"), "x");
    assert!(!room.path("to/app/src").exists());
    assert_eq!(std::fs::read_link(room.path("to/app/link")).unwrap(), Path::new("main.rs"), "links inside stay links");
    assert_eq!((room.meta("to/app/deep").mtime(), room.meta("to/app/deep").mtime_nsec()), (1_600_000_000, 500));
    assert_eq!(room.meta("to/app/link").mtime(), 1_600_000_001);
    room.copy(&["srclink"], "/followed");
    assert_eq!(room.read("to/followed/main.rs"), "main", "a link named as the source is followed");
    room.copy(&["src/link"], "/file");
    assert!(room.meta("to/file").is_file());
    room.copy(&["."], "/all/");
    assert!(room.path("to/all/empty").is_dir());
    assert!(room.meta("to/all/srclink").is_symlink());
}

#[test]
fn wildcards_follow_go() {
    let room = Room::new();
    room.copy(&["*.txt"], "/t/");
    assert!(room.path("to/t/a.txt").exists() && room.path("to/t/b.txt").exists() && !room.path("to/t/run.sh").exists());
    room.copy(&["*/main.rs"], "/m/");
    assert_eq!(room.read("to/m/main.rs"), "main");
    room.copy(&["s*c"], "/s/");
    assert_eq!(room.read("to/s/main.rs"), "main", "a matched directory stands for its contents");
    room.copy(&["nothing*", "a.txt"], "/n/");
    assert!(room.path("to/n/a.txt").exists(), "a pattern may match nothing");
    assert!(room.refused(&["*.txt"], "/one").contains("not a directory"));
    assert!(room.refused(&["[a"], "/x/").contains("pattern"));
    let (from, _) = room.trees();
    assert!(matches!(select(&from, &["gone.txt".into()]), Err(SelectError::Missing(path)) if path == "gone.txt"));
    assert!(matches!(select(&from, &["a.txt/x".into()]), Err(SelectError::Missing(_))));
}

#[test]
fn sources_never_leave_their_root() {
    let room = Room::new();
    room.write("secret", "secret", 0o644);
    let (from, _) = room.trees();
    for source in ["escape", "../secret", "/../secret", "src/../../secret", "src/../../../etc/passwd"] {
        assert!(matches!(select(&from, &[source.into()]), Err(SelectError::Missing(_))), "{source}");
    }
    symlink("/", room.path("from/root")).unwrap();
    room.copy(&["root/a.txt"], "/rooted");
    assert_eq!(room.read("to/rooted"), "a", "an absolute link means the context's root");
}

#[test]
fn destinations_never_leave_the_image() {
    let room = Room::new();
    symlink("../../../../..", room.path("to/up")).unwrap();
    symlink("/srv", room.path("to/data")).unwrap();
    room.copy(&["a.txt"], "/up/out.txt");
    assert_eq!(room.read("to/out.txt"), "a");
    room.copy(&["a.txt"], "/data/");
    assert_eq!(room.read("to/srv/a.txt"), "a", "linked parents are followed");
    room.copy(&["a.txt"], "/../../dots/x");
    assert_eq!(room.read("to/dots/x"), "a");
    symlink("/etc/victim", room.path("to/srv/b.txt")).unwrap();
    room.copy(&["b.txt"], "/srv/");
    assert!(room.meta("to/srv/b.txt").is_file(), "a link at the end of a copied path is replaced");
    assert!(!room.path("to/etc/victim").exists());
    symlink("/made/by/link", room.path("to/dangling")).unwrap();
    room.copy(&["a.txt"], "/dangling/");
    assert_eq!(room.read("to/made/by/link/a.txt"), "a");
}

#[test]
fn existing_things_are_kept_or_replaced() {
    let room = Room::new();
    room.write("to/app/deep/old", "old", 0o644);
    for (path, mode) in [("to/app", 0o700), ("to/app/deep", 0o700)] {
        std::fs::set_permissions(room.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(room.path(path), Some(7), Some(7)).unwrap();
    }
    room.copy(&["src"], "/app");
    assert_eq!((room.meta("to/app").mode() & 0o777, room.meta("to/app").uid()), (0o700, 7), "the destination keeps its own");
    assert_eq!(
        (room.meta("to/app/deep").mode() & 0o777, room.meta("to/app/deep").uid()),
        (0o755, 0),
        "what lies beneath takes the source's"
    );
    assert_eq!(room.read("to/app/deep/old"), "old");
    room.write("to/file", "file", 0o644);
    assert!(room.refused(&["src"], "/file").contains("not a directory"));
    assert!(room.refused(&["a.txt"], "/file/x").contains("not a directory"));
    std::fs::create_dir_all(room.path("to/d/a.txt")).unwrap();
    assert!(room.refused(&["a.txt"], "/d/").contains("is a directory"));
    room.write("to/app2/deep", "a file", 0o644);
    assert!(room.refused(&["src"], "/app2").contains("not a directory"));
}

#[test]
fn owners_and_modes_can_be_given() {
    let room = Room::new();
    std::os::unix::fs::chown(room.path("from/src/main.rs"), Some(55), Some(66)).unwrap();
    let given = Placement { dest: "/p/q/r/".into(), owner: Some((10, 20)), mode: Some(ModeChange::Set(0o741)) };
    room.try_copy(&["src"], &given).unwrap();
    for path in ["to/p", "to/p/q/r", "to/p/q/r/deep", "to/p/q/r/main.rs", "to/p/q/r/link"] {
        assert_eq!((room.meta(path).uid(), room.meta(path).gid()), (10, 20), "{path}");
    }
    assert_eq!((room.meta("to/p").mode() & 0o777, room.meta("to/p/q/r").mode() & 0o777), (0o741, 0o741));
    assert_eq!(room.meta("to/p/q/r/main.rs").mode() & 0o777, 0o741);
    let keep = Placement { dest: "/kept/".into(), owner: None, mode: None };
    room.try_copy(&["src"], &keep).unwrap();
    assert_eq!((room.meta("to/kept/main.rs").uid(), room.meta("to/kept/main.rs").gid()), (55, 66));
}

#[test]
fn hard_links_and_fifos_are_kept() {
    let room = Room::new();
    std::fs::hard_link(room.path("from/src/main.rs"), room.path("from/src/deep/same.rs")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, room.path("from/src/pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    room.copy(&["src"], "/h");
    assert_eq!(room.meta("to/h/main.rs").ino(), room.meta("to/h/deep/same.rs").ino());
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&room.meta("to/h/pipe").file_type()));
}

#[test]
fn a_copy_can_be_stopped() {
    let room = Room::new();
    let (from, to) = room.trees();
    let selected = select(&from, &["src".into()]).unwrap();
    assert!(matches!(copy(&from, &selected, &to, &to_root("/x"), &|| true), Err(CopyError::Canceled)));
}

#[test]
fn checksums_see_everything_but_time_and_place() {
    let room = Room::new();
    let before = room.digest(&["src"]);
    set_time(&room.path("from/src/main.rs"), 5);
    std::os::unix::fs::chown(room.path("from/src/main.rs"), Some(9), Some(9)).unwrap();
    assert_eq!(room.digest(&["src"]), before);
    std::fs::rename(room.path("from/src"), room.path("from/moved")).unwrap();
    assert_eq!(room.digest(&["moved"]), before, "a directory's name is not copied");
    assert_ne!(room.digest(&["a.txt"]), room.digest(&["b.txt"]));
    room.write("from/c.txt", "a", 0o644);
    assert_ne!(room.digest(&["a.txt"]), room.digest(&["c.txt"]), "a file's name is");
    let changes: [&dyn Fn(&Room); 6] = [
        &|room: &Room| room.write("from/moved/main.rs", "other", 0o644),
        &|room: &Room| room.write("from/moved/main.rs", "main", 0o755),
        &|room: &Room| room.write("from/moved/new", "", 0o644),
        &|room: &Room| std::fs::remove_file(room.path("from/moved/new")).unwrap(),
        &|room: &Room| {
            std::fs::remove_file(room.path("from/moved/link")).unwrap();
            symlink("deep", room.path("from/moved/link")).unwrap();
        },
        &|room: &Room| std::fs::create_dir(room.path("from/moved/dir")).unwrap(),
    ];
    for change in changes {
        let before = room.digest(&["moved"]);
        change(&room);
        assert_ne!(room.digest(&["moved"]), before);
    }
}

fn archive_of(entries: &[(&str, tar::EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(0o640);
        header.set_uid(42);
        header.set_gid(43);
        header.set_mtime(1_500_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn compress(kind: &str, bytes: &[u8]) -> Vec<u8> {
    match kind {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

#[test]
fn archives_of_every_kind_are_unpacked() {
    use tar::EntryType::{Directory, Link, Regular, Symlink};
    for kind in ["plain", "gzip", "bzip2", "xz", "zstd"] {
        let room = Room::new();
        let bytes =
            archive_of(&[("d", Directory, "", ""), ("d/f", Regular, "", "text"), ("d/l", Symlink, "f", ""), ("d/h", Link, "d/f", "")]);
        std::fs::write(room.path("from/archive"), compress(kind, &bytes)).unwrap();
        let (_, to) = room.trees();
        let reader = archive::open(std::fs::File::open(room.path("from/archive")).unwrap()).unwrap().expect(kind);
        archive::unpack(reader, &to, &Placement { dest: "/un/packed".into(), owner: None, mode: None }, &|| false).unwrap();
        assert_eq!(room.read("to/un/packed/d/f"), "text", "{kind}");
        let meta = room.meta("to/un/packed/d/f");
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777, meta.mtime()), (42, 43, 0o640, 1_500_000_000));
        assert_eq!(room.meta("to/un/packed/d").mtime(), 1_500_000_000);
        assert_eq!(room.meta("to/un/packed/d/h").ino(), meta.ino());
    }
    let room = Room::new();
    for (name, bytes) in [("text", b"just text".to_vec()), ("gz", compress("gzip", b"no tar inside")), ("nothing", Vec::new())] {
        std::fs::write(room.path(name), bytes).unwrap();
        assert!(archive::open(std::fs::File::open(room.path(name)).unwrap()).unwrap().is_none(), "{name}");
    }
}

#[test]
fn hostile_archives_escape_nothing() {
    use tar::EntryType::{Char, Link, Regular, Symlink};
    let unpack = |room: &Room, entries: &[(&str, tar::EntryType, &str, &str)]| {
        let (_, to) = room.trees();
        archive::unpack(&archive_of(entries)[..], &to, &Placement { dest: "/srv/".into(), owner: None, mode: None }, &|| false)
    };
    let room = Room::new();
    assert!(matches!(unpack(&room, &[("../../x", Regular, "", "x")]), Err(CopyError::Refused(_))));
    unpack(&room, &[("/abs", Regular, "", "x")]).unwrap();
    assert_eq!(room.read("to/srv/abs"), "x", "absolute paths start at the archive's root");
    let room = Room::new();
    unpack(&room, &[("l", Symlink, "../../../../../../tmp", ""), ("l/inside", Regular, "", "x")]).unwrap();
    assert_eq!(room.read("to/tmp/inside"), "x", "a link leads no further than the image's root");
    let room = Room::new();
    std::fs::write(room.path("secret"), "s").unwrap();
    assert!(unpack(&room, &[("h", Link, "../../secret", "")]).is_err());
    assert!(unpack(&room, &[("h", Link, "none", "")]).is_err());
    assert!(unpack(&room, &[("w", Char, "", "")]).is_err(), "a whiteout is no device");
    room.write("to/srv/keep/me", "x", 0o644);
    unpack(&room, &[("keep", Regular, "", "now a file")]).unwrap();
    assert_eq!(room.read("to/srv/keep"), "now a file");
    let cut = archive_of(&[("f", Regular, "", &"x".repeat(5000))]);
    let (_, to) = room.trees();
    assert!(matches!(archive::unpack(&cut[..2000], &to, &to_root("/srv/"), &|| false), Err(CopyError::Refused(_))));
}

#[test]
fn an_archive_that_never_ends_ends_with_the_build() {
    use tar::EntryType::Regular;
    let room = Room::new();
    let (_, to) = room.trees();
    // One entry of 8 GiB, and one that only describes others: 8 GiB of a header for all.
    let mut huge = tar::Header::new_gnu();
    huge.set_path("huge").unwrap();
    huge.set_entry_type(Regular);
    huge.set_size(8 << 30);
    huge.set_cksum();
    let mut global = huge.clone();
    global.set_entry_type(tar::EntryType::XGlobalHeader);
    global.set_cksum();
    let looks = std::cell::Cell::new(0);
    let canceled = || {
        looks.set(looks.get() + 1);
        looks.get() > 20
    };
    let endless = huge.as_bytes().chain(std::io::repeat(0));
    assert!(matches!(archive::unpack(endless, &to, &to_root("/srv/"), &canceled), Err(CopyError::Canceled)));
    assert!(room.meta("to/srv/huge").len() < 64 << 20, "it ends in the midst of a file");
    let described = global.as_bytes().chain(std::io::repeat(0));
    let error = archive::unpack(described, &to, &to_root("/srv/"), &|| false).unwrap_err();
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
}

#[test]
fn an_xz_file_takes_no_more_memory_than_its_strongest_preset() {
    let room = Room::new();
    let mut bytes = compress("xz", &archive_of(&[("f", tar::EntryType::Regular, "", "text")]));
    // The dictionary of the first block: 4 GiB.
    let length = (usize::from(bytes[12]) + 1) * 4;
    let filter = bytes[12..12 + length].windows(2).position(|pair| pair == [0x21, 0x01]).unwrap() + 12;
    bytes[filter + 2] = 40;
    let mut check = flate2::Crc::new();
    check.update(&bytes[12..12 + length - 4]);
    bytes[12 + length - 4..12 + length].copy_from_slice(&check.sum().to_le_bytes());
    std::fs::write(room.path("archive"), bytes).unwrap();
    let Err(error) = archive::open(std::fs::File::open(room.path("archive")).unwrap()) else { panic!("it was taken") };
    assert!(error.to_string().contains("128 MiB"), "{error}");
}

#[test]
fn archives_keep_capabilities_and_user_attributes() {
    let room = Room::new();
    let (_, to) = room.trees();
    let mut tar = tar::Builder::new(Vec::new());
    // cap_net_raw=ep; a line end is among the bytes of values.
    let raw = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let given: [(&str, &[u8]); 3] =
        [("SCHILY.xattr.security.capability", raw), ("SCHILY.xattr.user.note", b"a\nb"), ("SCHILY.xattr.trusted.overlay.opaque", b"y")];
    tar.append_pax_extensions(given).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o755);
    tar.append_data(&mut header, "ping", &b"x"[..]).unwrap();
    archive::unpack(&tar.into_inner().unwrap()[..], &to, &to_root("/srv/"), &|| false).unwrap();
    let mut names = vec![0; 1024];
    let length = rustix::fs::listxattr(room.path("to/srv/ping"), &mut names).unwrap();
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    assert!(names.contains("security.capability") && !names.contains("trusted"), "{names:?}");
    // A memory file system keeps no attributes of users.
    if names.contains("user.note") {
        let mut value = [0; 16];
        let length = rustix::fs::getxattr(room.path("to/srv/ping"), "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"a\nb");
    }
}

#[test]
fn a_tree_of_any_depth_is_refused_removed_and_counted() {
    let room = Room::new();
    let mut at = rustix::fs::open(room.path("from"), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..5_000 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    }
    let (from, _) = room.trees();
    let error = select(&from, &["d".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("2048 deep"), "{error}");
    assert_eq!(crate::cache_dirs::usage(&room.path("from")), u64::MAX);
    crate::tree::remove_all(from.dir(Path::new("/")).unwrap().as_fd(), std::ffi::OsStr::new("d")).unwrap();
    assert!(!room.path("from/d").exists());
}
