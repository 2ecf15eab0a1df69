//! Published ports: who has which. The rules of `nft.rs` carry them; a socket on the host keeps the port from other
//! programs, tells at once when one has it already, and serves what the rules do not (`proxy.rs`).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::proxy;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Absent: every address of the host. 0.0.0.0 and `::` are every one of their family.
    pub host_ip: Option<IpAddr>,
    /// 0 asks for any free port.
    pub host_port: u16,
    /// The first free one up to this will do; 0 is `host_port` alone.
    #[serde(default)]
    pub last_host_port: u16,
    pub container_port: u16,
    pub protocol: Protocol,
}

impl PublishedPort {
    /// As it is told: the wildcard of IPv4 stands for both.
    fn shown_ip(&self) -> IpAddr {
        self.host_ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    fn covers(&self, other: &Self) -> bool {
        let meet = |a: IpAddr, b: IpAddr| a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified());
        let both = self.host_ip.zip(other.host_ip);
        self.protocol == other.protocol && self.host_port == other.host_port && both.is_none_or(|(a, b)| meet(a, b))
    }
}

/// Where a container's published ports lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub address: IpAddr,
    pub address6: Option<IpAddr>,
}

/// The ports of one container while it runs; dropping it gives the sockets back.
pub(crate) struct Publication {
    pub target: Target,
    pub ports: Vec<PublishedPort>,
    holders: Vec<Holder>,
}

impl Publication {
    /// Ports whose sockets are yet to be opened, of a container that an earlier daemon left running.
    pub fn unheld(target: Target, ports: Vec<PublishedPort>) -> Self {
        Self { target, ports, holders: Vec::new() }
    }
}

struct Holder(JoinHandle<()>);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `others`: what other containers have.
pub(crate) async fn reserve<'a>(
    target: Target,
    wanted: &[PublishedPort],
    others: impl Iterator<Item = &'a Publication>,
) -> Result<Publication> {
    let mut publication = Publication { target, ports: Vec::new(), holders: Vec::new() };
    let taken: Vec<&PublishedPort> = others.flat_map(|other| &other.ports).collect();
    for port in wanted {
        let (port, holder) = first_free(target, port, &taken)?;
        publication.holders.push(holder);
        publication.ports.push(port);
    }
    Ok(publication)
}

fn first_free(target: Target, wanted: &PublishedPort, taken: &[&PublishedPort]) -> Result<(PublishedPort, Holder)> {
    let last = wanted.last_host_port.max(wanted.host_port);
    let mut failure = None;
    for host_port in wanted.host_port..=last {
        let port = PublishedPort { host_port, last_host_port: 0, ..wanted.clone() };
        if host_port != 0 && taken.iter().any(|other| other.covers(&port)) {
            failure.get_or_insert(Error::PortAllocated { ip: port.shown_ip(), port: host_port });
            continue;
        }
        match hold(target, port) {
            Ok(held) => return Ok(held),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
    Err(failure.unwrap_or(Error::PortAllocated { ip: wanted.shown_ip(), port: wanted.host_port }))
}

fn hold(target: Target, mut port: PublishedPort) -> Result<(PublishedPort, Holder)> {
    let failed = |error: std::io::Error| {
        let (ip, number, protocol) = (port.shown_ip(), port.host_port, port.protocol.name());
        match error.kind() {
            std::io::ErrorKind::AddrInUse => Error::PortTaken { ip, port: number, protocol },
            _ => Error::PortRefused { ip, port: number, protocol, source: error },
        }
    };
    let to = SocketAddr::new(target.address, port.container_port);
    let socket = bind(&port).map_err(failed)?;
    let (host_port, task) = match port.protocol {
        Protocol::Tcp => {
            let listener = std::net::TcpListener::from(socket);
            let listener = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)).map_err(failed)?;
            (listener.local_addr().map_err(failed)?.port(), tokio::spawn(proxy::tcp(listener, to)))
        }
        Protocol::Udp => {
            let socket = std::net::UdpSocket::from(socket);
            let socket = socket.set_nonblocking(true).and_then(|()| UdpSocket::from_std(socket)).map_err(failed)?;
            (socket.local_addr().map_err(failed)?.port(), tokio::spawn(proxy::udp(socket, to)))
        }
    };
    port.host_port = host_port;
    Ok((port, Holder(task)))
}

/// Both address families when every address is meant; IPv4 alone on hosts without IPv6.
fn bind(port: &PublishedPort) -> std::io::Result<OwnedFd> {
    let at = |ip: IpAddr| SocketAddr::new(ip, port.host_port);
    match port.host_ip {
        Some(ip) => open(at(ip), port.protocol, true),
        None => match open(at(Ipv6Addr::UNSPECIFIED.into()), port.protocol, false) {
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => open(at(Ipv4Addr::UNSPECIFIED.into()), port.protocol, true),
            other => other,
        },
    }
}

fn open(at: SocketAddr, protocol: Protocol, one_family: bool) -> std::io::Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if protocol == Protocol::Tcp { SocketType::STREAM } else { SocketType::DGRAM };
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if at.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, one_family)?;
    }
    if protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true)?; // connections that linger do not keep the port
    }
    rustix::net::bind(&socket, &at)?;
    if protocol == Protocol::Tcp {
        rustix::net::listen(&socket, 1_024)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_ports_are_the_same() {
        let port = |ip: Option<&str>, host_port| PublishedPort {
            host_ip: ip.map(|ip| ip.parse().unwrap()),
            host_port,
            last_host_port: 0,
            container_port: 80,
            protocol: Protocol::Tcp,
        };
        assert!(port(None, 80).covers(&port(Some("::1"), 80)) && port(Some("127.0.0.1"), 80).covers(&port(Some("0.0.0.0"), 80)));
        assert!(!port(Some("::"), 80).covers(&port(Some("0.0.0.0"), 80)) && !port(None, 80).covers(&port(None, 81)));
        assert!(!port(Some("10.0.0.1"), 80).covers(&port(Some("10.0.0.2"), 80)));
    }
}
