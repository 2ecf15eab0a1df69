//! Groups at a path of the caller's choice, outside of any instance's subtree: what an OCI bundle asks for.
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::devices::{self, DeviceRule};
use crate::error::Result;
use crate::file::write;
use crate::group::{Group, enable_controllers, make, remove_dir};
use crate::layout::Layout;

impl Group {
    /// The group at `relative`, below the mount point of every hierarchy of this host. `..` has no meaning in it.
    pub fn at(relative: &Path) -> Result<Self> {
        let relative = relative.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect();
        Ok(Self { layout: Layout::detect_all()?, relative })
    }

    pub fn relative(&self) -> &Path {
        &self.relative
    }

    /// Mount point and controllers of each hierarchy; of v2 the one, without controllers.
    pub fn hierarchies(&self) -> Vec<(PathBuf, Vec<String>)> {
        match &self.layout {
            Layout::V2 { mount } => vec![(mount.clone(), Vec::new())],
            Layout::V1(hierarchies) => hierarchies.iter().map(|h| (h.mount.clone(), h.controllers.clone())).collect(),
        }
    }

    /// The group's own directory in each hierarchy.
    pub fn directories(&self) -> Vec<PathBuf> {
        self.dirs()
    }

    /// Directories that `make_with_parents` would make now, parents before children.
    pub fn missing(&self) -> Vec<PathBuf> {
        let mut missing = Vec::new();
        for (mount, _) in self.hierarchies() {
            missing.extend(self.steps(&mount).into_iter().filter(|dir| !dir.exists()));
        }
        missing
    }

    /// From just below the mount point down to the group.
    fn steps(&self, mount: &Path) -> Vec<PathBuf> {
        let mut dir = mount.to_owned();
        self.relative
            .components()
            .map(|part| {
                dir.push(part);
                dir.clone()
            })
            .collect()
    }

    /// Makes the group and the groups above it where they are missing.
    pub fn make_with_parents(&self) -> Result<()> {
        for (mount, controllers) in self.hierarchies() {
            for dir in self.steps(&mount) {
                if self.is_v2() {
                    dir.parent().into_iter().for_each(enable_controllers);
                }
                make(&dir)?;
                if controllers.iter().any(|name| name == "cpuset") {
                    fill_cpuset(&dir)?;
                }
            }
        }
        Ok(())
    }

    /// Moves a process in.
    pub fn add(&self, pid: i32) -> Result<()> {
        self.dirs().iter().try_for_each(|dir| write(&dir.join("cgroup.procs"), &pid.to_string()))
    }

    /// Writes a control file as it is called in the kernel.
    pub fn set(&self, controller: &str, file: &str, value: &str) -> Result<()> {
        let dir = self.dir(controller).ok_or(crate::Error::NoController("what was asked for"))?;
        write(&dir.join(file), value)
    }

    /// Says which devices a new group may use: later rules win, and what no rule is about may be used.
    pub fn set_devices(&self, rules: &[DeviceRule]) -> Result<()> {
        let dir = self.dir("devices").ok_or(crate::Error::NoController("devices"))?;
        devices::set(&dir, self.is_v2(), rules)
    }

    /// Removes `dirs` (of this group's parents), children first, where nobody else has put anything meanwhile.
    pub fn remove_made(dirs: &[PathBuf]) {
        for dir in dirs.iter().rev() {
            if let Err(error) = remove_dir(dir, Duration::ZERO) {
                tracing::debug!(%error, "somebody else uses it");
            }
        }
    }
}

/// On v1 a new cpuset is empty, and no process may enter it.
fn fill_cpuset(dir: &Path) -> Result<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let own = dir.join(name);
        if std::fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty()) {
            let above = dir.parent().and_then(|parent| std::fs::read_to_string(parent.join(name)).ok()).unwrap_or_default();
            write(&own, above.trim())?;
        }
    }
    Ok(())
}
