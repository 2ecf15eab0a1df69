//! What an image is made of: finds the packages in its file system and writes them down as an SPDX 2.3 document.
//!
//! [`scan`] walks the merged file system of an image once and asks each kind's parser: dpkg, apk and rpm databases, npm and
//! Python packages, the module lists inside Go binaries. [`document`] turns what was found into JSON. All of it was written by
//! whoever built the image: nothing is executed, no link leads out of the root, everything read has a limit, and a file that
//! makes no sense costs its own packages and no others.
//!
//! Everything here blocks: call it from a blocking thread.
#![forbid(unsafe_code)]

mod apk;
mod collect;
mod dpkg;
mod elf;
mod fields;
mod files;
mod golang;
mod licence;
mod npm;
mod package;
mod python;
mod release;
mod rpm;
mod scan;
mod spdx_document;
mod walk;

pub use collect::Collector;
pub use package::{Kind, Package};
pub use scan::{Inventory, Limits, scan};
pub use spdx_document::{Subject, document};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("looking through the image's files took longer than {0} seconds")]
    Timeout(u64),
    #[error("the image has more than {0} files and directories")]
    TooManyEntries(u64),
    #[error("the image's file system cannot be read")]
    Io(#[from] std::io::Error),
}
