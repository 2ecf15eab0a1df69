//! Unix sockets by paths of any length: they are reached through their directory's descriptor, because a socket's own path may
//! have only 107 bytes.
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

fn address(path: &Path) -> io::Result<(File, SocketAddrUnix)> {
    let dir = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))?;
    Ok((dir, address))
}

/// Sequenced packets, close-on-exec.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let (_dir, address) = address(path)?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    connect_as(path, SocketType::SEQPACKET)
}

/// A console socket is a stream.
pub fn connect_stream(path: &Path) -> io::Result<OwnedFd> {
    connect_as(path, SocketType::STREAM)
}

fn connect_as(path: &Path, kind: SocketType) -> io::Result<OwnedFd> {
    let (_dir, address) = address(path)?;
    // Non-blocking, as a full queue of a stopped listener would hold us for ever.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket)
}

/// Two ends for the processes of one call.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// False when nothing came within `time`; true also when the other end has closed.
pub fn readable(fd: &OwnedFd, time: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let time = Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) };
    loop {
        match poll(&mut fds, Some(&time)) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other? > 0),
        }
    }
}
