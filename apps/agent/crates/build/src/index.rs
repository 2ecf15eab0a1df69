//! What a context holds, without its contents: enough to make every COPY's cache key, so that a build that changes
//! nothing writes no file.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::select::{Entry, Files};
use crate::tree::resolve_links;

/// Paths sort by component: what lies beneath a directory comes right behind it.
#[derive(Debug)]
pub struct Index {
    nodes: BTreeMap<PathBuf, Node>,
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

/// Why an entry does not fit into a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    Twice,
    /// Something that is not a directory lies on its path.
    Beneath,
}

impl Index {
    pub fn new() -> Self {
        Self { nodes: BTreeMap::from([(PathBuf::new(), Node::dir(0o755, (0, 0)))]) }
    }

    /// `path` has normal components only; empty for the root. Missing parents are directories.
    ///
    /// # Errors
    /// See [`Misfit`].
    pub fn add(&mut self, path: &Path, node: Node) -> Result<(), Misfit> {
        for parent in path.ancestors().skip(1) {
            match self.nodes.get(parent) {
                Some(known) if known.kind == FileType::Directory => break,
                Some(_) => return Err(Misfit::Beneath),
                None => {}
            }
        }
        if let Some(known) = self.nodes.get(path)
            && !(known.kind == FileType::Directory && node.kind == FileType::Directory)
        {
            return Err(Misfit::Twice);
        }
        for parent in path.ancestors().skip(1) {
            if self.nodes.contains_key(parent) {
                break;
            }
            self.nodes.insert(parent.to_path_buf(), Node::dir(0o755, (0, 0)));
        }
        self.nodes.insert(path.to_path_buf(), node);
        Ok(())
    }

    /// Entries, without the root.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    fn get(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(path.strip_prefix("/").unwrap_or(path))
    }
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
        let dir = dir.strip_prefix("/").unwrap_or(dir);
        let beneath = self.nodes.range::<Path, _>((Bound::Excluded(dir), Bound::Unbounded)).take_while(|(path, _)| path.starts_with(dir));
        let children = beneath.filter(|(path, _)| path.parent() == Some(dir));
        Ok(children.filter_map(|(path, node)| Some((path.file_name()?.to_os_string(), node.kind))).collect())
    }

    fn entries(&self, path: &Path) -> io::Result<Option<Vec<Entry>>> {
        let path = path.strip_prefix("/").unwrap_or(path);
        if !self.nodes.contains_key(path) {
            return Ok(None);
        }
        let all = self.nodes.range::<Path, _>((Bound::Included(path), Bound::Unbounded)).take_while(|(below, _)| below.starts_with(path));
        Ok(Some(all.map(|(below, node)| node.entry(below.strip_prefix(path).unwrap_or(below).to_path_buf())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Node {
        Node { kind: FileType::RegularFile, digest: Some([1; 32]), ..Node::dir(0o644, (1, 2)) }
    }

    #[test]
    fn says_what_a_directory_holds() {
        let mut index = Index::new();
        let link = Node { kind: FileType::Symlink, target: Some("/a".into()), ..file() };
        for (path, node) in [("a/b/c", file()), ("a.txt", file()), ("a/z", file()), ("l", link)] {
            index.add(Path::new(path), node).unwrap();
        }
        let names: Vec<_> = index.children(Path::new("/a")).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "z"]);
        let paths: Vec<_> = index.entries(Path::new("/a")).unwrap().unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["", "b", "b/c", "z"].map(PathBuf::from));
        assert_eq!(index.real_path(Path::new("/l/b")).unwrap(), Path::new("/a/b"));
        assert!(index.entries(Path::new("/gone")).unwrap().is_none());
        assert_eq!(index.add(Path::new("a.txt/x"), file()), Err(Misfit::Beneath));
        assert_eq!(index.add(Path::new("l/x"), file()), Err(Misfit::Beneath));
        assert_eq!(index.add(Path::new("a/z"), file()), Err(Misfit::Twice));
        assert_eq!(index.add(Path::new("a"), Node::dir(0o700, (0, 0))), Ok(()));
    }
}
