//! A registry on this machine for pulls by a real agent; it can stop in the midst of a blob.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use slipway_store::{Digest, media_type};

pub struct Registry {
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Path below `/v2/acme/app/` to content type and bytes.
    content: Mutex<HashMap<String, (String, Vec<u8>)>>,
    /// Of blobs that are longer, no more than so many bytes are sent; 0 is no limit.
    hold_at: AtomicUsize,
    held: AtomicBool,
    /// Where blobs are to be had instead.
    elsewhere: Mutex<Option<String>>,
}

impl Registry {
    pub fn start() -> Self {
        Self::start_with(|stream| Some(Box::new(stream)))
    }

    /// Over TLS, at every address of this host.
    pub fn start_tls(certificate: &Path, key: &Path) -> Self {
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth().with_single_cert(chain, key);
        let config = Arc::new(config.unwrap());
        Self::start_with(move |stream| {
            Some(Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).ok()?, stream)))
        })
    }

    fn start_with(secure: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static) -> Self {
        let secure = Arc::new(secure);
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let registry = Self { address: format!("127.0.0.1:{}", listener.local_addr().unwrap().port()), shared: Arc::default() };
        let shared = registry.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, secure) = (shared.clone(), secure.clone());
                std::thread::spawn(move || shared.serve(secure(stream)?));
            }
        });
        registry
    }

    /// Puts an image of these tars under `acme/app:<tag>`; gives its name.
    pub fn put(&self, tag: &str, layers: &[Vec<u8>]) -> String {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({ "os": "linux", "architecture": std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64"),
            "config": { "Cmd": ["sh"] }, "rootfs": { "type": "layers", "diff_ids": diff_ids } });
        let config = config.to_string().into_bytes();
        let blobs: Vec<_> = layers.iter().map(|layer| self.blob(media_type::OCI_LAYER, layer.clone())).collect();
        let config = self.blob(media_type::OCI_CONFIG, config);
        let manifest = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": blobs });
        let content = (media_type::OCI_MANIFEST.to_owned(), manifest.to_string().into_bytes());
        self.shared.content.lock().unwrap().insert(format!("manifests/{tag}"), content);
        format!("{}/acme/app:{tag}", self.address)
    }

    fn blob(&self, kind: &str, bytes: Vec<u8>) -> serde_json::Value {
        let descriptor = json!({ "mediaType": kind, "digest": Digest::of(&bytes), "size": bytes.len() });
        let path = format!("blobs/{}", descriptor["digest"].as_str().unwrap());
        self.shared.content.lock().unwrap().insert(path, ("application/octet-stream".into(), bytes));
        descriptor
    }

    /// From now on blobs are at this address, as a redirect tells.
    pub fn redirect_blobs(&self, to: &str) {
        *self.shared.elsewhere.lock().unwrap() = Some(to.to_owned());
    }

    /// From now on longer blobs stop after so many bytes, on an open connection; 0 ends that.
    pub fn hold_at(&self, bytes: usize) {
        self.shared.held.store(false, Ordering::SeqCst);
        self.shared.hold_at.store(bytes, Ordering::SeqCst);
    }

    /// A blob has stopped.
    pub fn holds(&self) -> bool {
        self.shared.held.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, stream: Box<dyn Stream>) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let stream = reader.get_mut();
        let asked = first.split(' ').nth(1)?;
        let path = asked.strip_prefix("/v2/acme/app/").unwrap_or_default();
        if let Some(to) = self.elsewhere.lock().unwrap().clone().filter(|_| path.starts_with("blobs/")) {
            return write!(stream, "HTTP/1.1 307 x\r\nConnection: close\r\nLocation: {to}{asked}\r\nContent-Length: 0\r\n\r\n").ok();
        }
        let Some((kind, bytes)) = self.content.lock().unwrap().get(path).cloned() else {
            return write!(stream, "HTTP/1.1 404 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").ok();
        };
        write!(stream, "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", bytes.len()).ok()?;
        let hold_at = self.hold_at.load(Ordering::SeqCst);
        if hold_at > 0 && bytes.len() > hold_at {
            stream.write_all(&bytes[..hold_at]).ok()?;
            self.held.store(true, Ordering::SeqCst);
            let _ = reader.read(&mut [0]); // until the other side is gone
            return None;
        }
        stream.write_all(&bytes).ok()?;
        stream.flush().ok()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}
