//! A further process in a running container.
//!
//! A helper process joins the container's namespaces and clones the program with `CLONE_PARENT`: the program is inside
//! the container's pid namespace and yet a child of the shim, which so learns its exit code.
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};
use slipway_sys as sys;
use slipway_sys::process::Forked;

use crate::init::{self, FromInit, Stage, Step, process, terminal};
use crate::spec::{LaunchSpec, Process};
use crate::users::Joining;

/// What runs; travels in a memfd.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecSpec {
    pub process: Process,
}

/// Says its pid to the shim before it becomes the program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Born {
    pub pid: i32,
}

/// In the helper process. Never returns.
pub(super) fn run(
    container: &LaunchSpec,
    init_pidfd: BorrowedFd<'_>,
    exec: &ExecSpec,
    sync: OwnedFd,
    stdio: Option<[OwnedFd; 3]>,
    seccomp: Option<Vec<u8>>,
) -> ! {
    let joined = join(container, init_pidfd).and_then(|()| users(container, init_pidfd));
    let error = match joined.and_then(|users| clone_program(exec, &sync, stdio, seccomp, users)) {
        Ok(()) => sys::process::exit_now(0),
        Err(error) => error,
    };
    init::fail(&sync, &error)
}

fn join(container: &LaunchSpec, init_pidfd: BorrowedFd<'_>) -> Step<()> {
    sys::signal::reset_all().stage("reset signals")?;
    sys::process::set_dumpable(false).stage("hide the helper")?;
    let v2 = container.cgroup.born_into.iter().map(|dir| dir.join("cgroup.procs"));
    for procs in container.cgroup.procs.iter().cloned().chain(v2) {
        let joined = File::options().write(true).open(&procs).and_then(|mut file| file.write_all(b"0"));
        joined.stage(&format!("join the control group {}", procs.display()))?;
    }
    let names = &container.namespaces;
    let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWNET;
    for (host, flag) in [
        (names.pid_host, libc::CLONE_NEWPID),
        (names.ipc_host, libc::CLONE_NEWIPC),
        (names.uts_host, libc::CLONE_NEWUTS),
        (names.cgroup_host, libc::CLONE_NEWCGROUP),
    ] {
        if !host {
            flags |= flag;
        }
    }
    // Joining the mount namespace also takes over the container's root.
    sys::process::setns(init_pidfd, flags).stage("join the container")
}

/// Joined as the very last, by the program itself.
fn users(container: &LaunchSpec, init_pidfd: BorrowedFd<'_>) -> Step<Option<Joining>> {
    let Some(users) = &container.users else { return Ok(None) };
    let namespace = init_pidfd.try_clone_to_owned().stage("hold the container")?;
    Ok(Some(Joining { ids: users.ids, namespace, first: false, own_name: false }))
}

fn clone_program(
    exec: &ExecSpec,
    sync: &OwnedFd,
    stdio: Option<[OwnedFd; 3]>,
    seccomp: Option<Vec<u8>>,
    users: Option<Joining>,
) -> Step<()> {
    match sys::process::clone3(libc::CLONE_PARENT as u64, None).stage("fork into the container")? {
        Forked::Parent { pid, pidfd: _ } => {
            let message = serde_json::to_vec(&Born { pid: pid.as_raw() }).stage("tell the pid")?;
            sys::fdpass::send(sync.as_fd(), &message, &[]).stage("tell the pid")
        }
        Forked::Child => match program(exec, sync, stdio, seccomp, users) {
            Ok(never) => match never {},
            Err(error) => init::fail(sync, &error),
        },
    }
}

fn program(
    exec: &ExecSpec,
    sync: &OwnedFd,
    stdio: Option<[OwnedFd; 3]>,
    seccomp: Option<Vec<u8>>,
    users: Option<Joining>,
) -> Step<std::convert::Infallible> {
    let stdio = match stdio {
        Some(stdio) => stdio,
        None => {
            let terminal = terminal::open_inside()?;
            terminal::hand_over(sync, terminal.master)?;
            let copy = || terminal.slave.try_clone().stage("copy the terminal");
            [copy()?, copy()?, terminal.slave]
        }
    };
    process::become_program(&exec.process, stdio, sync, seccomp, false, users)
}

/// One message of the helper or the program.
pub(super) enum FromExec {
    Born(i32),
    Init(FromInit),
}

pub(super) fn parse(message: &[u8]) -> Option<FromExec> {
    if let Ok(born) = serde_json::from_slice::<Born>(message) {
        return Some(FromExec::Born(born.pid));
    }
    serde_json::from_slice(message).ok().map(FromExec::Init)
}
