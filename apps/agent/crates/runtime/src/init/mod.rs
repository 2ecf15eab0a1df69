//! What the first process of a container does between its birth and the user's program: it turns a namespace-new copy
//! of the shim into the container, step by step, and tells the first step that fails.
//!
//! Everything here works on paths that the image controls. So every path beneath the root is resolved by the kernel
//! within it (`openat2`, see `root.rs`), mounts are attached to descriptors instead of paths, and nothing of the host
//! is reachable any more once user data (`/etc/passwd`, the working directory, the program) is looked at.
mod devices;
pub mod filesystems;
pub mod identity;
pub mod mounts;
mod populate;
pub mod process;
mod reaper;
pub mod root;
mod shm;
pub mod terminal;

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use serde::{Deserialize, Serialize};
use slipway_sys as sys;

use crate::spec::{LaunchSpec, Network};
use crate::users::Joining;

/// The step that failed, for the person who started the container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepError {
    pub stage: String,
    pub message: String,
    pub exit_code: i32,
}

pub type Step<T> = Result<T, StepError>;

/// Exit code when the engine, not the program, is at fault; the shells' convention that Docker uses too.
pub const EXIT_ENGINE: i32 = 125;

/// Characters of an error's sentence that are told.
const LONGEST_MESSAGE: usize = 2_000;

pub trait Stage<T> {
    fn stage(self, stage: &str) -> Step<T>;
}

impl<T, E: std::fmt::Display> Stage<T> for Result<T, E> {
    fn stage(self, stage: &str) -> Step<T> {
        self.map_err(|error| StepError { stage: stage.into(), message: format!("{stage}: {error}"), exit_code: EXIT_ENGINE })
    }
}

/// What the init says to its shim before exec closes the socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// The root's descriptor is attached.
    Root,
    /// The terminal's master is attached.
    Terminal,
    Failed(StepError),
}

/// Descriptors the init takes over from the shim.
pub(crate) struct Inherited {
    /// Sequenced packets to the shim; close-on-exec, so its end means that the program runs.
    pub sync: OwnedFd,
    pub netns: Option<OwnedFd>,
    /// Another container's IPC namespace, and its mount namespace.
    pub ipc: Option<(OwnedFd, OwnedFd)>,
    /// The container's user namespace.
    pub users: Option<OwnedFd>,
    /// Standard streams; unused with a terminal.
    pub stdio: [OwnedFd; 3],
    pub seccomp: Option<Vec<u8>>,
}

/// Runs in the new process and never returns.
pub(crate) fn run(spec: &LaunchSpec, inherited: Inherited) -> ! {
    let Inherited { sync, netns, ipc, users, stdio, seccomp } = inherited;
    match build(spec, &sync, netns, ipc, users, stdio, seccomp) {
        Ok(never) => match never {},
        Err(error) => fail(&sync, &error),
    }
}

/// Tells the shim and ends.
pub(crate) fn fail(sync: &OwnedFd, error: &StepError) -> ! {
    let mut error = error.clone();
    // It may quote a path of the image, and must fit into one datagram.
    error.message = error.message.chars().take(LONGEST_MESSAGE).collect();
    error.stage = error.stage.chars().take(LONGEST_MESSAGE).collect();
    if let Ok(message) = serde_json::to_vec(&FromInit::Failed(error.clone())) {
        let _ = sys::fdpass::send(sync.as_fd(), &message, &[]); // nobody else to tell
    }
    sys::process::exit_now(error.exit_code)
}

fn build(
    spec: &LaunchSpec,
    sync: &OwnedFd,
    netns: Option<OwnedFd>,
    ipc: Option<(OwnedFd, OwnedFd)>,
    users: Option<OwnedFd>,
    stdio: [OwnedFd; 3],
    seccomp: Option<Vec<u8>>,
) -> Step<Infallible> {
    sys::signal::reset_all().stage("reset signals")?;
    // Until exec nobody in the container may look at this process: it still is the agent's program.
    sys::process::set_dumpable(false).stage("hide the init")?;
    rustix::process::umask(rustix::fs::Mode::empty());
    enter(spec, netns)?;
    let shm = ipc.map(|(ipc, mounts)| shm::join(&ipc, &mounts)).transpose()?;
    crate::fault::point("init.entered");
    let users = joining(spec, users)?;
    if let Some(users) = &users {
        // All that is made from here on is the container's.
        sys::process::set_file_ids(users.ids.uid, users.ids.gid).stage("make files for the container's root")?;
    }
    let namespace = users.as_ref().map(|users| &users.namespace);
    let root = root::mount(spec, namespace)?;
    if !spec.ephemeral {
        root.show(sync)?;
    }
    filesystems::mount_all(spec, &root)?;
    shm::mount(spec, &root, shm)?;
    mounts::attach_all(spec, &root, namespace)?;
    set_sysctls(spec, &root)?;
    let stdio = match spec.process.tty {
        true => {
            let terminal = terminal::open(&root)?;
            terminal::hand_over(sync, terminal.master)?;
            let copy = || terminal.slave.try_clone().stage("copy the terminal");
            [copy()?, copy()?, terminal.slave]
        }
        false => stdio,
    };
    let cwd = if spec.process.cwd.is_empty() { "/" } else { &spec.process.cwd };
    root.make_dir(cwd).stage(&format!("make the working directory {cwd}"))?;
    mounts::protect(spec, &root)?;
    crate::fault::point("init.mounted");
    root.enter().stage("enter the root file system")?;
    process::become_program(&spec.process, stdio, sync, seccomp, spec.init, users)
}

fn joining(spec: &LaunchSpec, namespace: Option<OwnedFd>) -> Step<Option<Joining>> {
    match (&spec.users, namespace) {
        (Some(users), Some(namespace)) => Ok(Some(Joining { ids: users.ids, namespace, first: true, own_name: !spec.namespaces.uts_host })),
        (None, None) => Ok(None),
        // Never as the host's root because something was lost on the way.
        _ => Err("its descriptor is missing").stage("join the user namespace"),
    }
}

/// Joins the network namespace, the cgroup and, from inside it, a cgroup namespace; names the host.
fn enter(spec: &LaunchSpec, netns: Option<OwnedFd>) -> Step<()> {
    if spec.namespaces.network == Network::Given {
        let netns = netns.ok_or("its descriptor is missing").stage("join the network")?;
        sys::process::setns(netns.as_fd(), libc::CLONE_NEWNET).stage("join the network")?;
    }
    for procs in &spec.cgroup.procs {
        let joined = File::options().write(true).open(procs).and_then(|mut file| file.write_all(b"0"));
        joined.stage(&format!("join the control group {}", procs.display()))?;
    }
    if !spec.namespaces.cgroup_host {
        rustix_unshare_cgroup().stage("make a cgroup namespace")?;
    }
    if !spec.namespaces.uts_host {
        nix::unistd::sethostname(&spec.hostname).stage("set the host name")?;
        if !spec.domainname.is_empty() {
            sys::process::set_domain_name(&spec.domainname).stage("set the domain name")?;
        }
    }
    let score = spec.process.oom_score_adj.unwrap_or(0).to_string();
    match std::fs::write("/proc/self/oom_score_adj", &score) {
        // Lowering it takes CAP_SYS_RESOURCE, which a confined host may not have; the container runs without.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        other => other.stage("set the OOM score")?,
    }
    match sys::process::new_session_keyring() {
        // Kernels without key rings have none to share.
        Ok(()) | Err(sys::Errno::ENOSYS | sys::Errno::EPERM) => Ok(()),
        Err(error) => Err(error).stage("make a session key ring"),
    }
}

fn rustix_unshare_cgroup() -> nix::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP)
}

/// `net.core.somaxconn` is `/proc/sys/net/core/somaxconn` of the namespaces entered above.
fn set_sysctls(spec: &LaunchSpec, root: &root::Root) -> Step<()> {
    for (name, value) in &spec.sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let file = root.open(&path, rustix::fs::OFlags::WRONLY).stage(&format!("open sysctl {name}"))?;
        File::from(file).write_all(value.as_bytes()).stage(&format!("set sysctl {name}"))?;
    }
    Ok(())
}
