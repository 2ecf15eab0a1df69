//! `exec`: a further process in a running container.
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use slipway_cgroups::Group;
use slipway_runtime::inside::{Stage, Step, open_terminal_inside};
use slipway_runtime::seccomp::custom::Compiled;
use slipway_sys as sys;

use crate::args::Global;
use crate::config::linux::NAMESPACES;
use crate::config::{Capabilities, Process, check};
use crate::error::{During, Error, Result};
use crate::inside::{self, program};
use crate::launch::{self, Child};
use crate::state::{Record, Status, Store};
use crate::wire::{self, Message};
use crate::{console, files, socket};

/// Most bytes of a `--process` file.
const LARGEST: u64 = 4 << 20;

#[derive(Debug)]
pub struct Exec {
    pub id: String,
    pub args: Vec<String>,
    /// A file with a `process` object, instead of the flags.
    pub process: Option<PathBuf>,
    pub tty: bool,
    pub detach: bool,
    pub pid_file: Option<PathBuf>,
    pub console_socket: Option<PathBuf>,
    pub env: Vec<String>,
    pub cwd: Option<String>,
    /// uid[:gid]
    pub user: Option<String>,
    pub additional_gids: Vec<u32>,
    pub caps: Vec<String>,
    pub no_new_privileges: bool,
    pub preserve: i32,
}

/// The program's exit code, or 0 when it goes on by itself.
pub fn run(global: &Global, exec: &Exec) -> Result<i32> {
    let store = Store::of(&global.root, &exec.id)?;
    let record = store.load()?;
    match store.status(&record) {
        Status::Running | Status::Created => {}
        Status::Stopped => return Err(Error::Told("cannot exec in a stopped container".into())),
        Status::Creating => return Err(Error::Told("cannot exec in a container that is being created".into())),
    }
    let process = process(&record, exec)?;
    check::process(&process)?;
    let console = match (process.terminal, exec.detach, &exec.console_socket) {
        (true, true, None) => return Err(Error::Told("cannot allocate tty if runc will detach without setting console socket".into())),
        (false, _, Some(_)) | (true, false, Some(_)) => {
            return Err(Error::Told("cannot use console socket if runc will not detach or allocate tty".into()));
        }
        (_, _, path) => path.as_ref().map(|path| socket::connect_stream(path).during("connect to the console socket")).transpose()?,
    };
    let seccomp = crate::filter::compile(&record.config)?;
    let child = launch(&record, &process, seccomp, exec.preserve)?;
    let master = match await_program(&child, console.as_ref()) {
        Ok(master) => master,
        Err(error) => {
            let _ = nix::sys::signal::kill(Pid::from_raw(child.pid), nix::sys::signal::Signal::SIGKILL); // our child: the pid is its
            let _ = launch::reap(Pid::from_raw(child.pid));
            return Err(error);
        }
    };
    if let Some(path) = &exec.pid_file {
        files::replace(path, child.pid.to_string().as_bytes()).during("write the pid file")?;
    }
    if exec.detach {
        return Ok(0);
    }
    let status = console::sit(child.pid, master)?;
    Ok(match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        _ => 255,
    })
}

/// The container's own process, changed by the flags; or that of a file.
fn process(record: &Record, exec: &Exec) -> Result<Process> {
    if let Some(path) = &exec.process {
        let text = files::read_limited(path, LARGEST).during(&format!("read {}", path.display()))?;
        return check::parse(&text).map_err(|error| Error::Told(format!("{}: {error}", path.display())));
    }
    let mut process = record.config.process.clone().unwrap_or_default();
    process.args = exec.args.clone();
    process.env.extend(exec.env.iter().cloned());
    process.terminal = exec.tty;
    process.console_size = None;
    process.oom_score_adj = None;
    process.no_new_privileges |= exec.no_new_privileges;
    if let Some(cwd) = &exec.cwd {
        process.cwd = cwd.clone();
    }
    if let Some(user) = &exec.user {
        let (uid, gid) = user.split_once(':').unwrap_or((user, ""));
        let number = |text: &str| text.parse::<u32>().map_err(|_| Error::Told(format!("invalid user {user:?}: it must be UID[:GID]")));
        process.user.uid = number(uid)?;
        if !gid.is_empty() {
            process.user.gid = number(gid)?;
        }
    }
    process.user.additional_gids.extend(&exec.additional_gids);
    if !exec.caps.is_empty() {
        let caps = process.capabilities.get_or_insert_with(Capabilities::default);
        for set in [&mut caps.bounding, &mut caps.effective, &mut caps.permitted] {
            set.extend(exec.caps.iter().cloned());
        }
    }
    Ok(process)
}

fn launch(record: &Record, process: &Process, seccomp: Option<Compiled>, preserve: i32) -> Result<Child> {
    let init = record.init.as_ref().ok_or(Error::NotRunning)?;
    let pidfd = init.open()?;
    let flags = foreign_namespaces(init.pid);
    let group = Group::at(&record.cgroup)?;
    let userns = flags & libc::CLONE_NEWUSER != 0;
    let join = || {
        inside::hide()?;
        group.add(0).stage("join the control group")?;
        // Joining the mount namespace also takes over the container's root.
        sys::process::setns(pidfd.as_fd(), flags).stage("join the container")
    };
    launch::launch(join, 0, |sync| {
        let Err(error) = become_program(process, seccomp.as_ref(), &sync, userns, preserve);
        wire::fail(&sync, &error)
    })
}

/// Those of the container that this process is not in.
fn foreign_namespaces(pid: i32) -> i32 {
    let differs = |name: &str| {
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/{name}")).ok();
        of(&pid.to_string()) != of("self")
    };
    NAMESPACES.iter().filter(|(_, name, _)| differs(name)).fold(0, |flags, (_, _, flag)| flags | flag)
}

fn become_program(
    process: &Process,
    seccomp: Option<&Compiled>,
    sync: &OwnedFd,
    userns: bool,
    preserve: i32,
) -> Step<std::convert::Infallible> {
    if userns {
        sys::process::set_ids(0, 0, &[]).stage("become root of the user namespace")?;
        sys::process::set_dumpable(false).stage("hide the process")?;
    }
    let terminal = match process.terminal {
        true => {
            let terminal = open_terminal_inside()?;
            wire::send(sync, &Message::Terminal, &[terminal.master.as_fd()]).stage("hand over the terminal")?;
            Some(terminal.slave)
        }
        false => None,
    };
    program::find(process)?;
    let entered = program::prepare(process, terminal, preserve, &[sync.as_fd()])?;
    program::become_it(process, entered, seccomp, || Ok(()))
}

/// Until the program runs; the terminal's master when nobody else got it.
fn await_program(child: &Child, console: Option<&OwnedFd>) -> Result<Option<OwnedFd>> {
    let mut kept = None;
    loop {
        match wire::receive(&child.sync, Some(wire::PATIENCE))? {
            None => return Ok(kept),
            Some((Message::Terminal, fds)) => {
                let master = fds.into_iter().next().ok_or_else(|| Error::Inside("the terminal is missing".into()))?;
                match console {
                    Some(console) => console::hand_over(console, master.as_fd())?,
                    None => kept = Some(master),
                }
            }
            Some((Message::Failed(error), _)) => return Err(Error::Told(format!("exec failed: {}", error.message))),
            Some(_) => return Err(Error::Inside("the process sent nonsense".into())),
        }
    }
}
