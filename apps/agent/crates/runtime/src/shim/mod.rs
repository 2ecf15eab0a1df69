//! The shim: the parent of one container's first process, single-threaded and small, alive as long as the container.
//!
//! It owns the container's streams and writes its log, serves a control socket in the container's directory, and
//! records how the container ended. It needs nobody: the daemon may die, come back as a newer version and connect
//! again. Being the parent, it is also the only one who can signal the first process without ever hitting another
//! process that got the same pid.
mod attach;
mod control;
mod exec;
pub mod log;
mod start;
mod streams;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use slipway_sys as sys;

pub use exec::ExecSpec;
pub use start::peer_is_gone;

use crate::clock;
use crate::say::say;
use crate::spec::LaunchSpec;
use crate::wire::{EXIT_FILE, Event, ExitRecord, Launch, SHIM_SOCKET};
use control::Connection;
use streams::Streams;

/// How long output of an ended container may take to reach attached clients.
const FAREWELL: Duration = Duration::from_secs(10);

struct Shim {
    spec: LaunchSpec,
    init: Pid,
    init_pidfd: OwnedFd,
    /// Open until the program runs or failed to.
    sync: Option<OwnedFd>,
    /// The container's root, so that its file system outlives the container's mount namespace for a moment: who drops it
    /// last waits until the whole disk is synced, as overlayfs wants, and that must not be who tells the end.
    root: Option<OwnedFd>,
    started_at: i64,
    /// The same moment, for how long it ran.
    started: Option<Instant>,
    failure: Option<crate::init::StepError>,
    children: OwnedFd,
    listener: Option<OwnedFd>,
    connections: Vec<Connection>,
    next_connection: u64,
    execs: Vec<control::Exec>,
    /// Ends of programs whose helper has not yet told their pid.
    unclaimed: Vec<(Pid, i32)>,
    streams: Streams,
    ended: Option<ExitRecord>,
    farewell: Option<Instant>,
}

/// Runs in a fresh fork of the spawner. Never returns.
pub(crate) fn main(launch: &Launch, fds: Vec<OwnedFd>) -> ! {
    sys::process::set_name(c"slipway-shim");
    sys::signal::default(libc::SIGCHLD);
    let code = match start::start(launch, fds) {
        Ok(Some(mut shim)) => {
            crate::fault::point("shim.cloned");
            sys::process::trim_heap();
            shim.serve();
            0
        }
        Ok(None) => 1,
        Err(error) => {
            say!("slipway shim: {error}");
            1
        }
    };
    sys::process::exit_now(code)
}

/// Who became ready.
#[derive(Clone, Copy)]
enum Source {
    Children,
    Sync,
    Listener,
    Connection(usize),
    ExecSync(usize),
    Stream(streams::Source),
}

impl Shim {
    fn serve(&mut self) {
        loop {
            if self.ended.is_some() && self.finished() {
                return;
            }
            let (sources, ready) = match self.wait() {
                Ok(ready) => ready,
                Err(error) => {
                    say!("slipway shim: poll: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            // Output first, so that what was written before an exit is logged before it.
            for (source, flags) in sources.iter().zip(&ready) {
                if let (Source::Stream(source), false) = (source, flags.is_empty()) {
                    self.streams.handle(*source, *flags);
                }
            }
            for (source, flags) in sources.iter().zip(&ready).filter(|(_, flags)| !flags.is_empty()) {
                match source {
                    Source::Children => self.reap(),
                    Source::Sync => drop(self.init_spoke()),
                    Source::Listener => self.accept(),
                    Source::Connection(index) => self.handle_connection(*index, *flags),
                    Source::ExecSync(index) => drop(self.exec_spoke(*index)),
                    Source::Stream(_) => {}
                }
            }
            self.connections.retain(|connection| !connection.closed);
            self.execs.retain(|exec| !exec.done());
            self.streams.sweep();
        }
    }

    fn wait<'a>(&'a self) -> rustix::io::Result<(Vec<Source>, Vec<PollFlags>)> {
        let mut sources = vec![Source::Children];
        let mut fds = vec![PollFd::new(&self.children, PollFlags::IN)];
        let mut add = |source, fd: BorrowedFd<'a>, flags| {
            sources.push(source);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        };
        if let Some(sync) = &self.sync {
            add(Source::Sync, sync.as_fd(), PollFlags::IN);
        }
        if let Some(listener) = &self.listener {
            add(Source::Listener, listener.as_fd(), PollFlags::IN);
        }
        for (index, connection) in self.connections.iter().enumerate() {
            add(Source::Connection(index), connection.socket.as_fd(), PollFlags::IN);
        }
        for (index, exec) in self.execs.iter().enumerate() {
            if let Some(sync) = &exec.sync {
                add(Source::ExecSync(index), sync.as_fd(), PollFlags::IN);
            }
        }
        self.streams.interests(&mut |source, fd, flags| add(Source::Stream(source), fd, flags));
        let timeout = match (self.ended.is_some(), self.streams.any_waiting()) {
            (true, _) => Some(Timespec { tv_sec: 0, tv_nsec: 50_000_000 }),
            (false, true) => Some(Timespec { tv_sec: 1, tv_nsec: 0 }),
            (false, false) => None,
        };
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let ready = fds.iter().map(PollFd::revents).collect();
        Ok((sources, ready))
    }

    /// Collects every child that has ended: the container, execs, and the helpers that started those.
    fn reap(&mut self) {
        start::drain_signals(&self.children);
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if pid == self.init {
                self.container_ended(code);
            } else {
                self.exec_ended(pid, code);
            }
        }
    }

    /// The program runs (the socket ended with its exec) or says why it does not. False when there was nothing to read.
    fn init_spoke(&mut self) -> bool {
        let Some(sync) = &self.sync else { return false };
        match start::read_init(sync) {
            start::InitSays::Running => {
                self.sync = None;
                self.started_at = clock::now();
                self.started = Some(Instant::now());
                crate::fault::point("shim.started");
                self.broadcast(&Event::Started {
                    pid: self.init.as_raw(),
                    shim_pid: nix::unistd::getpid().as_raw(),
                    started_at: self.started_at,
                });
            }
            start::InitSays::Root(root) => self.root = Some(root),
            start::InitSays::Terminal(master) => self.streams.set_terminal(master),
            start::InitSays::Failed(error) => {
                self.sync = None;
                self.failure = Some(error);
            }
            start::InitSays::Nothing => return false,
        }
        true
    }

    fn container_ended(&mut self, code: i32) {
        // What the init said last may still be unread, when it failed fast.
        while self.init_spoke() {}
        self.streams.drain();
        crate::fault::point("shim.ended");
        let oom_killed = start::oom_kills(&self.spec) > 0;
        let exit_code = self.failure.as_ref().map_or(code, |failure| failure.exit_code);
        let error = self.failure.as_ref().map(|failure| failure.message.clone());
        let ran = self.started.and_then(|started| u64::try_from(started.elapsed().as_nanos()).ok());
        let (started_at, finished_at) = (self.started_at, clock::now());
        let record = ExitRecord { run: self.spec.run, exit_code, oom_killed, started_at, finished_at, ran, disk: start::disk(), error };
        let written = if self.spec.ephemeral { Ok(()) } else { start::write_record(&self.spec, &record) };
        if let Err(error) = written {
            say!("slipway shim: cannot record the exit of {}: {error}", self.spec.id);
        }
        crate::fault::point("shim.recorded");
        if let Some(failure) = self.failure.take() {
            self.broadcast(&Event::Failed { stage: failure.stage, message: failure.message, exit_code: failure.exit_code });
        }
        self.broadcast(&Event::Exited(record.clone()));
        crate::fault::point("shim.told");
        self.listener = None;
        if !self.spec.ephemeral {
            let _ = std::fs::remove_file(self.spec.dir.join(SHIM_SOCKET)); // connecting fails either way
        }
        self.ended = Some(record);
        self.farewell = Some(Instant::now() + FAREWELL);
    }

    /// After the end only attached clients that still have output to come keep the shim.
    fn finished(&mut self) -> bool {
        let done = !self.streams.any_waiting() || self.farewell.is_none_or(|end| Instant::now() > end);
        if done {
            self.root = None;
        }
        if done && !self.spec.ephemeral {
            // The record was visible at once; now it also survives a power cut.
            let synced = std::fs::File::open(self.spec.dir.join(EXIT_FILE)).and_then(|file| file.sync_data());
            if let Err(error) = synced {
                say!("slipway shim: cannot sync the exit record: {error}");
            }
        }
        done
    }

    fn broadcast(&mut self, event: &Event) {
        for connection in &mut self.connections {
            connection.send(event);
        }
    }
}
