//! Stopping every process of a group where it stands, and letting them go on.
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::file::{read_keyed, write};
use crate::group::{Group, subdirs};

/// How long the processes may take to stop; one that waits for a disk in the kernel stops when the disk has answered.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// v1: a process that is about to start a program keeps the group "freezing"; letting all go on for a moment helps.
const BEGIN_ANEW_EVERY: u32 = 50;

const V1: &str = "freezer.state";
const V2: &str = "cgroup.freeze";

impl Group {
    fn freezer(&self) -> Result<PathBuf> {
        self.dir("freezer").ok_or(Error::NoController("pausing"))
    }

    /// Returns when every process stands still. What cannot be stopped in time goes on as before. Blocking.
    pub fn freeze(&self) -> Result<()> {
        let dir = self.freezer()?;
        let end = Instant::now() + PATIENCE;
        let mut looks = 0;
        self.order(&dir, true)?;
        while !self.frozen() {
            if Instant::now() > end {
                self.thaw()?;
                let source = IoError::new(ErrorKind::TimedOut, "its processes do not stop");
                return Err(Error::Freeze { path: dir, source });
            }
            std::thread::sleep(LOOK_EVERY);
            looks += 1;
            if !self.is_v2() && looks % BEGIN_ANEW_EVERY == 0 {
                self.order(&dir, false)?;
                std::thread::sleep(LOOK_EVERY);
                self.order(&dir, true)?;
            }
        }
        Ok(())
    }

    /// Lets the processes go on; fine when they do, or when the group is gone. Blocking, for a moment.
    pub fn thaw(&self) -> Result<()> {
        match self.order(&self.freezer()?, false) {
            Err(Error::Write { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn order(&self, dir: &Path, freeze: bool) -> Result<()> {
        match self.is_v2() {
            true => write(&dir.join(V2), if freeze { "1" } else { "0" }),
            false => write(&dir.join(V1), if freeze { "FROZEN" } else { "THAWED" }),
        }
    }

    /// True when every process stands still.
    pub fn frozen(&self) -> bool {
        let Ok(dir) = self.freezer() else { return false };
        match self.is_v2() {
            true => read_keyed(&dir.join("cgroup.events"), "frozen") == Some(1),
            false => fs::read_to_string(dir.join(V1)).is_ok_and(|state| state.trim() == "FROZEN"),
        }
    }
}

/// Lets everything below `dir` go on: what stands still cannot die. On v1 that is for the freezer's hierarchy to say, and
/// in all others nothing is done.
pub(crate) fn thaw_below(dir: &Path) {
    for (name, value) in [(V1, "THAWED"), (V2, "0")] {
        if let Err(error) = fs::metadata(dir.join(name)).and_then(|_| fs::write(dir.join(name), value)) {
            tracing::trace!(%error, dir = %dir.display(), "nothing to thaw");
        }
    }
    subdirs(dir).iter().for_each(|child| thaw_below(child));
}
