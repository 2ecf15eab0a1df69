//! A registry on this machine for pulls by a real agent; it can stop in the midst of a blob.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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
}

impl Registry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { address: listener.local_addr().unwrap().to_string(), shared: Arc::default() };
        let shared = registry.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.serve(stream));
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
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        let path = first.split(' ').nth(1)?.strip_prefix("/v2/acme/app/").unwrap_or_default();
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
        stream.write_all(&bytes).ok()
    }
}
