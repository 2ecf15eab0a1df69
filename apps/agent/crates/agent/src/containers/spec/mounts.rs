//! The record's mount points as the runtime takes them.
use std::path::Path;

use slipway_runtime::spec::{Mount, MountKind, Propagation};

use super::bad;
use crate::containers::record::{self, MountPoint, Record};
use crate::error::ApiResult;

pub(super) fn mounts(record: &Record, dir: &Path) -> ApiResult<Vec<Mount>> {
    let mut mounts = Vec::new();
    for name in ["resolv.conf", "hosts", "hostname"] {
        let target = format!("/etc/{name}");
        if !record.mounts.iter().any(|mount| mount.destination == target) {
            mounts.push(Mount { target, kind: MountKind::bind(dir.join(name)), readonly: false });
        }
    }
    // Outer before inner, whatever order they were given in.
    let mut own: Vec<&MountPoint> = record.mounts.iter().collect();
    own.sort_by_key(|mount| mount.destination.split('/').filter(|part| !part.is_empty()).count());
    for mount in own {
        mounts.push(Mount { target: mount.destination.clone(), kind: kind(mount)?, readonly: mount.readonly });
    }
    Ok(mounts)
}

fn kind(mount: &MountPoint) -> ApiResult<MountKind> {
    if mount.kind == record::MountKind::Tmpfs {
        return Ok(MountKind::Tmpfs {
            size: mount.tmpfs_size,
            mode: mount.tmpfs_mode.unwrap_or(0o1777),
            exec: mount.tmpfs_exec,
            options: mount.tmpfs_options.clone(),
            suid: mount.tmpfs_suid,
            devices: mount.tmpfs_devices,
        });
    }
    let propagation = match mount.propagation.trim_start_matches('r') {
        "" | "private" => Propagation::Private,
        "slave" => Propagation::Slave,
        "shared" => Propagation::Shared,
        other => return Err(bad(format!("invalid mount propagation {other:?}"))),
    };
    Ok(MountKind::Bind {
        source: mount.source.clone(),
        recursive: mount.recursive,
        propagation,
        // Of a part there is nothing to be filled with what belongs to the whole.
        populate: mount.populate && mount.subpath.is_empty(),
        subpath: mount.subpath.clone(),
        only_top_readonly: mount.only_top_readonly,
        own: mount.kind == record::MountKind::Volume && !mount.bound,
    })
}
