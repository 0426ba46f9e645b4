//! The client: opens the session, sends what the seed wants, and reads everything that comes.

use crate::backend::{Park, TOOLS};
use crate::faults::{Fault, Sabotage};
use crate::world::{CallState, RequestState, World};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::watch;

/// How long the client waits for answers before it leaves: longer than every deadline in a run.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the client does.
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) park: Park,
    /// The backends' ids.
    pub(crate) ids: Vec<String>,
    /// Counts the lines that came.
    pub(crate) lines: watch::Receiver<u64>,
}

impl Client {
    /// Speaks until everything was answered, patience ends, or the seed lets the client leave. Dropping `output` is
    /// the end of its side.
    pub(crate) async fn speak(mut self, mut output: impl AsyncWrite + Unpin) {
        let client = json!({"name": "simulation", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        self.request(&mut output, json!("init"), "initialize", params, None).await;
        self.answered().await;
        self.send(&mut output, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        self.request(&mut output, json!("list"), "tools/list", json!({}), None).await;
        self.answered().await;
        let leaves_after = self.leaves_after();
        let count = {
            let mut state = self.world.lock();
            if state.strikes(Fault::Burst) { 300 } else { state.rng.u64(4..30) }
        };
        for number in 1..=count {
            if Some(number) == leaves_after {
                self.world.lock().strike(Fault::ClientLeaves);
                return self.world.lock().close();
            }
            self.one(&mut output, number).await;
            if count < 100 {
                let pause = self.world.lock().between(0, 60);
                tokio::time::sleep(pause).await;
            }
        }
        self.make_held_calls_again(&mut output).await;
        self.answered().await;
    }

    /// The request before which the client leaves, when the seed wants that.
    fn leaves_after(&self) -> Option<u64> {
        let mut state = self.world.lock();
        state.faults.has(Fault::ClientLeaves).then(|| state.rng.u64(1..30))
    }

    async fn one(&self, output: &mut (impl AsyncWrite + Unpin), number: u64) {
        let (kind, malformed, cancels) = {
            let mut state = self.world.lock();
            (state.rng.u8(0..100), state.strikes(Fault::Malformed), state.strikes(Fault::Cancels))
        };
        let id = json!(number);
        match kind {
            _ if malformed => {
                let params = if kind < 50 { json!({"arguments": [number]}) } else { json!([number]) };
                self.request(output, id, "tools/call", params, None).await;
            }
            0..5 => self.request(output, id, "ping", json!({}), None).await,
            5..10 => self.request(output, id, "tools/list", json!({}), None).await,
            _ => {
                self.call(output, number).await;
                if self.world.strikes(Fault::SameId) {
                    self.again(output, number).await;
                }
                if cancels {
                    self.take_back(output, number).await;
                }
            }
        }
    }

    async fn call(&self, output: &mut (impl AsyncWrite + Unpin), number: u64) {
        let (backend, (tool, may_repeat)) = {
            let mut state = self.world.lock();
            (state.rng.usize(..self.ids.len()), TOOLS[state.rng.usize(..TOOLS.len())])
        };
        let backend = &self.ids[backend];
        let name = if self.ids.len() == 1 { tool.to_owned() } else { format!("{backend}__{tool}") };
        let params = json!({"name": name, "arguments": {"token": number}});
        let call = CallState {
            params: params.clone(),
            healthy: self.park.is_healthy(backend),
            may_repeat,
            sent_at: self.world.lock().now(),
            attempts: 1,
            ..CallState::default()
        };
        self.world.lock().calls.insert(number, call);
        self.request(output, json!(number), "tools/call", params.clone(), Some(number)).await;
        if self.world.strikes(Fault::TwiceAtOnce) {
            self.repeat(output, number, params, "twice").await;
        }
    }

    /// The same call once more.
    async fn repeat(&self, output: &mut (impl AsyncWrite + Unpin), token: u64, params: Value, why: &str) {
        let attempt = {
            let mut state = self.world.lock();
            let Some(call) = state.calls.get_mut(&token) else { return };
            call.attempts += 1;
            call.attempts
        };
        let id = json!(format!("{why}-{token}-{attempt}"));
        self.request(output, id, "tools/call", params, Some(token)).await;
    }

    /// Calls that were held are made again some time later, as their answer asks for.
    async fn make_held_calls_again(&mut self, output: &mut (impl AsyncWrite + Unpin)) {
        for _ in 0..3 {
            self.answered().await;
            let pause = self.world.lock().between(1_000, 20_000);
            tokio::time::sleep(pause).await;
            let held: Vec<(u64, Value)> = {
                let state = self.world.lock();
                let always = state.sabotage == Some(Sabotage::GrantsAreReused);
                let unfinished = |call: &CallState| call.was_held && (call.results == 0 || always);
                let calls = state.calls.iter().filter(|(_, call)| unfinished(call));
                calls.map(|(token, call)| (*token, call.params.clone())).collect()
            };
            for (token, params) in held {
                self.repeat(output, token, params, "again").await;
            }
        }
    }

    /// Another request with the id of one that may still be open: each has its answer.
    async fn again(&self, output: &mut (impl AsyncWrite + Unpin), number: u64) {
        let id = json!(number);
        if let Some(request) = self.world.lock().requests.get_mut(&id.to_string()) {
            request.answers_due += 1;
            // Which of the two an answer belongs to cannot be told.
            request.token = None;
        }
        self.send(output, &json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
    }

    async fn take_back(&self, output: &mut (impl AsyncWrite + Unpin), number: u64) {
        let pause = self.world.lock().between(0, 400);
        tokio::time::sleep(pause).await;
        if let Some(request) = self.world.lock().requests.get_mut(&json!(number).to_string()) {
            request.cancelled = true;
        }
        let params = json!({"requestId": number, "reason": "simulated"});
        self.send(output, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
            .await;
    }

    async fn request(
        &self,
        output: &mut (impl AsyncWrite + Unpin),
        id: Value,
        method: &str,
        params: Value,
        token: Option<u64>,
    ) {
        {
            let mut state = self.world.lock();
            let cut_off = state.is_closing;
            let request = RequestState { token, answers_due: 1, cut_off, ..RequestState::default() };
            state.requests.insert(id.to_string(), request);
        }
        self.send(output, &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
    }

    async fn send(&self, output: &mut (impl AsyncWrite + Unpin), message: &Value) {
        self.world.note(format!("client: {message}"));
        // A gate that is stopping reads no more; what was sent then has no answer, which `close` has noted.
        let _ = output.write_all(format!("{message}\n").as_bytes()).await;
    }

    /// Waits until every request has its answers.
    async fn answered(&mut self) {
        let world = self.world.clone();
        let all = self.lines.wait_for(|_| world.lock().is_answered());
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

/// Reads what the gate writes to its end.
pub(crate) async fn listen(world: World, input: impl AsyncRead + Unpin, counter: watch::Sender<u64>) {
    let mut lines = BufReader::new(input).lines();
    let mut vanish_next = world.is_sabotaged(Sabotage::AnswersVanish);
    while let Ok(Some(line)) = lines.next_line().await {
        if world.strikes(Fault::SlowReader) {
            let pause = world.lock().between(1, 500);
            tokio::time::sleep(pause).await;
        }
        take(&world, &line, &mut vanish_next);
        counter.send_modify(|count| *count += 1);
    }
    world.note("client: the gate closed its side".into());
}

fn take(world: &World, line: &str, vanish_next: &mut bool) {
    let mut state = world.lock();
    state.note(format!("gate: {}", line.chars().take(300).collect::<String>()));
    state.check_line(line);
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return state.check_answer(&Value::Null, &Value::Null);
    };
    if message.get("method").is_some() {
        return;
    }
    let id = message["id"].clone();
    if *vanish_next && id.is_number() {
        *vanish_next = false;
        return;
    }
    state.check_answer(&id, &message);
    if state.sabotage == Some(Sabotage::AnswersTwice) && id.is_number() {
        state.check_answer(&id, &message);
    }
}
