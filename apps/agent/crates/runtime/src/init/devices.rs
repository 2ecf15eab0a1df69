//! Device nodes that a container was given. Here they are only made: whether they can be opened is its control group's to say.
use rustix::fs::{FileType, Gid, Mode, Uid};
use rustix::io::Errno;

use super::root::Root;
use super::{Stage, Step};
use crate::spec::{Device, IdRange};

/// After `/dev` is there. Paths elsewhere are made in the image's tree, within its root.
pub(super) fn make_all(devices: &[Device], ids: Option<IdRange>, root: &Root) -> Step<()> {
    devices.iter().try_for_each(|device| make(device, ids, root).stage(&format!("make the device {}", device.path)))
}

fn make(device: &Device, ids: Option<IdRange>, root: &Root) -> Result<(), Errno> {
    let (parent, name) = device.path.rsplit_once('/').ok_or(Errno::INVAL)?;
    if matches!(name, "" | "." | "..") {
        return Err(Errno::INVAL);
    }
    let parent = root.make_dir(parent)?;
    let kind = if device.block { FileType::BlockDevice } else { FileType::CharacterDevice };
    let number = rustix::fs::makedev(device.major, device.minor);
    let node = || rustix::fs::mknodat(&parent, name, kind, Mode::from_raw_mode(device.mode & 0o7777), number);
    match node() {
        // One of the usual nodes, or of the image: what was asked for takes its place.
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(&parent, name, rustix::fs::AtFlags::empty())?;
            node()?;
        }
        other => other?,
    }
    // Who owns it on the host owns it in the container; whom the container does not know leaves it to root.
    let (uid, gid) = match ids {
        Some(ids) => (ids.host_uid(device.uid).unwrap_or(ids.uid), ids.host_gid(device.gid).unwrap_or(ids.gid)),
        None => (device.uid, device.gid),
    };
    rustix::fs::chownat(&parent, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}
