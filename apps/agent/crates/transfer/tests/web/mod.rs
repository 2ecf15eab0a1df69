//! A web server inside the test: it tells what was asked, and can break off, stall and trickle. Shared by path with the tests of
//! other crates.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    Whole,
    /// Half of it, then the connection is closed.
    BreaksOff,
    /// Half of it, then nothing.
    Stalls,
    /// A byte each 20 ms.
    Trickles,
    /// Without a length, for ever.
    Floods,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub sending: Sending,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
        Reply { status: 200, headers: Vec::new(), body: body.into(), sending: Sending::Whole }
    }
    pub fn status(status: u16) -> Reply {
        Reply { status, ..Reply::ok("") }
    }
    pub fn redirect(to: &str) -> Reply {
        Reply::status(302).header("location", to)
    }
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    #[must_use]
    pub fn sent(self, sending: Sending) -> Reply {
        Reply { sending, ..self }
    }
}

#[derive(Clone)]
pub struct Web {
    /// `127.0.0.1:port`
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Web {
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Web { address: listener.local_addr().unwrap().to_string(), asked: Arc::default() };
        let (asked, answer) = (web.asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer) = (asked.clone(), answer.clone());
                std::thread::spawn(move || {
                    // The client may leave in the middle.
                    let _ = serve(&stream, &asked, &*answer);
                });
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Reply) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut request = Asked { path: first.split(' ').nth(1).unwrap_or_default().to_owned(), headers: Vec::new() };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    asked.lock().unwrap().push(request.clone());
    let reply = answer(&request);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if reply.sending != Sending::Floods && reply.status != 304 {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    let mut out = stream;
    out.write_all(format!("{head}\r\n").as_bytes())?;
    match reply.sending {
        Sending::Whole => out.write_all(&reply.body),
        Sending::BreaksOff => out.write_all(&reply.body[..reply.body.len() / 2]),
        Sending::Stalls => {
            out.write_all(&reply.body[..reply.body.len() / 2])?;
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        Sending::Trickles => reply.body.iter().try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(20));
            out.write_all(&[*byte])
        }),
        Sending::Floods => loop {
            out.write_all(&[7; 64 << 10])?;
        },
    }
}
