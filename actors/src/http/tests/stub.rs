//! A scripted HTTP server: one thread per connection, one closure that answers, and a record of what was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// Counts the connections from 0.
    pub(super) connection: usize,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Our id in the body; 0 when there is none.
    pub(super) fn id(&self) -> u64 {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["id"].as_u64().unwrap_or(0)
    }
}

/// The way back to the client.
pub(super) struct Reply {
    stream: TcpStream,
    open: bool,
}

impl Reply {
    /// A whole answer with its length.
    pub(super) fn send(&mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        self.head(status, headers, &format!("content-length: {}\r\n", body.len()));
        self.raw(body);
    }

    pub(super) fn json(&mut self, body: &str) {
        self.send(200, &[("Content-Type", "application/json")], body);
    }

    /// `{"jsonrpc":"2.0","id":<id>,"result":{}}`
    pub(super) fn result(&mut self, id: u64) {
        self.json(&result(id));
    }

    /// The head of an event stream in chunks.
    pub(super) fn begin_events(&mut self) {
        self.head(200, &[("Content-Type", "text/event-stream")], "transfer-encoding: chunked\r\n");
    }

    pub(super) fn chunk(&mut self, text: &str) {
        self.raw(&format!("{:x}\r\n{text}\r\n", text.len()));
    }

    pub(super) fn event(&mut self, data: &str) {
        self.chunk(&format!("event: message\ndata: {data}\n\n"));
    }

    pub(super) fn end_events(&mut self) {
        self.raw("0\r\n\r\n");
    }

    /// Cuts the connection.
    pub(super) fn cut(&mut self) {
        self.open = false;
    }

    /// Waits until the client closes the connection.
    pub(super) fn wait_for_close(&mut self) {
        let _ = self.stream.read(&mut [0; 16]);
        self.cut();
    }

    pub(super) fn raw(&mut self, text: &str) {
        if self.stream.write_all(text.as_bytes()).is_err() {
            self.cut();
        }
    }

    fn head(&mut self, status: u16, headers: &[(&str, &str)], framing: &str) {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.raw(&format!("HTTP/1.1 {status} x\r\n{lines}{framing}\r\n"));
    }
}

pub(super) fn result(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

/// The server; its threads end with their connections.
pub(super) struct Stub {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(super) fn start(answer: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stub = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (asked, answer) = (stub.asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (asked, answer, stream) = (asked.clone(), answer.clone(), stream.unwrap());
                std::thread::spawn(move || serve(stream, connection, &asked, &*answer));
            }
        });
        stub
    }

    /// Everything that was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What was asked with `method` so far.
    pub(super) fn asked_with(&self, method: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.method == method).collect()
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    all: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked, &mut Reply) + ?Sized),
) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut reply = Reply { stream, open: true };
    while reply.open {
        let Some(asked) = read_request(&mut reader, connection) else { break };
        all.lock().unwrap().push(asked.clone());
        answer(&asked, &mut reply);
    }
    let _ = reply.stream.shutdown(std::net::Shutdown::Both);
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let method = line.split(' ').next()?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, headers, body: String::from_utf8_lossy(&body).into_owned(), connection })
}
