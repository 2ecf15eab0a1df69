//! Cloning a process into other namespaces.
//!
//! A helper process enters the namespaces that exist and clones the wanted process with `CLONE_PARENT`: so that is inside of
//! them, also of a process namespace, and yet a child of this call.
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::fs::{CWD, Mode, OFlags};
use slipway_runtime::inside::{Stage, Step};
use slipway_sys as sys;
use slipway_sys::process::Forked;

use crate::config::linux::{IdMapping, Linux, NAMESPACES, namespace_flag};
use crate::error::{During, Error, Result};
use crate::wire::{self, Message};

pub struct Child {
    pub pid: i32,
    pub sync: OwnedFd,
}

/// `join` runs in the helper, `inside` in the new process, which also gets new namespaces for `flags`.
pub fn launch(join: impl FnOnce() -> Step<()>, flags: i32, inside: impl FnOnce(OwnedFd)) -> Result<Child> {
    let (ours, theirs) = crate::socket::pair().during("make a socket")?;
    let helper = match sys::process::clone3(0, None).during("fork")? {
        Forked::Parent { pid, pidfd: _ } => pid,
        Forked::Child => {
            drop(ours);
            help(join, flags, inside, theirs)
        }
    };
    drop(theirs);
    let born = wire::receive(&ours, Some(wire::PATIENCE));
    let reaped = reap(helper);
    match born? {
        Some((Message::Born { pid }, _)) => Ok(Child { pid, sync: ours }),
        Some((Message::Failed(error), _)) => Err(Error::Inside(error.message)),
        _ => Err(Error::Inside(format!("the helper ended without a word ({reaped:?})"))),
    }
}

fn help(join: impl FnOnce() -> Step<()>, flags: i32, inside: impl FnOnce(OwnedFd), sync: OwnedFd) -> ! {
    let cloned = join().and_then(|()| {
        let flags = (flags | libc::CLONE_PARENT) as u32;
        sys::process::clone3(u64::from(flags), None).stage("make the container's namespaces")
    });
    match cloned {
        Ok(Forked::Child) => {
            inside(sync);
            sys::process::exit_now(slipway_runtime::inside::EXIT_ENGINE)
        }
        Ok(Forked::Parent { pid, pidfd: _ }) => {
            let told = wire::send(&sync, &Message::Born { pid: pid.as_raw() }, &[]);
            sys::process::exit_now(i32::from(told.is_err()))
        }
        Err(error) => wire::fail(&sync, &error),
    }
}

/// Waits for the end of a child.
pub fn reap(pid: Pid) -> nix::Result<WaitStatus> {
    loop {
        match waitpid(pid, None) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// The namespaces to make. A cgroup namespace is made from inside, once the process is in its group.
pub fn new_flags(linux: &Linux) -> i32 {
    let new = linux.namespaces.iter().filter(|namespace| namespace.given().is_none() && namespace.kind != "cgroup");
    new.filter_map(|namespace| namespace_flag(&namespace.kind)).fold(0, |flags, flag| flags | flag)
}

/// A namespace that exists: its descriptor and kind.
pub type Given = Vec<(OwnedFd, i32)>;

/// Opens the namespaces given by path, and sees that each is what it is said to be.
pub fn open_given(linux: &Linux) -> Result<Given> {
    let mut given = Vec::new();
    for namespace in &linux.namespaces {
        let (Some(path), Some(flag)) = (namespace.given(), namespace_flag(&namespace.kind)) else { continue };
        let what = format!("open the {} namespace {}", namespace.kind, path.display());
        let fd = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).during(&what)?;
        given.push((fd, flag));
    }
    // The mount namespace comes last: the paths of the others are of this one.
    given.sort_by_key(|(_, flag)| *flag == libc::CLONE_NEWNS);
    Ok(given)
}

/// Namespaces owned by a user namespace among them can only be joined from within it, those of the host only from outside.
pub fn join_given(given: &Given) -> Step<()> {
    let (users, others): (Vec<_>, Vec<_>) = given.iter().partition(|(_, flag)| *flag == libc::CLONE_NEWUSER);
    let join = |(fd, flag): &(OwnedFd, i32)| {
        let name = NAMESPACES.iter().find(|(_, _, known)| known == flag).map_or("", |(name, _, _)| name);
        sys::process::setns(fd.as_fd(), *flag).stage(&format!("join the {name} namespace"))
    };
    let left: Vec<_> = match users.is_empty() {
        true => others,
        false => others.into_iter().filter(|one| join(one).is_err()).collect(),
    };
    users.into_iter().try_for_each(join)?;
    left.into_iter().try_for_each(join)
}

/// Writes the id mappings of a process in a new user namespace.
pub fn map_ids(pid: i32, linux: &Linux) -> Result<()> {
    for (file, mappings) in [("uid_map", &linux.uid_mappings), ("gid_map", &linux.gid_mappings)] {
        let line = |m: &IdMapping| format!("{} {} {}\n", m.container_id, m.host_id, m.size);
        let text: String = mappings.iter().map(line).collect();
        std::fs::write(format!("/proc/{pid}/{file}"), text).during(&format!("write {file}"))?;
    }
    Ok(())
}
