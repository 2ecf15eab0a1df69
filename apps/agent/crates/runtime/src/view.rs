//! A container's files, as the container itself sees them, for a daemon that copies in and out.
//!
//! What runs is looked at through its own mount namespace; what does not is mounted, with its volumes, in a namespace of
//! its own. Either way a short-lived thread enters the namespace, opens its root directory and ends: nothing is executed
//! in there, no file of the image is loaded (CVE-2019-14271), and nothing is mounted where anybody else could see it. The
//! namespace lives as long as the [`View`], so even SIGKILL leaves nothing behind.
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::OpenTreeFlags;
use slipway_sys as sys;

use crate::error::{Error, Result};
use crate::init::{Stage, Step, StepError, mounts, root};
use crate::spec::LaunchSpec;

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The root file system with all that is mounted in it.
    Mounted,
    /// The root file system alone, as it would be exported.
    RootOnly,
}

/// The root directory of a container.
pub struct View {
    root: OwnedFd,
    /// Keeps the namespace, and so what is mounted beneath the root.
    _namespace: OwnedFd,
}

impl View {
    /// Of a running container. `shim` is the parent of `pid`: a process id that was given to somebody else meanwhile is
    /// noticed by its parent.
    ///
    /// # Errors
    /// When the container has ended.
    pub fn of_running(pid: i32, shim: i32, scope: Scope) -> Result<Self> {
        on_a_thread(move || {
            let namespace: OwnedFd = File::open(format!("/proc/{pid}/ns/mnt")).stage("find the container's files")?.into();
            // After the namespace is held: from here on it is this container's, or the check fails.
            if parent_of(pid) != Some(shim) {
                return Err("it has ended").stage("find the container's files");
            }
            unshare(CloneFlags::CLONE_FS).stage("prepare a thread")?;
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNS).stage("see the container's files")?;
            let root = match scope {
                Scope::Mounted => open_root()?,
                Scope::RootOnly => {
                    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
                    rustix::mount::open_tree(CWD, "/", flags).stage("open the container's root")?
                }
            };
            Ok(Self { root, _namespace: namespace })
        })
    }

    /// Of a container that does not run: mounts what a start would mount of `spec.mounts`, nothing of the kernel's. The
    /// caller sees to it that it is not started meanwhile: an upper directory takes one mount at a time.
    ///
    /// # Errors
    /// When something that is to be mounted is not there.
    pub fn of_stopped(spec: LaunchSpec) -> Result<Self> {
        on_a_thread(move || {
            unshare(CloneFlags::CLONE_NEWNS).stage("make a mount namespace")?;
            let namespace: OwnedFd = File::open("/proc/thread-self/ns/mnt").stage("hold the mount namespace")?.into();
            let root = root::mount(&spec, None)?;
            mounts::attach_all(&spec, &root, None)?;
            if spec.readonly_root {
                let fd = root.fd().as_fd();
                sys::mount::set_attributes(fd, c"", sys::mount::RDONLY, 0, 0, false).stage("make the root file system read-only")?;
            }
            // Lets go of the host's mounts, which would be busy for as long as the copy takes.
            root.enter().stage("enter the root file system")?;
            Ok(Self { root: open_root()?, _namespace: namespace })
        })
    }

    /// The root directory, to be opened beneath with `RESOLVE_IN_ROOT` only.
    pub fn root(&self) -> &OwnedFd {
        &self.root
    }
}

fn open_root() -> Step<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/", flags, Mode::empty()).stage("open the container's root")
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Namespaces and the root directory belong to a thread, and this one is not used for anything else.
fn on_a_thread(work: impl FnOnce() -> Step<View> + Send + 'static) -> Result<View> {
    let thread = std::thread::Builder::new().name("slipway-view".into()).spawn(work).map_err(Error::Launch)?;
    let seen = thread.join().map_err(|_| Error::Launch(std::io::Error::other("a thread ended early")))?;
    seen.map_err(|StepError { stage, message, exit_code }| Error::NotStarted { stage, message, exit_code })
}
