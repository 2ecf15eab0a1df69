//! The daemon's side: launching containers, talking to their shims, finding them again after a restart.
mod exec;
mod link;
mod oneshot;
mod spawner;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

pub use exec::{ExecStreams, RunningExec};
pub use oneshot::{Oneshot, OneshotEnd};

use crate::error::{Error, Result};
use crate::spec::{IdRange, LaunchSpec};
use crate::wire::{EXIT_FILE, Event, ExitRecord, Launch, Request, SHIM_SOCKET, ToSpawner};
use link::Link;
use spawner::Spawner;

/// Setting up a container takes milliseconds; a disk that hangs must not hang the API.
const LAUNCH_DEADLINE: u64 = 60;

/// Launches containers. One per daemon, cheap to share.
pub struct Runtime {
    spawner: Spawner,
}

/// Descriptors that go with a launch.
#[derive(Default)]
pub struct LaunchFds {
    /// The compiled filter in a memfd; see [`filter_fd`].
    pub seccomp: Option<std::sync::Arc<OwnedFd>>,
    /// With `Network::Given`.
    pub netns: Option<OwnedFd>,
    /// With `Namespaces::pid_given`.
    pub pidns: Option<OwnedFd>,
    /// With `Namespaces::ipc_given`: the IPC namespace and the mount namespace of the container that it is shared with.
    pub ipc: Option<[OwnedFd; 2]>,
    /// With `LaunchSpec::users`.
    pub users: Option<OwnedFd>,
    /// Standard streams from outside; the shim then neither logs nor serves them.
    pub stdio: Option<[OwnedFd; 3]>,
    /// Stream sockets of clients that attached before the start.
    pub attach: Vec<OwnedFd>,
}

/// A connection to the shim of a running container.
pub struct Shim {
    link: Link,
    pub pid: i32,
    pub shim_pid: i32,
    pub run: u64,
    /// Nanoseconds since the epoch.
    pub started_at: i64,
}

/// A user namespace, and an empty network namespace that is its root's to use.
pub struct UserNamespace {
    pub users: OwnedFd,
    pub network: OwnedFd,
}

/// A filter as `LaunchFds` wants it; make it once and share it.
pub fn filter_fd(program: &[u8]) -> Result<OwnedFd> {
    link::memfd(program).map_err(Error::Launch)
}

impl Runtime {
    /// Starts the spawner. Must happen before the process has other threads.
    pub fn start() -> Result<Self> {
        Ok(Self { spawner: Spawner::start()? })
    }

    /// Makes a user namespace in which the first users are those of the host from `ids` on.
    ///
    /// # Errors
    /// When the kernel has none to give (`user.max_user_namespaces`).
    pub async fn make_users(&self, ids: IdRange) -> Result<UserNamespace> {
        let [users, network] = self.make(&ToSpawner::MakeUsers(ids), None).await?;
        Ok(UserNamespace { users, network })
    }

    /// Makes an empty network namespace that belongs to the user namespace `users`.
    pub async fn make_network(&self, users: &OwnedFd) -> Result<OwnedFd> {
        let [network] = self.make(&ToSpawner::MakeNetwork, Some(users)).await?;
        Ok(network)
    }

    async fn make<const N: usize>(&self, wanted: &ToSpawner, with: Option<&OwnedFd>) -> Result<[OwnedFd; N]> {
        let (ours, theirs) = link::pair().map_err(Error::Launch)?;
        let fds: Vec<_> = [&theirs].into_iter().chain(with).map(AsFd::as_fd).collect();
        self.spawner.send(&serde_json::to_vec(wanted)?, &fds).map_err(Error::Launch)?;
        drop(theirs);
        let link = Link::new(ours).map_err(Error::Launch)?;
        let answer = tokio::time::timeout(Duration::from_secs(LAUNCH_DEADLINE), link.receive());
        match answer.await.map_err(|_| Error::Timeout(LAUNCH_DEADLINE))?? {
            Some((Event::Made, fds)) => fds.try_into().map_err(|_| Error::ShimGone),
            Some((Event::Failed { stage, message, exit_code }, _)) => Err(Error::NotStarted { stage, message, exit_code }),
            _ => Err(Error::ShimGone),
        }
    }

    /// Starts a container and returns once the user's program runs.
    pub async fn launch(&self, spec: &LaunchSpec, fds: LaunchFds) -> Result<Shim> {
        let (ours, theirs) = link::pair().map_err(Error::Launch)?;
        let launch = Launch {
            seccomp: fds.seccomp.is_some(),
            netns: fds.netns.is_some(),
            pidns: fds.pidns.is_some(),
            ipc: fds.ipc.is_some(),
            users: fds.users.is_some(),
            stdio: fds.stdio.is_some(),
            attach: fds.attach.len(),
        };
        let body = link::memfd(&serde_json::to_vec(spec)?).map_err(Error::Launch)?;
        let mut passed = vec![body.as_fd(), theirs.as_fd()];
        passed.extend(fds.seccomp.iter().map(|fd| fd.as_fd()));
        passed.extend(fds.netns.iter().chain(&fds.pidns).map(|fd| fd.as_fd()));
        passed.extend(fds.ipc.iter().flatten().chain(&fds.users).map(|fd| fd.as_fd()));
        passed.extend(fds.stdio.iter().flatten().map(|fd| fd.as_fd()));
        passed.extend(fds.attach.iter().map(|fd| fd.as_fd()));
        self.spawner.send(&serde_json::to_vec(&ToSpawner::Launch(launch))?, &passed).map_err(Error::Launch)?;
        drop(theirs);
        crate::fault::point("launch.sent");
        drop(fds); // whoever reads the container's streams sees their end only when nobody else holds them
        let link = Link::new(ours).map_err(Error::Launch)?;
        let first = tokio::time::timeout(Duration::from_secs(LAUNCH_DEADLINE), link.receive());
        let Ok(first) = first.await else {
            // It may still come to life, when nobody expects it any more.
            let _ = link.send(&Request::Kill { signal: libc::SIGKILL }, &[]).await; // the deadline is what is told
            return Err(Error::Timeout(LAUNCH_DEADLINE));
        };
        match first? {
            Some((Event::Started { pid, shim_pid, started_at }, _)) => Ok(Shim { link, pid, shim_pid, run: spec.run, started_at }),
            Some((Event::Failed { stage, message, exit_code }, _)) => Err(Error::NotStarted { stage, message, exit_code }),
            _ => Err(Error::ShimGone),
        }
    }
}

impl Shim {
    /// Connects to the shim that serves the container directory `dir`; `None` when there is none any more.
    pub async fn connect(dir: &Path) -> Result<Option<Self>> {
        let link = match Link::connect(dir, SHIM_SOCKET) {
            Ok(link) => link,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => return Ok(None),
            Err(error) => return Err(Error::Launch(error)),
        };
        let hello = tokio::time::timeout(Duration::from_secs(5), link.receive());
        match hello.await.map_err(|_| Error::Timeout(5))?? {
            Some((Event::Hello { pid, shim_pid, run, started_at }, _)) => Ok(Some(Self { link, pid, shim_pid, run, started_at })),
            _ => Ok(None),
        }
    }

    /// How the container ended; `None` when the shim itself died without telling.
    pub async fn wait(&self) -> Option<ExitRecord> {
        loop {
            match self.link.receive().await {
                Ok(Some((Event::Exited(record), _))) => return Some(record),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Signals the container's first process.
    pub async fn kill(&self, signal: i32) -> Result<()> {
        self.link.send(&Request::Kill { signal }, &[]).await
    }

    pub async fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        self.link.send(&Request::Resize { rows, columns }, &[]).await
    }

    /// Gives the shim one end of a stream socket. `paces`: the container waits for whoever reads it.
    pub async fn attach(&self, socket: OwnedFd, paces: bool) -> Result<()> {
        self.link.send(&Request::Attach { answer: false, paces }, &[socket.as_fd()]).await
    }
}

/// Where a stream goes on: the log's file (inode number) and how many bytes of it came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    pub inode: u64,
    pub length: u64,
}

/// As [`Shim::attach`], on a connection of its own, for a client that has read the log before: what the log holds up to
/// the position and what the stream brings are the whole output, without a gap and nothing twice.
pub async fn attach_after_log(dir: &Path, socket: OwnedFd) -> Result<LogPosition> {
    let link = Link::connect(dir, SHIM_SOCKET).map_err(|_| Error::ShimGone)?;
    link.send(&Request::Attach { answer: true, paces: false }, &[socket.as_fd()]).await?;
    drop(socket);
    let answer = async {
        loop {
            match link.receive().await? {
                Some((Event::Attached { inode, length }, _)) => return Ok(LogPosition { inode, length }),
                Some(_) => {}
                None => return Err(Error::ShimGone),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), answer).await.map_err(|_| Error::Timeout(5))?
}

/// The record a shim left in `dir` for run number `run`.
pub fn read_exit(dir: &Path, run: u64) -> Option<ExitRecord> {
    let bytes = std::fs::read(dir.join(EXIT_FILE)).ok()?;
    serde_json::from_slice::<ExitRecord>(&bytes).ok().filter(|record| record.run == run)
}
