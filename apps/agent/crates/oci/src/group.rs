//! The container's control group: where it is, and how it comes and goes.
use std::path::{Path, PathBuf};
use std::time::Duration;

use slipway_cgroups::Group;

use crate::config::Config;
use crate::error::Result;
use crate::state::Record;

/// How long dying processes may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Absolute paths of the config are below the mount point, as the spec says. Relative ones, and the default, are below a
/// directory of ours, so that they never land in somebody else's.
pub fn path(config: &Config, id: &str) -> PathBuf {
    let wanted = Path::new(&config.linux.cgroups_path);
    match (config.linux.cgroups_path.as_str(), wanted.is_absolute()) {
        ("", _) => Path::new("slipway-oci").join(id),
        (_, true) => wanted.to_owned(),
        (_, false) => Path::new("slipway-oci").join(wanted),
    }
}

/// Ends what is still in a group that was made for this container, and removes what was made.
pub fn remove(record: &Record) -> Result<()> {
    let group = Group::at(&record.cgroup)?;
    let own = group.directories().iter().any(|dir| record.cgroup_made.contains(dir));
    if own {
        group.kill();
        group.remove(PATIENCE)?;
    }
    Group::remove_made(&record.cgroup_made);
    Ok(())
}

/// Directory and controllers of each hierarchy.
pub fn directories(group: &Group) -> Vec<(PathBuf, Vec<String>)> {
    group.hierarchies().into_iter().map(|(mount, controllers)| (mount.join(group.relative()), controllers)).collect()
}
