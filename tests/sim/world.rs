//! What is known of one run: every event in order, every request and call, and which invariants were checked while
//! which faults had struck.

use crate::faults::{Fault, Faults, Sabotage};
use crate::invariants::Invariant;
use fastrand::Rng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Names one call in its arguments, so that every part of the world can tell which one it sees.
pub(crate) type Token = u64;

/// The world of one run; clones share it.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

/// What is known.
pub(crate) struct State {
    /// Chooses whether faults strike.
    pub(crate) rng: Rng,
    /// The seed's faults.
    pub(crate) faults: Faults,
    /// A defect put in on purpose.
    pub(crate) sabotage: Option<Sabotage>,
    begun: Instant,
    /// Every event, with its time.
    pub(crate) log: Vec<String>,
    /// The first invariant that did not hold.
    pub(crate) broken: Option<String>,
    /// Requests of the client by the text of their id.
    pub(crate) requests: BTreeMap<String, RequestState>,
    /// Calls by their token.
    pub(crate) calls: BTreeMap<Token, CallState>,
    /// The session is on its way to its end: answers may be cut off.
    pub(crate) is_closing: bool,
    /// Rows of calls whose arguments the journal was not given, such as those of unknown tools.
    pub(crate) nameless_rows: u32,
    /// How long the next job of a simulated thread takes.
    next_delay: Option<Duration>,
    pub(crate) struck: BTreeSet<Fault>,
    tally: Tally,
}

/// A request of the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestState {
    pub(crate) token: Option<Token>,
    /// How many answers are owed: two when the id was used twice.
    pub(crate) answers_due: u32,
    pub(crate) endings: u32,
    pub(crate) cancelled: bool,
    /// It was open when the session ended.
    pub(crate) cut_off: bool,
}

/// A `tools/call`.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallState {
    pub(crate) params: Value,
    pub(crate) healthy: bool,
    pub(crate) malformed: bool,
    pub(crate) may_repeat: bool,
    pub(crate) sent_at: Duration,
    pub(crate) answered_at: Option<Duration>,
    /// How long decision and redaction were made to take.
    pub(crate) excused_delay: Duration,
    /// How often a decision or a person's grant let it run.
    pub(crate) permits: u32,
    pub(crate) intents: u32,
    pub(crate) rows: u32,
    /// How often the journal said that it could not write the row, or did not say anything.
    pub(crate) rows_refused: u32,
    pub(crate) arrivals: u32,
    pub(crate) executions: u32,
    /// How often the client made it.
    pub(crate) attempts: u32,
    pub(crate) answers: u32,
    pub(crate) results: u32,
    /// The PDP's verdict, the same whenever it is asked again.
    pub(crate) drawn: Option<u8>,
    /// It needs a person's word.
    pub(crate) was_held: bool,
    pub(crate) tickets: Vec<TicketState>,
}

/// A request to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TicketState {
    Waiting,
    Approved,
    Refused,
    Used,
}

/// How often each invariant was checked while each fault had struck.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: u64,
    pub(crate) runs_with: BTreeMap<Fault, u64>,
    pub(crate) checks: BTreeMap<(Option<Fault>, Invariant), u64>,
}

impl Tally {
    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.runs += other.runs;
        for (fault, runs) in &other.runs_with {
            *self.runs_with.entry(*fault).or_default() += runs;
        }
        for (pair, checks) in &other.checks {
            *self.checks.entry(*pair).or_default() += checks;
        }
    }
}

/// What is left of a run.
pub(crate) struct Done {
    pub(crate) log: Vec<String>,
    pub(crate) broken: Option<String>,
    pub(crate) tally: Tally,
}

impl Done {
    /// The end of the log.
    pub(crate) fn tail(&self) -> String {
        self.log[self.log.len().saturating_sub(60)..].join("\n")
    }
}

impl World {
    /// A new world, now.
    pub(crate) fn new(seed: u64, faults: Faults, sabotage: Option<Sabotage>) -> Self {
        World(Arc::new(Mutex::new(State {
            rng: Rng::with_seed(seed ^ 0x5eed),
            faults,
            sabotage,
            begun: Instant::now(),
            log: Vec::new(),
            broken: None,
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            is_closing: false,
            nameless_rows: 0,
            next_delay: None,
            struck: BTreeSet::new(),
            tally: Tally { runs: 1, ..Tally::default() },
        })))
    }

    /// The state; a panic on purpose elsewhere leaves it valid.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `fault` strikes now.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        self.lock().strikes(fault)
    }

    /// Whether that defect is in.
    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.lock().sabotage == Some(sabotage)
    }

    /// Notes an event.
    pub(crate) fn note(&self, what: String) {
        self.lock().note(what);
    }

    /// What is left in the end.
    pub(crate) fn done(&self) -> Done {
        let mut state = self.lock();
        let struck = std::mem::take(&mut state.struck);
        for fault in struck {
            *state.tally.runs_with.entry(fault).or_default() += 1;
        }
        Done {
            log: std::mem::take(&mut state.log),
            broken: state.broken.take(),
            tally: std::mem::take(&mut state.tally),
        }
    }
}

impl State {
    /// Time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Notes an event.
    pub(crate) fn note(&mut self, what: String) {
        let line = format!("{:>10.3} {what}", self.now().as_secs_f64() * 1000.0);
        self.log.push(line);
    }

    /// Whether `fault` strikes now.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.faults.rate(fault);
        let strikes = rate > 0 && self.rng.u8(0..100) < rate;
        if strikes {
            self.strike(fault);
        }
        strikes
    }

    /// Notes that `fault` has struck.
    pub(crate) fn strike(&mut self, fault: Fault) {
        self.struck.insert(fault);
        self.note(format!("FAULT {}", fault.text()));
    }

    /// The next job of a simulated thread takes `delay`, for which the call is excused; all are when it is not known.
    pub(crate) fn delay(&mut self, token: Option<Token>, delay: Duration) {
        self.next_delay = Some(delay);
        match token.and_then(|token| self.calls.get_mut(&token)) {
            Some(call) => call.excused_delay += delay,
            None => self.calls.values_mut().for_each(|call| call.excused_delay += delay),
        }
    }

    /// How long the job that is handed to a simulated thread now takes.
    pub(crate) fn take_delay(&mut self) -> Duration {
        self.next_delay.take().unwrap_or(Duration::from_millis(1))
    }

    /// The session comes to its end: what is open may stay without an answer.
    pub(crate) fn close(&mut self) {
        self.is_closing = true;
        for request in self.requests.values_mut().filter(|request| request.endings < request.answers_due) {
            request.cut_off = true;
        }
    }

    /// Whether every request has its answers, or is owed none any more.
    pub(crate) fn is_answered(&self) -> bool {
        self.requests.values().all(|request| request.cancelled || request.endings >= request.answers_due)
    }

    /// A time between the two.
    pub(crate) fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.rng.u64(from_ms..=to_ms))
    }

    /// Checks one invariant; `what` says where it did not hold.
    pub(crate) fn check(&mut self, invariant: Invariant, holds: bool, what: impl FnOnce() -> String) {
        *self.tally.checks.entry((None, invariant)).or_default() += 1;
        for fault in &self.struck {
            *self.tally.checks.entry((Some(*fault), invariant)).or_default() += 1;
        }
        if !holds && self.broken.is_none() {
            let broken = format!("broken: {}: {}", invariant.name(), what());
            self.note(broken.clone());
            self.broken = Some(broken);
        }
    }
}
