//! Docker's "hijacked" connections: after an upgrade the HTTP connection becomes a plain stream in both directions. A
//! client that asks for no upgrade gets the output as its answer's body, and its request's body is the input.
use std::io;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::UnixStream;

use super::detach::DetachKeys;
use crate::body::STALLED;
use crate::containers::logs::Chunks;
use crate::error::ApiResult;

/// What a client is connected to, and which parts of it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// A terminal's stream has no frames.
    pub raw: bool,
}

/// One client's session with a container or an exec.
pub struct Session {
    /// Out: frames, or raw bytes of a terminal. `None`: there is nothing but the history.
    pub stream: Option<UnixStream>,
    pub wanted: Wanted,
    /// Sent before anything of the stream.
    pub history: Option<Chunks>,
    pub detach: Option<Detach>,
}

/// The keys that end the session, and what is done then.
pub struct Detach {
    pub keys: DetachKeys,
    pub then: Box<dyn FnOnce() + Send>,
}

/// Carries bytes between the client and the session's stream until either side ends.
pub fn hijack(request: &mut Request, session: Session, content_type: &'static str) -> ApiResult<Response> {
    if !request.headers().contains_key(header::UPGRADE) {
        return Ok(plain(std::mem::take(request.body_mut()), session, content_type));
    }
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(client) => carry(TokioIo::new(client), session).await,
            Err(error) => tracing::debug!(%error, "a client did not take the stream"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    Ok(response)
}

fn plain(body: Body, session: Session, content_type: &'static str) -> Response {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(carry(theirs, session));
    let (output, input) = tokio::io::split(ours);
    tokio::spawn(feed(body, input));
    let output = stream::unfold(output, |mut output| async move {
        let mut buffer = vec![0; 32 * 1024];
        match output.read(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                buffer.truncate(count);
                Some((Ok::<_, io::Error>(Bytes::from(buffer)), output))
            }
        }
    });
    ([(header::CONTENT_TYPE, content_type)], Body::from_stream(output)).into_response()
}

async fn feed(body: Body, mut input: tokio::io::WriteHalf<DuplexStream>) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        if input.write_all(&chunk).await.is_err() {
            return;
        }
    }
    let _ = input.shutdown().await; // the session may have ended first
}

/// Returns when the client has left, has detached, or has got all there is.
pub async fn carry(client: impl AsyncRead + AsyncWrite, session: Session) {
    let Session { stream, wanted, history, detach } = session;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_stream, to_stream) = stream.map(tokio::io::split).unzip();
    let (keys, then) = detach.map(|detach| (detach.keys, detach.then)).unzip();
    let input = async {
        if let (true, Some(mut to_stream)) = (wanted.stdin, to_stream) {
            let typed = type_in(&mut from_client, &mut to_stream, keys.as_ref()).await;
            if let Ok(true) = typed {
                return true;
            }
            // The client's end of input is the program's.
            let _ = to_stream.shutdown().await; // it may have ended first
            if typed.is_ok() {
                return std::future::pending().await;
            }
            let mut ignored = [0; 1_024];
            while from_client.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
            return false;
        }
        // Read all the same: an error tells that the client left. At its half-closed end it still takes output.
        let mut ignored = [0; 1_024];
        while from_client.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
        std::future::pending().await
    };
    let output = async {
        if let Err(error) = deliver(history, from_stream, &mut to_client, wanted).await {
            tracing::debug!(%error, "an attached client left");
        }
        let _ = to_client.shutdown().await; // nothing more to say
    };
    let detached = tokio::select! {
        detached = input => detached,
        () = output => false,
    };
    if let (true, Some(then)) = (detached, then) {
        then();
    }
}

/// Client to program. True: the client typed the keys to detach.
async fn type_in(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), keys: Option<&DetachKeys>) -> io::Result<bool> {
    let Some(keys) = keys else { return tokio::io::copy(from, to).await.map(|_| false) };
    let mut scanner = keys.scanner();
    let (mut buffer, mut out) = (vec![0; 4 * 1024], Vec::new());
    loop {
        let count = from.read(&mut buffer).await?;
        out.clear();
        let detached = scanner.feed(&buffer[..count], &mut out);
        if count == 0 {
            out = scanner.rest();
            to.write_all(&out).await?;
            return Ok(false);
        }
        to.write_all(&out).await?;
        if detached {
            return Ok(true);
        }
    }
}

async fn deliver(
    history: Option<Chunks>,
    from: Option<impl AsyncRead + Unpin>,
    to: &mut (impl AsyncWrite + Unpin),
    wanted: Wanted,
) -> io::Result<()> {
    if let Some(mut history) = history {
        while let Some(chunk) = history.recv().await {
            // A thread reads the log for as long as it is taken.
            tokio::time::timeout(STALLED, to.write_all(&chunk?)).await??;
        }
        to.flush().await?;
    }
    let Some(mut from) = from else { return Ok(()) };
    match wanted.raw || (wanted.stdout && wanted.stderr) {
        true => tokio::io::copy(&mut from, to).await.map(drop),
        false => selected(from, to, wanted).await,
    }
}

/// Copies only the frames of the streams that are wanted.
async fn selected(mut from: impl AsyncRead + Unpin, to: &mut (impl AsyncWrite + Unpin), wanted: Wanted) -> io::Result<()> {
    while let Some((stream, frame)) = read_frame(&mut from).await? {
        if (stream == 1 && wanted.stdout) || (stream == 2 && wanted.stderr) {
            to.write_all(&frame).await?;
        }
    }
    Ok(())
}

/// One frame with its header of 8 bytes, and which stream it is of; `None` at the end.
pub async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut header = [0; 8];
    match from.read_exact(&mut header).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let mut frame = header.to_vec();
    frame.resize(8 + length, 0);
    from.read_exact(&mut frame[8..]).await?;
    Ok(Some((header[0], frame)))
}
