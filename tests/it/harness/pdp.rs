//! The stub decision service, as a test starts, spoils and questions it.

use super::eventually;
use super::setup::{Setup, listening};
use super::stub;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};

/// A running stub decision service; killed on drop.
pub(crate) struct Pdp {
    child: Child,
    port: u16,
}

impl Pdp {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    /// Starts one on that port.
    pub(crate) fn start_on(port: u16) -> Self {
        let mut command = Command::new(stub("stub-pdp"));
        command.arg(port.to_string());
        let (child, port) = listening(command);
        Self { child, port }
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its base address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Points the proxy at it.
    pub(crate) fn serves(&self, setup: Setup) -> Setup {
        setup.env("AXONFLOW_ENDPOINT", &self.endpoint())
    }

    /// Spoils the answers of a plane, see the stub's `mode.rs`.
    pub(crate) fn mode(&self, mode: &Value) {
        http(self.port, "POST", "/admin/mode", &mode.to_string());
    }

    /// Everything is healthy again.
    pub(crate) fn heal(&self) {
        self.mode(&json!({}));
    }

    /// A person says yes.
    pub(crate) fn approve(&self, id: &str) {
        http(self.port, "POST", &format!("/admin/approve/{id}"), "");
    }

    /// The approvals that were opened, by id.
    pub(crate) fn approvals(&self) -> Value {
        serde_json::from_str(&http(self.port, "GET", "/admin/approvals", "")).expect("JSON")
    }

    /// Waits until a call is held and gives the approval's id.
    pub(crate) fn pending_approval(&self) -> String {
        eventually("a held call", || {
            self.approvals()
                .as_object()?
                .iter()
                .find(|(_, held)| held["status"] == "pending")
                .map(|(id, _)| id.clone())
        })
    }

    /// Every request so far: `{"method","path","headers","body"}`, the body as text.
    pub(crate) fn requests(&self) -> Vec<Value> {
        serde_json::from_str(&http(self.port, "GET", "/admin/requests", "")).expect("JSON")
    }

    /// The bodies of the requests to a path that ends so, parsed.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Value> {
        let of_path = |request: &&Value| request["path"].as_str().is_some_and(|at| at.ends_with(path));
        let body = |request: &Value| serde_json::from_str(request["body"].as_str()?).ok();
        self.requests().iter().filter(of_path).filter_map(body).collect()
    }

    /// Goes away, as a service that crashed.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Drop for Pdp {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// One HTTP request on a connection of its own; the body of the answer.
pub(crate) fn http(port: u16, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the stub listens");
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: stub\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("sent");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(body) = complete(&answer) {
            return body;
        }
        let size = stream.read(&mut piece).expect("answered");
        assert!(size > 0, "{method} {path}: the connection closed early");
        answer.extend_from_slice(&piece[..size]);
    }
}

/// The body, once head and body are there.
fn complete(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.parse().ok()?;
    (body.len() >= length).then(|| body.to_owned())
}
