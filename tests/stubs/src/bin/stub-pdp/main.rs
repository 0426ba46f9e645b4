//! A stub decision service over HTTP/1.1 keep-alive: `decide`, `check-input`, `check-output`.
//!
//! `stub-pdp [PORT]` prints `listening PORT`. The verdict follows from the content (see `planes.rs`); `POST /admin/mode`
//! spoils answers at run time (see `mode.rs`); `GET /admin/requests` tells what came.
#![allow(clippy::disallowed_methods, reason = "a test server: it owns its stdout")]

mod approvals;
mod mode;
mod planes;

use approvals::Approvals;
use callgate_stubs::http::{Handler, Next, Request, Response, serve};
use mode::Modes;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the service remembers.
#[derive(Default)]
pub(crate) struct State {
    requests: Vec<serde_json::Value>,
    modes: Modes,
    approvals: Approvals,
    decisions: u64,
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
    if request.path == "/health" {
        return reply(stream, &Response::json(200, r#"{"status":"healthy","service":"stub-pdp"}"#));
    }
    if let Some(action) = request.path.strip_prefix("/admin/") {
        return reply(stream, &admin(&mut lock(state), action, request));
    }
    let Some(plane) = planes::Plane::of(&request.path) else {
        return reply(stream, &Response::json(404, r#"{"error":"no such path"}"#));
    };
    let mode = {
        let mut state = lock(state);
        state.requests.push(request.to_json());
        state.modes.of(plane)
    };
    mode.wait();
    if mode.close {
        return Ok(Next::Close);
    }
    let response = match mode.spoiled() {
        Some(response) => response,
        None => planes::answer(&mut lock(state), plane, request, &mode),
    };
    response.write_to(stream)?;
    Ok(if mode.close_after_answer { Next::Close } else { Next::KeepAlive })
}

fn admin(state: &mut State, action: &str, request: &Request) -> Response {
    let (verb, id) = action.split_once('/').unwrap_or((action, ""));
    match verb {
        "mode" => match state.modes.set(&request.text()) {
            Ok(()) => Response::json(200, "{}"),
            Err(why) => Response::json(400, serde_json::json!({"error": why}).to_string()),
        },
        "requests" => Response::json(200, serde_json::Value::from(state.requests.clone()).to_string()),
        "reset" => {
            state.requests.clear();
            Response::json(200, "{}")
        }
        "approve" | "reject" => {
            let known = state.approvals.decide(id, verb == "approve");
            Response::json(if known { 200 } else { 404 }, "{}")
        }
        "approvals" => Response::json(200, state.approvals.to_json().to_string()),
        _ => Response::json(404, r#"{"error":"no such action"}"#),
    }
}

fn reply(stream: &mut TcpStream, response: &Response) -> io::Result<Next> {
    response.write_to(stream)?;
    Ok(Next::KeepAlive)
}
