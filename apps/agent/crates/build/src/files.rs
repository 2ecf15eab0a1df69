//! The checksums of what a COPY copies: the key is made of them, and the reason of a later miss is told from them.
use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::plan::InlineFile;
use crate::select::{Entry, Source};

/// Each file's path (from its source's parent, for people) and checksum, in the order in which they are copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileList {
    digest: String,
    files: Vec<(String, String)>,
}

/// More files than this are remembered by directory: enough to say where something changed.
const MAX_REMEMBERED: usize = 20_000;

impl FileList {
    /// `with_owner`: owners count, because the copy keeps them.
    pub fn new(sources: &[Source], with_owner: bool) -> Self {
        let mut whole = Sha256::new();
        let mut files = Vec::new();
        for source in sources {
            // The source's own name counts only where it becomes a name in the image; a directory's never does.
            let name = if source.is_dir() { Path::new("") } else { Path::new(&source.name) };
            let shown_as = source.path.strip_prefix("/").unwrap_or(&source.path);
            for entry in &source.entries {
                let checksum = checksum(entry, with_owner);
                whole.update((name.as_os_str().len() as u64).to_le_bytes());
                whole.update(name.as_os_str().as_bytes());
                whole.update((entry.path.as_os_str().len() as u64).to_le_bytes());
                whole.update(entry.path.as_os_str().as_bytes());
                whole.update(checksum);
                if !(entry.path.as_os_str().is_empty() && entry.kind == FileType::Directory) {
                    let shown = if entry.path.as_os_str().is_empty() { shown_as.to_path_buf() } else { shown_as.join(&entry.path) };
                    let shown = shown.into_os_string().into_string().unwrap_or_else(|name| name.to_string_lossy().into_owned());
                    files.push((shown, hex::encode(&checksum[..8])));
                }
            }
        }
        Self { digest: hex::encode(whole.finalize()), files: remember(files) }
    }

    /// Of several, each with its own place among them.
    pub fn join(lists: Vec<Self>) -> Self {
        let mut whole = Sha256::new();
        let mut files = Vec::new();
        for list in lists {
            whole.update(&list.digest);
            files.extend(list.files);
        }
        Self { digest: hex::encode(whole.finalize()), files }
    }

    /// With files whose content stands in the Dockerfile.
    #[must_use]
    pub fn with_inline(mut self, inline: &[InlineFile]) -> Self {
        if inline.is_empty() {
            return self;
        }
        let mut whole = Sha256::new().chain_update(&self.digest);
        let FileList { files, .. } = &mut self;
        for file in inline {
            let checksum = Sha256::digest(&file.data);
            whole.update((file.name.len() as u64).to_le_bytes());
            whole.update(&file.name);
            whole.update(checksum);
            files.push((format!("<<{}", file.name), hex::encode(&checksum[..8])));
        }
        self.digest = hex::encode(whole.finalize());
        self
    }

    /// Keeps only what decides.
    pub fn forget_names(&mut self) {
        self.files.clear();
    }

    pub fn has_names(&self) -> bool {
        !self.files.is_empty()
    }

    /// Of everything: paths, types, modes, contents.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What differs from `before`, in path order: (changed, added, removed).
    pub fn changes<'a>(&'a self, before: &'a Self) -> Changes<'a> {
        let old: HashMap<&str, &str> = before.files.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
        let new: HashMap<&str, &str> = self.files.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
        let mut changes = Changes::default();
        for (path, hash) in &new {
            match old.get(path) {
                None => changes.added.push(path),
                Some(before) if before != hash => changes.changed.push(path),
                Some(_) => {}
            }
        }
        changes.removed = old.keys().filter(|path| !new.contains_key(*path)).copied().collect();
        for list in [&mut changes.changed, &mut changes.added, &mut changes.removed] {
            list.sort_unstable();
        }
        changes
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    pub changed: Vec<&'a str>,
    pub added: Vec<&'a str>,
    pub removed: Vec<&'a str>,
}

fn checksum(entry: &Entry, with_owner: bool) -> [u8; 32] {
    let mut hash = Sha256::new();
    let kind: u8 = match entry.kind {
        FileType::RegularFile => b'f',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::Fifo => b'p',
        FileType::CharacterDevice => b'c',
        FileType::BlockDevice => b'b',
        _ => b'?',
    };
    hash.update([kind]);
    // The root directory of a source lends nothing but its contents, and a link's mode means nothing.
    let counts = !(entry.kind == FileType::Directory && entry.path.as_os_str().is_empty());
    if counts {
        if entry.kind != FileType::Symlink {
            hash.update(entry.mode.to_le_bytes());
        }
        if with_owner {
            hash.update(entry.uid.to_le_bytes());
            hash.update(entry.gid.to_le_bytes());
        }
    }
    hash.update(entry.rdev.to_le_bytes());
    if let Some(target) = &entry.target {
        hash.update(target.as_bytes());
    }
    if let Some(digest) = &entry.digest {
        hash.update(digest);
    }
    hash.finalize().into()
}

fn remember(files: Vec<(String, String)>) -> Vec<(String, String)> {
    if files.len() <= MAX_REMEMBERED {
        return files;
    }
    let mut directories: BTreeMap<String, Sha256> = BTreeMap::new();
    for (path, hash) in &files {
        let directory: Vec<&str> = path.split('/').take(2).collect();
        let hasher = directories.entry(format!("{}/…", directory.join("/"))).or_default();
        hasher.update(path);
        hasher.update(hash);
    }
    directories.into_iter().map(|(path, hash)| (path, hex::encode(&hash.finalize()[..8]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(files: &[(&str, &str)]) -> FileList {
        FileList { digest: String::new(), files: files.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect() }
    }

    #[test]
    fn tells_changes() {
        let before = list(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = list(&[("a", "1"), ("b", "2"), ("d", "1")]);
        let changes = after.changes(&before);
        assert_eq!(changes, Changes { changed: vec!["b"], added: vec!["d"], removed: vec!["c"] });
    }

    #[test]
    fn many_files_are_remembered_by_directory() {
        let files = (0..30_000).map(|i| (format!("src/m{}/f{i}", i % 7), "0".to_string())).collect();
        let kept = remember(files);
        assert_eq!(kept.len(), 7);
        assert_eq!(kept[0].0, "src/m0/…");
    }
}
