//! A tar reader and writer for layers. Own code, because layers are hostile: every allocation here has a limit, and header
//! fields mean what they mean to the other engines (Go's archive/tar), or images would unpack differently than elsewhere.

mod header;
mod pax;
mod reader;
mod sparse;
mod writer;

pub(crate) use reader::TarReader;
pub(crate) use writer::TarWriter;

pub(crate) const BLOCK: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    HardLink,
    Symlink,
    Char,
    Block,
    Directory,
    Fifo,
}

/// One entry's metadata. Names are raw bytes as in the archive; nothing about them was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Apparent size of a file.
    pub size: u64,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
    pub device: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Offset and length of the pieces that hold data; `None` for a dense file.
    pub sparse: Option<Vec<(u64, u64)>>,
}
