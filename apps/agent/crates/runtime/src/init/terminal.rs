//! A pseudo-terminal of the container's own `/dev/pts`, so that programs inside find it by name.
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, OFlags};
use rustix::mount::OpenTreeFlags;
use rustix::pty::OpenptFlags;
use slipway_sys as sys;

use super::filesystems::attach;
use super::root::Root;
use super::{FromInit, Stage, Step};

pub struct Terminal {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// For the container's first process, before it enters its root; also bound to `/dev/console`.
pub fn open(root: &Root) -> Step<Terminal> {
    let master = root.open("/dev/pts/ptmx", OFlags::RDWR | OFlags::NOCTTY).stage("open a terminal")?;
    let terminal = finish(master)?;
    let name = rustix::pty::ptsname(&terminal.master, Vec::new()).stage("name the terminal")?;
    let name = name.to_str().stage("name the terminal")?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let relative = name.trim_start_matches('/');
    let tree = rustix::mount::open_tree(root.fd(), relative, flags).stage("bind the console")?;
    let console = root.make_file("/dev/console").stage("make /dev/console")?;
    attach(&tree, &console).stage("bind the console")?;
    Ok(terminal)
}

/// For an exec, which already is inside.
pub fn open_inside() -> Step<Terminal> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    finish(rustix::fs::openat(CWD, "/dev/pts/ptmx", flags, rustix::fs::Mode::empty()).stage("open a terminal")?)
}

fn finish(master: OwnedFd) -> Step<Terminal> {
    rustix::pty::unlockpt(&master).stage("unlock the terminal")?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .stage("open the terminal's end")?;
    Ok(Terminal { master, slave })
}

/// Gives the master to the shim.
pub(crate) fn hand_over(sync: &OwnedFd, master: OwnedFd) -> Step<()> {
    let message = serde_json::to_vec(&FromInit::Terminal).stage("hand over the terminal")?;
    sys::fdpass::send(sync.as_fd(), &message, &[master.as_fd()]).stage("hand over the terminal")
}
