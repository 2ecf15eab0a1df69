//! Copies a directory's content, with owners and modes, following no link.
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown, lchown, symlink};
use std::path::Path;

/// Deeper than any sane tree; each level is a call on the stack.
const DEEPEST: usize = 200;

pub fn tree(from: &Path, to: &Path) -> io::Result<()> {
    level(from, to, 0)
}

fn level(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("the directory to copy is too deep"));
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::symlink_metadata(&source)?;
        let kind = meta.file_type();
        if kind.is_dir() {
            fs::create_dir(&target)?;
            level(&source, &target, depth + 1)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            let mut copy = fs::File::create_new(&target)?;
            io::copy(&mut fs::File::open(&source)?, &mut copy)?;
            fchown(&copy, Some(meta.uid()), Some(meta.gid()))?;
        } else {
            continue; // nodes and sockets mean nothing in another place
        }
        lchown(&target, Some(meta.uid()), Some(meta.gid()))?;
        if !kind.is_symlink() {
            fs::set_permissions(&target, fs::Permissions::from_mode(meta.mode() & 0o7777))?;
        }
    }
    Ok(())
}
