//! The API over TCP, for clients with a certificate of the given authority. Never without: whoever speaks to the API is root.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::state::App;

/// Connections at a time; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request's head, and between two requests.
const HEAD_TIME: Duration = Duration::from_secs(120);

#[derive(Debug, Clone)]
pub struct TcpOptions {
    pub address: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates clients must have.
    pub authority: PathBuf,
}

pub struct Listener {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = || format!("cannot read certificates from {}", path.display());
    let found = CertificateDer::pem_file_iter(path).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    anyhow::ensure!(!found.is_empty(), "{} holds no certificate", path.display());
    Ok(found)
}

/// Reads the files and opens the port; a mistake in them keeps the agent from starting.
pub async fn listen(options: &TcpOptions) -> anyhow::Result<Listener> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&options.authority)? {
        roots.add(certificate).with_context(|| format!("{} holds a certificate that cannot be used", options.authority.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().context("--tls-ca")?;
    let key = PrivateKeyDer::from_pem_file(&options.key).with_context(|| format!("cannot read a key from {}", options.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot prepare TLS")?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&options.certificate)?, key)
        .context("--tls-cert and --tls-key do not go together")?;
    // Streams are taken over by an upgrade, which HTTP/2 has not.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = TcpListener::bind(options.address).await.with_context(|| format!("cannot listen on {}", options.address))?;
    Ok(Listener { socket, acceptor: TlsAcceptor::from(Arc::new(config)) })
}

impl Listener {
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub async fn serve(self, app: App) {
        let service = super::service(app);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, service) = (self.acceptor.clone(), service.clone());
            tokio::spawn(async move {
                match handshake(acceptor, stream).await {
                    Ok(stream) => super::speak(stream, service, Some(HEAD_TIME)).await,
                    Err(error) => tracing::info!(%peer, %error, "a TLS client is refused"),
                }
                drop(place);
            });
        }
    }
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no handshake in time");
    tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await.map_err(|_| late())?
}
