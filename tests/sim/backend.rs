//! Servers in memory: each speaks MCP over a pair of streams, executes calls into the world's books, and fails as the
//! seed wants it.

use crate::faults::{Fault, Sabotage};
use crate::invariants::SECRET_DOMAIN;
use crate::ports::token_in;
use crate::world::World;
use callgate_actors::limits::BACKEND_IN_FLIGHT;
use callgate_actors::ports::Streams;
use serde_json::{Value, json};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes that a stream takes before its writer waits.
const PIPE_BYTES: usize = 16 * 1024;
/// The machine's longest line in every run; a fault answers with more.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// All servers of a run; clones share them.
#[derive(Clone)]
pub(crate) struct Park {
    world: World,
    healthy: Option<String>,
    running: Arc<Mutex<BTreeMap<String, CancellationToken>>>,
}

/// What the writing half of a server is told.
enum Out {
    Line(Vec<u8>),
    /// The last bytes of this life.
    Last(Vec<u8>),
}

/// One incarnation of one server.
struct Server {
    id: String,
    healthy: bool,
    world: World,
    out: mpsc::UnboundedSender<Out>,
    life: CancellationToken,
    /// Calls that arrived and have no answer.
    held: usize,
}

impl Park {
    /// No server runs yet.
    pub(crate) fn new(world: World, healthy: Option<String>) -> Self {
        Park { world, healthy, running: Arc::default() }
    }

    /// Whether that server has no faults.
    pub(crate) fn is_healthy(&self, id: &str) -> bool {
        self.healthy.as_deref() == Some(id)
    }

    /// Kills the incarnation that runs now, unless it is the healthy one's.
    pub(crate) fn kill(&self, id: &str) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(life) = running.filter(|life| !life.is_cancelled() && !self.is_healthy(id)) {
            self.world.lock().strike(Fault::Killed);
            life.cancel();
        }
    }

    /// Starts an incarnation.
    pub(crate) fn start(&self, id: &str) -> Result<Streams, String> {
        let healthy = self.is_healthy(id);
        if !healthy && self.world.strikes(Fault::ConnectFails) {
            return Err("simulated: no such program".into());
        }
        self.world.note(format!("{id} starts"));
        // One pair for each direction: dropping an end is the end of that direction alone.
        let (gate_writes, server_reads) = tokio::io::duplex(PIPE_BYTES);
        let (server_writes, gate_reads) = tokio::io::duplex(PIPE_BYTES);
        #[expect(
            clippy::disallowed_methods,
            reason = "a server that answers without reading is one of the faults"
        )]
        let (out, lines) = mpsc::unbounded_channel();
        let life = CancellationToken::new();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), life.clone());
        tokio::spawn(write(lines, server_writes, life.clone()));
        let world = self.world.clone();
        let server = Server { id: id.to_owned(), healthy, world, out, life, held: 0 };
        tokio::spawn(server.serve(server_reads));
        Ok(Streams { input: Box::new(gate_writes), output: Box::new(gate_reads) })
    }
}

async fn write(
    mut lines: mpsc::UnboundedReceiver<Out>,
    mut stream: impl AsyncWrite + Unpin,
    life: CancellationToken,
) {
    let all = async {
        while let Some(out) = lines.recv().await {
            let (bytes, is_last) = match out {
                Out::Line(bytes) => (bytes, false),
                Out::Last(bytes) => (bytes, true),
            };
            if stream.write_all(&bytes).await.is_err() || is_last {
                life.cancel();
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = life.cancelled() => {}
        () = all => {}
    }
}

impl Server {
    async fn serve(mut self, input: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(input).lines();
        let life = self.life.clone();
        let reading = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(message) = serde_json::from_str::<Value>(&line) {
                    self.message(&message);
                }
            }
        };
        tokio::select! {
            biased;
            () = life.cancelled() => {}
            () = reading => {}
        }
        if self.world.is_sabotaged(Sabotage::BackendStays) {
            std::future::pending::<()>().await;
        }
        life.cancel();
    }

    /// Whether `fault` strikes; the healthy server has none.
    fn strikes(&self, fault: Fault) -> bool {
        !self.healthy && self.world.strikes(fault)
    }

    fn send(&self, message: &Value) {
        let _ = self.out.send(Out::Line(format!("{message}\n").into_bytes()));
    }

    fn message(&mut self, message: &Value) {
        let id = &message["id"];
        if self.strikes(Fault::Noise) {
            let _ = self.out.send(Out::Line(b"Server listening on stdio\n\n{\"level\":30}\n".to_vec()));
        }
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => self.initialize(id),
            "tools/list" => self.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"tools": tools()}})),
            "tools/call" => self.call(id, &message["params"]),
            "ping" => self.send(&json!({"jsonrpc": "2.0", "id": id, "result": {}})),
            _ => {}
        }
    }

    fn initialize(&self, id: &Value) {
        if self.strikes(Fault::DiesInHandshake) {
            return self.life.cancel();
        }
        if self.strikes(Fault::SilentHandshake) {
            return;
        }
        let server = json!({"name": self.id, "version": "1"});
        let capabilities = json!({"tools": {}, "logging": {}});
        let result =
            json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": server});
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    fn call(&mut self, id: &Value, params: &Value) {
        let Some(token) = token_in(params.to_string().as_bytes()) else { return };
        self.held += 1;
        let mut state = self.world.lock();
        state.note(format!("{} has call {token}", self.id));
        if let Some(call) = state.calls.get_mut(&token) {
            call.arrivals += 1;
        }
        let forgotten =
            if state.sabotage == Some(Sabotage::PlacesAreForgotten) { BACKEND_IN_FLIGHT } else { 0 };
        state.check_arrival(token, self.held + forgotten);
        drop(state);
        if self.strikes(Fault::CrashBefore) {
            return self.life.cancel();
        }
        if self.strikes(Fault::AnswersError) {
            self.held -= 1;
            let error =
                json!({"code": -32001, "message": format!("no such row for jane{token}{SECRET_DOMAIN}")});
            return self.send(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
        }
        self.execute(token);
        if self.strikes(Fault::CrashDuring) {
            return self.life.cancel();
        }
        let hangs = self.healthy && self.world.is_sabotaged(Sabotage::HealthyHangs);
        if hangs || self.strikes(Fault::Silent) {
            return;
        }
        self.held -= 1;
        self.answer(id, token);
    }

    fn execute(&self, token: u64) {
        let mut state = self.world.lock();
        state.note(format!("{} executes {token}", self.id));
        state.check_execution(token);
        if state.sabotage == Some(Sabotage::RunsTwice) {
            state.check_execution(token);
        }
    }

    fn answer(&self, id: &Value, token: u64) {
        if self.strikes(Fault::Flood) {
            for _ in 0..300 {
                let params = json!({"level": "info", "data": format!("jane{token}{SECRET_DOMAIN} seen")});
                self.send(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}));
            }
        }
        if self.strikes(Fault::WrongId) {
            self.send(&json!({"jsonrpc": "2.0", "id": 999_999_999, "result": {"content": []}}));
        }
        let is_error = self.strikes(Fault::ToolError);
        let padding = if self.strikes(Fault::TooLong) { "x".repeat(MAX_LINE) } else { String::new() };
        let text = format!("token {token}: jane{token}{SECRET_DOMAIN} {padding}");
        let result = json!({"content": [{"type": "text", "text": text}], "isError": is_error});
        let line = format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "result": result})).into_bytes();
        let last = if self.strikes(Fault::HalfLine) {
            Some(line[..line.len() / 2].to_vec())
        } else if self.strikes(Fault::CrashAfter) {
            Some(line.clone())
        } else {
            None
        };
        let twice = self.strikes(Fault::AnswersTwice);
        let out = self.out.clone();
        let send = move || {
            let _ = match last {
                Some(last) => out.send(Out::Last(last)),
                None if twice => out.send(Out::Line([line.clone(), line].concat())),
                None => out.send(Out::Line(line)),
            };
        };
        if !self.strikes(Fault::Slow) {
            return send();
        }
        let delay = self.world.lock().between(1, 8_000);
        let life = self.life.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = life.cancelled() => {}
                () = tokio::time::sleep(delay) => send(),
            }
        });
    }
}

/// Whether a tool may run twice stands in its annotations.
pub(crate) const TOOLS: [(&str, bool); 3] = [("read", true), ("set", true), ("write", false)];

fn tools() -> Value {
    let schema = json!({"type": "object"});
    json!([
        {"name": "read", "inputSchema": schema, "annotations": {"readOnlyHint": true}},
        {"name": "set", "inputSchema": schema, "annotations": {"idempotentHint": true}},
        {"name": "write", "inputSchema": schema},
    ])
}

/// Whether a panic is part of the simulation.
pub(crate) fn is_quiet(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&"simulated")
}
