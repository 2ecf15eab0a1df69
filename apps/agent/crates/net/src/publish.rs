//! Published ports. The rules of `nft.rs` do the work for IPv4; a listening socket on the host keeps the port from other
//! programs, tells at once when one has it already, and serves what the rules do not: connections over IPv6.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

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
    /// 0.0.0.0 is every address of the host.
    pub host_ip: Ipv4Addr,
    /// 0 asks for any free port.
    pub host_port: u16,
    pub container_port: u16,
    pub protocol: Protocol,
}

/// The ports of one container while it runs; dropping it gives the sockets back.
pub(crate) struct Publication {
    pub address: Ipv4Addr,
    pub ports: Vec<PublishedPort>,
    holders: Vec<Holder>,
}

enum Holder {
    Proxy(JoinHandle<()>),
    Udp { _socket: UdpSocket },
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Self::Proxy(task) = self {
            task.abort();
        }
    }
}

pub(crate) async fn reserve(address: Ipv4Addr, wanted: &[PublishedPort]) -> Result<Publication> {
    let mut publication = Publication { address, ports: Vec::new(), holders: Vec::new() };
    for port in wanted {
        let target = SocketAddr::new(IpAddr::V4(address), port.container_port);
        let (holder, host_port) = match port.protocol {
            Protocol::Tcp => {
                let listener = listen(port).await?;
                let host_port = listener.local_addr().map_err(|_| taken(port))?.port();
                (Holder::Proxy(tokio::spawn(proxy(listener, target))), host_port)
            }
            Protocol::Udp => {
                let socket = bind_udp(port).await?;
                let host_port = socket.local_addr().map_err(|_| taken(port))?.port();
                (Holder::Udp { _socket: socket }, host_port)
            }
        };
        publication.holders.push(holder);
        publication.ports.push(PublishedPort { host_port, ..port.clone() });
    }
    Ok(publication)
}

fn taken(port: &PublishedPort) -> Error {
    Error::PortTaken { ip: port.host_ip, port: port.host_port, protocol: port.protocol.name() }
}

/// Both address families when every address is meant; IPv4 alone on hosts without IPv6.
fn candidates(port: &PublishedPort) -> Vec<SocketAddr> {
    let v4 = SocketAddr::new(IpAddr::V4(port.host_ip), port.host_port);
    match port.host_ip.is_unspecified() {
        true => vec![SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port.host_port), v4],
        false => vec![v4],
    }
}

async fn listen(port: &PublishedPort) -> Result<TcpListener> {
    for candidate in candidates(port) {
        match TcpListener::bind(candidate).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(taken(port)),
            Err(_) => {}
        }
    }
    Err(taken(port))
}

async fn bind_udp(port: &PublishedPort) -> Result<UdpSocket> {
    for candidate in candidates(port) {
        match UdpSocket::bind(candidate).await {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(taken(port)),
            Err(_) => {}
        }
    }
    Err(taken(port))
}

async fn proxy(listener: TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(forward(client, target))),
            Err(error) => {
                tracing::warn!(%error, "a published port cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr) {
    let connect = tokio::time::timeout(std::time::Duration::from_secs(10), TcpStream::connect(target));
    let Ok(Ok(mut server)) = connect.await else { return }; // closing tells the client
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%error, "a proxied connection broke");
    }
}
