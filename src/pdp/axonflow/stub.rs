//! A policy service for tests: answers from a script, records what was asked, and breaks in the ways that real
//! ones break.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the stub does with one request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Answers with status, further header lines and body.
    Reply(u16, &'static str, String),
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Reads the request and closes without a word.
    Hang,
    /// Never answers; the connection stays open.
    Silence,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: serde_json::Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct Seen {
    script: VecDeque<Act>,
    asked: Vec<Asked>,
    connections: usize,
    silent: Vec<TcpStream>,
}

/// A listening stub. Its threads end with the test process.
pub(super) struct Stub {
    pub(super) endpoint: String,
    seen: Arc<Mutex<Seen>>,
}

impl Stub {
    /// Answers the requests with `script` in order, over as many connections as come; after its end it hangs up.
    pub(super) fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let endpoint = format!("http://{}", listener.local_addr().expect("address"));
        let seen = Arc::new(Mutex::new(Seen { script: script.into_iter().collect(), ..Seen::default() }));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                shared.lock().expect("lock").connections += 1;
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { endpoint, seen }
    }

    /// A stub that answers once with this status and body.
    pub(super) fn once(status: u16, body: &str) -> Self {
        Self::start([reply(status, body)])
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.seen.lock().expect("lock").asked.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.lock().expect("lock").connections
    }
}

/// A plain answer.
pub(super) fn reply(status: u16, body: &str) -> Act {
    Act::Reply(status, "", body.to_owned())
}

fn serve(stream: &TcpStream, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read_request(&mut reader) {
        let act = {
            let mut seen = seen.lock().expect("lock");
            seen.asked.push(asked);
            seen.script.pop_front().unwrap_or(Act::Hang)
        };
        let mut stream = stream;
        match act {
            Act::Reply(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
                if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                    return;
                }
            }
            Act::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                return close(stream);
            }
            Act::Hang => return close(stream),
            Act::Silence => {
                let kept = stream.try_clone().expect("clone");
                return seen.lock().expect("lock").silent.push(kept);
            }
        }
    }
}

fn close(stream: &TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { path, headers, body: serde_json::from_slice(&body).ok()? })
}
