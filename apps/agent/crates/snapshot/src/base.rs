//! The mount points that every container needs, as one directory below all layers of its image. What an image has itself
//! covers it; what it lacks need not be made in each container's own upper directory, which costs a start five files and
//! directories, and the removal as many. It never becomes part of an image: layers are made from upper directories.
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::{Error, Result, tree};

const DIRECTORIES: [&str; 4] = ["dev", "etc", "proc", "sys"];
const FILES: [&str; 3] = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// Makes what is missing of it.
pub(crate) fn prepare(base: &Path) -> Result<()> {
    for path in [base.to_path_buf()].into_iter().chain(DIRECTORIES.map(|name| base.join(name))) {
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        tree::chmod(&path, 0o755)?;
    }
    for path in FILES.map(|name| base.join(name)) {
        // Not emptied: whoever wrote into it, if anybody could, must be seen.
        fs::OpenOptions::new().append(true).create(true).mode(0o644).open(&path).map_err(Error::io(&path))?;
        tree::chmod(&path, 0o644)?;
    }
    Ok(())
}
