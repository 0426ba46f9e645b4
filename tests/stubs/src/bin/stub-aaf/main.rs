//! A stub API of the Agent Action Firewall over HTTP/1.1 keep-alive: actions and approvals.
//!
//! `stub-aaf [PORT]` prints `listening PORT`. The decision follows from the parameters (see `actions.rs`); `POST /admin/mode`
//! spoils answers at run time (see `mode.rs`); `GET /admin/requests` tells what came; `POST /admin/approve/ID`, `deny`,
//! `expire` and `forget` are a person's.
#![allow(clippy::disallowed_methods, reason = "a test server: it owns its stdout")]

mod actions;
mod mode;

use actions::Actions;
use callgate_stubs::http::{Handler, Next, Request, Response, serve};
use mode::{Endpoint, Modes};
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The only key that is known.
const KEY: &str = "aaf-s3cret-key";
/// An agent that is known and switched off.
const DISABLED_AGENT: &str = "disabled";

/// What the service remembers.
#[derive(Default)]
struct State {
    requests: Vec<serde_json::Value>,
    modes: Modes,
    actions: Actions,
}

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0_u16);
    let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) else { return ExitCode::from(2) };
    let Ok(address) = listener.local_addr() else { return ExitCode::from(2) };
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "listening {}", address.port()).and_then(|()| stdout.flush()).is_err() {
        return ExitCode::from(2);
    }
    let state = Arc::new(Mutex::new(State::default()));
    let handler: Arc<Handler> = Arc::new(move |request, stream| handle(&state, &request, stream));
    serve(&listener, &handler);
    ExitCode::SUCCESS
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle(state: &Mutex<State>, request: &Request, stream: &mut TcpStream) -> io::Result<Next> {
    if let Some(action) = request.path.strip_prefix("/admin/") {
        let response = admin(&mut lock(state), action, request);
        response.write_to(stream)?;
        return Ok(Next::KeepAlive);
    }
    let Some((endpoint, id)) = Endpoint::of(&request.method, &request.path) else {
        Response::json(404, r#"{"error":"no such path"}"#).write_to(stream)?;
        return Ok(Next::KeepAlive);
    };
    let mode = {
        let mut state = lock(state);
        state.requests.push(request.to_json());
        state.modes.take(endpoint)
    };
    mode.wait();
    if mode.is_on("close") {
        return Ok(Next::Close);
    }
    let response = match refused(request).or_else(|| mode.spoiled()) {
        Some(response) => response,
        None => lock(state).actions.answer(endpoint, &id, request, &mode),
    };
    if mode.is_on("close_when_done") {
        return Ok(Next::Close);
    }
    response.write_to(stream)?;
    Ok(Next::KeepAlive)
}

fn refused(request: &Request) -> Option<Response> {
    if request.header("x-agent-key") != Some(KEY) {
        return Some(Response::json(401, r#"{"error":"Unauthorized","message":"invalid API key"}"#));
    }
    if request.header("x-agent-id").is_none_or(|agent| agent == DISABLED_AGENT) {
        return Some(Response::json(403, r#"{"error":"Forbidden","message":"agent is disabled"}"#));
    }
    None
}

fn admin(state: &mut State, action: &str, request: &Request) -> Response {
    let (verb, id) = action.split_once('/').unwrap_or((action, ""));
    match verb {
        "mode" => match state.modes.set(&request.text()) {
            Ok(()) => Response::json(200, "{}"),
            Err(why) => Response::json(400, serde_json::json!({"error": why}).to_string()),
        },
        "requests" => Response::json(200, serde_json::Value::from(state.requests.clone()).to_string()),
        "approve" | "deny" | "expire" | "forget" => {
            let known = state.actions.decide(id, verb);
            Response::json(if known { 200 } else { 404 }, "{}")
        }
        "approvals" => Response::json(200, state.actions.approvals().to_string()),
        _ => Response::json(404, r#"{"error":"no such action"}"#),
    }
}
