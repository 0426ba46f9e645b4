//! A policy service for tests: answers from a script, records what was asked, and breaks in the ways that real
//! ones break.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the stub does with one request.
#[derive(Clone, Debug)]
pub(in crate::pdp) enum Act {
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
pub(in crate::pdp) struct Asked {
    pub(in crate::pdp) method: String,
    /// With the query.
    pub(in crate::pdp) path: String,
    /// Names in lower case.
    pub(in crate::pdp) headers: Vec<(String, String)>,
    /// `null` when there is none.
    pub(in crate::pdp) body: serde_json::Value,
}

impl Asked {
    pub(in crate::pdp) fn header(&self, name: &str) -> Option<&str> {
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
pub(in crate::pdp) struct Stub {
    pub(in crate::pdp) endpoint: String,
    seen: Arc<Mutex<Seen>>,
}

impl Stub {
    /// Answers the requests with `script` in order, over as many connections as come; after its end it hangs up.
    pub(in crate::pdp) fn start(script: impl IntoIterator<Item = Act>) -> Self {
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
    pub(in crate::pdp) fn once(status: u16, body: &str) -> Self {
        Self::start([reply(status, body)])
    }

    pub(in crate::pdp) fn asked(&self) -> Vec<Asked> {
        self.seen.lock().expect("lock").asked.clone()
    }

    pub(in crate::pdp) fn connections(&self) -> usize {
        self.seen.lock().expect("lock").connections
    }
}

/// A plain answer.
pub(in crate::pdp) fn reply(status: u16, body: &str) -> Act {
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
    let mut words = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let body = match length.and_then(|(_, length)| length.parse().ok()) {
        None | Some(0) => serde_json::Value::Null,
        Some(length) => {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            serde_json::from_slice(&body).ok()?
        }
    };
    Some(Asked { method, path, headers, body })
}
