//! The control socket: requests of the daemon, and execs on their own connections.
use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::Pid;
use rustix::event::PollFlags;
use slipway_sys as sys;
use slipway_sys::process::Forked;

use super::{Shim, exec, start};
use crate::init::FromInit;
use crate::wire::{Event, MAX_MESSAGE, Request};

pub(super) struct Connection {
    pub id: u64,
    pub socket: OwnedFd,
    pub closed: bool,
    /// The launching connection of an ephemeral container: its end is the container's end.
    pub leash: bool,
}

impl Connection {
    pub fn send(&mut self, event: &Event) {
        self.send_with(event, None);
    }

    /// A daemon that does not read loses the connection; it learns everything again by connecting anew.
    fn send_with(&mut self, event: &Event, fd: Option<&OwnedFd>) {
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        let sent = serde_json::to_vec(event).ok().and_then(|message| sys::fdpass::send(self.socket.as_fd(), &message, &fds).ok());
        if sent.is_none() && !self.leash {
            self.closed = true;
        }
    }
}

/// One exec under way.
pub(super) struct Exec {
    connection: u64,
    pid: Option<Pid>,
    pub sync: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    exit_code: Option<i32>,
    failed: bool,
}

impl Exec {
    /// A child of the shim that is not reaped: the pid is still its own.
    fn kill(&self) {
        if let (Some(pid), None) = (self.pid, self.exit_code) {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL); // at worst it is a zombie
        }
    }

    pub fn done(&self) -> bool {
        self.failed || (self.sync.is_none() && self.exit_code.is_some())
    }
}

impl Shim {
    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        let socket = match rustix::net::accept_with(listener, flags) {
            Ok(socket) => socket,
            Err(_) => return, // the client went away
        };
        let hello = Event::Hello {
            pid: self.init.as_raw(),
            shim_pid: nix::unistd::getpid().as_raw(),
            run: self.spec.run,
            started_at: self.started_at,
        };
        let mut connection = Connection { id: self.next_connection, socket, closed: false, leash: false };
        self.next_connection += 1;
        connection.send(&hello);
        self.connections.push(connection);
    }

    pub(super) fn handle_connection(&mut self, index: usize, flags: PollFlags) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let (message, fds) = match sys::fdpass::receive_sized(connection.socket.as_fd(), MAX_MESSAGE) {
            Ok((message, fds)) if !message.is_empty() => (message, fds),
            Err(sys::Errno::EAGAIN | sys::Errno::EINTR) if !flags.contains(PollFlags::HUP) => return,
            _ => {
                connection.closed = true;
                if connection.leash {
                    self.kill(libc::SIGKILL);
                }
                return;
            }
        };
        let request = match serde_json::from_slice(&message) {
            Ok(request) => request,
            Err(error) => {
                connection.send(&Event::Refused { message: format!("not understood: {error}") });
                return;
            }
        };
        match request {
            Request::Kill { signal } => self.kill(signal),
            Request::Resize { rows, columns } => self.streams.resize(rows, columns),
            Request::Attach { answer, paces } => {
                let id = connection.id;
                fds.into_iter().for_each(|socket| self.streams.attach(socket, paces, answer));
                if answer {
                    let (inode, length) = self.streams.log_position();
                    self.tell(id, &Event::Attached { inode, length }, None);
                }
            }
            Request::KillExec => {
                let id = connection.id;
                self.execs.iter().filter(|exec| exec.connection == id).for_each(Exec::kill);
            }
            Request::Exec { seccomp } => {
                let id = connection.id;
                if let Err(message) = self.start_exec(id, seccomp, fds) {
                    self.tell(id, &Event::Refused { message }, None);
                }
            }
        }
    }

    fn kill(&self, signal: i32) {
        // The process is our child and not reaped, so at worst it is a zombie.
        if self.ended.is_none() {
            let _ = sys::process::pidfd_signal(self.init_pidfd.as_fd(), signal);
        }
    }

    fn tell(&mut self, connection: u64, event: &Event, fd: Option<&OwnedFd>) {
        if let Some(connection) = self.connections.iter_mut().find(|c| c.id == connection) {
            connection.send_with(event, fd);
        }
    }

    fn start_exec(&mut self, connection: u64, seccomp: bool, fds: Vec<OwnedFd>) -> Result<(), String> {
        if self.ended.is_some() || self.sync.is_some() {
            return Err("the container is not running".into());
        }
        let mut fds = fds.into_iter();
        let spec = fds.next().ok_or("the exec has no spec")?;
        let spec: exec::ExecSpec =
            serde_json::from_slice(&start::read_all(&spec).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        let seccomp = match seccomp {
            true => Some(start::read_all(&fds.next().ok_or("the filter is missing")?).map_err(|e| e.to_string())?),
            false => None,
        };
        let rest: Vec<OwnedFd> = fds.collect();
        let stdio = match spec.process.tty {
            true => None,
            false => Some(<[OwnedFd; 3]>::try_from(rest).map_err(|_| "three standard streams are needed")?),
        };
        let (ours, theirs) = start::sync_pair().map_err(|e| e.to_string())?;
        match sys::process::clone3(0, None).map_err(|e| e.to_string())? {
            Forked::Child => exec::run(&self.spec, self.init_pidfd.as_fd(), &spec, theirs, stdio, seccomp),
            Forked::Parent { .. } => {
                self.execs.push(Exec { connection, pid: None, sync: Some(ours), terminal: None, exit_code: None, failed: false });
                Ok(())
            }
        }
    }

    /// Reads what helper and program of an exec say. False when there is nothing more now.
    pub(super) fn exec_spoke(&mut self, index: usize) -> bool {
        let Some(exec) = self.execs.get_mut(index) else { return false };
        let Some(sync) = &exec.sync else { return false };
        let (message, fds) = match sys::fdpass::receive_sized(sync.as_fd(), MAX_MESSAGE) {
            Ok(received) => received,
            Err(_) => return false,
        };
        let connection = exec.connection;
        if message.is_empty() {
            exec.sync = None;
            let terminal = exec.terminal.take();
            let (pid, exit_code) = (exec.pid, exec.exit_code);
            match pid {
                Some(pid) => self.tell(connection, &Event::ExecStarted { pid: pid.as_raw() }, terminal.as_ref()),
                None => {
                    exec.failed = true;
                    let message = "the exec helper ended before it started the program".into();
                    self.tell(connection, &Event::Refused { message }, None);
                }
            }
            if let Some(exit_code) = exit_code {
                self.tell(connection, &Event::ExecExited { exit_code }, None);
            }
            return false;
        }
        match exec::parse(&message) {
            Some(exec::FromExec::Born(pid)) => {
                let pid = Pid::from_raw(pid);
                exec.pid = Some(pid);
                if let Some(at) = self.unclaimed.iter().position(|(unclaimed, _)| *unclaimed == pid) {
                    exec.exit_code = Some(self.unclaimed.swap_remove(at).1);
                }
            }
            Some(exec::FromExec::Init(FromInit::Terminal)) => exec.terminal = fds.into_iter().next(),
            Some(exec::FromExec::Init(FromInit::Failed(error))) => {
                exec.failed = true;
                exec.sync = None;
                let event = Event::Failed { stage: error.stage, message: error.message, exit_code: error.exit_code };
                self.tell(connection, &event, None);
                return false;
            }
            Some(exec::FromExec::Init(FromInit::Root)) | None => {}
        }
        true
    }

    pub(super) fn exec_ended(&mut self, pid: Pid, exit_code: i32) {
        for index in 0..self.execs.len() {
            while self.exec_spoke(index) {}
        }
        match self.execs.iter_mut().find(|exec| exec.pid == Some(pid)) {
            Some(exec) => {
                exec.exit_code = Some(exit_code);
                let (connection, told) = (exec.connection, exec.sync.is_none());
                if told && !exec.failed {
                    self.tell(connection, &Event::ExecExited { exit_code }, None);
                }
            }
            // A helper (nobody asks for its code), or a program faster than its helper.
            None => {
                self.unclaimed.push((pid, exit_code));
                let most = self.execs.len() * 2 + 8;
                if self.unclaimed.len() > most {
                    self.unclaimed.remove(0);
                }
            }
        }
    }
}
