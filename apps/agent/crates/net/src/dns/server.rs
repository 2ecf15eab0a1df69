//! Answers the questions of one container.
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Sockets;
use super::forward::Servers;
use super::message::{self, A, AAAA, Data, PTR, Question};
use super::names::{Found, Names};

/// Questions of one container that wait for others at a time; further ones are dropped, and asked again by their askers.
const MOST_FORWARDED: usize = 128;
const MOST_CONNECTIONS: usize = 32;
/// Of a connection without a question.
const IDLE: Duration = Duration::from_secs(10);
const LARGEST_QUERY: usize = 4_096;

/// Answers as long as it is kept.
pub(crate) struct Server(Vec<JoinHandle<()>>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

struct Resolver {
    container: String,
    names: Arc<Names>,
    servers: Servers,
    forwarded: Arc<Semaphore>,
}

impl Server {
    /// `servers`: the container's own, or none: the host's.
    pub fn start(container: &str, sockets: Sockets, names: Arc<Names>, servers: Vec<IpAddr>) -> io::Result<Self> {
        let forwarded = Arc::new(Semaphore::new(MOST_FORWARDED));
        let resolver = Arc::new(Resolver { container: container.to_owned(), names, servers: Servers::new(servers), forwarded });
        let udp = Arc::new(UdpSocket::from_std(sockets.udp)?);
        let tcp = TcpListener::from_std(sockets.tcp)?;
        Ok(Self(vec![tokio::spawn(serve_udp(udp, resolver.clone())), tokio::spawn(serve_tcp(tcp, resolver))]))
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, resolver: Arc<Resolver>) {
    let mut buffer = vec![0; LARGEST_QUERY];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(Duration::from_millis(10)).await; // an earlier answer that did not arrive
            continue;
        };
        let query = &buffer[..length];
        let question = match message::parse(query) {
            Ok(question) => question,
            Err(Some(reply)) => {
                let _ = socket.send_to(&reply, client).await; // the asker may be gone, here and below
                continue;
            }
            Err(None) => continue,
        };
        if let Some(reply) = resolver.local(query, &question, question.limit) {
            let _ = socket.send_to(&reply, client).await;
            continue;
        }
        let Ok(permit) = resolver.forwarded.clone().try_acquire_owned() else { continue };
        let (socket, resolver, query) = (socket.clone(), resolver.clone(), query.to_vec());
        tokio::spawn(async move {
            let mut reply = resolver.forward(&query, &question, false).await;
            if reply.len() > question.limit {
                reply = message::truncated(&query, question.end);
            }
            let _ = socket.send_to(&reply, client).await;
            drop(permit);
        });
    }
}

async fn serve_tcp(listener: TcpListener, resolver: Arc<Resolver>) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let resolver = resolver.clone();
                tokio::spawn(async move {
                    let _ = converse(stream, &resolver).await; // it is over, one way or the other
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(mut stream: TcpStream, resolver: &Resolver) -> io::Result<()> {
    loop {
        let query = timeout(IDLE, read_query(&mut stream)).await??;
        let reply = match message::parse(&query) {
            Ok(question) => match resolver.local(&query, &question, usize::from(u16::MAX)) {
                Some(reply) => reply,
                None => resolver.forward(&query, &question, true).await,
            },
            Err(Some(reply)) => reply,
            Err(None) => return Ok(()),
        };
        let framed = [&(reply.len() as u16).to_be_bytes(), &reply[..]].concat();
        timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

async fn read_query(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > LARGEST_QUERY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut query = vec![0; length];
    stream.read_exact(&mut query).await?;
    Ok(query)
}

impl Resolver {
    /// The answer to a question about a container of its networks.
    fn local(&self, query: &[u8], question: &Question, limit: usize) -> Option<Vec<u8>> {
        let name = question.name.as_deref()?;
        let records = match question.kind {
            PTR => vec![Data::Name(self.names.name_of(&self.container, message::reverse(name)?)?)],
            kind => match self.names.find(&self.container, name, kind == AAAA) {
                // Names of containers have addresses alone.
                Found::Addresses(addresses) if matches!(kind, A | AAAA) => addresses.into_iter().map(Data::Address).collect(),
                Found::Addresses(_) | Found::Nothing => Vec::new(),
                Found::Unknown => return None,
            },
        };
        Some(message::answer(query, question, &records, limit))
    }

    async fn forward(&self, query: &[u8], question: &Question, tcp: bool) -> Vec<u8> {
        let reply = match self.names.may_ask(&self.container) {
            true => self.servers.ask(query, question.end, tcp).await,
            false => None,
        };
        reply.unwrap_or_else(|| message::refusal(query, question.end, message::SERVER_FAILURE))
    }
}
