//! Reading and writing control files.
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Control files take a value in a single write and must exist already.
pub(crate) fn write(path: &Path, value: &str) -> Result<()> {
    let outcome = fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(value.as_bytes()));
    outcome.map_err(|source| Error::Write { path: path.into(), value: value.into(), source })
}

pub(crate) fn read_u64(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The value behind `key ` in a "flat keyed" file.
pub(crate) fn read_keyed(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
