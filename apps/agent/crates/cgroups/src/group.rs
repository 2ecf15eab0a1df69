//! Making, filling, killing and removing groups.
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::oom::OomNotice;
use crate::stats::{self, Stats};
use crate::warm::Warmer;
use crate::{Limits, cpu, cpuset, devices, favor, file, freezer, io, memory, pids};

/// The parents of all groups, by the devices they may use.
const CONFINED: &str = "confined";
/// Also of groups with lists of their own: on v1 a group has at most what its parent has.
const ALL_DEVICES: &str = "privileged";

/// The subtree of one agent instance.
#[derive(Debug, Clone)]
pub struct Groups {
    layout: Layout,
    root: PathBuf,
    warmer: Arc<Warmer>,
    /// Keeps moves fast; see `favor.rs`.
    favored: Option<Arc<OwnedFd>>,
}

/// How a new process gets into a group. Sent to the shim, which knows nothing else about cgroups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Join {
    /// v2: the directory to be born into (`CLONE_INTO_CGROUP`).
    pub born_into: Option<PathBuf>,
    /// v1: the `cgroup.procs` files to write "0" to.
    pub procs: Vec<PathBuf>,
    /// v1: the controllers of each hierarchy, for showing them inside the container. Empty on v2.
    pub v1_mounts: Vec<Vec<String>>,
    /// The file whose `oom_kill` line counts kills.
    pub oom_file: Option<PathBuf>,
}

impl Groups {
    /// Prepares the instance's directories. Idempotent. `favor_moves` sets `favordynmods` for as long as this (or a clone
    /// of it) lives.
    pub fn open(instance: &str, favor_moves: bool) -> Result<Self> {
        let mut groups = Self::find(instance)?;
        groups.prepare()?;
        groups.favored = favor_moves.then(|| favor::hold(&groups.layout, instance)).flatten().map(Arc::new);
        Ok(groups)
    }

    /// The instance's directories as they are, to be removed.
    pub fn find(instance: &str) -> Result<Self> {
        let layout = Layout::detect()?;
        let warmer = Arc::new(Warmer::new(&layout));
        Ok(Self { layout, root: PathBuf::from(format!("slipway-{instance}")), warmer, favored: None })
    }

    /// Whether it is of use to tell ahead that a process will join.
    pub fn joins_wait(&self) -> bool {
        self.favored.is_none() && !self.layout.is_v2()
    }

    /// Says that a process will join a group within `time`; see `warm.rs`. Blocks for at most that long.
    pub fn expect_join(&self, time: Duration) {
        self.warmer.keep_warm(time);
    }

    /// Whether a group can have a weight, or limits, of block I/O here.
    pub fn has_io(&self) -> (bool, bool) {
        let v2 = self.layout.is_v2();
        let dir = self.layout.dir(if v2 { "io" } else { "blkio" }, &self.root.join(CONFINED));
        match dir {
            Some(dir) => (io::has_weight(&dir, v2), dir.join(if v2 { "io.max" } else { "blkio.throttle.read_bps_device" }).exists()),
            None => (false, false),
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn prepare(&self) -> Result<()> {
        match &self.layout {
            Layout::V2 { mount } => {
                enable_controllers(mount);
                let root = mount.join(&self.root);
                for dir in [root.clone(), root.join(CONFINED), root.join(ALL_DEVICES)] {
                    make(&dir)?;
                    enable_controllers(&dir);
                }
                devices::restrict_v2(&root.join(CONFINED), &[])
            }
            Layout::V1(hierarchies) => {
                for hierarchy in hierarchies {
                    let root = hierarchy.mount.join(&self.root);
                    let has = |name: &str| hierarchy.controllers.iter().any(|c| c == name);
                    make(&root)?;
                    if has("cpuset") {
                        cpuset::prepare_v1_parent(&root)?;
                    }
                    for (name, confined) in [(CONFINED, true), (ALL_DEVICES, false)] {
                        let dir = root.join(name);
                        let fresh = make(&dir)?;
                        if has("cpuset") {
                            cpuset::prepare_v1_parent(&dir)?;
                        }
                        if has("devices") && confined && fresh {
                            devices::restrict_v1(&dir, &[])?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn relative(&self, id: &str, own_devices: bool) -> PathBuf {
        self.root.join(if own_devices { ALL_DEVICES } else { CONFINED }).join(id)
    }

    /// The group named `id`, existing or not; where it is depends on [`Limits::own_devices`].
    pub fn group(&self, id: &str, own_devices: bool) -> Group {
        Group { layout: self.layout.clone(), relative: self.relative(id, own_devices) }
    }

    /// Makes the group and sets its limits. A leftover group of the same name is reused.
    pub fn create(&self, id: &str, limits: &Limits) -> Result<Group> {
        let group = self.group(id, limits.own_devices());
        for dir in group.dirs() {
            make(&dir)?;
        }
        if let Err(error) = group.apply(limits).and_then(|()| group.allow_devices(limits)) {
            let _ = group.remove(Duration::ZERO); // the limit error is the one to tell
            return Err(error);
        }
        Ok(group)
    }

    /// Makes `child` inside the group `id`, without limits of its own: a part of the whole that is accounted apart.
    pub fn create_within(&self, id: &str, child: &str) -> Result<Group> {
        let parent = self.group(id, false);
        if parent.is_v2() {
            parent.dirs().iter().for_each(|dir| enable_controllers(dir));
        }
        let group = Group { layout: self.layout.clone(), relative: parent.relative.join(child) };
        for dir in group.dirs() {
            make(&dir)?;
        }
        Ok(group)
    }

    /// Removes the whole subtree, killing what is still in it.
    pub fn remove_all(&self) -> Result<()> {
        // In every hierarchy first: what is paused in one cannot be killed through another.
        self.roots().iter().for_each(|root| freezer::thaw_below(root));
        for root in self.roots() {
            for child in subdirs(&root) {
                kill_dir(&child);
                remove_tree(&child, Duration::from_secs(3))?;
            }
            remove_dir(&root, Duration::from_secs(3))?;
        }
        Ok(())
    }

    /// Names of all groups there are now, for finding leftovers.
    pub fn list(&self) -> Vec<String> {
        let parents: Vec<PathBuf> = self.roots().into_iter().flat_map(|root| subdirs(&root)).collect();
        let mut names: Vec<String> =
            parents.iter().flat_map(|p| subdirs(p)).filter_map(|d| d.file_name()?.to_str().map(String::from)).collect();
        names.sort();
        names.dedup();
        names
    }

    fn roots(&self) -> Vec<PathBuf> {
        match &self.layout {
            Layout::V2 { mount } => vec![mount.join(&self.root)],
            Layout::V1(hierarchies) => hierarchies.iter().map(|h| h.mount.join(&self.root)).collect(),
        }
    }
}

/// One container's group.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) layout: Layout,
    pub(crate) relative: PathBuf,
}

impl Group {
    pub fn is_v2(&self) -> bool {
        self.layout.is_v2()
    }

    /// The directory in the hierarchy that has `controller`.
    pub fn dir(&self, controller: &str) -> Option<PathBuf> {
        self.layout.dir(controller, &self.relative)
    }

    pub(crate) fn dirs(&self) -> Vec<PathBuf> {
        match &self.layout {
            Layout::V2 { mount } => vec![mount.join(&self.relative)],
            Layout::V1(hierarchies) => hierarchies.iter().map(|h| h.mount.join(&self.relative)).collect(),
        }
    }

    pub fn join(&self) -> Join {
        let v2 = self.is_v2();
        let oom_file = self.dir("memory").map(|dir| dir.join(if v2 { "memory.events" } else { "memory.oom_control" }));
        let v1_mounts = match &self.layout {
            Layout::V1(hierarchies) => hierarchies.iter().map(|h| h.controllers.clone()).collect(),
            Layout::V2 { .. } => Vec::new(),
        };
        match v2 {
            true => Join { born_into: self.dir("memory"), procs: Vec::new(), v1_mounts, oom_file },
            false => Join { born_into: None, procs: self.dirs().iter().map(|dir| dir.join("cgroup.procs")).collect(), v1_mounts, oom_file },
        }
    }

    /// Sets limits; also on a running group.
    pub fn apply(&self, limits: &Limits) -> Result<()> {
        let v2 = self.is_v2();
        let need = |wanted: bool, controller: &str, what: &'static str| match (wanted, self.dir(controller)) {
            (false, _) => Ok(None),
            (true, Some(dir)) => Ok(Some(dir)),
            (true, None) => Err(Error::NoController(what)),
        };
        let memory =
            limits.memory.is_some() || limits.memory_reservation.is_some() || limits.memory_swappiness.is_some() || limits.oom_kill_disable;
        if let Some(dir) = need(memory, "memory", "memory")? {
            memory::apply(&dir, v2, limits)?;
        }
        if let Some(dir) = need(io::wanted(limits), if v2 { "io" } else { "blkio" }, "block I/O")? {
            io::apply(&dir, v2, limits)?;
        }
        let cpu = limits.cpu_quota.is_some() || limits.cpu_period.is_some() || limits.cpu_shares.is_some();
        if let Some(dir) = need(cpu, "cpu", "CPU time")? {
            cpu::apply(&dir, v2, limits)?;
        }
        if let Some(dir) = need(limits.cpuset_cpus.is_some() || limits.cpuset_mems.is_some(), "cpuset", "the set of CPUs")? {
            cpuset::apply(&dir, limits)?;
        }
        if let Some(dir) = need(limits.pids.is_some(), "pids", "the number of processes")? {
            pids::apply(&dir, limits)?;
        }
        Ok(())
    }

    /// Beneath a parent that allows everything, so the group has the whole list for itself.
    fn allow_devices(&self, limits: &Limits) -> Result<()> {
        match (limits.all_devices || limits.devices.is_empty(), self.is_v2(), self.dir("devices")) {
            (true, ..) => Ok(()),
            (_, true, Some(dir)) => devices::restrict_v2(&dir, &limits.devices),
            (_, false, Some(dir)) => devices::restrict_v1(&dir, &limits.devices),
            (_, _, None) => Err(Error::NoController("devices")),
        }
    }

    pub fn exists(&self) -> bool {
        self.dirs().iter().any(|dir| dir.is_dir())
    }

    pub fn stats(&self) -> Stats {
        stats::read(self)
    }

    pub fn oom_kills(&self) -> u64 {
        self.dir("memory").map_or(0, |dir| memory::oom_kills(&dir, self.is_v2()))
    }

    /// What becomes ready when `oom_kills` may have changed; an error where the kernel does not tell.
    pub fn oom_notice(&self) -> std::io::Result<OomNotice> {
        let dir = self.dir("memory").ok_or(ErrorKind::NotFound)?;
        OomNotice::open(&dir, self.is_v2())
    }

    /// Pids as this process sees them, deepest groups included.
    pub fn pids(&self) -> Vec<i32> {
        let controller = if self.is_v2() { "" } else { "pids" };
        let dir = self.dir(controller).or_else(|| self.dirs().into_iter().next());
        dir.map(|dir| pids_in(&dir)).unwrap_or_default()
    }

    /// SIGKILL for everything inside, also when it is paused. Repeats, because a forking process may outrun one pass on v1.
    pub fn kill(&self) {
        if let Some(dir) = self.dir("freezer") {
            freezer::thaw_below(&dir);
        }
        for dir in self.dirs().into_iter().take(1) {
            kill_dir(&dir);
        }
    }

    /// One pass of SIGKILL without waiting.
    pub fn kill_once(&self) {
        for dir in self.dirs().into_iter().take(1) {
            if fs::write(dir.join("cgroup.kill"), "1").is_err() {
                signal_all(&pids_in(&dir));
            }
        }
    }

    /// Removes the group, waiting up to `patience` for dying processes to leave it.
    pub fn remove(&self, patience: Duration) -> Result<()> {
        for dir in self.dirs() {
            remove_tree(&dir, patience)?;
        }
        Ok(())
    }
}

/// True when the directory is new.
pub(crate) fn make(dir: &Path) -> Result<bool> {
    match fs::create_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(Error::Create { path: dir.into(), source }),
    }
}

/// Controllers a host lacks are simply not enabled; a limit that needs one fails with its own error later.
pub(crate) fn enable_controllers(dir: &Path) {
    for controller in ["+cpu", "+cpuset", "+memory", "+pids", "+io"] {
        if let Err(error) = file::write(&dir.join("cgroup.subtree_control"), controller) {
            tracing::debug!(%error, "controller is not available");
        }
    }
}

pub(crate) fn subdirs(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())).map(|entry| entry.path()).collect()
}

fn pids_in(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
    for child in subdirs(dir) {
        pids.extend(pids_in(&child));
    }
    pids
}

fn kill_dir(dir: &Path) {
    if fs::write(dir.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for _ in 0..100 {
        let pids = pids_in(dir);
        if pids.is_empty() {
            return;
        }
        signal_all(&pids);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal_all(pids: &[i32]) {
    for pid in pids {
        if let Some(pid) = rustix::process::Pid::from_raw(*pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // it may be gone already
        }
    }
}

fn remove_tree(dir: &Path, patience: Duration) -> Result<()> {
    for child in subdirs(dir) {
        remove_tree(&child, patience)?;
    }
    remove_dir(dir, patience)
}

pub(crate) fn remove_dir(dir: &Path, patience: Duration) -> Result<()> {
    let end = Instant::now() + patience;
    let mut pause = Duration::from_micros(200);
    loop {
        match fs::remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.raw_os_error() == Some(16) && Instant::now() < end => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            Err(source) => return Err(Error::Remove { path: dir.into(), source }),
        }
    }
}
