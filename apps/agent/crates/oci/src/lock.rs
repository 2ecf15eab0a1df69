//! One call at a time may create, start or delete a container. The lock is on the container's directory itself, so it needs no
//! file that could be left behind, and the kernel drops it with the process that held it.
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{During, Error, Result};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _dir: File,
}

/// Waits for others to finish, for a minute at most.
pub fn take(dir: &Path) -> Result<Lock> {
    let end = Instant::now() + PATIENCE;
    loop {
        let file = match File::open(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::NoSuchContainer),
            other => other.during("lock the container")?,
        };
        match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            // Deleted, and maybe made anew, while we waited?
            Ok(()) if same(&file, dir) => return Ok(Lock { _dir: file }),
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Told("another call is at work on this container".into())),
            Err(error) => return Err(error).during("lock the container"),
        }
    }
}

fn same(file: &File, dir: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(dir)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether some call holds the lock right now.
pub fn is_held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir) else { return false };
    flock(file.as_fd(), FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}
