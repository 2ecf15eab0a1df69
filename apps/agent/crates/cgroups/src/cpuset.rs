//! Which CPUs and memory nodes a group may use.
use std::path::Path;

use crate::Limits;
use crate::error::Result;
use crate::file::write;

pub(crate) fn apply(dir: &Path, limits: &Limits) -> Result<()> {
    if let Some(cpus) = &limits.cpuset_cpus {
        write(&dir.join("cpuset.cpus"), cpus)?;
    }
    if let Some(mems) = &limits.cpuset_mems {
        write(&dir.join("cpuset.mems"), mems)?;
    }
    Ok(())
}

/// On v1 a new cpuset is empty and no process can enter it. With `cgroup.clone_children` set in the instance's
/// directory, the groups made beneath it inherit its values and need no writes of their own.
pub(crate) fn prepare_v1_parent(dir: &Path) -> Result<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let own = dir.join(name);
        if std::fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty()) {
            let inherited = dir.parent().and_then(|parent| std::fs::read_to_string(parent.join(name)).ok()).unwrap_or_default();
            write(&own, inherited.trim())?;
        }
    }
    write(&dir.join("cgroup.clone_children"), "1")
}
