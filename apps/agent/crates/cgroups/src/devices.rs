//! Which device nodes may be opened (v1). Rules are inherited at creation, so they are written once per instance, on
//! the parent, and a container's start writes none.
//!
//! v2 has no control files for devices but an eBPF hook, which this version does not load: there the device nodes in
//! `/dev`, CAP_MKNOD in the container's user namespace and `nodev` mounts are what stands between.
use std::path::Path;

use crate::error::Result;
use crate::file::write;

/// Docker's default list: any node may be made, these may be opened.
const ALLOWED: [&str; 12] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",    // null
    "c 1:5 rwm",    // zero
    "c 1:7 rwm",    // full
    "c 1:8 rwm",    // random
    "c 1:9 rwm",    // urandom
    "c 5:0 rwm",    // tty
    "c 5:1 rwm",    // console
    "c 5:2 rwm",    // ptmx
    "c 136:* rwm",  // pts
    "c 10:200 rwm", // tun
];

pub(crate) fn restrict(dir: &Path) -> Result<()> {
    write(&dir.join("devices.deny"), "a")?;
    for rule in ALLOWED {
        write(&dir.join("devices.allow"), rule)?;
    }
    Ok(())
}
