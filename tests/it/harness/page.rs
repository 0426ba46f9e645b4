//! The approvals page as a test starts it and speaks to it, byte by byte where that matters.

use super::setup::Setup;
use super::{PATIENCE, eventually, processes};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// A server of the page; killed on drop.
pub(crate) struct Page {
    child: Child,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// The key in the address that it printed.
    pub(crate) key: String,
    log: String,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The status.
    pub(crate) status: u16,
    /// Everything before the body, names in lower case.
    pub(crate) head: String,
    /// The body, with its pieces put together.
    pub(crate) body: String,
}

impl Heard {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Whether the head has this line.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.head.lines().any(|line| line == format!("{name}: {value}"))
    }
}

impl Setup {
    /// Starts `callgate approvals serve` on a free port.
    pub(crate) fn page(&self) -> Page {
        self.page_of(&["approvals", "serve", "--listen", "127.0.0.1:0"])
    }

    /// Starts a server of the page with these arguments, one that prints its key.
    pub(crate) fn page_of(&self, args: &[&str]) -> Page {
        let log = self.path("page.log");
        let mut command = self.command();
        command.env_remove("AXONFLOW_BACKENDS").args(args).stdin(Stdio::null());
        command.stderr(File::create(&log).expect("a log"));
        let mut child = command.spawn().expect("the page starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut line = || match lines.next() {
            Some(Ok(line)) => line,
            _ => panic!("it says no more; {}", std::fs::read_to_string(&log).unwrap_or_default()),
        };
        let (address, open) = (line(), line());
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
        let key = open.strip_prefix(&format!("open http://127.0.0.1:{}/approvals#key=", port.unwrap_or(0)));
        let key = key.unwrap_or_else(|| panic!("no key in {open:?}")).to_owned();
        Page { child, port: port.expect("a port"), key, log }
    }
}

impl Page {
    /// The address that opens it.
    pub(crate) fn address(&self) -> String {
        format!("{}#key={}", self.url(), self.key)
    }

    /// The address without the key.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/approvals", self.port)
    }

    /// One request with the page's own `Host` and the key.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Heard {
        self.ask_as(method, path, &[&self.key_header()], body)
    }

    /// The header that carries the key.
    pub(crate) fn key_header(&self) -> String {
        format!("X-Callgate-Key: {}", self.key)
    }

    /// One request with these header lines; a `Host` is added unless one of them is.
    pub(crate) fn ask_as(&self, method: &str, path: &str, headers: &[&str], body: Option<&Value>) -> Heard {
        let mut stream = self.send(method, path, headers, body);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        heard(&String::from_utf8_lossy(&answer))
    }

    /// Opens a stream of events; the reader stands behind the head.
    pub(crate) fn listen(&self) -> BufReader<TcpStream> {
        let stream = self.send("GET", "/approvals/api/events", &[&self.key_header()], None);
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a head") > 0, "it broke off");
        }
        reader
    }

    fn send(&self, method: &str, path: &str, headers: &[&str], body: Option<&Value>) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the page listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|line| line.to_lowercase().starts_with("host:")) {
            head.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.port));
        }
        for line in headers.iter().filter(|line| !line.eq_ignore_ascii_case("host:")) {
            head.push_str(&format!("{line}\r\n"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() && !headers.iter().any(|line| line.to_lowercase().starts_with("content-type:")) {
            head.push_str("Content-Type: application/json\r\n");
        }
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
        stream
    }

    /// What is shown now.
    pub(crate) fn desk(&self) -> Value {
        let heard = self.ask("GET", "/approvals/api/tickets", None);
        assert_eq!(heard.status, 200, "{}", heard.body);
        heard.json()
    }

    /// Waits for a ticket that waits.
    pub(crate) fn ticket(&self) -> Value {
        eventually("a ticket on the page", || self.desk()["waiting"].as_array()?.first().cloned())
    }

    /// Says a person's word.
    pub(crate) fn decide(&self, id: &str, decision: &str, comment: &str, name: &str) -> Heard {
        let body = json!({"decision": decision, "comment": comment, "name": name});
        self.ask("POST", &format!("/approvals/api/tickets/{id}"), Some(&body))
    }

    /// What was logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        processes::signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.wait().is_ok()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The next event of a stream: its name and its data.
pub(crate) fn event(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let mut name = None;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        // The lines between them say how long the pieces of the body are.
        if let Some(found) = line.trim_end().strip_prefix("event: ") {
            name = Some(found.to_owned());
        } else if let Some(data) = line.trim_end().strip_prefix("data: ") {
            return Some((name?, serde_json::from_str(data).ok()?));
        }
    }
}

fn heard(answer: &str) -> Heard {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let lower = |line: &str| match line.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.to_lowercase()),
        None => line.to_owned(),
    };
    let head: Vec<String> = head.lines().map(lower).collect();
    Heard { status, head: head.join("\n"), body: body.to_owned() }
}
