//! Clients attached to the container's streams.
//!
//! Who attached before the start is the reader of what it has started (`docker run … | gzip`): it slows the container
//! down, as a pipe would, but only for `PATIENCE`, for a dead client must not stop it for ever. Who came later looks on:
//! when it falls too far behind it is cut off. When the daemon dies its sockets close, and the container runs on.
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::log::Stream;

/// Bytes waiting for one client above which the container's output is not read.
const HIGH_WATER: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that a client which does not pace the container may be behind.
const FARTHEST_BEHIND: usize = 8 << 20;

pub(super) struct Client {
    pub socket: OwnedFd,
    raw: bool,
    paces: bool,
    waiting: VecDeque<u8>,
    progress: Instant,
    pub gone: bool,
    /// The client has closed its side: no more input.
    pub input_ended: bool,
}

impl Client {
    pub fn new(socket: OwnedFd, raw: bool, paces: bool) -> rustix::io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket, raw, paces, waiting: VecDeque::new(), progress: Instant::now(), gone: false, input_ended: false })
    }

    /// Queues output, with Docker's 8-byte header unless the stream is raw, and sends what the socket takes.
    pub fn push(&mut self, stream: Stream, data: &[u8]) {
        if self.gone {
            return;
        }
        if self.waiting.is_empty() {
            self.progress = Instant::now();
        }
        if !self.raw {
            let length = (data.len() as u32).to_be_bytes();
            self.waiting.extend([stream as u8, 0, 0, 0]);
            self.waiting.extend(length);
        }
        self.waiting.extend(data);
        self.flush();
        if !self.paces && self.waiting.len() > FARTHEST_BEHIND {
            self.gone = true;
        }
    }

    pub fn flush(&mut self) {
        while !self.waiting.is_empty() && !self.gone {
            let (first, _) = self.waiting.as_slices();
            match send(&self.socket, first, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => {
                    self.waiting.drain(..sent);
                    self.progress = Instant::now();
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => self.gone = true,
            }
        }
        if self.waiting.is_empty() && self.waiting.capacity() > HIGH_WATER / 4 {
            self.waiting = VecDeque::new();
        }
    }

    pub fn wants_write(&self) -> bool {
        !self.gone && !self.waiting.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.paces && !self.gone && self.waiting.len() >= HIGH_WATER
    }

    /// Gives up on a client that took nothing for too long.
    pub fn check_patience(&mut self) {
        if self.wants_write() && self.progress.elapsed() > PATIENCE {
            self.gone = true;
        }
    }
}
