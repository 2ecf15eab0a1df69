//! What the rules cannot translate: IPv6 clients of a container that has IPv4 alone, and the host's own `::1`. Lives as
//! long as the daemon.
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};

const CONNECT: Duration = Duration::from_secs(10);
/// A UDP client that says nothing, and is told nothing, for so long is forgotten.
const IDLE: Duration = Duration::from_secs(90);
/// UDP clients of one port at a time; each takes a socket.
const MOST_CLIENTS: usize = 512;
const LARGEST_DATAGRAM: usize = 65_535;

pub(crate) async fn tcp(listener: TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(forward(client, target))),
            Err(error) => {
                tracing::warn!(%error, "a published port cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr) {
    let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT, TcpStream::connect(target)).await else { return }; // closing tells the client
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%error, "a proxied connection broke");
    }
}

type Clients = Arc<Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>>;

pub(crate) async fn udp(socket: UdpSocket, target: SocketAddr) {
    let socket = Arc::new(socket);
    let clients = Clients::default();
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(10)).await; // an earlier answer that did not arrive
            continue;
        };
        let known = clients.lock().unwrap_or_else(PoisonError::into_inner).get(&client).cloned();
        let server = match known {
            Some(server) => server,
            None => match connect(&socket, &clients, client, target).await {
                Some(server) => server,
                None => continue, // datagrams may be lost
            },
        };
        let _ = server.send(&buffer[..length]).await; // as they may be here
    }
}

async fn connect(socket: &Arc<UdpSocket>, clients: &Clients, client: SocketAddr, target: SocketAddr) -> Option<Arc<UdpSocket>> {
    if clients.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST_CLIENTS {
        return None;
    }
    let any = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let server = Arc::new(UdpSocket::bind(SocketAddr::new(any, 0)).await.ok()?);
    server.connect(target).await.ok()?;
    clients.lock().unwrap_or_else(PoisonError::into_inner).insert(client, server.clone());
    tokio::spawn(answer(Arc::downgrade(socket), clients.clone(), client, server.clone()));
    Some(server)
}

/// Carries answers back; ends with the port, too.
async fn answer(socket: std::sync::Weak<UdpSocket>, clients: Clients, client: SocketAddr, server: Arc<UdpSocket>) {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    while let Ok(received) = tokio::time::timeout(IDLE, server.recv(&mut buffer)).await {
        let Some(socket) = socket.upgrade() else { break };
        match received {
            Ok(length) => drop(socket.send_to(&buffer[..length], client).await), // the client may be gone
            Err(_) => break,                                                     // nobody listens in the container
        }
    }
    clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&client);
}
