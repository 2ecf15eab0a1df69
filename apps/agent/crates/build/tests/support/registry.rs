//! A registry of one repository, in memory; what it holds can be looked at and tampered with.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use slipway_store::Digest;

#[derive(Default)]
pub struct Registry {
    /// `manifests/<tag or digest>` and `blobs/<digest>` to content type and bytes.
    pub content: Mutex<HashMap<String, (String, Vec<u8>)>>,
    /// Requests, as `PUT manifests/x`.
    pub asked: Mutex<Vec<String>>,
    pub port: u16,
}

impl Registry {
    pub fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Arc::new(Self { port: listener.local_addr().unwrap().port(), ..Self::default() });
        let shared = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || while shared.serve(&stream).is_some() {});
            }
        });
        registry
    }

    pub fn name(&self, tag: &str) -> String {
        format!("127.0.0.1:{}/acme/app:{tag}", self.port)
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.content.lock().unwrap()[path].1.clone()
    }

    pub fn put(&self, path: &str, kind: &str, bytes: Vec<u8>) {
        self.content.lock().unwrap().insert(path.into(), (kind.into(), bytes));
    }

    /// Requests since the last call that begin so.
    pub fn asked(&self, beginning: &str) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).iter().filter(|one| one.starts_with(beginning)).count()
    }

    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
        let (mut length, mut kind, mut line) = (0, String::new(), String::new());
        while reader.read_line(&mut line).ok()? > 2 {
            let (name, value) = line.trim().split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "content-type" => kind = value.trim().into(),
                _ => {}
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?.strip_prefix("/v2/acme/app/")?.to_owned());
        self.asked.lock().unwrap().push(format!("{method} {path}"));
        let (status, headers, answer) = match method {
            "POST" => (202, format!("Location: /v2/acme/app/{path}1\r\n"), Vec::new()),
            "PUT" => {
                let digest = Digest::of(&body).to_string();
                match path.starts_with("manifests/") {
                    true => {
                        self.put(&path, &kind, body.clone());
                        self.put(&format!("manifests/{digest}"), &kind, body);
                    }
                    false => self.put(&format!("blobs/{digest}"), "application/octet-stream", body),
                }
                (201, format!("Docker-Content-Digest: {digest}\r\n"), Vec::new())
            }
            _ => match self.content.lock().unwrap().get(&path) {
                Some((kind, bytes)) => {
                    let digest = if path.starts_with("manifests/") { Digest::of(bytes).to_string() } else { String::new() };
                    (200, format!("Content-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\n"), bytes.clone())
                }
                None => (404, String::new(), Vec::new()),
            },
        };
        write!(stream, "HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\n\r\n", answer.len()).ok()?;
        if method != "HEAD" {
            stream.write_all(&answer).ok()?;
        }
        Some(())
    }
}
