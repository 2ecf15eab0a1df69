//! What is nobody's name here is asked of the host's name servers, from the host.
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message;
use crate::files;

/// For one server.
const PATIENCE: Duration = Duration::from_secs(4);
/// As the C library: further ones are not asked.
const MOST_SERVERS: usize = 3;
/// How long the host's list is believed.
const FRESH: Duration = Duration::from_secs(5);
const LARGEST: usize = 65_535;

/// Whom a container's questions go to.
pub(crate) struct Servers {
    /// Its own, or none: the host's.
    own: Vec<IpAddr>,
    host: Mutex<Option<(Instant, Vec<IpAddr>)>>,
}

impl Servers {
    pub fn new(own: Vec<IpAddr>) -> Self {
        Self { own, host: Mutex::new(None) }
    }

    fn list(&self) -> Vec<IpAddr> {
        if !self.own.is_empty() {
            return self.own.clone();
        }
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        match &*host {
            Some((read, servers)) if read.elapsed() < FRESH => servers.clone(),
            _ => {
                let servers = files::host_servers();
                *host = Some((Instant::now(), servers.clone()));
                servers
            }
        }
    }

    /// The first server's answer that is one; its id is the query's. None: nobody answers.
    pub async fn ask(&self, query: &[u8], end: usize, tcp: bool) -> Option<Vec<u8>> {
        let mut last = None;
        for server in self.list().into_iter().take(MOST_SERVERS) {
            // An id that the container does not choose, from a port that it does not see: it cannot have answers forged.
            let mut asked = query.to_vec();
            asked[..2].copy_from_slice(&(RandomState::new().build_hasher().finish() as u16).to_be_bytes());
            let to = SocketAddr::new(server, 53);
            let reply = match tcp {
                true => timeout(PATIENCE, over_tcp(to, &asked, end)).await,
                false => timeout(PATIENCE, over_udp(to, &asked, end)).await,
            };
            let Ok(Ok(mut reply)) = reply else { continue };
            reply[..2].copy_from_slice(&query[..2]);
            if !message::failed(&reply) {
                return Some(reply);
            }
            last = Some(reply);
        }
        last
    }
}

async fn over_udp(to: SocketAddr, query: &[u8], end: usize) -> io::Result<Vec<u8>> {
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(to).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if message::answers(&buffer[..length], query, end) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(to: SocketAddr, query: &[u8], end: usize) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    match message::answers(&reply, query, end) {
        true => Ok(reply),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}
