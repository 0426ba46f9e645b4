//! A server over HTTP that answers `tools/call` of the tool `scripted` with the very bytes that it was told to.

use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A running one. It lives as long as the test's process.
pub(super) struct Scripted {
    port: u16,
    script: Arc<Mutex<String>>,
}

impl Scripted {
    /// Starts one that keeps every message that comes in the file at `record`.
    pub(super) fn start(record: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script = Arc::new(Mutex::new(String::new()));
        let record = OpenOptions::new().create(true).append(true).open(record).expect("a record");
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, record) = (Arc::clone(&shared), record.try_clone().expect("a record"));
                std::thread::spawn(move || drop(serve(stream, &script, record)));
            }
        });
        Self { port, script }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The next calls are answered so; `${rid}` stands for the request's id.
    pub(super) fn answer_with(&self, script: &str) {
        script.clone_into(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn serve(mut stream: TcpStream, script: &Mutex<String>, mut record: File) -> io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_post = line.starts_with("POST");
        let mut length = 0;
        loop {
            line.clear();
            if input.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let text = String::from_utf8_lossy(&body).into_owned();
        record.write_all(format!("{text}\n").as_bytes())?;
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        if is_post && message["params"]["name"] == "scripted" {
            let script = script.lock().unwrap_or_else(PoisonError::into_inner).clone();
            stream.write_all(script.replace("${rid}", &message["id"].to_string()).as_bytes())?;
            return stream.shutdown(Shutdown::Both);
        }
        stream.write_all(plain(is_post, &message).as_bytes())?;
    }
}

fn plain(is_post: bool, message: &Value) -> String {
    if !is_post {
        return "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_owned();
    }
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"h","version":"1"}}"#
        }
        "tools/list" => {
            r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}},{"name":"scripted","inputSchema":{"type":"object"}}]}"#
        }
        "tools/call" => r#"{"content":[{"type":"text","text":"fine"}]}"#,
        _ => "{}",
    };
    if message.get("id").is_none() {
        return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned();
    }
    let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, message["id"]);
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}
