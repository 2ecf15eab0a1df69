//! `create`: everything but the program.
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use slipway_cgroups::Group;
use slipway_runtime::fault;
use slipway_runtime::seccomp::custom::Compiled;

use crate::args::Global;
use crate::config::{Config, check};
use crate::error::{During, Error, Result};
use crate::inside::{self, Plan};
use crate::launch::{self, Child};
use crate::process::Process;
use crate::state::{Record, SOCKET, Status, Store};
use crate::wire::{self, Message};
use crate::{console, files, group, hooks, host_mounts, lock, report, resources, socket};

#[derive(Debug)]
pub struct Create {
    pub id: String,
    pub bundle: PathBuf,
    pub console_socket: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    /// Descriptors from 3 on that the program gets, too.
    pub preserve: i32,
}

pub fn run(global: &Global, create: &Create) -> Result<()> {
    let store = Store::of(&global.root, &create.id)?;
    let bundle = std::fs::canonicalize(&create.bundle).during(&format!("find the bundle {}", create.bundle.display()))?;
    let config = check::read(&bundle)?;
    let terminal = config.process.as_ref().is_some_and(|process| process.terminal);
    let console = match (terminal, &create.console_socket) {
        (true, None) => return Err(Error::Told("cannot allocate tty if runc will detach without setting console socket".into())),
        (false, Some(_)) => return Err(Error::Told("cannot use console socket if runc will not detach or allocate tty".into())),
        (_, path) => path.as_ref().map(|path| socket::connect_stream(path).during("connect to the console socket")).transpose()?,
    };
    let relative = config.root.as_ref().map(|root| root.path.clone()).unwrap_or_default();
    let rootfs = std::fs::canonicalize(bundle.join(&relative)).during(&format!("invalid rootfs {}", relative.display()))?;
    if !rootfs.is_dir() {
        return Err(Error::Told(format!("invalid rootfs {}: not a directory", rootfs.display())));
    }
    report::unknown_capabilities(config.process.as_ref());
    let seccomp = crate::filter::compile(&config)?;
    let cgroup = group::path(&config, &create.id);
    let mut record = Record {
        id: create.id.clone(),
        bundle,
        rootfs,
        created: slipway_runtime::clock::rfc3339(slipway_runtime::clock::now()),
        owner: nix::unistd::getuid().as_raw(),
        config,
        init: None,
        cgroup: cgroup.clone(),
        cgroup_made: Vec::new(),
        mount_below: None,
        complete: false,
    };
    if !record.config.linux.has_namespace("mount") {
        record.mount_below = Some(host_mounts::id_at(&record.rootfs)?);
    }
    let group = Group::at(&cgroup)?;
    record.cgroup_made = group.missing();
    make_dir(&global.root, &store)?;
    let _lock = lock::take(&store.dir)?;
    fault::point("oci.create.empty");
    store.save(&record)?;
    fault::point("oci.create.written");
    let made = make(&store, &mut record, &group, seccomp, console, create);
    if made.is_err() {
        undo(&store, &record);
    }
    made
}

fn make_dir(root: &Path, store: &Store) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o711);
    builder.recursive(true).create(root).during(&format!("make {}", root.display()))?;
    match builder.recursive(false).create(&store.dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::Told("container with given ID already exists".into()))
        }
        other => other.during(&format!("make {}", store.dir.display())),
    }
}

fn make(
    store: &Store,
    record: &mut Record,
    group: &Group,
    seccomp: Option<Compiled>,
    console: Option<OwnedFd>,
    create: &Create,
) -> Result<()> {
    group.make_with_parents()?;
    fault::point("oci.create.grouped");
    if let Some(resources) = &record.config.linux.resources {
        resources::apply(group, resources)?;
    }
    let given = launch::open_given(&record.config.linux)?;
    let listener = socket::listen(&store.dir.join(SOCKET)).during("listen for the start")?;
    let plan = Plan { record: record.clone(), groups: group::directories(group), seccomp, listener, preserve: create.preserve };
    let flags = launch::new_flags(&record.config.linux);
    let child = launch::launch(|| launch::join_given(&given), flags, |sync| inside::run(plan, sync))?;
    let outcome = bring_up(store, record, group, &child, console);
    if outcome.is_err() {
        let _ = nix::sys::signal::kill(Pid::from_raw(child.pid), nix::sys::signal::Signal::SIGKILL); // our child: the pid is its
        let _ = launch::reap(Pid::from_raw(child.pid));
        return outcome;
    }
    if let Some(path) = &create.pid_file {
        files::replace(path, child.pid.to_string().as_bytes()).during("write the pid file")?;
    }
    fault::point("oci.create.ready");
    record.complete = true;
    store.save(record)
}

/// From a bare process to one that waits to be started.
fn bring_up(store: &Store, record: &mut Record, group: &Group, child: &Child, console: Option<OwnedFd>) -> Result<()> {
    fault::point("oci.create.born");
    record.init = Process::of(child.pid);
    store.save(record)?;
    let linux = &record.config.linux;
    if linux.has_new_namespace("user") {
        launch::map_ids(child.pid, linux)?;
    }
    set_oom_score(child.pid, &record.config)?;
    group.add(child.pid)?;
    wire::send(&child.sync, &Message::Go(record.init.clone()), &[])?;
    let hooks = &record.config.hooks;
    loop {
        // A createContainer hook may have any time its author gave it.
        let patience = hooks.create_container.is_empty().then_some(wire::PATIENCE);
        match wire::receive(&child.sync, patience)? {
            Some((Message::Terminal, fds)) => {
                let (Some(console), [master]) = (&console, &fds[..]) else {
                    return Err(Error::Inside("an unexpected terminal came".into()));
                };
                console::hand_over(console, master.as_fd())?;
            }
            Some((Message::Mounted, _)) => {
                let state = record.for_hook(Status::Creating).map_err(std::io::Error::from).during("write the state")?;
                hooks::run_all("prestart", &hooks.prestart, &state).map_err(Error::Inside)?;
                hooks::run_all("createRuntime", &hooks.create_runtime, &state).map_err(Error::Inside)?;
                fault::point("oci.create.mounted");
                wire::send(&child.sync, &Message::Go(None), &[])?;
            }
            Some((Message::Ready, _)) => return Ok(()),
            Some((Message::Failed(error), _)) => return Err(Error::Inside(error.message)),
            Some(_) => return Err(Error::Inside("the init sent nonsense".into())),
            None => return Err(Error::Inside("the container's init ended without a word".into())),
        }
    }
}

/// Lowering it takes CAP_SYS_RESOURCE; a host without it fails, as the config asks for what cannot be had.
fn set_oom_score(pid: i32, config: &Config) -> Result<()> {
    let Some(score) = config.process.as_ref().and_then(|process| process.oom_score_adj) else { return Ok(()) };
    std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()).during("set the OOM score")
}

/// Steps 12 and 13 of the spec's life cycle: what was made goes, and the poststop hooks are told.
fn undo(store: &Store, record: &Record) {
    if let Err(error) = super::delete::destroy(store, record) {
        report::warn(&format!("cannot clean up: {error}"));
    }
}
