//! What the first process of a container does between its birth and the bundle's program.
//!
//! The same rules as in `slipway_runtime`'s init hold: every path beneath the root is resolved by the kernel within it, mounts
//! are attached to descriptors, and until exec nobody inside may look at this process, which still is the agent's program.
mod cgroup;
mod copy;
mod devices;
pub mod identity;
mod mounts;
pub mod options;
pub mod program;
mod wait;

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use slipway_runtime::inside::{Root, Stage, Step, open_terminal, protect_paths};
use slipway_runtime::seccomp::custom::Compiled;
use slipway_sys as sys;

pub use self::options::known as mount_options;
use crate::config::{Config, Process};
use crate::hooks;
use crate::state::{Record, Status};
use crate::wire::{self, Message};

/// Everything the init needs; inherited by clone.
pub struct Plan {
    pub record: Record,
    /// Directory and controllers of each of its control groups.
    pub groups: Vec<(PathBuf, Vec<String>)>,
    pub seccomp: Option<Compiled>,
    pub listener: OwnedFd,
    pub preserve: i32,
}

/// Never returns.
pub fn run(plan: Plan, sync: OwnedFd) -> ! {
    // Who is told of a failure changes when somebody starts the container.
    let mut listener = sync;
    match build(plan, &mut listener) {
        Ok(never) => match never {},
        Err(error) => wire::fail(&listener, &error),
    }
}

/// The start of every process inside.
pub fn hide() -> Step<()> {
    sys::signal::reset_all().stage("reset signals")?;
    // A hook that does not read what it is told must not end us.
    sys::signal::ignore(libc::SIGPIPE);
    sys::process::set_dumpable(false).stage("hide the init")
}

fn build(mut plan: Plan, sync: &mut OwnedFd) -> Step<Infallible> {
    hide()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    plan.record.init = wire::await_go(sync)?;
    let config = &plan.record.config;
    let process = config.process.as_ref().ok_or("it is missing").stage("read the process")?;
    let terminal = self::surroundings(&plan, config, process, sync)?;
    program::find(process)?;
    let keep = [sync.as_fd(), plan.listener.as_fd()];
    let entered = program::prepare(process, terminal, plan.preserve, &keep)?;
    wire::send(sync, &Message::Ready, &[]).stage("tell that all is ready")?;
    *sync = wait::for_start(&plan.listener)?;
    let between = || {
        let state = plan.record.for_hook(Status::Created).stage("write the state")?;
        hooks::run_all("startContainer", &config.hooks.start_container, &state).stage("start")
    };
    program::become_it(process, entered, plan.seccomp.as_ref(), between)
}

/// Namespaces, mounts, devices, and the root; the terminal's end for the program.
fn surroundings(plan: &Plan, config: &Config, process: &Process, sync: &OwnedFd) -> Step<Option<OwnedFd>> {
    let linux = &config.linux;
    let userns = linux.has_namespace("user");
    if userns {
        sys::process::set_ids(0, 0, &[]).stage("become root of the user namespace")?;
        sys::process::set_dumpable(false).stage("hide the init")?;
    }
    if linux.has_new_namespace("cgroup") {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP).stage("make a cgroup namespace")?;
    }
    name(config)?;
    let root = match linux.has_namespace("mount") {
        true => mounts::root(&plan.record.rootfs, &linux.rootfs_propagation)?,
        false => mounts::root_on_host(&plan.record.rootfs)?,
    };
    let later = mounts::attach_all(&config.mounts, &plan.record.bundle, &plan.groups, &root)?;
    if devices::are_ours(&config.mounts) {
        devices::make_all(&linux.devices, &root, userns)?;
    }
    let terminal = match process.terminal {
        true => {
            let terminal = open_terminal(&root)?;
            wire::send(sync, &Message::Terminal, &[terminal.master.as_fd()]).stage("hand over the terminal")?;
            Some(terminal.slave)
        }
        false => None,
    };
    wire::send(sync, &Message::Mounted, &[]).stage("tell that all is mounted")?;
    wire::await_go(sync)?;
    let state = plan.record.for_hook(Status::Creating).stage("write the state")?;
    hooks::run_all("createContainer", &config.hooks.create_container, &state).stage("create")?;
    set_sysctls(config)?;
    mounts::finish(later)?;
    make_cwd(&process.cwd, &root)?;
    protect_paths(&linux.readonly_paths, &linux.masked_paths, &root)?;
    if config.root.as_ref().is_some_and(|root| root.readonly) {
        let set = sys::mount::set_attributes(root.fd().as_fd(), c"", sys::mount::RDONLY, 0, 0, false);
        set.stage("make the root file system read-only")?;
    }
    if linux.has_namespace("mount") {
        root.enter().stage("enter the root file system")?;
        propagate_root(&linux.rootfs_propagation)?;
    } else {
        rustix::process::fchdir(root.fd()).stage("enter the root file system")?;
        rustix::process::chroot(".").stage("enter the root file system")?;
    }
    if let Some(personality) = &linux.personality {
        let persona = if personality.domain == "LINUX32" { sys::process::PER_LINUX32 } else { 0 };
        sys::process::set_personality(persona).stage("set the personality")?;
    }
    Ok(terminal)
}

fn name(config: &Config) -> Step<()> {
    if !config.hostname.is_empty() {
        nix::unistd::sethostname(&config.hostname).stage("set the host name")?;
    }
    if !config.domainname.is_empty() {
        sys::process::set_domain_name(&config.domainname).stage("set the domain name")?;
    }
    match sys::process::new_session_keyring() {
        // Kernels without key rings have none to share.
        Ok(()) | Err(sys::Errno::ENOSYS | sys::Errno::EPERM) => Ok(()),
        Err(error) => Err(error).stage("make a session key ring"),
    }
}

/// `/proc/sys` of the host shows, and changes, the settings of the namespaces this process is in.
fn set_sysctls(config: &Config) -> Step<()> {
    for (name, value) in &config.linux.sysctl {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::write(&path, value).stage(&format!("set sysctl {name}"))?;
    }
    Ok(())
}

fn make_cwd(cwd: &str, root: &Root) -> Step<()> {
    match root.make_dir(cwd) {
        // Entering it will tell what is wrong.
        Ok(_) | Err(rustix::io::Errno::ROFS | rustix::io::Errno::ACCESS | rustix::io::Errno::NOTDIR) => Ok(()),
        Err(error) => Err(error).stage(&format!("make the working directory {cwd}")),
    }
}

/// What the config wants of the root itself, now that nothing of the host is beneath it.
fn propagate_root(wanted: &str) -> Step<()> {
    let (kind, recursive) = match wanted.strip_prefix('r') {
        Some(kind) => (kind, true),
        None => (wanted, false),
    };
    let kind = match kind {
        "shared" => sys::mount::SHARED,
        "private" => sys::mount::PRIVATE,
        "unbindable" => libc::MS_UNBINDABLE,
        _ => return Ok(()),
    };
    sys::mount::set_attributes(rustix::fs::CWD, c"/", 0, 0, kind, recursive).stage("set the root's propagation")
}
