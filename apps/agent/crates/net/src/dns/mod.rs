//! The name server of each container in a user's network, at 127.0.0.11.
//!
//! Its sockets are in the container's network namespace, on a port that a rule there leads 127.0.0.11:53 to: a container
//! may itself be a name server, and takes port 53 of every address. The daemon answers. While it is down nobody does; the
//! rule stays, and the next daemon opens the sockets again.
mod forward;
mod message;
mod names;
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

pub use names::Named;
pub(crate) use names::Names;
pub(crate) use server::Server;

use crate::error::{Context, Result};
use crate::nft;

pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Outside of what the kernel gives to sockets that do not ask for a port.
const PORT: u16 = 61_053;

/// A container's, before anybody answers.
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

/// Runs inside the namespace, once in its life.
pub(crate) fn prepare() -> Result<()> {
    let rule = |protocol: &str| format!("    ip daddr {ADDRESS} {protocol} dport 53 dnat to {ADDRESS}:{PORT}\n");
    let rules = rule("udp") + &rule("tcp");
    nft::apply_blocking(&format!(
        "table ip slipway-dns {{\n  chain output {{\n    type nat hook output priority -100; policy accept;\n{rules}  }}\n}}\n"
    ))
}

/// Runs inside the namespace.
pub(crate) fn open() -> Result<Sockets> {
    let at = SocketAddr::new(IpAddr::V4(ADDRESS), PORT);
    let what = "open the container's name server";
    let (udp, tcp) = (UdpSocket::bind(at).context(what)?, TcpListener::bind(at).context(what)?);
    udp.set_nonblocking(true).and_then(|()| tcp.set_nonblocking(true)).context(what)?;
    Ok(Sockets { udp, tcp })
}
