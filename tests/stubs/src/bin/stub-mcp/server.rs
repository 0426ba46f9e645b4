//! What the server knows, and the way of one message through it.

use crate::catalogue;
use crate::faults;
use crate::lane::Lane;
use crate::options::Options;
use crate::{stdio, tools};
use callgate_stubs::json::{self, Members};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a tool waits for the client's answer to its own request.
const CLIENT_DEADLINE: Duration = Duration::from_secs(60);

/// One server process.
pub(crate) struct Server {
    /// The faults.
    pub(crate) options: Options,
    state: Mutex<State>,
}

/// What changes while it runs.
#[derive(Default)]
pub(crate) struct State {
    /// Calls that were answered.
    pub(crate) answered: u64,
    /// How many messages came of each method.
    pub(crate) received: BTreeMap<String, u64>,
    /// The last level of `logging/setLevel`, as raw text.
    pub(crate) level: Option<String>,
    /// `params` of `initialize`, as raw text.
    pub(crate) client: Option<String>,
    /// URIs that are subscribed.
    pub(crate) subscriptions: Vec<String>,
    /// Ids of `cancel_probe` calls with the name each was given, both as raw text.
    pub(crate) probes: BTreeMap<String, String>,
    /// `params` of every `notifications/cancelled`.
    pub(crate) cancelled: Vec<String>,
    /// Tools added while it runs.
    pub(crate) added_tools: Vec<String>,
    /// stdin is read no more.
    pub(crate) stopped_reading: bool,
    asked: BTreeMap<String, SyncSender<String>>,
    next_ask: u64,
}

impl Server {
    /// A server that has seen nothing yet.
    pub(crate) fn new(options: Options) -> Self {
        Self { options, state: Mutex::default() }
    }

    /// The state, also after a thread died with it.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what came for the test that wants to see it.
    pub(crate) fn record(&self, line: &str) {
        if let Some(file) = &self.options.record {
            faults::append(file, line);
        }
    }

    /// One line of side effect.
    pub(crate) fn effect(&self, effect: &str) {
        if let Some(file) = &self.options.counter {
            faults::append(file, effect);
        }
    }

    /// Takes one message; calls run in threads of their own, so that they overtake each other.
    pub(crate) fn dispatch(self: &Arc<Self>, line: &str, lane: &Lane) {
        let Some(message) = json::members(line) else {
            lane.answer(
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"stub: parse error"}}"#,
            );
            return;
        };
        let id = json::raw(&message, "id").map(str::to_owned);
        match (json::string(&message, "method"), id) {
            (Some(method), Some(id)) => self.request(&method, id, &message, lane),
            (Some(method), None) => self.notification(&method, &message, lane),
            (None, Some(id)) => self.deliver(&id, line),
            (None, None) => {}
        }
    }

    fn request(self: &Arc<Self>, method: &str, id: String, message: &Members, lane: &Lane) {
        *self.state().received.entry(method.to_owned()).or_default() += 1;
        if self.options.never_answer || self.options.mute.iter().any(|mute| mute == method) {
            return;
        }
        let params = json::object(message, "params");
        if method == "tools/call" {
            let (server, lane) = (Arc::clone(self), lane.clone());
            std::thread::spawn(move || {
                let call = tools::Call { server: &server, lane: &lane, id: &id, params: &params };
                if let Some(body) = call.run() {
                    server.answer_call(&id, &body, &lane);
                }
            });
            return;
        }
        if method == "initialize" {
            self.state().client = json::raw(message, "params").map(str::to_owned);
        }
        let body = catalogue::answer(self, method, &params);
        lane.answer(&format!(r#"{{"jsonrpc":"2.0","id":{id},{body}}}"#));
    }

    fn notification(&self, method: &str, message: &Members, lane: &Lane) {
        *self.state().received.entry(method.to_owned()).or_default() += 1;
        match method {
            "notifications/initialized" => faults::after_handshake(&self.options, lane),
            "notifications/cancelled" => {
                let params = json::raw(message, "params").unwrap_or("null").to_owned();
                self.state().cancelled.push(params);
            }
            _ => {}
        }
    }

    /// Answers one call, with the faults that spoil answers. `body` is `"result":…` or `"error":…`.
    fn answer_call(&self, id: &str, body: &str, lane: &Lane) {
        if self.options.id_collision {
            lane.other(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        }
        let shown = if self.options.wrong_ids {
            format!("9{id}99999").replace('"', "")
        } else if self.options.string_ids && !id.starts_with('"') {
            format!("\"{id}\"")
        } else {
            id.to_owned()
        };
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{shown},{body}}}"#);
        if self.options.half_line {
            stdio::write_raw(&answer.as_bytes()[..answer.len() / 2]);
            std::process::exit(4);
        }
        lane.answer(&answer);
        if self.options.duplicates {
            lane.answer(&answer);
        }
        let answered = {
            let mut state = self.state();
            state.answered += 1;
            state.answered
        };
        if self.options.exit_with_answer || self.options.exit_after.is_some_and(|limit| answered >= limit) {
            std::process::exit(5);
        }
    }

    /// Asks the client and waits; the answer is the whole response as raw text.
    pub(crate) fn ask(&self, method: &str, params: &str, lane: &Lane) -> Option<String> {
        let (id, answer) = self.expect_answer();
        lane.other(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
        let answer = answer.recv_timeout(CLIENT_DEADLINE).ok();
        self.state().asked.remove(&id);
        answer
    }

    /// A fresh id and the place where its answer will arrive. Ids count from 1, as most servers do.
    fn expect_answer(&self) -> (String, Receiver<String>) {
        let (sender, receiver) = sync_channel(1);
        let mut state = self.state();
        state.next_ask += 1;
        let id = state.next_ask.to_string();
        state.asked.insert(id.clone(), sender);
        (id, receiver)
    }

    fn deliver(&self, id: &str, line: &str) {
        let waiting = self.state().asked.remove(id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(line.to_owned());
        }
    }
}
