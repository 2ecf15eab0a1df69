//! Several agents may run side by side on one host; everything they name globally (bridge, cgroups, nftables table)
//! carries 8 hex digits derived from the data root.
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// First 8 hex digits of the SHA-256 of the canonical data root.
pub fn instance_of(canonical_data_root: &Path) -> String {
    let mut text = hex::encode(Sha256::digest(canonical_data_root.as_os_str().as_bytes()));
    text.truncate(8);
    text
}
