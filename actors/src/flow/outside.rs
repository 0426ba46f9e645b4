//! Calls that are decided, recorded and redacted here like any other, and carried out by somebody else: the program that
//! this crate is a part of.
//!
//! [`ask`] takes the place of the steps before a call leaves, [`Errand`] of those behind its answer. Between them the call
//! is under way: its intent is on record, and an errand that is dropped leaves a row that says so.

use super::call::{self, Finish, Journey};
use super::{Machine, verdict};
use crate::call::{Call, Hints};
use crate::gate::Permit;
use crate::ports::{AuditVerdict, Carrier, Decision, Outcome, Subject, Ticket, Verdict, Withheld};
use crate::reply::Answer;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR, INVALID_PARAMS};
use crate::wire::envelope::Body;
use crate::wire::strict;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A call as it is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who would carry it out; the backend of decisions and rows.
    pub backend: Arc<str>,
    /// The tool's name.
    pub tool: Arc<str>,
    /// Its arguments, raw JSON: an object, `null`, or `None`. They are checked to have one reading only.
    pub arguments: Option<Bytes>,
    /// `_meta`, raw JSON.
    pub meta: Option<Bytes>,
    /// What is known of the tool.
    pub hints: Hints,
}

/// What came of asking.
pub enum Asked {
    /// It may run, and its intent is on record.
    Runs(Errand),
    /// It must not run, and its row is written.
    Blocked(Blocked),
}

/// A call that must not run.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// The raw error object for the client.
    pub error: Bytes,
    /// The row's verdict.
    pub verdict: AuditVerdict,
    /// The decision, if there is one.
    pub decision: Option<Arc<Decision>>,
    /// The ticket that holds it, if there is one.
    pub ticket: Option<Ticket>,
}

/// Asks whether a call may run. With `cancelled` the call is taken back: its row is written, and nothing is returned.
///
/// Runs on the machine's own runtime.
pub async fn ask(machine: Machine, question: Question, cancelled: impl Future<Output = ()>) -> Option<Asked> {
    let mut journey = Journey::begin();
    let read = read(&question);
    let call = Arc::new(described(&machine, &journey, question));
    let permit = match (read, machine.gate.try_enter()) {
        (Ok(()), Ok(permit)) => permit,
        (Err(why), _) => {
            let error = ErrorObject::new(INVALID_PARAMS, format!("malformed tools/call: {why}"));
            return Some(Asked::Blocked(block(&machine, journey, &call, error.into_bytes()).await));
        }
        (_, Err(_)) => {
            let error = ErrorObject::new(INTERNAL_ERROR, "busy: too many calls are open; try again");
            let error = error.text("outcome", "not_forwarded").flag("retryable", true).into_bytes();
            return Some(Asked::Blocked(block(&machine, journey, &call, error).await));
        }
    };
    // What carries the call out is out of reach, so nothing of its time is known.
    let backend_timeout = machine.settings.backend_timeouts.first().copied().unwrap_or_default();
    let admitted = tokio::select! {
        biased;
        admitted = call::admit(&machine, &mut journey, &call, backend_timeout) => Some(admitted),
        () = cancelled => None,
        () = machine.abort.cancelled() => None,
    };
    match admitted {
        Some(Ok(())) => {
            let runtime = Handle::current();
            let open = Open { machine, journey, call, _permit: permit };
            Some(Asked::Runs(Errand { open: Some(Box::new(open)), runtime, is_claimed: false }))
        }
        Some(Err(error)) => Some(Asked::Blocked(block(&machine, journey, &call, error).await)),
        None => {
            let finish = Finish::of(Answer::Silence, Outcome::Cancelled);
            call::record(&machine, &journey, &call, finish).await;
            None
        }
    }
}

/// The arguments must be an object with one reading: two parsers that disagree about them are a hole.
fn read(question: &Question) -> Result<(), String> {
    let Some(arguments) = &question.arguments else { return Ok(()) };
    strict::check(arguments).map_err(|error| format!("\"arguments\": {error}"))?;
    match arguments.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'n') => Ok(()),
        _ => Err("\"arguments\" must be an object".into()),
    }
}

fn described(machine: &Machine, journey: &Journey, question: Question) -> Call {
    let Question { backend, tool, arguments, meta, hints } = question;
    let (number, received_at) = (machine.next_number(), journey.received_at);
    Call { number, received_at, backend, exposed: tool.clone(), tool, arguments, meta, hints }
}

async fn block(machine: &Machine, journey: Journey, call: &Arc<Call>, error: Bytes) -> Blocked {
    call::record(machine, &journey, call, Finish::error(error.clone(), Outcome::NotForwarded)).await;
    let Journey { verdict, decision, ticket, .. } = journey;
    Blocked { error, verdict, decision, ticket }
}

/// A call that is under way outside. Dropping it says that nothing more is known of it.
pub struct Errand {
    open: Option<Box<Open>>,
    runtime: Handle,
    is_claimed: bool,
}

struct Open {
    machine: Machine,
    journey: Journey,
    call: Arc<Call>,
    /// The call's place; free when it has ended.
    _permit: Permit,
}

impl Errand {
    /// Whoever carries the call out has it. Before that, dropping it takes the call back; after that, nobody knows whether
    /// it has run.
    pub fn claim(&mut self) {
        self.is_claimed = true;
    }

    /// The decision that lets it run; `None` where nobody decides.
    pub fn decision(&self) -> Option<&Arc<Decision>> {
        self.open.as_ref().and_then(|open| open.journey.decision.as_ref())
    }

    /// The row's verdict.
    pub fn verdict(&self) -> AuditVerdict {
        self.open.as_ref().map_or(AuditVerdict::Error, |open| open.journey.verdict)
    }

    /// The arguments to carry it out with, where an obligation changed them: one JSON object.
    pub fn arguments(&self) -> Option<&Bytes> {
        match &self.decision()?.verdict {
            Verdict::Allow { arguments, .. } => arguments.as_ref(),
            _ => None,
        }
    }

    /// Ends the call with what it brought: the answer for the client, redacted, once its row is written. What must not be
    /// passed on is an error in its place.
    pub async fn answer(mut self, body: Body) -> Answer {
        let Some(open) = self.open.take() else { return Answer::Silence };
        let recorded = self.runtime.spawn(async move {
            let finish = call::answer(&open.machine, &open.journey, &open.call, body).await;
            call::record(&open.machine, &open.journey, &open.call, finish).await
        });
        recorded.await.unwrap_or_else(|_| Answer::Error(verdict::no_record("the gate has ended", true)))
    }

    /// Ends the call without an answer that anybody looks at. An error says that its row was not written, or that it ran and
    /// its answer must not be used for that reason.
    pub async fn end(mut self, outcome: Outcome) -> Result<(), Bytes> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let recorded = self.runtime.spawn(async move {
            let ending = open.journey.ending(&open.call, outcome);
            let written = open.machine.audit.ending(ending).await;
            written.map_err(|why| verdict::no_record(&why.to_string(), true))
        });
        recorded.await.unwrap_or_else(|_| Err(verdict::no_record("the gate has ended", true)))
    }

    /// Ends the call with an answer that cannot be read: `why`. The error for the client.
    pub async fn withhold(mut self, why: String) -> Bytes {
        let Some(open) = self.open.take() else { return Bytes::new() };
        let withheld = Withheld { reason: why, ..Withheld::default() };
        let codes = open.machine.settings.codes;
        let error = verdict::withheld(&withheld, open.journey.decision.as_deref(), codes);
        let finish = Finish::error(error.clone(), Outcome::Withheld);
        let recorded = self
            .runtime
            .spawn(async move { call::record(&open.machine, &open.journey, &open.call, finish).await });
        match recorded.await {
            Ok(Answer::Error(error)) => error,
            _ => error,
        }
    }

    /// What may pass of something that comes before the answer.
    ///
    /// # Errors
    /// What cannot be redacted must not pass.
    pub async fn redact(&self, carrier: Carrier, json: Bytes) -> Result<Bytes, Withheld> {
        let Some(open) = &self.open else { return Err(Withheld::default()) };
        let subject = call::subject(&open.journey, &open.call, carrier);
        redact(&open.machine, subject, json, &self.runtime).await
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else { return };
        let outcome = if self.is_claimed { Outcome::Unknown } else { Outcome::Cancelled };
        let flows = open.machine.flows.clone();
        let row = async move {
            let finish = Finish::of(Answer::Silence, outcome);
            call::record(&open.machine, &open.journey, &open.call, finish).await;
        };
        // A runtime that has ended drops it; then the next start finds the intent.
        flows.spawn_on(row, &self.runtime);
    }
}

/// What may pass of something that belongs to no call that is known here.
///
/// # Errors
/// What cannot be redacted must not pass.
pub async fn redact_unknown(
    machine: &Machine,
    backend: &Arc<str>,
    carrier: Carrier,
    json: Bytes,
    runtime: &Handle,
) -> Result<Bytes, Withheld> {
    let subject = Subject { backend: backend.clone(), tool: None, carrier, obliged: true, decision: None };
    redact(machine, subject, json, runtime).await
}

async fn redact(
    machine: &Machine,
    subject: Subject,
    json: Bytes,
    runtime: &Handle,
) -> Result<Bytes, Withheld> {
    let redactor = machine.redactor.clone();
    let redacted = runtime.spawn(async move { redactor.redact(&subject, json).await });
    match redacted.await {
        Ok(redacted) => redacted.map(|redacted| redacted.json),
        Err(_) => Err(Withheld { reason: "the redactor failed on this".into(), ..Withheld::default() }),
    }
}

/// Writes the row of a call that could not even be read.
pub async fn record_malformed(machine: Machine) {
    call::record_malformed(machine).await;
}
