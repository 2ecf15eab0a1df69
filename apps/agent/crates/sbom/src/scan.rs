use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

use crate::files::{Files, read};
use crate::package::{Kind, Package};
use crate::release::{self, Release};
use crate::walk::{Candidate, walk};
use crate::{Error, apk, dpkg, golang, npm, python, rpm};

/// What an image may cost at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files and directories that are looked at.
    pub entries: u64,
    /// Packages that are written down; the others are counted out in a note.
    pub packages: usize,
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, packages: 20_000, time: Duration::from_secs(60) }
    }
}

/// Databases of packages: of one file.
pub(crate) const MAX_DATABASE: u64 = 256 << 20;
/// Manifests of single packages.
pub(crate) const MAX_MANIFEST: u64 = 2 << 20;
pub(crate) const MAX_LOCK: u64 = 32 << 20;
pub(crate) const MAX_STATUS_FILES: usize = 20_000;
/// Larger files are named without a checksum.
const MAX_HASHED: u64 = 512 << 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Sorted, each once.
    pub packages: Vec<Package>,
    /// The files that tell of them, by their path.
    pub evidence: BTreeMap<String, Evidence>,
    /// `ID` and `VERSION_ID` of os-release.
    pub distribution: Option<(String, String)>,
    /// What was left out, in sentences.
    pub notes: Vec<String>,
}

/// A file that tells of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of the image's layers, the lowest is 0.
    pub layer: Option<usize>,
    pub sha1: Option<String>,
}

/// Looks for packages in the merged file system of an image; `layers` are the directories it is merged of, lowest first.
///
/// # Errors
/// When the image is larger than the limits, or cannot be read at all. A file that makes no sense is passed over.
pub fn scan(root: OwnedFd, layers: &[PathBuf], limits: &Limits) -> Result<Inventory, Error> {
    let started = Instant::now();
    let files = Files::new(root, layers)?;
    let mut packages = Vec::new();
    let mut notes = Vec::new();
    let release = release::PLACES.iter().find_map(|path| release::parse(&files.text(path, MAX_MANIFEST)?));
    databases(&files, &mut packages, &mut notes);

    let mut locks: Vec<(String, Vec<Package>)> = Vec::new();
    let mut modules: BTreeSet<String> = BTreeSet::new();
    let wanted = |path: &str| npm::is_installed(path) || python::is_metadata(path) || is_lock(path) || is_status(path);
    let mut status_files = 0;
    walk(files.root()?, limits, started, wanted, |candidate| {
        let path = candidate.path;
        if packages.len() > 2 * limits.packages {
            return;
        }
        if candidate.is_program {
            packages.extend(program(candidate).unwrap_or_default());
        } else if is_lock(path) {
            let found = candidate.open().and_then(|file| read(file, MAX_LOCK)).map(|bytes| npm::parse_lock(&bytes, path));
            locks.extend(found.map(|found| (path.to_owned(), found)));
        } else if let Some(bytes) = candidate.open().and_then(|file| read(file, MAX_MANIFEST)) {
            if npm::is_installed(path) {
                if let Some((above, _)) = path.split_once("node_modules/") {
                    modules.insert(above.to_owned());
                }
                packages.extend(npm::parse(&bytes, path));
            } else if python::is_metadata(path) {
                packages.extend(python::parse(&String::from_utf8_lossy(&bytes), path));
            } else if status_files < MAX_STATUS_FILES {
                status_files += 1;
                packages.extend(dpkg::parse(&String::from_utf8_lossy(&bytes), path));
            }
        }
    })?;
    // Where the packages are installed, they are the truth: a lock file also lists what was not.
    for (path, found) in locks {
        let above = &path[..path.len() - LOCK.len()];
        if !modules.contains(above) {
            packages.extend(found);
        }
    }
    licences(&files, &mut packages, limits, started);
    packages.sort_unstable();
    packages.dedup();
    if packages.len() > limits.packages {
        notes.push(format!("Only the first {} of {} packages are listed.", limits.packages, packages.len()));
        packages.truncate(limits.packages);
    }
    let evidence = evidence(&files, &packages, limits, started)?;
    let distribution = release.map(|Release { id, version_id }| (id, version_id));
    Ok(Inventory { packages, evidence, distribution, notes })
}

pub(crate) const LOCK: &str = "package-lock.json";

pub(crate) fn is_lock(path: &str) -> bool {
    (path == LOCK || path.ends_with("/package-lock.json")) && !path.contains("node_modules/")
}

pub(crate) fn is_status(path: &str) -> bool {
    path.strip_prefix(dpkg::STATUS_D).is_some_and(|name| name.starts_with('/') && !name.ends_with(".md5sums"))
}

fn program(candidate: &Candidate<'_>) -> Option<Vec<Package>> {
    golang::parse(&candidate.open()?, candidate.path)
}

/// Those whose place is known.
fn databases(files: &Files, packages: &mut Vec<Package>, notes: &mut Vec<String>) {
    let mut too_large = |path: &str| notes.push(format!("/{path} could not be read as a database of packages and is left out."));
    if let Some(text) = files.text(dpkg::STATUS, MAX_DATABASE) {
        packages.extend(dpkg::parse(&text, dpkg::STATUS));
    }
    if let Some((path, text)) = apk::PLACES.iter().find_map(|path| Some((path, files.text(path, MAX_DATABASE)?))) {
        packages.extend(apk::parse(&text, path));
    }
    // One place may be a link to another.
    for place in rpm::PLACES {
        let named = |name: &str| format!("{place}/{name}");
        let Some(path) = [rpm::SQLITE, rpm::NDB].map(named).into_iter().find(|path| files.exists(path)) else {
            let old = named(rpm::BERKELEY);
            if files.exists(&old) {
                notes.push(format!("/{old} is a Berkeley database, which rpm itself gave up in 2021; its packages are left out."));
                break;
            }
            continue;
        };
        match files.read(&path, MAX_DATABASE).and_then(|bytes| rpm::parse(&bytes, &path)) {
            Some(found) => packages.extend(found),
            None => too_large(&path),
        }
        break;
    }
}

/// Debian's database knows no licences; each package has a file that tells.
fn licences(files: &Files, packages: &mut [Package], limits: &Limits, started: Instant) {
    for package in packages.iter_mut().filter(|package| package.kind == Kind::Deb) {
        if started.elapsed() > limits.time {
            return;
        }
        let text = dpkg::copyright_of(&package.name).and_then(|path| files.text(&path, MAX_MANIFEST));
        package.licence = text.and_then(|text| dpkg::licence_of(&text));
    }
}

fn evidence(files: &Files, packages: &[Package], limits: &Limits, started: Instant) -> Result<BTreeMap<String, Evidence>, Error> {
    let mut evidence = BTreeMap::new();
    for package in packages {
        if evidence.contains_key(&package.path) {
            continue;
        }
        if started.elapsed() > limits.time {
            return Err(Error::Timeout(limits.time.as_secs()));
        }
        let sha1 =
            files.open(&package.path).filter(|file| file.metadata().is_ok_and(|meta| meta.len() <= MAX_HASHED)).and_then(|mut file| {
                let mut hasher = Hashing(Sha1::new());
                std::io::copy(&mut file, &mut hasher).ok()?;
                Some(hex::encode(hasher.0.finalize()))
            });
        evidence.insert(package.path.clone(), Evidence { layer: files.layer_of(&package.path), sha1 });
    }
    Ok(evidence)
}

struct Hashing(Sha1);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
