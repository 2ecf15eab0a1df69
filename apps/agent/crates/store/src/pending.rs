//! Content becomes visible before it is synced, so that a pull does not wait for the disk; this file keeps that safe.
//!
//! Before a blob or layer is renamed into place, an empty marker named after the boot id is made. A background thread
//! syncs the file system and removes the markers. After a crash of the machine (another boot id) every marked item is
//! checked or dropped; after a crash of the daemon only (same boot id) the page cache still holds the bytes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Digest, Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Blob,
    Layer,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Blob => "blob",
            Kind::Layer => "layer",
        }
    }
}

/// What a crash of the machine may have left half on disk.
#[derive(Debug, Default, Clone)]
pub struct Recovered {
    pub blobs: Vec<Digest>,
    pub layers: Vec<Digest>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: HashSet<PathBuf>,
    syncing: bool,
}

/// The markers of content that is not yet known to be on disk.
#[derive(Debug, Clone)]
pub struct Pending {
    dir: PathBuf,
    boot: String,
    queue: Arc<(Mutex<Queue>, Condvar)>,
}

/// One sync serves all that a pull brings: it begins when nothing more has come for `QUIET`, and not in the midst of the pull,
/// where it would take the processor from unpacking and wait for files that are still being written.
const QUIET: Duration = Duration::from_secs(1);
/// What never becomes quiet is synced this often.
const LONGEST: Duration = Duration::from_secs(5);

impl Pending {
    pub(crate) fn open(dir: PathBuf) -> Result<(Pending, Recovered)> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().replace('-', "");
        let pending = Pending { dir, boot, queue: Arc::default() };
        let recovered = pending.scan()?;
        Ok((pending, recovered))
    }

    fn scan(&self) -> Result<Recovered> {
        let mut recovered = Recovered::default();
        for entry in fs::read_dir(&self.dir).map_err(Error::io(&self.dir))? {
            let path = entry.map_err(Error::io(&self.dir))?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let mut parts = name.splitn(3, '.');
            let (boot, kind, hex) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
            let Ok(digest) = Digest::from_hex(hex) else { continue };
            if boot == Some(self.boot.as_str()) {
                self.enqueue(path);
            } else if kind == Some("blob") {
                recovered.blobs.push(digest);
            } else {
                recovered.layers.push(digest);
            }
        }
        Ok(recovered)
    }

    /// Forgets a marker of an earlier boot, once its item was checked or dropped.
    pub fn settle(&self, kind: Kind, digest: &Digest) -> Result<()> {
        let suffix = format!(".{}.{}", kind.word(), digest.hex());
        for entry in fs::read_dir(&self.dir).map_err(Error::io(&self.dir))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(&suffix) && !name.starts_with(&self.boot) {
                crate::record::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Marks an item that is about to be renamed into place, and sees to its sync. Call before the rename: journaling file
    /// systems commit the two in order.
    pub fn mark(&self, kind: Kind, digest: &Digest) -> Result<()> {
        let path = self.dir.join(format!("{}.{}.{}", self.boot, kind.word(), digest.hex()));
        File::create(&path).map_err(Error::io(&path))?;
        self.enqueue(path);
        Ok(())
    }

    /// Waits until everything marked so far is on disk; false after `timeout`.
    pub fn wait(&self, timeout: Duration) -> bool {
        let (lock, done) = &*self.queue;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |q: &mut Queue| q.syncing || !q.waiting.is_empty();
        done.wait_timeout_while(guard, timeout, busy).map(|(_, t)| !t.timed_out()).unwrap_or(false)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, marker: PathBuf) {
        let mut queue = self.queue();
        queue.waiting.insert(marker);
        if queue.syncing {
            return;
        }
        queue.syncing = true;
        let this = self.clone();
        // A thread per burst, not one for ever: a store that nobody writes to costs nothing.
        let started = std::thread::Builder::new().name("slipway-sync".into()).spawn(move || this.sync_until_empty());
        if let Err(error) = started {
            tracing::warn!(%error, "no thread for the background sync; the next write tries again");
            queue.syncing = false;
        }
    }

    /// Until nothing has been marked for `QUIET`, or for `LONGEST`.
    fn wait_for_quiet(&self) {
        let begun = Instant::now();
        let mut known = self.queue().waiting.len();
        while begun.elapsed() < LONGEST {
            std::thread::sleep(QUIET);
            let now = self.queue().waiting.len();
            if std::mem::replace(&mut known, now) == now {
                return;
            }
        }
    }

    fn sync_until_empty(&self) {
        loop {
            self.wait_for_quiet();
            let batch = std::mem::take(&mut self.queue().waiting);
            match File::open(&self.dir).and_then(|dir| rustix::fs::syncfs(&dir).map_err(Into::into)) {
                Ok(()) => batch.iter().for_each(|marker| {
                    let _ = fs::remove_file(marker);
                }),
                Err(error) => tracing::error!(%error, "the file system could not be synced; its content is checked at the next boot"),
            }
            let mut queue = self.queue();
            if queue.waiting.is_empty() {
                queue.syncing = false;
                self.queue.1.notify_all();
                return;
            }
        }
    }
}
