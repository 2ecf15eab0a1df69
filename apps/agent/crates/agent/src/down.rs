//! `slipway-agent down`: takes away what an agent left on this host when it was killed, or stopped with SIGTERM: its
//! containers' processes, control groups, bridge and rules. What is in the data root stays, and the next agent brings
//! the containers back that are to run. Works also when the data root is gone, because everything is named after it.
use std::path::{Path, PathBuf};

use anyhow::Context;
use slipway_cgroups::Groups;

use crate::instance::instance_of;
use crate::state::lock;

pub fn run(data_root: &Path) -> anyhow::Result<()> {
    let data_root = canonical(data_root)?;
    // An agent that lives takes itself down, and better.
    let _lock = if data_root.is_dir() { Some(lock(&data_root)?) } else { None };
    let instance = instance_of(&data_root);
    // All, whatever becomes of the first: a part is better than nothing.
    let groups = Groups::find(&instance).and_then(|groups| groups.remove_all()).context("cannot remove the control groups");
    let network = slipway_net::remove(&instance).context("cannot remove the network");
    let volumes = crate::volumes::unmount_all(&data_root).context("cannot unmount the volumes");
    groups.and(network).and(volumes)
}

/// As the agent names its instance; of a folder that is gone, its parent's real path and its name.
fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    let failed = || format!("cannot find {}", path.display());
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let path = std::path::absolute(path).with_context(failed)?;
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => Ok(canonical(parent)?.join(name)),
                _ => Err(error).with_context(failed),
            }
        }
        other => other.with_context(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_folder_that_is_gone_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        assert_eq!(canonical(&real.join("link/gone/agent")).unwrap(), real.join("gone/agent"));
        std::fs::create_dir_all(real.join("gone/agent")).unwrap();
        assert_eq!(canonical(&real.join("link/gone/agent")).unwrap(), real.join("gone/agent"));
    }
}
