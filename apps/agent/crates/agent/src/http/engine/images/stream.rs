//! Progress as a stream of JSON lines, as Docker's clients draw it.
use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use slipway_transfer::{Progress, Reporter};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::{ApiError, ApiResult};
use crate::heap::Burst;

/// Writes the lines of one response.
#[derive(Clone)]
pub struct Lines(UnboundedSender<Value>);

impl Lines {
    pub fn send(&self, line: Value) {
        // The client may be gone; the work is dropped with the body then.
        let _ = self.0.send(line);
    }

    pub fn reporter(&self) -> Reporter {
        let lines = self.clone();
        Arc::new(move |progress| lines.send(line_of(&progress)))
    }
}

/// Runs `work` while its lines go to the client. An error before the first line is the response; later ones are a line. The
/// work is cancelled when the client goes away.
pub async fn respond<W, F>(work: W) -> ApiResult<Response>
where
    W: FnOnce(Lines) -> F,
    F: Future<Output = ApiResult<()>> + Send + 'static,
{
    let (sender, mut lines) = unbounded_channel();
    let work = work(Lines(sender));
    let mut task = AbortOnDrop(tokio::spawn(async move {
        let _burst = Burst;
        work.await
    }));
    let Some(first) = lines.recv().await else {
        (&mut task.0).await.map_err(|e| ApiError::internal("the work was cut off", e))??;
        return Ok(body(stream::empty()));
    };
    let state = Some((task, lines));
    let rest = stream::unfold(state, |state| async move {
        let (mut task, mut lines) = state?;
        if let Some(line) = next_batch(&mut lines).await {
            return Some((line, Some((task, lines))));
        }
        let ApiError { status, message } = match (&mut task.0).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error,
            Err(error) => ApiError::internal("the work was cut off", error),
        };
        // The status that the response would have had, were it not under way already.
        let line = json!({ "errorDetail": { "code": status.as_u16(), "message": message }, "error": message });
        Some((encode(&[line]), None))
    });
    use futures::StreamExt as _;
    Ok(body(stream::iter([encode(&[first])]).chain(rest)))
}

async fn next_batch(lines: &mut UnboundedReceiver<Value>) -> Option<Bytes> {
    let mut batch = vec![lines.recv().await?];
    while batch.len() < 100
        && let Ok(line) = lines.try_recv()
    {
        batch.push(line);
    }
    Some(encode(&batch))
}

fn body(lines: impl futures::Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt as _;
    let body = Body::from_stream(lines.map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn encode(lines: &[Value]) -> Bytes {
    lines.iter().map(|line| format!("{line}\r\n")).collect::<String>().into()
}

fn line_of(progress: &Progress) -> Value {
    let mut line = json!({ "status": progress.status });
    if let Some(id) = &progress.id {
        line["id"] = json!(id);
        line["progressDetail"] = json!({});
    }
    match progress.bytes {
        // Nobody knows how many there will be.
        Some((done, 0)) => {
            line["progressDetail"] = json!({ "current": done });
            line["progress"] = json!(human(done));
        }
        Some((done, all)) => {
            line["progressDetail"] = json!({ "current": done, "total": all });
            line["progress"] = json!(bar(done, all));
        }
        None => {}
    }
    line
}

/// `[=====>     ]  1.2MB/3.4MB`
fn bar(done: u64, all: u64) -> String {
    let filled = if all == 0 { 50 } else { (done.min(all) as u128 * 50 / u128::from(all)) as usize };
    let head = if filled < 50 { ">" } else { "" };
    format!("[{}{head}{}]  {}/{}", "=".repeat(filled), " ".repeat(50 - filled - head.len()), human(done), human(all))
}

fn human(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.1}{}", units[unit]) }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_progress_as_docker_does() {
        assert_eq!(bar(0, 10), format!("[>{}]  0B/10B", " ".repeat(49)));
        assert_eq!(bar(1_500_000, 1_500_000), format!("[{}]  1.5MB/1.5MB", "=".repeat(50)));
        let line = line_of(&Progress::bytes("abc", "Downloading", 1, 2));
        assert_eq!(line["progressDetail"], json!({ "current": 1, "total": 2 }));
        let line = line_of(&Progress { id: None, status: "Importing".into(), bytes: Some((1_500, 0)) });
        assert_eq!((&line["progress"], &line["progressDetail"]), (&json!("1.5kB"), &json!({ "current": 1_500 })));
    }
}
