//! The few rtnetlink messages needed, by hand: one socket, one request, one acknowledgement.
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const NEWROUTE: u16 = 24;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;
const REPLACE: u16 = 0x100;

const INET: u8 = 2;
const INET6: u8 = 10;
/// `IFA_F_NODAD`: addresses are given out once, so asking the neighbours first would only cost a second.
const NO_DETECTION: u8 = 2;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
/// The kernel takes no longer alias.
const LONGEST_ALIAS: usize = 255;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const NESTED: u16 = 0x8000;

const IFF_UP: u32 = 1;
const ERROR: u16 = 2;

/// A socket of the network namespace it was opened in, whatever the thread joins later.
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | ACK | flags).to_ne_bytes());
        Self { bytes }
    }

    /// `struct ifinfomsg`
    fn link(mut self, index: u32, up: bool) -> Self {
        self.push_link(index, up);
        self
    }

    fn push_link(&mut self, index: u32, up: bool) {
        let flags = if up { IFF_UP } else { 0 };
        self.bytes.extend([0; 4]);
        self.bytes.extend(index.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes()); // change mask
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend(((value.len() + 4) as u16).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad();
        self
    }

    fn address(self, kind: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    fn name(self, kind: u16, name: &str) -> Self {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        let mut filled = fill(self);
        let length = (filled.bytes.len() - start) as u16;
        filled.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        filled.bytes[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        filled.pad();
        filled
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

/// One end of a pair and its other end, which is born in another namespace.
pub(crate) struct Veth<'a> {
    pub name: &'a str,
    pub peer_name: &'a str,
    pub peer_netns: i32,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        let timeout = Some(std::time::Duration::from_secs(10));
        rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, timeout)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends and waits for the acknowledgement; the first other answer, if any, is returned.
    fn request(&mut self, mut message: Message) -> io::Result<Vec<u8>> {
        self.sequence += 1;
        let length = message.bytes.len() as u32;
        message.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        message.bytes[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        rustix::net::send(&self.socket, &message.bytes, SendFlags::empty())?;
        let mut answer = Vec::new();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let (received, _) = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = &buffer[..received];
            while let Some(header) = rest.get(..16) {
                let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
                let kind = u16::from_ne_bytes([header[4], header[5]]);
                let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
                let Some(body) = rest.get(16..length) else { return Err(io::Error::from(io::ErrorKind::InvalidData)) };
                if sequence == self.sequence && kind == ERROR {
                    let code = body.get(..4).map_or(-5, |b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
                    return if code == 0 { Ok(answer) } else { Err(io::Error::from_raw_os_error(-code)) };
                }
                if sequence == self.sequence {
                    answer = body.to_vec();
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }

    /// Index of the link `name`, or `NotFound`/ENODEV.
    pub fn index(&mut self, name: &str) -> io::Result<u32> {
        let answer = self.request(Message::new(GETLINK, 0).link(0, false).name(IFLA_IFNAME, name))?;
        answer.get(4..8).map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]])).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub fn add_bridge(&mut self, name: &str, mtu: u32) -> io::Result<()> {
        let message = Message::new(NEWLINK, CREATE | EXCL)
            .link(0, true)
            .name(IFLA_IFNAME, name)
            .attribute(IFLA_MTU, &mtu.to_ne_bytes())
            .nest(IFLA_LINKINFO, |m| m.name(IFLA_INFO_KIND, "bridge"));
        self.request(message).map(drop)
    }

    /// Both ends in one message, down: this one here, the peer already in its namespace.
    pub fn add_veth(&mut self, veth: &Veth<'_>) -> io::Result<()> {
        let message = Message::new(NEWLINK, CREATE | EXCL).link(0, false).name(IFLA_IFNAME, veth.name).nest(IFLA_LINKINFO, |m| {
            m.name(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA, |m| {
                m.nest(VETH_INFO_PEER, |mut m| {
                    m.push_link(0, false); // the kernel cannot start one end before the pair is whole
                    m.name(IFLA_IFNAME, veth.peer_name).attribute(IFLA_NET_NS_FD, &veth.peer_netns.to_ne_bytes())
                })
            })
        });
        self.request(message).map(drop)
    }

    /// Plugs the interface into the bridge, and starts it.
    pub fn plug(&mut self, index: u32, bridge: u32, mtu: u32) -> io::Result<()> {
        let message = Message::new(NEWLINK, 0)
            .link(index, true)
            .attribute(IFLA_MTU, &mtu.to_ne_bytes())
            .attribute(IFLA_MASTER, &bridge.to_ne_bytes());
        self.request(message).map(drop)
    }

    /// Gives an interface its hardware address and MTU, and starts it.
    pub fn dress(&mut self, index: u32, mac: [u8; 6], mtu: u32) -> io::Result<()> {
        let message = Message::new(NEWLINK, 0).link(index, true).attribute(IFLA_ADDRESS, &mac).attribute(IFLA_MTU, &mtu.to_ne_bytes());
        self.request(message).map(drop)
    }

    pub fn set_up(&mut self, index: u32) -> io::Result<()> {
        self.request(Message::new(NEWLINK, 0).link(index, true)).map(drop)
    }

    /// A text that `ip link` shows; a longer one is cut.
    pub fn set_alias(&mut self, index: u32, text: &str) -> io::Result<()> {
        let text = &text.as_bytes()[..text.len().min(LONGEST_ALIAS)];
        self.request(Message::new(NEWLINK, 0).link(index, false).attribute(IFLA_IFALIAS, text)).map(drop)
    }

    pub fn delete(&mut self, index: u32) -> io::Result<()> {
        self.request(Message::new(DELLINK, 0).link(index, false)).map(drop)
    }

    /// `broadcast` is IPv4's.
    pub fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8, broadcast: Option<Ipv4Addr>) -> io::Result<()> {
        // struct ifaddrmsg: family, prefix, flags, scope, index; then IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST
        let (family, flags) = if address.is_ipv4() { (INET, 0) } else { (INET6, NO_DETECTION) };
        let message = Message::new(NEWADDR, CREATE | EXCL)
            .raw(&[family, prefix, flags, 0])
            .raw(&index.to_ne_bytes())
            .address(2, address)
            .address(1, address);
        let message = match broadcast {
            Some(broadcast) => message.address(4, broadcast.into()),
            None => message,
        };
        self.request(message).map(drop)
    }

    /// Sets the default route of the gateway's family, in place of one that is there.
    pub fn set_default_route(&mut self, gateway: IpAddr) -> io::Result<()> {
        // struct rtmsg: family, main table, static, universe, unicast; then RTA_GATEWAY
        let family = if gateway.is_ipv4() { INET } else { INET6 };
        let header = [family, 0, 0, 0, 254, 4, 0, 1];
        let message = Message::new(NEWROUTE, CREATE | REPLACE).raw(&header).raw(&[0; 4]).address(5, gateway);
        self.request(message).map(drop)
    }
}
