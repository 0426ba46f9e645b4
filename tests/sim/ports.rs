//! The four ports of the machine in the simulation: a PDP, the real redactor, a journal and a launcher, each with its
//! faults.

use crate::backend::{Park, is_quiet};
use crate::faults::{Fault, Sabotage};
use crate::world::{TicketState, Token, World};
use callgate::redact::port::{LocalRedactor, RedactMode};
use callgate::redact::{Options, Redactor};
use callgate_actors::call::Call;
use callgate_actors::ports::{
    Approve, Carrier, Decide, Decision, Ending, Launch, LaunchError, Plan, Record, RecordError, Redact,
    Redaction, Standing, StreamsPlan, Subject, Ticket, Verdict, Withheld, Word,
};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Longest time for a decision in every run.
pub(crate) const DECIDE_TIMEOUT: Duration = Duration::from_secs(2);

/// Compiled once for all runs of a process.
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(Options::default()));

/// The token in arguments or in an answer: the digits behind `token`.
pub(crate) fn token_in(json: &[u8]) -> Option<Token> {
    let text = String::from_utf8_lossy(json);
    let (_, rest) = text.split_once("token")?;
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn token_of(call: &Call) -> Option<Token> {
    token_in(call.arguments.as_deref()?)
}

/// Decides at random, by the seed.
pub(crate) struct SimulatedPdp {
    pub(crate) world: World,
    pub(crate) fail_open: bool,
}

impl SimulatedPdp {
    /// The verdict, and whether it lets the call run.
    fn verdict(&self, token: Option<Token>) -> (Verdict, bool) {
        let mut state = self.world.lock();
        if state.strikes(Fault::Outage) {
            return (Verdict::Unavailable { outage: true, retry_after: None }, self.fail_open);
        }
        if state.strikes(Fault::Refuses) {
            return (Verdict::Unavailable { outage: false, retry_after: None }, false);
        }
        let allow = Verdict::Allow { arguments: None, redact: false };
        let fresh = state.rng.u8(0..100);
        let mut call = token.and_then(|token| state.calls.get_mut(&token));
        let drawn = call.as_mut().map_or(fresh, |call| *call.drawn.get_or_insert(fresh));
        let verdict = match drawn {
            0..15 => Verdict::Deny,
            15..35 => {
                if let Some(call) = call {
                    call.was_held = true;
                }
                return (Verdict::NeedsApproval, false);
            }
            _ => return (allow, true),
        };
        let lost = state.sabotage == Some(Sabotage::DenialsAreLost);
        (if lost { allow } else { verdict }, false)
    }
}

impl Decide for SimulatedPdp {
    fn is_quick(&self, call: &Call) -> bool {
        let mut state = self.world.lock();
        let delay = if state.strikes(Fault::LateDecision) {
            DECIDE_TIMEOUT + state.between(600, 3_000)
        } else if state.strikes(Fault::SlowDecision) {
            state.between(1, 1_500)
        } else {
            return true;
        };
        state.delay(token_of(call), delay);
        false
    }

    fn decide(&self, call: &Call, _: Instant) -> Decision {
        if self.world.strikes(Fault::PdpPanics) {
            std::panic::panic_any("simulated");
        }
        let (verdict, runs) = self.verdict(token_of(call));
        let mut state = self.world.lock();
        state.note(format!("decided {:?}: {verdict:?}", token_of(call)));
        if let Some(call) = token_of(call).and_then(|token| state.calls.get_mut(&token)) {
            call.permits += u32::from(runs);
        }
        Decision {
            decision_id: format!("d-{}", call.number),
            reasons: vec!["simulated".into()],
            ..Decision::of(verdict)
        }
    }
}

/// Tickets in memory, and people who decide them sooner or later, or never.
pub(crate) struct SimulatedKeeper {
    pub(crate) world: World,
}

impl SimulatedKeeper {
    /// A person decides ticket `index` of the call, some time.
    fn ask_person(&self, token: Token, index: usize) {
        let (delay, decides, approves) = {
            let mut state = self.world.lock();
            (state.between(0, 60_000), state.rng.u8(0..100) < 85, state.rng.u8(0..100) < 75)
        };
        let world = self.world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let mut state = world.lock();
            let word = if approves { TicketState::Approved } else { TicketState::Refused };
            if decides && let Some(call) = state.calls.get_mut(&token) {
                call.tickets[index] = word.clone();
                state.note(format!("a person: {word:?} for {token}"));
            }
        });
    }
}

impl Approve for SimulatedKeeper {
    fn open(&self, call: &Call, _: &Decision, _: Instant) -> Result<Ticket, String> {
        if self.world.strikes(Fault::KeeperPanics) {
            std::panic::panic_any("simulated");
        }
        if self.world.strikes(Fault::StoreFails) {
            return Err("simulated".into());
        }
        let token = token_of(call).ok_or("no token")?;
        let mut state = self.world.lock();
        let reused = state.sabotage == Some(Sabotage::GrantsAreReused);
        let tickets = &mut state.calls.get_mut(&token).ok_or("no call")?.tickets;
        let is_new = tickets.last().is_none_or(|last| *last == TicketState::Used && !reused);
        if is_new {
            tickets.push(TicketState::Waiting);
        }
        let index = tickets.len() - 1;
        drop(state);
        if is_new {
            self.ask_person(token, index);
        }
        let poll = Duration::from_millis(200);
        Ok(Ticket { id: format!("{token}-{index}"), poll, ..Ticket::default() })
    }

    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, _: Instant) -> Standing {
        if self.world.strikes(Fault::KeeperPanics) {
            std::panic::panic_any("simulated");
        }
        if self.world.strikes(Fault::StoreFails) {
            return Standing::Unknown("simulated".into());
        }
        let mut state = self.world.lock();
        let reused = state.sabotage == Some(Sabotage::GrantsAreReused);
        let index: usize = ticket.id.rsplit('-').next().and_then(|index| index.parse().ok()).unwrap_or(0);
        let Some(call) = token_of(call).and_then(|token| state.calls.get_mut(&token)) else {
            return Standing::Unknown("no call".into());
        };
        match &mut call.tickets[index] {
            TicketState::Waiting => Standing::Waiting,
            TicketState::Refused => Standing::Refused("simulated".into()),
            TicketState::Used if !reused => Standing::Used,
            ticket => {
                call.permits += u32::from(*ticket == TicketState::Approved);
                *ticket = TicketState::Used;
                let verdict = Verdict::Allow { arguments: None, redact: false };
                Standing::Granted(Box::new(Decision { verdict, ..decision.clone() }))
            }
        }
    }

    fn answered(&self, _: &Ticket, _: Word) -> Result<(), String> {
        Ok(())
    }
}

/// The real redactor, with faults on the answers of calls.
pub(crate) struct FaultyRedactor {
    world: World,
    real: LocalRedactor,
}

impl FaultyRedactor {
    /// For one run.
    pub(crate) fn new(world: World) -> Self {
        FaultyRedactor { world, real: LocalRedactor::new(REDACTOR.clone(), RedactMode::Always) }
    }
}

fn is_answer(subject: &Subject) -> bool {
    subject.carrier == Carrier::ToolResult || (subject.carrier == Carrier::Error && subject.tool.is_some())
}

impl Redact for FaultyRedactor {
    fn is_quick(&self, subject: &Subject, _len: usize) -> bool {
        let mut state = self.world.lock();
        if !is_answer(subject) || !state.strikes(Fault::SlowRedaction) {
            return true;
        }
        // Whose answer it is stands in the answer only; the seed's longest delay is excused for everybody.
        let delay = state.between(1, 1_500);
        state.delay(None, delay);
        false
    }

    fn redact(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        if is_answer(subject) {
            if self.world.strikes(Fault::RedactorPanics) {
                std::panic::panic_any("simulated");
            }
            if self.world.strikes(Fault::Withholds) {
                let reason = "simulated".to_owned();
                return Err(Withheld {
                    blocked: false,
                    reason,
                    decision_id: String::new(),
                    matched: Vec::new(),
                });
            }
        }
        if self.world.is_sabotaged(Sabotage::RedactorPassesAll) {
            return Ok(Redaction::default());
        }
        self.real.redact(subject, json)
    }
}

/// A journal in memory.
pub(crate) struct SimulatedJournal {
    world: World,
    backlog: Vec<Token>,
}

impl SimulatedJournal {
    /// A new one; what an earlier one that panicked had kept back is lost with it.
    pub(crate) fn new(world: World) -> Self {
        SimulatedJournal { world, backlog: Vec::new() }
    }
}

impl Record for SimulatedJournal {
    fn intents(&mut self, intents: &[Ending]) -> Result<(), RecordError> {
        if self.world.strikes(Fault::JournalPanics) {
            std::panic::panic_any("simulated");
        }
        if self.world.strikes(Fault::IntentFails) {
            return Err(RecordError("simulated".into()));
        }
        let mut state = self.world.lock();
        let forgotten = state.sabotage == Some(Sabotage::IntentsAreForgotten);
        for intent in intents {
            let token = token_of(&intent.call);
            state.note(format!("intent {token:?}"));
            if let Some(call) = token.and_then(|token| state.calls.get_mut(&token)) {
                call.intents += u32::from(!forgotten);
            }
        }
        Ok(())
    }

    fn endings(&mut self, endings: &[Ending]) -> Result<(), RecordError> {
        let tokens: Vec<Token> = endings.iter().filter_map(|ending| token_of(&ending.call)).collect();
        let mut state = self.world.lock();
        state.nameless_rows += u32::try_from(endings.len() - tokens.len()).unwrap_or(0);
        let panics = state.strikes(Fault::JournalPanics);
        if panics || state.strikes(Fault::EndingFails) {
            for token in &tokens {
                if let Some(call) = state.calls.get_mut(token) {
                    call.rows_refused += 1;
                }
            }
            drop(state);
            if panics {
                std::panic::panic_any("simulated");
            }
            self.backlog.extend(tokens);
            return Err(RecordError("simulated".into()));
        }
        if state.sabotage == Some(Sabotage::RowsAreForgotten) {
            return Ok(());
        }
        for token in self.backlog.drain(..).chain(tokens) {
            state.note(format!("row {token}"));
            state.check_row(token);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), RecordError> {
        Ok(())
    }
}

/// Starts servers in memory.
pub(crate) struct SimulatedLaunch {
    pub(crate) park: Park,
}

impl Launch for SimulatedLaunch {
    fn plan(&self, id: &str) -> Result<Plan, LaunchError> {
        let (park, id) = (self.park.clone(), id.to_owned());
        Ok(Plan::Streams(StreamsPlan { connect: Arc::new(move || park.start(&id)) }))
    }

    fn remembered(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn remember(&self, _: &str, _: &[u8], _: &[u8]) {}
}

/// Silences the panics that are part of the simulation; every other panic is shown as ever.
pub(crate) fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !is_quiet(info.payload()) {
                usual(info);
            }
        }));
    });
}
