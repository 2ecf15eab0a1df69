//! Notices when somebody else takes our rules away: the kernel tells every change of nftables.
//!
//! Our own changes are told apart by a chain without rules whose name this process made up; anything else that deletes
//! from our table is damage. When more is told than fits, damage is assumed.
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::UnixDatagram;

/// `NFNLGRP_NFTABLES`, as a bit.
const GROUP: u32 = 1 << 6;
const SUBSYSTEM: u16 = 10;
const DELETIONS: [u16; 4] = [2, 5, 8, 14]; // of a table, a chain, a rule, an element of a set
const NEW_CHAIN: u16 = 3;
/// Ends what was changed at once.
const NEW_GENERATION: u16 = 15;
const HEADER: usize = 16 + 4;
const ATTRIBUTE_TABLE: u16 = 1;
const ATTRIBUTE_CHAIN_NAME: u16 = 3;
const BUFFER: usize = 1 << 20;

/// Names for the chains that tell our changes.
pub(crate) struct Marks {
    process: u128,
    count: AtomicU64,
}

impl Marks {
    pub fn new() -> Self {
        let process = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        Self { process, count: AtomicU64::new(0) }
    }

    fn prefix(&self) -> String {
        format!("applied-{:x}-", self.process)
    }

    pub fn next(&self) -> String {
        format!("{}{}", self.prefix(), self.count.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) struct Watch {
    /// A netlink socket; what is received from it is a datagram all the same.
    socket: UnixDatagram,
    table: String,
    own: String,
    damaged: bool,
    marked: bool,
}

impl Watch {
    /// From now on.
    pub fn start(table: String, marks: &Marks) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        sockopt::set_socket_recv_buffer_size(&socket, BUFFER)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
        let socket = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))?;
        Ok(Self { socket, table, own: marks.prefix(), damaged: false, marked: false })
    }

    /// Returns when somebody else has changed our table.
    pub async fn damage(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(length) if self.read(&buffer[..length]) => return Ok(()),
                Ok(_) => {}
                // More was told than fits.
                Err(error) if error.raw_os_error() == Some(105) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// True when it ends a change by another.
    fn read(&mut self, mut messages: &[u8]) -> bool {
        let mut damage = false;
        while let Some(header) = messages.get(..16) {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let Some(message) = messages.get(..length).filter(|message| message.len() >= HEADER) else { break };
            if kind >> 8 == SUBSYSTEM {
                damage |= self.note(kind & 0xff, &message[HEADER..]);
            }
            messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        damage
    }

    fn note(&mut self, kind: u16, attributes: &[u8]) -> bool {
        if kind == NEW_GENERATION {
            let by_another = self.damaged && !self.marked;
            (self.damaged, self.marked) = (false, false);
            return by_another;
        }
        if attribute(attributes, ATTRIBUTE_TABLE) == Some(self.table.as_bytes()) {
            self.damaged |= DELETIONS.contains(&kind);
            let name = attribute(attributes, ATTRIBUTE_CHAIN_NAME).unwrap_or_default();
            self.marked |= kind == NEW_CHAIN && name.starts_with(self.own.as_bytes());
        }
        false
    }
}

/// A text among `struct nlattr`s, without its zero byte.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some(header) = attributes.get(..4) {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([header[2], header[3]]) & 0x3fff == wanted {
            return Some(value.strip_suffix(&[0]).unwrap_or(value));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, attributes: &[(u16, &str)]) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 0];
        for (kind, value) in attributes {
            body.extend((value.len() as u16 + 5).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value.as_bytes());
            body.push(0);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut all = (body.len() as u32 + 16).to_ne_bytes().to_vec();
        all.extend((SUBSYSTEM << 8 | kind).to_ne_bytes());
        all.extend([0; 10]);
        all.extend(body);
        all
    }

    #[tokio::test]
    async fn tells_own_changes_from_those_of_others() {
        let marks = Marks::new();
        let mut watch = Watch::start("ours".into(), &marks).unwrap();
        let end = message(NEW_GENERATION, &[]);
        let delete = |table| message(2, &[(ATTRIBUTE_TABLE, table)]);
        let mark = message(NEW_CHAIN, &[(ATTRIBUTE_TABLE, "ours"), (ATTRIBUTE_CHAIN_NAME, &marks.next())]);
        assert!(watch.read(&[delete("ours"), end.clone()].concat()));
        assert!(!watch.read(&[delete("theirs"), end.clone()].concat()));
        assert!(!watch.read(&[delete("ours"), mark, end.clone()].concat()));
        assert!(!watch.read(&end));
        // Also when it comes in pieces, and whatever else it is.
        assert!(!watch.read(&delete("ours")) && watch.read(&end));
        for length in 0..60 {
            assert!(!watch.read(&vec![0xff; length]) && !watch.read(&vec![0; length]));
        }
    }
}
