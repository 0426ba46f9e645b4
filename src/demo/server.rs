//! The bundled sample MCP server: a small customer ledger over standard streams, for `callgate demo` and for trying
//! Callgate without installing anything else.
//!
//! It is a real server (versions negotiated, `ping`, structured results with an output schema, answers out of
//! order), written with blocking reads and nothing but the standard library and `serde_json`. Its data is made up.

use super::ledger::{self, Customer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Protocol versions this server speaks, oldest first; an unknown one is answered with the last.
const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// Longest line that is read: far more than any of the tools needs.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// Reports that may be in the making at once; each holds one thread.
const MAX_REPORTS: usize = 32;
/// Longest report, in seconds.
const MAX_REPORT_SECONDS: f64 = 60.0;
/// Exit code of the tool `crash` (sysexits, "internal software error").
const CRASHED: u8 = 70;

const PARSE_ERROR: i64 = -32700;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// Serves one client until its input ends. Newline-delimited JSON-RPC (MCP, "Transports", stdio).
///
/// Returns success at the end of input, 70 after the tool `crash`, and failure when a stream breaks.
pub fn serve_sample<R: BufRead, W: Write + Send + 'static>(mut input: R, output: W) -> ExitCode {
    let mut server = Server { shared: Arc::new(Shared::new(output)), notes: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => return ExitCode::SUCCESS,
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES => {
                return ExitCode::FAILURE;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return ExitCode::FAILURE,
        }
        match server.take_line(&line) {
            Ok(Next::Read) => {}
            Ok(Next::Crash) => return ExitCode::from(CRASHED),
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// What follows after a line.
enum Next {
    Read,
    Crash,
}

/// What becomes of a request.
enum Answer {
    Now(Result<Value, (i64, String)>),
    /// A thread will answer.
    Later,
    /// The server ends in the middle of the call.
    Never,
}

struct Server<W> {
    shared: Arc<Shared<W>>,
    /// Notes written since the start: the side effect that must not happen twice.
    notes: u64,
}

impl<W: Write + Send + 'static> Server<W> {
    fn take_line(&mut self, line: &[u8]) -> std::io::Result<Next> {
        if line.trim_ascii().is_empty() {
            return Ok(Next::Read);
        }
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            self.shared.answer(&Value::Null, Err((PARSE_ERROR, "not JSON".to_owned())))?;
            return Ok(Next::Read);
        };
        let params = &message["params"];
        let Some(method) = message["method"].as_str() else { return Ok(Next::Read) };
        let Some(id) = message.get("id") else {
            if method == "notifications/cancelled" {
                self.shared.cancel(&params["requestId"]);
            }
            return Ok(Next::Read);
        };
        match self.request(id, method, params) {
            Answer::Now(answer) => self.shared.answer(id, answer)?,
            Answer::Later => {}
            Answer::Never => return Ok(Next::Crash),
        }
        Ok(Next::Read)
    }

    fn request(&mut self, id: &Value, method: &str, params: &Value) -> Answer {
        match method {
            "initialize" => Answer::Now(Ok(initialize(params))),
            "ping" => Answer::Now(Ok(json!({}))),
            "tools/list" => Answer::Now(Ok(json!({"tools": ledger::tools()}))),
            "tools/call" => self.call(id, params),
            other => Answer::Now(Err((METHOD_NOT_FOUND, format!("method not found: {other}")))),
        }
    }

    fn call(&mut self, id: &Value, params: &Value) -> Answer {
        let arguments = &params["arguments"];
        let text = |name: &str| arguments[name].as_str().unwrap_or_default();
        let result = match params["name"].as_str().unwrap_or_default() {
            "find_customer" => match Customer::find(text("query")) {
                Some(customer) => structured(customer.record()),
                None => tool_error(&format!("no customer matches {:?}", text("query"))),
            },
            "list_orders" => structured(ledger::orders(text("customer_id"))),
            "add_note" => {
                self.notes += 1;
                structured(json!({"customer_id": text("customer_id"), "notes_written": self.notes}))
            }
            "run_report" => return self.report(id, arguments["seconds"].as_f64().unwrap_or(1.0)),
            "run_sql" => {
                structured(json!({"statement": text("sql"), "rows": [{"month": "2026-10", "orders": 412}]}))
            }
            "crash" => return Answer::Never,
            other => return Answer::Now(Err((INVALID_PARAMS, format!("unknown tool: {other}")))),
        };
        Answer::Now(Ok(result))
    }

    /// Answers after `seconds`, on a thread of its own, so that every other call passes meanwhile.
    fn report(&self, id: &Value, seconds: f64) -> Answer {
        let busy = || Answer::Now(Ok(tool_error("too many reports at once; ask again later")));
        if self.shared.reports.fetch_add(1, Ordering::SeqCst) >= MAX_REPORTS {
            self.shared.reports.fetch_sub(1, Ordering::SeqCst);
            return busy();
        }
        let time = Duration::from_secs_f64(if seconds.is_finite() {
            seconds.clamp(0.0, MAX_REPORT_SECONDS)
        } else {
            0.0
        });
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        let started = std::thread::Builder::new().name("report".to_owned()).spawn(move || {
            std::thread::sleep(time);
            shared.reports.fetch_sub(1, Ordering::SeqCst);
            if !shared.was_cancelled(&id) {
                let report = json!({"report": "October", "orders": 412, "seconds": time.as_secs_f64()});
                // A client that has gone needs no answer; the reading side sees the same end.
                let _ = shared.answer(&id, Ok(structured(report)));
            }
        });
        if started.is_err() {
            self.shared.reports.fetch_sub(1, Ordering::SeqCst);
            return busy();
        }
        Answer::Later
    }
}

/// What the reports' threads share with the reader.
struct Shared<W> {
    output: Mutex<W>,
    /// Requests taken back by the client, as JSON text. Emptied as reports end, so at most one entry per report
    /// besides those that came too late; those are dropped when no report is left.
    cancelled: Mutex<BTreeSet<String>>,
    reports: AtomicUsize,
}

impl<W: Write> Shared<W> {
    fn new(output: W) -> Self {
        Self { output: Mutex::new(output), cancelled: Mutex::default(), reports: AtomicUsize::new(0) }
    }

    fn answer(&self, id: &Value, answer: Result<Value, (i64, String)>) -> std::io::Result<()> {
        let message = match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, text)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})
            }
        };
        let mut output = lock(&self.output);
        writeln!(output, "{message}")?;
        output.flush()
    }

    fn cancel(&self, id: &Value) {
        let mut cancelled = lock(&self.cancelled);
        if self.reports.load(Ordering::SeqCst) == 0 {
            cancelled.clear();
        } else if cancelled.len() < MAX_REPORTS {
            cancelled.insert(id.to_string());
        }
    }

    fn was_cancelled(&self, id: &Value) -> bool {
        lock(&self.cancelled).remove(&id.to_string())
    }
}

/// A thread that panicked while it held the lock left nothing half done that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn initialize(params: &Value) -> Value {
    let wanted = params["protocolVersion"].as_str().unwrap_or_default();
    let version = VERSIONS.iter().find(|known| **known == wanted).unwrap_or(&VERSIONS[VERSIONS.len() - 1]);
    json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "callgate-sample-ledger", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// A tool result that carries `value` both as text and as structured content (MCP 2025-06-18, "Structured Content").
fn structured(value: Value) -> Value {
    json!({"content": [{"type": "text", "text": value.to_string()}], "structuredContent": value})
}

fn tool_error(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": true})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// Hands every line written to it to a channel.
    struct Lines(SyncSender<Value>, Vec<u8>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.extend_from_slice(bytes);
            while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.1.drain(..=end).collect();
                self.0.send(serde_json::from_slice(&line).unwrap()).unwrap();
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The answers to `lines`, in the order they came, `expected` of them.
    fn answers(lines: &[Value], expected: usize) -> Vec<Value> {
        let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (sender, receiver) = sync_channel(16);
        let code = serve_sample(input.as_bytes(), Lines(sender, Vec::new()));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
        let answers: Vec<Value> = receiver.iter().collect();
        assert_eq!(answers.len(), expected, "{answers:?}");
        answers
    }

    fn call(id: u64, tool: &str, arguments: Value) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
    }

    #[test]
    fn versions_are_negotiated_and_unknown_methods_refused() {
        let initialize = |version: &str| json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": version}});
        let discover = json!({"jsonrpc": "2.0", "id": "d", "method": "server/discover"});
        let ping = json!({"jsonrpc": "2.0", "id": 3, "method": "ping"});
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let got = answers(&[initialize("2025-03-26"), initialize("1999-01-01"), discover, note, ping], 4);
        assert_eq!(got[0]["result"]["protocolVersion"], "2025-03-26");
        assert_eq!(got[1]["result"]["protocolVersion"], "2025-11-25");
        assert_eq!(got[2]["error"]["code"], -32601);
        assert_eq!(got[2]["id"], "d");
        assert_eq!(got[3]["result"], json!({}));
    }

    #[test]
    fn a_report_is_passed_by_later_calls() {
        let got = answers(
            &[
                call(1, "run_report", json!({"seconds": 0.2})),
                call(2, "list_orders", json!({"customer_id": "C"})),
            ],
            2,
        );
        assert_eq!((&got[0]["id"], &got[1]["id"]), (&json!(2), &json!(1)));
    }

    #[test]
    fn a_cancelled_report_is_not_answered() {
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
        answers(&[call(1, "run_report", json!({"seconds": 0.2})), cancel], 0);
    }

    #[test]
    fn a_record_comes_as_text_and_structured_and_notes_count_up() {
        let note = || call(2, "add_note", json!({"customer_id": "CUST-001", "text": "called back"}));
        let got = answers(&[call(1, "find_customer", json!({"query": "siti"})), note(), note()], 3);
        let result = &got[0]["result"];
        assert_eq!(result["structuredContent"]["nik"], "3174014501900002");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        assert_eq!(got[2]["result"]["structuredContent"]["notes_written"], 2);
    }

    #[test]
    fn crash_ends_the_server_without_an_answer() {
        let input = format!("{}\n{}\n", call(1, "crash", json!({})), call(2, "list_orders", json!({})));
        let (sender, receiver) = sync_channel(16);
        let code = serve_sample(input.as_bytes(), Lines(sender, Vec::new()));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(CRASHED)));
        assert_eq!(receiver.iter().count(), 0);
    }
}
