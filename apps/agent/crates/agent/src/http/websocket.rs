//! WebSockets (RFC 6455), as much of them as a terminal in a browser needs: no extensions, no fragments on the way out.
use std::io;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use super::hijack::{Session, carry, read_frame};
use crate::error::{ApiError, ApiResult};

/// Bytes of one message from a client; what is typed or pasted is small.
const LARGEST_MESSAGE: u64 = 1 << 20;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Carries the session over a WebSocket: output as binary messages without Docker's frames, any message as input.
pub fn serve(request: &mut Request, session: Session) -> ApiResult<Response> {
    let accept = handshake(request.headers())?;
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(client) => talk(TokioIo::new(client), session).await,
            Err(error) => tracing::debug!(%error, "a client did not take the stream"),
        }
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The answer to the client's key.
fn handshake(headers: &HeaderMap) -> ApiResult<HeaderValue> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket") || text(header::SEC_WEBSOCKET_VERSION) != "13" {
        return Err(ApiError::bad_request("this stream is a WebSocket of version 13"));
    }
    // Any page may open a WebSocket to anywhere, with the certificate of whoever looks at it.
    let origin = text(header::ORIGIN);
    if !origin.is_empty() && origin.split_once("://").is_none_or(|(_, host)| host != text(header::HOST)) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, format!("a page of {origin} must not connect here")));
    }
    let key = text(header::SEC_WEBSOCKET_KEY);
    let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
    match key.is_empty() {
        true => Err(ApiError::bad_request("the WebSocket has no key")),
        false => HeaderValue::from_str(&accept).map_err(|error| ApiError::internal("cannot answer the WebSocket", error)),
    }
}

async fn talk(client: impl AsyncRead + AsyncWrite + Send + 'static, session: Session) {
    let raw = session.wanted.raw;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let carried = tokio::spawn(carry(theirs, session));
    let (from_client, to_client) = tokio::io::split(client);
    let to_client = Arc::new(Mutex::new(to_client));
    let (mut output, mut input) = tokio::io::split(ours);
    let typed = async {
        let ended = receive(from_client, &mut input, &to_client).await;
        let _ = input.shutdown().await; // the session may have ended first
        ended
    };
    let told = async {
        let sent = deliver(&mut output, raw, &to_client).await;
        let _ = send(&to_client, CLOSE, &1_000u16.to_be_bytes()).await; // the client may have left
        sent
    };
    let ended = tokio::select! {
        ended = typed => ended,
        ended = told => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a WebSocket ended");
    }
    carried.abort();
}

type Writer<W> = Arc<Mutex<W>>;

async fn send(to: &Writer<impl AsyncWrite + Unpin>, opcode: u8, data: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | opcode];
    match data.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(data);
    let mut to = to.lock().await;
    to.write_all(&frame).await?;
    to.flush().await
}

async fn deliver(output: &mut (impl AsyncRead + Unpin), raw: bool, to: &Writer<impl AsyncWrite + Unpin>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if raw {
            match output.read(&mut buffer).await? {
                0 => return Ok(()),
                count => send(to, BINARY, &buffer[..count]).await?,
            }
        } else {
            match read_frame(output).await? {
                Some((_, frame)) => send(to, BINARY, &frame[8..]).await?,
                None => return Ok(()),
            }
        }
    }
}

/// Returns when the client closes.
async fn receive(
    mut from: impl AsyncRead + Unpin,
    input: &mut (impl AsyncWrite + Unpin),
    to: &Writer<impl AsyncWrite + Unpin>,
) -> io::Result<()> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    loop {
        let mut head = [0; 2];
        from.read_exact(&mut head).await?;
        let opcode = head[0] & 0x0f;
        let length = match head[1] & 0x7f {
            126 => u64::from(from.read_u16().await?),
            127 => from.read_u64().await?,
            short => u64::from(short),
        };
        if head[0] & 0x70 != 0 || head[1] & 0x80 == 0 || length > LARGEST_MESSAGE {
            return Err(invalid("a frame that is not masked, too long, or of an extension"));
        }
        let mut mask = [0; 4];
        from.read_exact(&mut mask).await?;
        let mut data = vec![0; length as usize];
        from.read_exact(&mut data).await?;
        data.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        match opcode {
            // A program that takes no input any more still has output.
            CONTINUATION | TEXT | BINARY => drop(input.write_all(&data).await),
            PING if length <= 125 => send(to, PING + 1, &data).await?,
            CLOSE => return send(to, CLOSE, &data[..data.len().min(2)]).await,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let ask = [
            ("host", "server.example.com"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
            ("origin", "https://server.example.com"),
        ];
        assert_eq!(handshake(&headers(&ask)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let mut foreign = ask;
        foreign[4].1 = "https://evil.example.com";
        assert_eq!(handshake(&headers(&foreign)).unwrap_err().status, StatusCode::FORBIDDEN);
        assert_eq!(handshake(&headers(&ask[..2])).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
