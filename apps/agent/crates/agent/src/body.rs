//! A request's body as a blocking reader.
use axum::body::Body;
use futures::StreamExt as _;
use slipway_transfer::{ChunkReader, chunks};

/// Chunks that wait between the connection and the reader.
const AHEAD: usize = 16;

/// Reads the body on a task of its own. A client that breaks off reads as an error, never as the end.
pub fn reader_of(body: Body) -> ChunkReader {
    let (sender, reader) = chunks(AHEAD);
    tokio::spawn(async move {
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    if !sender.send(chunk).await {
                        return;
                    }
                }
                Err(error) => return sender.fail(std::io::Error::other(error)).await,
            }
        }
        sender.finish().await;
    });
    reader
}
