//! A sequenced-packet socket under tokio.
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use slipway_sys as sys;
use tokio::io::unix::AsyncFd;

use crate::error::{Error, Result};
use crate::wire::{Event, MAX_MESSAGE, Request};

/// A connected pair; the second end is for another process.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// Bytes of any length, as a descriptor.
pub(super) fn memfd(bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("slipway", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    Ok(file.into())
}

const SEND_DEADLINE: u64 = 10;

pub(super) struct Link {
    fd: AsyncFd<OwnedFd>,
}

impl Link {
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: sys::event::async_fd(fd)? })
    }

    /// Connects to the socket `name` in `dir`, through the directory's descriptor: socket paths have a small limit.
    pub fn connect(dir: &Path, name: &str) -> io::Result<Self> {
        let dir = File::open(dir)?;
        let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new(short.as_str())?)?;
        Self::new(socket)
    }

    /// A shim reads within moments; one that does not is stopped or stuck.
    pub async fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let message = serde_json::to_vec(request)?;
        let sent = tokio::time::timeout(Duration::from_secs(SEND_DEADLINE), self.send_bytes(&message, fds));
        sent.await.map_err(|_| Error::Timeout(SEND_DEADLINE))?
    }

    async fn send_bytes(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        loop {
            let mut ready = self.fd.writable().await.map_err(|_| Error::ShimGone)?;
            let attempt = ready.try_io(|fd| sys::fdpass::send(fd.get_ref().as_fd(), message, fds).map_err(io::Error::from));
            match attempt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_)) => return Err(Error::ShimGone),
                Err(_) => {} // not writable after all
            }
        }
    }

    /// `None`: the other side is gone.
    pub async fn receive(&self) -> Result<Option<(Event, Vec<OwnedFd>)>> {
        loop {
            let mut ready = self.fd.readable().await.map_err(|_| Error::ShimGone)?;
            match ready.try_io(|fd| sys::fdpass::receive_sized(fd.get_ref().as_fd(), MAX_MESSAGE).map_err(io::Error::from)) {
                Ok(Ok((message, _))) if message.is_empty() => return Ok(None),
                Ok(Ok((message, fds))) => return Ok(Some((serde_json::from_slice(&message)?, fds))),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Ok(Err(_)) => return Err(Error::ShimGone),
                Err(_) => {}
            }
        }
    }
}
