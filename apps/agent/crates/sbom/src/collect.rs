//! The packages of a single layer, from its files as they pass: no file system is there to walk. What a database tells counts
//! where its file is seen: a layer above may bring another one.
use std::collections::{BTreeSet, HashMap};

use crate::package::{Kind, Package};
use crate::scan::{LOCK, Limits, MAX_DATABASE, MAX_LOCK, MAX_MANIFEST, MAX_STATUS_FILES, is_lock, is_status};
use crate::{apk, dpkg, golang, npm, python, rpm};

/// Of a program that is looked at: it has to be in memory whole.
const MAX_PROGRAM: u64 = 128 << 20;
const MIN_PROGRAM: u64 = 16 << 10;

/// Takes files one after another; [`Collector::wanted`] says which.
#[derive(Default)]
pub struct Collector {
    limits: Limits,
    packages: Vec<Package>,
    locks: Vec<(String, Vec<Package>)>,
    /// Directories that have a `node_modules`.
    modules: BTreeSet<String>,
    /// Of Debian's packages, by name.
    licences: HashMap<String, String>,
    status_files: usize,
    notes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Dpkg,
    StatusD,
    Apk,
    Rpm,
    Npm,
    Lock,
    Python,
    Copyright,
    Program,
}

impl Collector {
    /// How large a file may be to be taken whole; 0 for one that tells of no package.
    pub fn wanted(&self, path: &str, mode: u32, size: u64) -> u64 {
        if self.packages.len() > 2 * self.limits.packages {
            return 0;
        }
        match sort(path, mode, size) {
            Some(Sort::Dpkg | Sort::Apk | Sort::Rpm) => MAX_DATABASE,
            Some(Sort::Lock) => MAX_LOCK,
            Some(Sort::Program) => MAX_PROGRAM,
            Some(Sort::StatusD) if self.status_files >= MAX_STATUS_FILES => 0,
            Some(_) => MAX_MANIFEST,
            None => 0,
        }
    }

    pub fn take(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        let text = || String::from_utf8_lossy(bytes);
        match sort(path, mode, bytes.len() as u64) {
            Some(Sort::Dpkg) => self.packages.extend(dpkg::parse(&text(), path)),
            Some(Sort::StatusD) => {
                self.status_files += 1;
                self.packages.extend(dpkg::parse(&text(), path));
            }
            Some(Sort::Apk) => self.packages.extend(apk::parse(&text(), path)),
            Some(Sort::Rpm) => match rpm::parse(bytes, path) {
                Some(found) => self.packages.extend(found),
                None => self.notes.push(format!("/{path} could not be read as a database of packages and is left out.")),
            },
            Some(Sort::Npm) => {
                if let Some((above, _)) = path.split_once("node_modules/") {
                    self.modules.insert(above.to_owned());
                }
                self.packages.extend(npm::parse(bytes, path));
            }
            Some(Sort::Lock) => self.locks.push((path.to_owned(), npm::parse_lock(bytes, path))),
            Some(Sort::Python) => self.packages.extend(python::parse(&text(), path)),
            Some(Sort::Copyright) => {
                let package = path.split('/').nth(3).unwrap_or_default().to_owned();
                self.licences.extend(dpkg::licence_of(&text()).map(|licence| (package, licence)));
            }
            Some(Sort::Program) => self.packages.extend(golang::parse(&bytes, path).unwrap_or_default()),
            None => {}
        }
    }

    /// The packages, sorted and each once, and what was left out, in sentences.
    pub fn finish(mut self) -> (Vec<Package>, Vec<String>) {
        for (path, found) in self.locks {
            // Where the packages are installed, they are the truth: a lock file also lists what was not.
            if !self.modules.contains(&path[..path.len() - LOCK.len()]) {
                self.packages.extend(found);
            }
        }
        for package in self.packages.iter_mut().filter(|package| package.kind == Kind::Deb) {
            package.licence = self.licences.get(&package.name).cloned();
        }
        self.packages.sort_unstable();
        self.packages.dedup();
        if self.packages.len() > self.limits.packages {
            self.notes.push(format!("Only the first {} of {} packages are listed.", self.limits.packages, self.packages.len()));
            self.packages.truncate(self.limits.packages);
        }
        (self.packages, self.notes)
    }
}

fn sort(path: &str, mode: u32, size: u64) -> Option<Sort> {
    let is_rpm = || {
        rpm::PLACES
            .iter()
            .any(|place| path.strip_prefix(place).is_some_and(|rest| [rpm::SQLITE, rpm::NDB].contains(&rest.trim_start_matches('/'))))
    };
    Some(match path {
        dpkg::STATUS => Sort::Dpkg,
        path if is_status(path) => Sort::StatusD,
        path if apk::PLACES.contains(&path) => Sort::Apk,
        _ if is_rpm() => Sort::Rpm,
        path if npm::is_installed(path) => Sort::Npm,
        path if is_lock(path) => Sort::Lock,
        path if python::is_metadata(path) => Sort::Python,
        path if is_copyright(path) => Sort::Copyright,
        _ if mode & 0o111 != 0 && size >= MIN_PROGRAM => Sort::Program,
        _ => return None,
    })
}

fn is_copyright(path: &str) -> bool {
    let Some(name) = path.strip_prefix("usr/share/doc/").and_then(|rest| rest.strip_suffix("/copyright")) else { return false };
    dpkg::copyright_of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(files: &[(&str, u32, &str)]) -> Vec<Package> {
        let mut collector = Collector::default();
        for (path, mode, text) in files {
            if collector.wanted(path, *mode, text.len() as u64) >= text.len() as u64 {
                collector.take(path, *mode, text.as_bytes());
            }
        }
        collector.finish().0
    }

    #[test]
    fn finds_the_packages_of_every_kind_with_debians_licences() {
        let found = collect(&[
            (
                "usr/share/doc/bash/copyright",
                0o644,
                "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-3+\n",
            ),
            ("var/lib/dpkg/status", 0o644, "Package: bash\nStatus: install ok installed\nVersion: 5.2\n"),
            ("lib/apk/db/installed", 0o644, "P:musl\nV:1.2\nL:MIT\n"),
            ("app/node_modules/a/package.json", 0o644, r#"{"name":"a","version":"1"}"#),
            ("app/package-lock.json", 0o644, r#"{"packages":{"node_modules/b":{"version":"2"}}}"#),
            ("tool/package-lock.json", 0o644, r#"{"packages":{"node_modules/c":{"version":"3"}}}"#),
            ("usr/lib/python3/x.dist-info/METADATA", 0o644, "Name: x\nVersion: 4\n"),
            ("etc/passwd", 0o644, "Package: none\nVersion: 1\n"),
        ]);
        let told: Vec<_> = found.iter().map(|one| format!("{} {} {}", one.kind.name(), one.name, one.version)).collect();
        assert_eq!(told, ["deb bash 5.2", "apk musl 1.2", "npm a 1", "npm c 3", "pypi x 4"]);
        assert_eq!(found[0].licence.as_deref(), Some("GPL-3.0-or-later"));
    }

    #[test]
    fn nonsense_costs_its_own_packages_and_no_others() {
        let found = collect(&[
            ("usr/lib/sysimage/rpm/rpmdb.sqlite", 0o644, "SQLite format 3\0 and no more"),
            ("bin/tool", 0o755, &"\x7fELF".repeat(10_000)),
            ("app/node_modules/b/package.json", 0o644, "[1]"),
            ("lib/apk/db/installed", 0o644, "P:zlib\nV:1.3\n"),
        ]);
        assert_eq!(found.len(), 1);
    }
}
