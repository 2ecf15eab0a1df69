//! A server that says what a test tells it to, byte for byte, and remembers what it was asked.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::TestRegistry;

/// How the bytes of an answer go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Close,
    /// Nothing more, on an open connection.
    Hang,
    /// A space now and then, for ever.
    Trickle,
    /// Zeros as fast as they are taken, for ever.
    Flood,
}

pub struct Liar {
    /// As the tests' machines know registries.
    pub registry: TestRegistry,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    /// `tell` gets the head of a request in small letters, and the server's own address.
    pub async fn start(tell: impl Fn(&str, &str) -> (Vec<u8>, Then) + Send + Sync + 'static) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let liar = Liar { registry: TestRegistry { shared: Arc::default(), address: address.clone() }, heads: Arc::default() };
        let (heads, tell) = (liar.heads.clone(), Arc::new(tell));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heads, tell, address) = (heads.clone(), tell.clone(), address.clone());
                tokio::spawn(async move {
                    let mut stream = stream;
                    let Some(head) = read_head(&mut stream).await else { return };
                    heads.lock().unwrap().push(head.clone());
                    let (bytes, then) = tell(&head, &address);
                    let _ = say(stream, &bytes, then).await; // the client may have had enough
                });
            }
        });
        liar
    }

    pub fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).to_ascii_lowercase())
}

async fn say(mut stream: TcpStream, bytes: &[u8], then: Then) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Hang => std::future::pending().await,
        Then::Trickle => loop {
            stream.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        },
        Then::Flood => loop {
            stream.write_all(&[0; 4096]).await?;
        },
    }
}

/// An answer whose body ends with the connection.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status} x\r\nConnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}
