//! Docker's "hijacked" connections: after an upgrade the HTTP connection becomes a plain stream in both directions.
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::net::UnixStream;

use crate::error::{ApiError, ApiResult};

/// What a client is connected to, and which parts of it.
pub struct Wanted {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// A terminal's stream has no frames.
    pub raw: bool,
}

/// Answers with an upgrade and then carries bytes between the client and `stream` until either side ends.
pub fn hijack(request: &mut Request, stream: UnixStream, wanted: Wanted, content_type: &'static str) -> ApiResult<Response> {
    if !request.headers().contains_key(header::UPGRADE) {
        return Err(ApiError::bad_request("this stream needs a connection upgrade: send `Connection: Upgrade` and `Upgrade: tcp`"));
    }
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(client) => carry(TokioIo::new(client), stream, wanted).await,
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

async fn carry(client: TokioIo<hyper::upgrade::Upgraded>, stream: UnixStream, wanted: Wanted) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_stream, mut to_stream) = tokio::io::split(stream);
    let input = async {
        if wanted.stdin {
            let copied = tokio::io::copy(&mut from_client, &mut to_stream).await;
            // The client's end of input is the program's.
            let _ = to_stream.shutdown().await; // it may have ended first
            if copied.is_ok() {
                return std::future::pending().await;
            }
        }
        // Without input the connection is still watched: a read ends when the client leaves.
        let mut ignored = [0; 1_024];
        while from_client.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
        if !wanted.stdin {
            // A half-closed connection still takes output; a write will tell when it does not.
            std::future::pending::<()>().await;
        }
    };
    let output = async {
        let done = match wanted.raw || (wanted.stdout && wanted.stderr) {
            true => {
                let mut from_stream = from_stream;
                tokio::io::copy(&mut from_stream, &mut to_client).await.map(drop)
            }
            false => selected(from_stream, &mut to_client, &wanted).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "an attached client left");
        }
        let _ = to_client.shutdown().await; // nothing more to say
    };
    tokio::select! {
        () = input => {}
        () = output => {}
    }
}

/// Copies only the frames of the streams that are wanted.
async fn selected(mut from: ReadHalf<UnixStream>, to: &mut (impl AsyncWriteExt + Unpin), wanted: &Wanted) -> std::io::Result<()> {
    let mut data = Vec::new();
    loop {
        let mut header = [0; 8];
        match from.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        data.resize(length, 0);
        from.read_exact(&mut data).await?;
        if (header[0] == 1 && wanted.stdout) || (header[0] == 2 && wanted.stderr) {
            to.write_all(&header).await?;
            to.write_all(&data).await?;
        }
    }
}
