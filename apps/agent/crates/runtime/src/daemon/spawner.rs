//! Starting the spawner process and keeping one alive.
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use slipway_sys as sys;

use crate::error::{Error, Result};

pub(super) struct Spawner {
    current: Mutex<Process>,
}

struct Process {
    socket: OwnedFd,
    child: Child,
}

impl Spawner {
    pub fn start() -> Result<Self> {
        Ok(Self { current: Mutex::new(spawn().map_err(Error::Spawner)?) })
    }

    /// Hands over a launch request, to a new spawner if the last one has died.
    pub fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut process = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match sys::fdpass::send(process.socket.as_fd(), message, fds) {
            Err(sys::Errno::EPIPE | sys::Errno::ECONNRESET | sys::Errno::ENOTCONN) => {
                tracing::warn!("the spawner has died; starting another");
                let _ = process.child.wait(); // it is dead; only its zombie is collected
                *process = spawn()?;
                sys::fdpass::send(process.socket.as_fd(), message, fds).map_err(io::Error::from)
            }
            other => other.map_err(io::Error::from),
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        let process = self.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of the socket is its signal to leave.
        if let Ok(null) = std::fs::File::open("/dev/null") {
            process.socket = null.into();
            let _ = process.child.wait();
        }
    }
}

fn spawn() -> io::Result<Process> {
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let program = read_only_program()?;
    // `Command` with neither hooks nor ids to set uses posix_spawn, which is safe with threads.
    let child = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg("spawner")
        .env_clear()
        .envs(crate::fault::wanted().map(|step| (crate::fault::VARIABLE, step)))
        .envs(crate::clock::shift_file().map(|file| (crate::clock::SHIFT, file)))
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Process { socket: ours, child })
}

/// This program, seen through a private read-only mount. The first process of a container is a copy of the spawner
/// until it becomes the user's program; should that ever be tricked into opening `/proc/self/exe` (CVE-2019-5736),
/// the mount refuses to write.
fn read_only_program() -> io::Result<OwnedFd> {
    let path = std::env::current_exe()?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, &path, flags)?;
    sys::mount::set_attributes(tree.as_fd(), c"", sys::mount::RDONLY, 0, 0, false).map_err(io::Error::from)?;
    Ok(tree)
}
