//! What must hold, by name. Each is checked where the world learns of an event, so the first step that breaks one is
//! the last line of the log.

use crate::faults::Fault;
use crate::world::{CallState, State, Token};
use callgate_actors::limits::{BACKEND_IN_FLIGHT, REQUESTS_IN_FLIGHT};
use callgate_actors::wire::codes::{DENIED, INVALID_PARAMS, NEEDS_APPROVAL, UNAVAILABLE};
use serde_json::Value;
use std::time::Duration;

macro_rules! invariants {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// One promise of the machine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Invariant { $($name),+ }

        impl Invariant {
            /// All of them, in the order of the table.
            pub(crate) const ALL: &[Invariant] = &[$(Invariant::$name),+];

            /// In words.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Invariant::$name => $text),+ }
            }
        }
    };
}

invariants! {
    OneEnding = "one ending per request",
    NoEndingWithoutRecord = "no ending without record",
    NoForwardWithoutIntent = "no forward without intent",
    NoEffectTwice = "no side effect twice unless allowed",
    NothingUnredacted = "nothing unredacted passes",
    DeniedNeverArrives = "a denied call never reaches a backend",
    GrantedOnce = "a held call runs once for each yes, or never",
    HealthyUnaffected = "healthy backends are unaffected",
    WithinNumbers = "memory and queues stay within their numbers",
    ShutdownLeavesNothing = "shutdown leaves nothing",
}

/// Stands in every answer of a backend; never to be seen by the client.
pub(crate) const SECRET_DOMAIN: &str = "@acme.co.id";
/// How long a healthy backend's call may take besides what the seed makes decision and redaction take.
const HEALTHY_SLACK: Duration = Duration::from_secs(2);

impl State {
    /// A call reached a backend.
    pub(crate) fn check_arrival(&mut self, token: Token, held: usize) {
        let Some(call) = self.calls.get(&token) else {
            return self
                .check(Invariant::NoForwardWithoutIntent, false, || format!("call {token} was never made"));
        };
        let (intents, allowed) = (call.intents, call.permits > 0);
        self.check(Invariant::NoForwardWithoutIntent, intents > 0, || format!("call {token}"));
        self.check(Invariant::DeniedNeverArrives, allowed, || format!("call {token}"));
        self.check(Invariant::WithinNumbers, held <= BACKEND_IN_FLIGHT, || {
            format!("{held} open at one backend")
        });
    }

    /// A backend executed a call.
    pub(crate) fn check_execution(&mut self, token: Token) {
        let Some(call) = self.calls.get_mut(&token) else { return };
        call.executions += 1;
        let CallState { executions, may_repeat, permits, was_held, .. } = *call;
        let fine = executions <= permits || (may_repeat && permits > 0);
        let promise = if was_held { Invariant::GrantedOnce } else { Invariant::NoEffectTwice };
        self.check(promise, fine, || {
            format!("call {token} ran {executions} times, let through {permits} times")
        });
    }

    /// A row was written.
    pub(crate) fn check_row(&mut self, token: Token) {
        let Some(call) = self.calls.get_mut(&token) else { return };
        call.rows += 1;
        let (rows, attempts) = (call.rows, call.attempts);
        self.check(Invariant::NoEndingWithoutRecord, rows <= attempts, || {
            format!("call {token} was made {attempts} times and has {rows} rows")
        });
    }

    /// A line reached the client.
    pub(crate) fn check_line(&mut self, line: &str) {
        let clean = !line.contains(SECRET_DOMAIN);
        self.check(Invariant::NothingUnredacted, clean, || line.chars().take(200).collect());
    }

    /// An answer reached the client.
    pub(crate) fn check_answer(&mut self, id: &Value, message: &Value) {
        let known = self.requests.get_mut(&id.to_string());
        let is_first = known.is_some_and(|request| {
            request.endings += 1;
            request.endings <= request.answers_due
        });
        self.check(Invariant::OneEnding, is_first, || {
            format!("request {id} was answered again, or never made")
        });
        if let Some(token) = self.requests.get(&id.to_string()).and_then(|request| request.token) {
            self.check_call_answer(token, message);
        }
        let open = self.requests.values().filter(|request| request.endings == 0).count();
        self.check(Invariant::WithinNumbers, open <= REQUESTS_IN_FLIGHT, || format!("{open} open requests"));
    }

    fn check_call_answer(&mut self, token: Token, message: &Value) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&token) else { return };
        call.answered_at = Some(now);
        call.answers += 1;
        let code = message["error"]["code"].as_i64();
        let has_result = message.get("result").is_some();
        call.results += u32::from(has_result);
        // A tool that is not known has a row without its arguments, from which it cannot be told; that row counts as tried.
        let is_unknown = code == Some(INVALID_PARAMS) && self.nameless_rows > 0;
        self.nameless_rows -= u32::from(is_unknown);
        let rows_due =
            if has_result { call.results } else { call.answers - call.rows_refused.min(call.answers) };
        let recorded = call.rows >= rows_due || is_unknown;
        let excused = self.struck.contains(&Fault::JournalPanics) && !has_result;
        self.check(Invariant::NoEndingWithoutRecord, recorded || excused, || {
            format!("call {token} was answered without a row")
        });
        let Some(call) = self.calls.get(&token).cloned() else { return };
        if call.healthy && !call.was_held && !self.is_closing {
            self.check_healthy(token, &call, has_result, code);
        }
    }

    fn check_healthy(&mut self, token: Token, call: &CallState, has_result: bool, code: Option<i64>) {
        let by_the_gate = matches!(code, Some(DENIED | NEEDS_APPROVAL | UNAVAILABLE));
        // In a burst the gate may refuse for want of a place; the refusal says so.
        let fine = has_result || by_the_gate || call.malformed || self.faults.has(Fault::Burst);
        self.check(Invariant::HealthyUnaffected, fine, || format!("call {token} failed with {code:?}"));
        if has_result && !self.faults.has(Fault::SlowReader) && !self.faults.has(Fault::Burst) {
            let took = self.now().saturating_sub(call.sent_at);
            let fine = took <= call.excused_delay + HEALTHY_SLACK;
            self.check(Invariant::HealthyUnaffected, fine, || format!("call {token} took {took:?}"));
        }
    }

    /// Everything is over: `alive` tasks are left of the machine and of the backends.
    pub(crate) fn check_end(&mut self, alive: usize) {
        let unanswered: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, request)| {
                request.endings < request.answers_due && !request.cancelled && !request.cut_off
            })
            .map(|(id, _)| id.clone())
            .collect();
        self.check(Invariant::OneEnding, unanswered.is_empty(), || format!("no answer to {unanswered:?}"));
        let journal_panicked = self.struck.contains(&Fault::JournalPanics);
        let unrecorded: Vec<Token> = self
            .calls
            .iter()
            .filter(|(_, call)| {
                call.arrivals > 0 && call.rows == 0 && call.rows_refused == 0 && !journal_panicked
            })
            .map(|(token, _)| *token)
            .collect();
        self.check(Invariant::NoEndingWithoutRecord, unrecorded.is_empty(), || {
            format!("calls {unrecorded:?} reached a backend and have no row")
        });
        self.check(Invariant::ShutdownLeavesNothing, alive == 0, || format!("{alive} tasks are left"));
    }
}
