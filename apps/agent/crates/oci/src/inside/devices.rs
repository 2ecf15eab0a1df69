//! Device nodes: those every container has, then the config's.
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use slipway_runtime::inside::{DEVICES, LINKS, Root, Stage, Step, attach, clone_mount};

use crate::config::Mount;
use crate::config::linux::Device;

/// With somebody else's `/dev` bound in, nothing is made in it.
pub fn are_ours(mounts: &[Mount]) -> bool {
    let bound = |mount: &Mount| mount.kind == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind");
    !mounts.iter().any(|mount| mount.destination.trim_end_matches('/') == "/dev" && bound(mount))
}

/// In a user namespace nodes cannot be made, so the host's are bound in (`bind`).
pub fn make_all(devices: &[Device], root: &Root, bind: bool) -> Step<()> {
    let dev = root.make_dir("/dev").stage("make /dev")?;
    for (name, major, minor) in DEVICES {
        let (path, kind) = (format!("/dev/{name}"), "c".to_owned());
        if devices.iter().any(|device| device.path == path) {
            continue;
        }
        let file_mode = Some(0o666);
        one(&Device { kind, path, major: major.into(), minor: minor.into(), file_mode, uid: None, gid: None }, root, bind)?;
    }
    for device in devices {
        one(device, root, bind)?;
    }
    links(&dev)
}

fn links(dev: &OwnedFd) -> Step<()> {
    for (target, name) in LINKS {
        if name == "core" && !Path::new("/proc/kcore").exists() {
            continue;
        }
        // The terminals' multiplexer must be that of the container's own devpts, whatever the image has there.
        if name == "ptmx" {
            let _ = rustix::fs::unlinkat(dev, name, AtFlags::empty()); // not there, usually
        }
        match rustix::fs::symlinkat(target, dev, name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).stage(&format!("link /dev/{name}")),
        }
    }
    Ok(())
}

fn one(device: &Device, root: &Root, bind: bool) -> Step<()> {
    let stage = format!("make the device {}", device.path);
    let (dir, name) = device.path.rsplit_once('/').ok_or("it is not absolute").stage(&stage)?;
    if name.is_empty() || name == "." || name == ".." {
        return Err("it has no name").stage(&stage);
    }
    if bind {
        let host = rustix::fs::open(device.path.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).stage(&stage)?;
        let tree = clone_mount(&host, false).stage(&stage)?;
        return attach(&tree, &root.make_file(&device.path).stage(&stage)?).stage(&stage);
    }
    let dir = root.make_dir(dir).stage(&stage)?;
    let kind = match device.kind.as_str() {
        "b" => FileType::BlockDevice,
        "p" => FileType::Fifo,
        _ => FileType::CharacterDevice,
    };
    let number = |value: i64| u32::try_from(value).stage(&stage);
    let node = rustix::fs::makedev(number(device.major)?, number(device.minor)?);
    let mode = Mode::from_raw_mode(device.file_mode.unwrap_or(0o666) & 0o7777);
    match rustix::fs::mknodat(&dir, name, kind, mode, node) {
        // The image's, or one named twice; the device rules hold for it just as well.
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        other => other.stage(&stage)?,
    }
    let (uid, gid) = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    rustix::fs::chownat(&dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).stage(&stage)?;
    Ok(())
}
