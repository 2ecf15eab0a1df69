//! What COPY copies from.
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::OFlags;

use crate::select::{Entry, Files, xattrs};
use crate::tree::Tree;

/// Where copied files come from.
pub trait Origin: Files {
    /// Opens a regular file. `path` is where it lies, without links.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self, path: &Path, entry: &Entry) -> io::Result<File>;

    /// What is not in [`Entry`] and travels with a file that is open.
    ///
    /// # Errors
    /// What the file system says.
    fn xattrs(&self, file: &File) -> io::Result<Vec<(OsString, Vec<u8>)>> {
        xattrs(file)
    }
}

impl Origin for Tree {
    fn open(&self, path: &Path, _entry: &Entry) -> io::Result<File> {
        Ok(self.open_at(path, OFlags::RDONLY | OFlags::NOFOLLOW)?.into())
    }
}
