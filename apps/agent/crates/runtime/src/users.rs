//! User namespaces: a container's root that is nobody to the host.
//!
//! Such a namespace, and the network namespace that belongs to it (so that its root may use it), are made before anything
//! else of the container, by a process that does nothing but be their first member while its parent maps the ids. The
//! container's init joins the user namespace last, when all that takes power over the host is done.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::CloneFlags;
use rustix::pipe::PipeFlags;
use slipway_sys as sys;
use slipway_sys::process::Forked;

use crate::init::{EXIT_ENGINE, Stage, Step, StepError};
use crate::spec::IdRange;
use crate::wire::Event;

pub(crate) enum Wanted {
    Both(IdRange),
    /// In this user namespace.
    Network(OwnedFd),
}

/// In a fork of the spawner: makes namespaces, hands them over and ends.
pub(crate) fn serve(wanted: Wanted, socket: &OwnedFd) -> ! {
    let made = match wanted {
        Wanted::Both(ids) => make(ids).map(Vec::from),
        Wanted::Network(users) => network(&users).map(|network| vec![network]),
    };
    let (event, namespaces) = match made {
        Ok(namespaces) => (Event::Made, namespaces),
        Err(StepError { stage, message, exit_code }) => (Event::Failed { stage, message, exit_code }, Vec::new()),
    };
    let fds: Vec<_> = namespaces.iter().map(AsFd::as_fd).collect();
    if let Ok(message) = serde_json::to_vec(&event) {
        let _ = sys::fdpass::send(socket.as_fd(), &message, &fds); // at worst the daemon that asked is gone
    }
    sys::process::exit_now(0)
}

fn make(ids: IdRange) -> Step<[OwnedFd; 2]> {
    let (end, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).stage("make a pipe")?;
    match sys::process::clone3((libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as u64, None).stage("make a user namespace")? {
        Forked::Child => {
            drop(ours);
            let _ = rustix::io::read(&end, &mut [0u8; 1][..]); // until the parent has what it wants, or is gone
            sys::process::exit_now(EXIT_ENGINE)
        }
        Forked::Parent { pid, pidfd: _ } => {
            let of_member = |name: &str| format!("/proc/{pid}/{name}");
            for (name, first) in [("uid_map", ids.uid), ("gid_map", ids.gid)] {
                // In one write, as the kernel wants it.
                std::fs::write(of_member(name), format!("0 {first} {}\n", ids.count)).stage("map the ids of the user namespace")?;
            }
            let open = |name: &str| File::open(of_member(name)).map(OwnedFd::from).stage("hold the user namespace");
            Ok([open("ns/user")?, open("ns/net")?])
        }
    }
}

fn network(users: &OwnedFd) -> Step<OwnedFd> {
    let stage = "make a network namespace for other users";
    sys::process::setns(users.as_fd(), libc::CLONE_NEWUSER).stage(stage)?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNET).stage(stage)?;
    File::open("/proc/self/ns/net").map(OwnedFd::from).stage(stage)
}

/// What a process needs to become one of the container's users.
pub(crate) struct Joining {
    pub ids: IdRange,
    /// The user namespace, or a process in it.
    pub namespace: OwnedFd,
    /// The first process: the mount namespace (and `own_name`: the UTS namespace) it made as the host's root becomes the
    /// container's, with every mount locked in its place.
    pub first: bool,
    pub own_name: bool,
}

impl Joining {
    /// From here on root is the container's, and its capabilities mean nothing to the host.
    pub fn join(&self) -> Step<()> {
        sys::process::setns(self.namespace.as_fd(), libc::CLONE_NEWUSER).stage("join the user namespace")?;
        if !self.first {
            return Ok(());
        }
        let mut own = CloneFlags::CLONE_NEWNS;
        own.set(CloneFlags::CLONE_NEWUTS, self.own_name);
        nix::sched::unshare(own).stage("hand the mounts over to the user namespace")
    }

    pub fn host_uid(&self, id: u32) -> Step<u32> {
        self.ids.host_uid(id).ok_or_else(|| unmapped("user", id, self.ids))
    }

    pub fn host_gid(&self, id: u32) -> Step<u32> {
        self.ids.host_gid(id).ok_or_else(|| unmapped("group", id, self.ids))
    }
}

fn unmapped(what: &str, id: u32, ids: IdRange) -> StepError {
    let last = ids.count - 1;
    StepError {
        stage: "find the user".into(),
        message: format!("the {what} {id} is not one of the container's, which are 0 to {last} (its user namespace has no more)"),
        exit_code: EXIT_ENGINE,
    }
}

/// Shows the detached `mount` with the container's owners.
pub(crate) fn show_owners(mount: &OwnedFd, namespace: &OwnedFd) -> io::Result<()> {
    match sys::mount::set_owners(mount.as_fd(), namespace.as_fd()) {
        // The kernel's word for a file system that has no idmapped mounts.
        Err(sys::Errno::EINVAL) => {
            Err(io::Error::other("its file system cannot show other owners (idmapped mounts); run the container with --userns=host"))
        }
        other => other.map_err(io::Error::from),
    }
}
