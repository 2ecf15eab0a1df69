//! What a context holds, without its contents: enough to make every COPY's cache key, so that a build that changes
//! nothing writes no file.
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::select::{Entry, Files};
use crate::tree::resolve_links;

/// Sorted by component: what lies beneath a directory comes right behind it. One list, because a context is read at the beginning of
/// every build and never changes: a map of paths took most of the time of a build that changes nothing.
#[derive(Debug)]
pub struct Index {
    nodes: Vec<(PathBuf, Node)>,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub kind: FileType,
    pub mode: u32,
    pub mtime: (i64, i64),
    /// Of a symlink.
    pub target: Option<OsString>,
    /// Of a regular file.
    pub digest: Option<[u8; 32]>,
}

impl Index {
    pub fn new() -> Self {
        Self { nodes: vec![(PathBuf::new(), Node::dir(0o755, (0, 0)))] }
    }

    /// Of all but the root, in any order. Paths have normal components only, and each one's directory is among them.
    ///
    /// # Errors
    /// A path that is there twice.
    pub fn of(mut nodes: Vec<(PathBuf, Node)>) -> Result<Self, PathBuf> {
        nodes.extend(Self::new().nodes);
        nodes.sort_by(|(a, _), (b, _)| order(bytes(a), bytes(b)));
        match nodes.windows(2).find(|pair| pair[0].0.as_os_str() == pair[1].0.as_os_str()) {
            Some(twice) => Err(twice[0].0.clone()),
            None => Ok(Self { nodes }),
        }
    }

    /// Entries, without the root.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        self.nodes.binary_search_by(|(known, _)| order(bytes(known), path)).ok()
    }

    fn get(&self, path: &Path) -> Option<&Node> {
        self.find(relative(path)).map(|at| &self.nodes[at].1)
    }

    /// The entry of that path and all beneath it, each with what follows that path in its own; `None` when it is not there.
    fn beneath<'a>(&'a self, path: &'a [u8]) -> Option<impl Iterator<Item = (&'a [u8], &'a Node)>> {
        let from = self.find(path)?;
        let skip = if path.is_empty() { 0 } else { path.len() + 1 };
        let rest = self.nodes[from..].iter().enumerate();
        Some(rest.map_while(move |(place, (below, node))| {
            let below = bytes(below);
            let inside = place == 0 || skip == 0 || (below.starts_with(path) && below.get(path.len()) == Some(&b'/'));
            inside.then(|| (below.get(skip..).unwrap_or_default(), node))
        }))
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn relative(path: &Path) -> &[u8] {
    bytes(path.strip_prefix("/").unwrap_or(path))
}

/// As paths compare by components, without taking them apart: the slash comes before all that a name may have.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rank = |bytes: &[u8]| bytes.get(same).map(|&byte| if byte == b'/' { 0 } else { byte });
    rank(a).cmp(&rank(b))
}

impl Node {
    pub fn dir(mode: u32, mtime: (i64, i64)) -> Self {
        Self { kind: FileType::Directory, mode, mtime, target: None, digest: None }
    }

    fn entry(&self, path: PathBuf) -> Entry {
        Entry {
            path,
            kind: self.kind,
            mode: self.mode,
            uid: 0,
            gid: 0,
            mtime: self.mtime,
            target: self.target.clone(),
            rdev: 0,
            inode: None,
            digest: self.digest,
        }
    }
}

impl Files for Index {
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        resolve_links(path, |path| Ok(self.get(path).and_then(|node| node.target.clone()).map(PathBuf::from)))
    }

    fn children(&self, dir: &Path) -> io::Result<Vec<(OsString, FileType)>> {
        let Some(beneath) = self.beneath(relative(dir)) else { return Ok(Vec::new()) };
        let children = beneath.filter(|(name, _)| !name.is_empty() && !name.contains(&b'/'));
        Ok(children.map(|(name, node)| (OsStr::from_bytes(name).to_os_string(), node.kind)).collect())
    }

    fn entries(&self, path: &Path) -> io::Result<Option<Vec<Entry>>> {
        let all = self.beneath(relative(path));
        Ok(all.map(|all| all.map(|(below, node)| node.entry(PathBuf::from(OsStr::from_bytes(below)))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Node {
        Node { kind: FileType::RegularFile, digest: Some([1; 32]), ..Node::dir(0o644, (1, 2)) }
    }

    fn index(paths: &[(&str, Node)]) -> Result<Index, PathBuf> {
        Index::of(paths.iter().map(|(path, node)| (PathBuf::from(path), node.clone())).collect())
    }

    #[test]
    fn says_what_a_directory_holds() {
        let link = Node { kind: FileType::Symlink, target: Some("/a".into()), ..file() };
        let dir = Node::dir(0o755, (0, 0));
        let all = [("a/b/c", file()), ("a.txt", file()), ("a", dir.clone()), ("a/z", file()), ("l", link), ("a/b", dir), ("a/b.c", file())];
        let index = index(&all).unwrap();
        assert_eq!(index.len(), all.len());
        let names: Vec<_> = index.children(Path::new("/a")).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "b.c", "z"]);
        let top: Vec<_> = index.children(Path::new("/")).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(top, ["a", "a.txt", "l"]);
        let paths = |path: &str| -> Vec<_> {
            let entries = index.entries(Path::new(path)).unwrap().unwrap();
            entries.into_iter().map(|entry| entry.path).collect()
        };
        assert_eq!(paths("/a"), ["", "b", "b/c", "b.c", "z"].map(PathBuf::from));
        assert_eq!(paths("/a.txt"), [""].map(PathBuf::from));
        assert_eq!(paths("/").len(), all.len() + 1);
        assert_eq!(index.real_path(Path::new("/l/b")).unwrap(), Path::new("/a/b"));
        assert!(index.entries(Path::new("/gone")).unwrap().is_none());
        assert!(index.children(Path::new("/gone")).unwrap().is_empty());
    }

    #[test]
    fn sorts_as_paths_do_and_takes_nothing_twice() {
        let mut paths = ["a/b", "a", "a.b/c", "a.b", "a-b", "ab", "a/b/c", "a/b-c", "a/\u{1}", "z", "\u{e4}"].map(PathBuf::from).to_vec();
        let index = Index::of(paths.iter().map(|path| (path.clone(), file())).collect()).unwrap();
        paths.sort();
        let sorted: Vec<_> = index.nodes.iter().skip(1).map(|(path, _)| path.clone()).collect();
        assert_eq!(sorted, paths);
        assert_eq!(Index::of(vec![("a/z".into(), file()), ("a/z".into(), file())]).unwrap_err(), Path::new("a/z"));
    }
}
