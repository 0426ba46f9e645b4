//! The client against scripted servers over real sockets.

mod answers;
mod ending;
mod sessions;
mod streams;
mod stub;

use super::{Executed, HttpConnection, HttpLimits, Incoming, Kind, Outgoing};
use crate::ports::HttpPlan;
use bytes::Bytes;
use std::time::Duration;
use stub::{Asked, Reply, Stub};
use tokio::sync::mpsc;

/// Only a hanging test gets there.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a server, and what comes from it.
struct Client {
    connection: HttpConnection,
    incoming: mpsc::Receiver<Incoming>,
}

impl Client {
    fn open(url: &str, limits: HttpLimits, headers: &[(&str, &str)], queue: usize) -> Self {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let plan = HttpPlan { url: url.to_owned(), headers };
        let (sender, incoming) = mpsc::channel(queue);
        Self { connection: HttpConnection::open("crm".into(), &plan, limits, sender).unwrap(), incoming }
    }

    fn to(stub: &Stub) -> Self {
        Self::open(&format!("http://{}/mcp", stub.address), HttpLimits::default(), &[], 64)
    }

    fn send(&self, kind: Kind) {
        let line = match kind {
            Kind::Initialize(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize"}}"#),
            Kind::Request(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call"}}"#),
            Kind::Initialized => r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            Kind::Notice => r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#.to_owned(),
        };
        self.connection.send(Outgoing { line: Bytes::from(line), kind }).unwrap();
    }

    async fn next(&mut self) -> Incoming {
        tokio::time::timeout(PATIENCE, self.incoming.recv()).await.expect("something comes").expect("open")
    }

    /// The next thing must be a message.
    async fn message(&mut self) -> String {
        match self.next().await {
            Incoming::Message { json, .. } => String::from_utf8(json.to_vec()).unwrap(),
            other => panic!("no message but {other:?}"),
        }
    }

    /// The next thing must be a failure: whether it may have run, and why.
    async fn failure(&mut self) -> (Executed, String) {
        match self.next().await {
            Incoming::Failed { executed, why, .. } => (executed, why),
            other => panic!("no failure but {other:?}"),
        }
    }

    /// Sends a request, and expects its response next.
    async fn ask(&mut self, id: u64) {
        self.send(Kind::Request(id));
        assert_eq!(self.message().await, stub::result(id));
    }

    /// The handshake up to the point where calls may go.
    async fn come_up(&mut self) {
        self.send(Kind::Initialize(1));
        assert_eq!(self.message().await, stub::result(1));
        self.connection.negotiated("2025-11-25");
        self.send(Kind::Initialized);
        assert!(matches!(self.next().await, Incoming::Accepted));
        self.connection.open_stream();
        assert!(matches!(self.next().await, Incoming::StreamReady));
    }

    /// Waits until no exchange is under way.
    async fn at_rest(&self) {
        let jobs = self.connection.jobs();
        until(|| jobs() == 0).await;
    }

    async fn close(self) {
        self.connection.close(PATIENCE).await;
    }
}

/// Waits for something that other threads bring about.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it comes about");
}

/// Answers as a server that keeps a session named `session` and has no GET stream.
fn answer_in_session(asked: &Asked, reply: &mut Reply, session: &str) {
    let method = asked.body.contains("\"initialize\"");
    match asked.method.as_str() {
        "POST" if method => {
            let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", session)];
            reply.send(200, &headers, &stub::result(asked.id()));
        }
        "POST" if asked.id() == 0 => reply.send(202, &[], ""),
        "POST" if asked.header("mcp-session-id") == session => reply.result(asked.id()),
        "POST" => reply.send(404, &[], ""),
        "DELETE" => reply.send(200, &[], ""),
        _ => reply.send(405, &[], ""),
    }
}
