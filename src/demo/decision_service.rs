//! A decision service for the demo: answers `POST /api/v1/decide` on the loopback interface with three simple rules.
//!
//! It stands in for a real policy decision point so that the demo can show an approval and an outage without an
//! account or a network. The answers have the shapes of the AxonFlow contract, sections 1.5 and 2.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections served at once; a further one is closed at once.
const MAX_CONNECTIONS: usize = 64;
/// Longest request line and header lines together.
const MAX_HEAD_BYTES: u64 = 16 * 1024;
/// Longest body: what a caller may send by the contract, section 2.1.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// A running decision service. Dropping it closes the listener and every connection.
pub struct DecisionService {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    decisions: AtomicU64,
    open: Mutex<Vec<(u64, TcpStream)>>,
}

impl DecisionService {
    /// Starts the service on a free loopback port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let acceptor = std::thread::Builder::new().name("decisions".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// The base URL for `AXONFLOW_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many decisions were asked for so far.
    pub fn decisions(&self) -> u64 {
        self.shared.decisions.load(Ordering::SeqCst)
    }
}

impl Drop for DecisionService {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor; where nobody listens any more there is nothing to wake.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for (_, stream) in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Starts the service, writes `listening <port>` to `output`, and stops when `input` ends.
pub fn serve_until_end(mut input: impl Read, output: &mut dyn Write) -> io::Result<()> {
    let service = DecisionService::start()?;
    writeln!(output, "listening {}", service.address.port())?;
    output.flush()?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in (0u64..).zip(listener.incoming()) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        {
            let mut open = lock(&shared.open);
            if open.len() >= MAX_CONNECTIONS {
                continue;
            }
            open.push((number, handle));
        }
        let of_thread = Arc::clone(shared);
        let started = std::thread::Builder::new().name("decision".to_owned()).spawn(move || {
            // A broken connection concerns only its own caller, who sees it too.
            let _ = serve_connection(stream, &of_thread);
            lock(&of_thread.open).retain(|(open, _)| *open != number);
        });
        if started.is_err() {
            lock(&shared.open).retain(|(open, _)| *open != number);
        }
    }
}

/// Answers request after request on one connection (RFC 9112, persistence).
fn serve_connection(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some((request_line, body)) = read_request(&mut reader)? {
        let (status, answer) = respond(&request_line, &body, shared);
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
    Ok(())
}

/// The request line and the body of the next request; `None` when the connection ended.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = reader.by_ref().take(MAX_HEAD_BYTES);
    let mut request_line = String::new();
    if head.read_line(&mut request_line)? == 0 {
        return Ok(None);
    }
    let mut length = 0usize;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
    }
    if length > MAX_BODY_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((request_line, body)))
}

fn respond(request_line: &str, body: &[u8], shared: &Shared) -> (&'static str, Value) {
    let mut words = request_line.split_ascii_whitespace();
    let route = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(_) if route.0 == "POST" => {
            return ("400 Bad Request", json!({"error": "the body is not JSON", "verdict": "deny"}));
        }
        Err(_) => Value::Null,
    };
    match route {
        ("GET", "/health") => ("200 OK", json!({"status": "healthy"})),
        ("POST", "/api/v1/decide") => decide(&body, shared),
        ("POST", "/api/v1/mcp/check-output" | "/api/v1/mcp/check-input") => {
            ("200 OK", json!({"allowed": true, "policies_evaluated": 1, "redaction_evaluated": true}))
        }
        _ => ("404 Not Found", json!({"error": "no such path", "verdict": "deny"})),
    }
}

/// The three rules: dropping tables is denied, a transfer needs approval, everything else may run.
fn decide(request: &Value, shared: &Shared) -> (&'static str, Value) {
    let Some(query) = request["query"].as_str().filter(|query| !query.is_empty()) else {
        return ("400 Bad Request", json!({"error": "query is required", "verdict": "deny"}));
    };
    let number = shared.decisions.fetch_add(1, Ordering::SeqCst) + 1;
    let query = query.to_lowercase();
    let (verdict, reason, policy) = if query.contains("drop table") {
        ("deny", Some("dropping a table is not allowed"), "demo-destructive-sql")
    } else if query.contains("transfer") {
        ("needs_approval", Some("a transfer needs the approval of a second person"), "demo-transfers")
    } else {
        ("allow", None, "demo-default")
    };
    let answer = json!({
        "verdict": verdict,
        "decision_id": format!("00000000-0000-4000-8000-{number:012}"),
        "trace_id": format!("{number:032x}"),
        "reasons": reason.into_iter().collect::<Vec<_>>(),
        "obligations": [],
        "evaluated_policies": [policy],
        "stage": request["stage"],
    });
    ("200 OK", answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request on an open connection: status line and JSON body.
    fn ask(stream: &mut TcpStream, path: &str, body: &str) -> (String, Value) {
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let (status, body) = read_request(&mut reader).unwrap().unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn connect(service: &DecisionService) -> TcpStream {
        TcpStream::connect(service.endpoint().strip_prefix("http://").unwrap()).unwrap()
    }

    #[test]
    fn rules_speak_over_one_kept_connection() {
        let service = DecisionService::start().unwrap();
        let mut stream = connect(&service);
        for (query, verdict) in [
            ("tool_call: list_orders", "allow"),
            (r#"tool_call: run_sql args: {"sql":"DROP TABLE orders"}"#, "deny"),
            (r#"tool_call: add_note args: {"text":"transfer it"}"#, "needs_approval"),
        ] {
            let body = json!({"stage": "tool", "query": query}).to_string();
            let (status, answer) = ask(&mut stream, "/api/v1/decide", &body);
            assert!(status.starts_with("HTTP/1.1 200"), "{status}");
            assert_eq!(answer["verdict"], verdict);
            assert!(answer["obligations"].is_array() && answer["evaluated_policies"][0].is_string());
        }
        assert_eq!(service.decisions(), 3);
    }

    #[test]
    fn what_is_no_question_gets_no_verdict_but_deny() {
        let service = DecisionService::start().unwrap();
        let mut stream = connect(&service);
        for (path, body, status) in
            [("/api/v1/decide", "{", "400"), ("/api/v1/decide", "{}", "400"), ("/api/v1/other", "{}", "404")]
        {
            let (line, answer) = ask(&mut stream, path, body);
            assert!(line.contains(status), "{line}");
            assert_eq!(answer["verdict"], "deny");
        }
    }

    #[test]
    fn a_dropped_service_is_gone_and_its_connections_closed() {
        let service = DecisionService::start().unwrap();
        let mut stream = connect(&service);
        ask(&mut stream, "/api/v1/decide", r#"{"query":"x"}"#);
        let address = service.address;
        drop(service);
        assert!(TcpStream::connect(address).is_err());
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).unwrap_or(0), 0);
    }

    #[test]
    fn the_command_tells_its_port_and_ends_with_its_input() {
        let mut output = Vec::new();
        serve_until_end(&b""[..], &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        let port: u16 = text.trim().strip_prefix("listening ").unwrap().parse().unwrap();
        assert!(port > 0);
    }
}
