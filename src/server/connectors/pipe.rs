//! The one client of the machine: writes requests into its pipe and hands each answer to whoever asked.

use callgate_actors::limits::OUT_QUEUE;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};

/// `result` or `error` of an answer, as it came.
pub(super) type Answer = Result<Box<RawValue>, Box<RawValue>>;

/// A request to make: its line without the id's value, and who waits.
pub(super) struct Ask {
    /// `params` of `tools/call`.
    pub(super) params: String,
    /// Gets the answer; dropped when the machine is gone.
    pub(super) answer: oneshot::Sender<Answer>,
}

type Open = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>;

/// Opens the session and serves `asks` until they end or the machine does.
pub(super) async fn serve(stream: DuplexStream, asks: mpsc::Receiver<Ask>) {
    let (read, write) = tokio::io::split(stream);
    let (replies, replied) = mpsc::channel(OUT_QUEUE);
    let open = Open::default();
    let reading = read_all(read, open.clone(), replies);
    let writing = write_all(write, asks, replied, open.clone());
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    // Who still waits learns by the drop that no answer comes.
    open.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

async fn write_all(
    mut write: WriteHalf<DuplexStream>,
    mut asks: mpsc::Receiver<Ask>,
    mut replied: mpsc::Receiver<String>,
    open: Open,
) {
    let opening = concat!(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"#,
        r#""clientInfo":{"name":"callgate-pdp","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n"
    );
    if write.write_all(opening.as_bytes()).await.is_err() {
        return;
    }
    let mut next = 1u64;
    loop {
        let line = tokio::select! {
            ask = asks.recv() => {
                let Some(Ask { params, answer }) = ask else { return };
                let id = next;
                next += 1;
                open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}\n")
            }
            Some(line) = replied.recv() => line,
        };
        if write.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

async fn read_all(read: ReadHalf<DuplexStream>, open: Open, replies: mpsc::Sender<String>) {
    let mut lines = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        // The machine bounds its lines itself.
        if !matches!(lines.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Message<'_>>(&line) else { continue };
        let Some(id) = message.id else { continue };
        if let Some(method) = message.method {
            // A backend asks the client, which can nothing.
            let outcome = if method == "ping" {
                r#""result":{}"#.to_owned()
            } else {
                format!(r#""error":{}"#, json!({"code": -32601, "message": "this client offers nothing"}))
            };
            let _ = replies.try_send(format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{outcome}}}\n", id.get()));
            continue;
        }
        let waiting = id
            .get()
            .parse()
            .ok()
            .and_then(|id: u64| open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
        let answer = match (message.result, message.error) {
            (Some(result), None) => Ok(result),
            (_, Some(error)) => Err(error),
            (None, None) => continue,
        };
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }
}
