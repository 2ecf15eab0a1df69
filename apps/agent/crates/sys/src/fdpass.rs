//! Datagrams with descriptors over a Unix socket.
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use crate::{Errno, Result};

/// Most descriptors in one message.
pub const MAX_FDS: usize = 16;

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

/// Sends one datagram (or, on a stream socket, one write) with `fds` attached.
pub fn send(socket: BorrowedFd<'_>, data: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::E2BIG);
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(data)], &mut ancillary, SendFlags::NOSIGNAL).map_err(errno)?;
    if sent == data.len() { Ok(()) } else { Err(Errno::EMSGSIZE) }
}

/// Receives one datagram of at most `limit` bytes and its descriptors, close-on-exec; empty when the other side closed. The
/// memory it takes is the datagram's own: processes that live for milliseconds pay for each page they touch.
pub fn receive_sized(socket: BorrowedFd<'_>, limit: usize) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut nothing: [u8; 0] = [];
    let (_, length) = rustix::net::recv(socket, &mut nothing[..], RecvFlags::PEEK | RecvFlags::TRUNC).map_err(errno)?;
    if length == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    // One that is too long is taken out of the queue, and refused as cut off.
    let mut message = vec![0; length.min(limit)];
    let (length, fds) = receive(socket, &mut message)?;
    message.truncate(length);
    Ok((message, fds))
}

/// Receives one datagram into `buffer`: its length (0: the other side closed) and the descriptors, close-on-exec.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).map_err(errno)?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::EMSGSIZE);
    }
    Ok((received.bytes, fds))
}
