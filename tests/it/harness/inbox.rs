//! Everything the server wrote, in order, and the answers to its requests.

use super::reply::Reply;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The pipe to the server; `None` once it was closed.
pub(crate) type Outlet = Arc<Mutex<Option<ChildStdin>>>;

/// What was read so far.
#[derive(Default)]
pub(crate) struct Seen {
    /// Every message in order.
    pub(crate) messages: Vec<Reply>,
    /// Lines that are no JSON-RPC 2.0 message.
    pub(crate) strange: Vec<String>,
    /// stdout has ended.
    pub(crate) ended: bool,
    /// `"result":…` or `"error":…` per method of the server's requests.
    canned: BTreeMap<String, Value>,
}

/// Read by a thread of its own.
#[derive(Default)]
pub(crate) struct Inbox {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Inbox {
    /// Starts the reader.
    pub(crate) fn read(stdout: impl Read + Send + 'static, outlet: Outlet) -> Arc<Self> {
        let inbox = Arc::new(Self::default());
        let reader = Arc::clone(&inbox);
        std::thread::spawn(move || reader.read_all(BufReader::with_capacity(1 << 20, stdout), &outlet));
        inbox
    }

    /// What was read so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the server's requests of that method from now on with `{"result":…}` or `{"error":…}`.
    pub(crate) fn on_request(&self, method: &str, answer: Value) {
        self.seen().canned.insert(method.to_owned(), answer);
    }

    /// Waits until `find` gives a value, at most for `limit`, or until stdout has ended.
    pub(crate) fn wait<T>(&self, limit: Duration, mut find: impl FnMut(&Seen) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut seen = self.seen();
        loop {
            if let Some(found) = find(&seen) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.ended {
                return None;
            }
            seen = self.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read_all(&self, mut stdout: impl BufRead, outlet: &Outlet) {
        loop {
            let mut line = Vec::new();
            if stdout.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                break;
            }
            self.take(String::from_utf8_lossy(&line).trim_end_matches('\n'), outlet);
        }
        self.seen().ended = true;
        self.changed.notify_all();
    }

    fn take(&self, raw: &str, outlet: &Outlet) {
        let mut canned = None;
        {
            let mut seen = self.seen();
            match serde_json::from_str::<Value>(raw) {
                Ok(value) if value["jsonrpc"] == "2.0" => {
                    canned = answer(&seen.canned, &value);
                    seen.messages.push(Reply { raw: raw.to_owned(), value });
                }
                // An array is the answer to a batch of protocol version 2025-03-26.
                Ok(Value::Array(batch)) if batch.iter().all(|value| value["jsonrpc"] == "2.0") => {
                    seen.messages
                        .extend(batch.into_iter().map(|value| Reply { raw: value.to_string(), value }));
                }
                _ => seen.strange.push(raw.chars().take(500).collect()),
            }
        }
        self.changed.notify_all();
        if let Some(canned) = canned {
            write_line(outlet, &canned);
        }
    }
}

fn answer(canned: &BTreeMap<String, Value>, request: &Value) -> Option<String> {
    let id = request.get("id")?;
    let mut answer = canned.get(request.get("method")?.as_str()?)?.clone();
    answer["jsonrpc"] = "2.0".into();
    answer["id"] = id.clone();
    Some(answer.to_string())
}

/// Writes one line; a server that is gone takes nothing, which the test will notice by itself.
pub(crate) fn write_line(outlet: &Outlet, line: &str) {
    write_bytes(outlet, format!("{line}\n").as_bytes());
}

/// Writes bytes as they are.
pub(crate) fn write_bytes(outlet: &Outlet, bytes: &[u8]) {
    let mut outlet = outlet.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pipe) = outlet.as_mut() {
        let _ = pipe.write_all(bytes).and_then(|()| pipe.flush());
    }
}
