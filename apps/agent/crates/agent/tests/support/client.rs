//! HTTP/1.1 over a Unix socket, as little of it as the tests need.
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub struct Client {
    socket: PathBuf,
}

/// For a query.
pub fn encode(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Client {
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    pub fn get(&self, path: &str) -> Value {
        self.request("GET", path, b"").json()
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, body.to_string().as_bytes())
    }

    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.try_request(method, path, body).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    pub fn try_request(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        let (status, chunked, length, mut reader) = self.open(method, path, body, "Connection: close\r\n").ok()?;
        let mut body = Vec::new();
        match (chunked, length) {
            (true, _) => loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            },
            (false, Some(length)) => {
                body.resize(length, 0);
                reader.read_exact(&mut body).ok()?;
            }
            (false, None) => drop(reader.read_to_end(&mut body).ok()?),
        }
        Some(Answer { status, body })
    }

    fn open(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        headers: &str,
    ) -> std::io::Result<(u16, bool, Option<usize>, BufReader<UnixStream>)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let head = format!(
            "{method} /v1.44{path} HTTP/1.1\r\nHost: agent\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // A path may have a version of its own.
        let own = path.starts_with("/slipway") || path.starts_with("/v1.");
        let head = if own { head.replacen("/v1.44", "", 1) } else { head };
        stream.write_all(head.as_bytes())?;
        // Who refuses before it has read all hangs up; what it said is there to be read.
        match stream.write_all(body) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        let (mut chunked, mut length) = (false, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let lower = line.trim().to_ascii_lowercase();
            if lower.is_empty() {
                return Ok((status, chunked, length, reader));
            }
            chunked |= lower == "transfer-encoding: chunked";
            if let Some(value) = lower.strip_prefix("content-length: ") {
                length = value.parse().ok();
            }
        }
    }

    /// Status and header lines, in small letters.
    pub fn head(&self, path: &str) -> (u16, Vec<String>) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "HEAD /v1.44{path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap();
        let small = |line: &str| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        };
        (status, lines.map(small).collect())
    }

    /// An upgraded connection.
    pub fn hijack(&self, path: &str, body: &[u8]) -> BufReader<UnixStream> {
        let (status, _, _, reader) = self.open("POST", path, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n").unwrap();
        assert_eq!(status, 101);
        reader
    }

    /// As `hijack`, for requests that may be refused.
    pub fn upgrade(&self, path: &str, body: &[u8]) -> (u16, BufReader<UnixStream>) {
        let (status, _, _, reader) = self.open("POST", path, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n").unwrap();
        (status, reader)
    }

    /// What has happened so far, oldest first; `filters` as Docker's JSON.
    pub fn events(&self, filters: &Value) -> Vec<Value> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let path = format!("/events?since=1&until={}.{:09}&filters={}", now.as_secs(), now.subsec_nanos(), encode(&filters.to_string()));
        let answer = self.request("GET", &path, b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A request of which only a part of the body is sent.
    pub fn begin(&self, method: &str, path: &str, length: usize, part: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        write!(stream, "{method} /v1.44{path} HTTP/1.1\r\nHost: agent\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(part).unwrap();
        stream
    }

    /// The connection of a request whose answer is left unread.
    pub fn stream(&self, path: &str) -> BufReader<UnixStream> {
        self.open("GET", path, b"", "").unwrap().3
    }

    /// The same of a POST.
    pub fn post_stream(&self, path: &str, body: &[u8]) -> BufReader<UnixStream> {
        self.open("POST", path, body, "").unwrap().3
    }
}
