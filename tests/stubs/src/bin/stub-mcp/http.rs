//! The Streamable HTTP transport with sessions: `POST`, the `GET` stream, `DELETE`, and `POST /admin/expire`.

use crate::lane::Lane;
use crate::server::Server;
use callgate_stubs::http::{Handler, Next, Request, Response, serve as serve_http};
use callgate_stubs::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages that may wait for one stream.
const QUEUED: usize = 4096;

/// The open sessions, each with its GET stream once it is up.
#[derive(Default)]
struct Sessions {
    open: BTreeMap<String, Option<SyncSender<String>>>,
    opened: u64,
}

#[derive(Clone)]
struct Endpoint {
    server: Arc<Server>,
    sessions: Arc<Mutex<Sessions>>,
}

/// Prints `listening PORT` on stdout and serves until it is killed.
pub(crate) fn serve(server: &Arc<Server>, port: u16) -> ExitCode {
    let listener = TcpListener::bind(("127.0.0.1", port));
    let Ok((listener, port)) = listener.and_then(|listener| {
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }) else {
        return ExitCode::from(2);
    };
    crate::stdio::write_line(&format!("listening {port}"));
    let endpoint = Endpoint { server: Arc::clone(server), sessions: Arc::default() };
    let handler: Arc<Handler> = Arc::new(move |request, stream| endpoint.handle(&request, stream));
    serve_http(&listener, &handler);
    ExitCode::SUCCESS
}

impl Endpoint {
    fn handle(&self, request: &Request, stream: &mut TcpStream) -> io::Result<Next> {
        self.server.record(&request.to_json().to_string());
        if request.path.starts_with("/admin/expire") {
            self.sessions().open.clear();
            return reply(stream, &Response::empty(200));
        }
        if let Some(key) = &self.server.options.require_key
            && request.header("x-stub-key") != Some(key)
        {
            return reply(stream, &Response::json(401, r#"{"error":"no key for siti@example.co.id"}"#));
        }
        if request.method == "POST" && request.text().contains(r#""method":"initialize""#) {
            return self.initialize(request, stream);
        }
        let session = request.header("mcp-session-id").unwrap_or_default().to_owned();
        if session.is_empty() {
            return reply(stream, &Response::json(400, r#"{"error":"no session id"}"#));
        }
        if !self.sessions().open.contains_key(&session) {
            return reply(stream, &Response::json(404, r#"{"error":"session not found"}"#));
        }
        match request.method.as_str() {
            "POST" => self.post(request, &session, stream),
            "GET" => self.get(session, stream),
            "DELETE" => {
                self.sessions().open.remove(&session);
                reply(stream, &Response::empty(200))
            }
            _ => reply(stream, &Response::empty(405)),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn initialize(&self, request: &Request, stream: &mut TcpStream) -> io::Result<Next> {
        let session = {
            let mut sessions = self.sessions();
            sessions.opened += 1;
            let session = format!("stub-session-{}", sessions.opened);
            sessions.open.insert(session.clone(), None);
            session
        };
        let (answer, messages) = answers();
        self.server.dispatch(&request.text(), &Lane::new(answer, |_| {}));
        match messages.recv_timeout(Duration::from_secs(60)) {
            Ok(message) => reply(stream, &Response::json(200, message).with("Mcp-Session-Id", &session)),
            Err(_) => Ok(Next::Close),
        }
    }

    fn post(&self, request: &Request, session: &str, stream: &mut TcpStream) -> io::Result<Next> {
        let text = request.text();
        let message = json::members(&text).unwrap_or_default();
        if !(message.contains_key("id") && message.contains_key("method")) {
            self.server.dispatch(&text, &self.unrelated(session));
            return reply(stream, &Response::empty(202));
        }
        if self.server.options.sse {
            return self.answer_as_stream(&text, stream);
        }
        let (answer, messages) = answers();
        let unrelated = self.unrelated(session);
        self.server.dispatch(&text, &Lane::new(answer, move |message| unrelated.other(message)));
        match messages.recv_timeout(Duration::from_secs(120)) {
            Ok(message) => reply(stream, &Response::json(200, message)),
            Err(_) => Ok(Next::Close),
        }
    }

    /// The answer and everything that belongs to it as events; the stream ends with the answer.
    fn answer_as_stream(&self, text: &str, stream: &mut TcpStream) -> io::Result<Next> {
        let (sender, events) = sync_channel::<(bool, String)>(QUEUED);
        let others = sender.clone();
        let lane = Lane::new(
            move |message| drop(sender.send((true, message.to_owned()))),
            move |message| drop(others.send((false, message.to_owned()))),
        );
        self.server.dispatch(text, &lane);
        stream_head(stream)?;
        while let Ok((last, message)) = events.recv_timeout(Duration::from_secs(120)) {
            write!(stream, "event: message\ndata: {message}\n\n")?;
            stream.flush()?;
            if last {
                break;
            }
        }
        Ok(Next::Close)
    }

    fn get(&self, session: String, stream: &mut TcpStream) -> io::Result<Next> {
        if self.server.options.no_get_stream {
            return reply(stream, &Response::empty(405));
        }
        std::thread::sleep(Duration::from_millis(self.server.options.get_delay_ms));
        let (sender, messages) = sync_channel(QUEUED);
        self.sessions().open.insert(session, Some(sender));
        stream_head(stream)?;
        loop {
            match messages.recv_timeout(Duration::from_secs(1)) {
                Ok(message) => write!(stream, "data: {message}\n\n")?,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => write!(stream, ": alive\n\n")?,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(Next::Close),
            }
            stream.flush()?;
        }
    }

    /// What belongs to no request goes to the session's GET stream, and is lost while there is none.
    fn unrelated(&self, session: &str) -> Lane {
        let (sessions, session) = (Arc::clone(&self.sessions), session.to_owned());
        let send = move |message: &str| {
            let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Some(stream)) = sessions.open.get(&session) {
                let _ = stream.try_send(message.to_owned());
            }
        };
        Lane::new(|_| {}, send)
    }
}

fn answers() -> (impl Fn(&str) + Send + Sync + 'static, Receiver<String>) {
    let (sender, receiver) = sync_channel(QUEUED);
    (move |message: &str| drop(sender.send(message.to_owned())), receiver)
}

fn stream_head(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 Stub\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    stream.flush()
}

fn reply(stream: &mut TcpStream, response: &Response) -> io::Result<Next> {
    response.write_to(stream)?;
    Ok(Next::KeepAlive)
}
