//! The way of one `tools/call`, from the line to its one answer.

use super::approval::{self, Held};
use super::forward::{Failure, Request, Whereabouts, forward};
use super::params::{CallParams, progress_token};
use super::{Machine, lists, pass, verdict};
use crate::call::{Call, Hints};
use crate::directory::Route;
use crate::gate::Permit;
use crate::ports::{
    AuditVerdict, Carrier, Decision, Ending, Findings, Outcome, Subject, Ticket, Verdict, Would,
};
use crate::reply::{Answer, ReplySlot};
use crate::wire::codes::{ErrorObject, INVALID_PARAMS, VerdictCodes, disarm};
use crate::wire::envelope::Body;
use crate::wire::skim;
use crate::wire::splice::splice;
use crate::wire::write;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A `tools/call` that was read.
pub struct CallRequest {
    /// Raw `params`.
    pub params: Option<Bytes>,
    /// Where the answer goes.
    pub slot: ReplySlot,
    /// Fires when the client takes the call back.
    pub cancelled: oneshot::Receiver<()>,
    /// The request's place.
    pub permit: Permit,
}

/// How the steps ended.
pub(super) struct Finish {
    pub(super) answer: Answer,
    pub(super) outcome: Outcome,
    /// The backend's result as it came.
    result: Bytes,
    masked: BTreeMap<&'static str, u32>,
    findings: Findings,
}

impl Finish {
    /// The call ends with an error and without a result of the backend's.
    pub(super) fn error(error: Bytes, outcome: Outcome) -> Self {
        Self::of(Answer::Error(error), outcome)
    }

    /// The call ends so, without a result of the backend's.
    pub(super) fn of(answer: Answer, outcome: Outcome) -> Self {
        Finish {
            answer,
            outcome,
            result: Bytes::new(),
            masked: BTreeMap::new(),
            findings: Findings::default(),
        }
    }
}

/// What is known of a call while it is on its way; survives its steps when they are cut off.
pub(super) struct Journey {
    pub(super) received_at: SystemTime,
    begun: Instant,
    pub(super) decision: Option<Arc<Decision>>,
    pub(super) verdict: AuditVerdict,
    /// The ticket that the call was held by.
    pub(super) ticket: Option<Ticket>,
    whereabouts: Whereabouts,
}

impl Journey {
    pub(super) fn begin() -> Self {
        Journey {
            received_at: SystemTime::now(),
            begun: Instant::now(),
            decision: None,
            verdict: AuditVerdict::Error,
            ticket: None,
            whereabouts: Whereabouts::default(),
        }
    }

    /// How the call ends if it ends now, without an answer.
    pub(super) fn ending(&self, call: &Arc<Call>, outcome: Outcome) -> Ending {
        Ending {
            call: call.clone(),
            ended_at: SystemTime::now(),
            duration: self.begun.elapsed(),
            decision: self.decision.clone(),
            verdict: self.verdict,
            outcome,
            result: Bytes::new(),
            masked: BTreeMap::new(),
            findings: Findings::default(),
        }
    }
}

/// Runs one call to its end.
pub async fn call(machine: Machine, request: CallRequest) {
    let CallRequest { params, slot, mut cancelled, permit } = request;
    let mut journey = Journey::begin();
    // Its tool may be of a backend that is still being listed, which takes a while.
    let resolved = tokio::select! {
        biased;
        resolved = read(&machine, params) => Some(resolved),
        Ok(()) = &mut cancelled => None,
        () = machine.abort.cancelled() => None,
    };
    let (call, finish) = match resolved {
        None => (Arc::new(nameless(&machine, &journey)), take_back(&machine, &journey)),
        Some(Err(why)) => {
            let error = ErrorObject::new(INVALID_PARAMS, why).into_bytes();
            (Arc::new(nameless(&machine, &journey)), Finish::error(error, Outcome::NotForwarded))
        }
        Some(Ok((params, route))) => {
            let call = Arc::new(describe(&machine, &journey, &params, &route));
            let steps = steps(&machine, &mut journey, &call, &params, &route);
            let finish = tokio::select! {
                biased;
                finish = steps => Some(finish),
                Ok(()) = cancelled => None,
                () = machine.abort.cancelled() => None,
            };
            (call, finish.unwrap_or_else(|| take_back(&machine, &journey)))
        }
    };
    record_and_end(&machine, &journey, call, finish, slot).await;
    drop(permit);
}

/// Ends a call that finds no place with `error`; it has its row like any other.
pub async fn refuse(machine: Machine, params: Option<Bytes>, error: Bytes, slot: ReplySlot) {
    let journey = Journey::begin();
    let known = CallParams::read(params).ok().and_then(|params| {
        let route = machine.directory.borrow().listing.tool(&params.name).cloned()?;
        Some(describe(&machine, &journey, &params, &route))
    });
    let call = Arc::new(known.unwrap_or_else(|| nameless(&machine, &journey)));
    record_and_end(&machine, &journey, call, Finish::error(error, Outcome::NotForwarded), slot).await;
}

/// Writes the row of a call that could not even be read.
pub async fn record_malformed(machine: Machine) {
    let journey = Journey::begin();
    let ending = journey.ending(&Arc::new(nameless(&machine, &journey)), Outcome::NotForwarded);
    if let Err(why) = machine.audit.ending(ending).await {
        tracing::error!("an audit row was not written: {why}");
    }
}

/// The steps between the request and its ending. Nothing leaves before a decision allowed it and the journal has it;
/// nothing comes back before it was redacted.
async fn steps(
    machine: &Machine,
    journey: &mut Journey,
    call: &Arc<Call>,
    params: &CallParams,
    route: &Route,
) -> Finish {
    let backend_timeout = machine.settings.backend_timeouts.get(route.backend).copied().unwrap_or_default();
    if let Err(error) = admit(machine, journey, call, backend_timeout).await {
        return Finish::error(error, Outcome::NotForwarded);
    }
    let request = request(machine, journey, params, route);
    match forward(machine, &request, &mut journey.whereabouts).await {
        Ok(body) => answer(machine, journey, call, body).await,
        Err(failure) => {
            let outcome = match failure {
                Failure::Away(_) | Failure::Busy | Failure::Refused(_) => Outcome::NotForwarded,
                Failure::TimedOut(_) => Outcome::TimedOut,
                Failure::Unknown(_) | Failure::Failed(_) => Outcome::Unknown,
            };
            tracing::warn!(backend = %call.backend, tool = %call.tool, ?outcome, "a call failed");
            Finish::error(failure.error(&call.backend), outcome)
        }
    }
}

/// The steps before a call leaves: its decision, a person's word where that is due, and its intent on record. An error is
/// for the client. `backend_timeout` is what holding must leave of the call's budget.
pub(super) async fn admit(
    machine: &Machine,
    journey: &mut Journey,
    call: &Arc<Call>,
    backend_timeout: Duration,
) -> Result<(), Bytes> {
    let codes = machine.settings.codes;
    decide(machine, journey, call, codes).await?;
    approve(machine, journey, call, backend_timeout, codes).await?;
    let intent = machine.audit.intent(journey.ending(call, Outcome::Unknown)).await;
    intent.map_err(|why| verdict::no_record(&why.to_string(), false))
}

async fn read(machine: &Machine, params: Option<Bytes>) -> Result<(CallParams, Route), String> {
    match CallParams::read(params) {
        Ok(params) => resolve(machine, params).await,
        Err(why) => Err(format!("malformed tools/call: {why}")),
    }
}

/// Finds the tool. A name that is not known yet may belong to a backend that is still being listed.
async fn resolve(machine: &Machine, params: CallParams) -> Result<(CallParams, Route), String> {
    let known = machine.directory.borrow().listing.tool(&params.name).cloned();
    if let Some(route) = known {
        return Ok((params, route));
    }
    let directory = lists::settled(machine).await;
    let route = directory.listing.tool(&params.name).cloned();
    match route.or_else(|| pass::unlisted(machine, &params.name)) {
        Some(route) => Ok((params, route)),
        None => Err(format!("unknown tool {:?}", params.name)),
    }
}

async fn decide(
    machine: &Machine,
    journey: &mut Journey,
    call: &Arc<Call>,
    codes: VerdictCodes,
) -> Result<(), Bytes> {
    let deadline = Instant::now() + machine.settings.decide_timeout;
    let decision = match machine.pdp.decide(call, deadline.into_std()).await {
        Ok(decision) => decision,
        Err(cause) if machine.settings.monitor => verdict::undecided(cause),
        Err(cause) => {
            journey.verdict = AuditVerdict::Deny;
            return Err(verdict::no_decision(cause, codes));
        }
    };
    let (audit, error) = verdict::judge(&decision, machine.settings.fail_open, codes);
    if audit != AuditVerdict::Allow || decision.would.is_some() {
        let reason = decision.reasons.first().map(String::as_str).unwrap_or_default();
        let would = decision.would.map(Would::word);
        tracing::info!(backend = %call.backend, tool = %call.tool, verdict = ?audit, would, reason = reason.escape_debug().to_string());
    }
    journey.verdict = audit;
    journey.decision = Some(Arc::new(decision));
    match audit {
        AuditVerdict::NeedsApproval => Ok(()),
        _ => error.map_or(Ok(()), Err),
    }
}

/// Holds a call that needs a person's word; every other call passes.
async fn approve(
    machine: &Machine,
    journey: &mut Journey,
    call: &Arc<Call>,
    backend_timeout: Duration,
    codes: VerdictCodes,
) -> Result<(), Bytes> {
    let Some(decision) = journey.decision.clone().filter(|_| journey.verdict == AuditVerdict::NeedsApproval)
    else {
        return Ok(());
    };
    let ends = approval::hold_ends(journey.begun, machine.settings.call_budget, backend_timeout);
    match approval::hold(machine, call, decision, ends).await {
        Held::Granted(decision) => {
            let (audit, error) = verdict::judge(&decision, false, codes);
            journey.verdict = audit;
            journey.decision = Some(decision);
            error.map_or(Ok(()), Err)
        }
        Held::Ended { decision, verdict, ticket, error } => {
            journey.verdict = verdict;
            journey.decision = Some(decision);
            journey.ticket = ticket;
            Err(error)
        }
    }
}

/// The request for the backend: the client's own bytes with the tool's own name, and the arguments that an obligation
/// asked for.
fn request(machine: &Machine, journey: &Journey, params: &CallParams, route: &Route) -> Request {
    let mut own = Vec::new();
    write::string(&mut own, &route.own);
    let mut spans: Vec<(std::ops::Range<usize>, &[u8])> = Vec::new();
    if *route.own != *params.name {
        spans.push((params.name_span.clone(), &own));
    }
    let replaced = match journey.decision.as_ref().map(|decision| &decision.verdict) {
        Some(Verdict::Allow { arguments: Some(arguments), .. }) => Some(arguments),
        _ => None,
    };
    if let (Some(arguments), Some(span)) = (replaced, &params.arguments_span) {
        spans.push((span.clone(), arguments));
    }
    spans.sort_by_key(|(span, _)| span.start);
    let raw = if spans.is_empty() { params.raw.clone() } else { splice(&params.raw, &spans).into() };
    Request {
        backend: route.backend,
        method: "tools/call".into(),
        progress: progress_token(&raw),
        params: Some(raw),
        may_repeat: route.hints.may_repeat(),
        deadline: journey.begun + machine.settings.call_budget,
    }
}

/// What is redacted of a call: `carrier` brings it.
pub(super) fn subject(journey: &Journey, call: &Call, carrier: Carrier) -> Subject {
    let decision = journey.decision.clone();
    let obliged = matches!(
        decision.as_ref().map(|decision| &decision.verdict),
        Some(Verdict::Allow { redact: true, .. })
    );
    Subject { backend: call.backend.clone(), tool: Some(call.tool.clone()), carrier, obliged, decision }
}

/// The answer for the client: redacted, and with no error code that could be taken for a verdict.
pub(super) async fn answer(machine: &Machine, journey: &Journey, call: &Arc<Call>, body: Body) -> Finish {
    let subject = |carrier| subject(journey, call, carrier);
    let (redacted, result, outcome) = match body {
        Body::Result(result) => {
            let is_error = skim::member(&result, "isError").is_some_and(|range| &result[range] == b"true");
            let outcome = if is_error { Outcome::ToolError } else { Outcome::Ok };
            (machine.redactor.redact(&subject(Carrier::ToolResult), result.clone()).await, result, outcome)
        }
        Body::Error(error) => {
            (machine.redactor.redact(&subject(Carrier::Error), error).await, Bytes::new(), Outcome::Failed)
        }
    };
    match redacted {
        Ok(redacted) => {
            let answer = match outcome {
                Outcome::Failed => Answer::Error(disarm(&redacted.json, machine.settings.codes)),
                _ => Answer::Result(redacted.json),
            };
            Finish { answer, outcome, result, masked: redacted.masked, findings: redacted.findings }
        }
        Err(withheld) => {
            let error = verdict::withheld(&withheld, journey.decision.as_deref(), machine.settings.codes);
            Finish {
                answer: Answer::Error(error),
                outcome: Outcome::Withheld,
                result,
                masked: BTreeMap::new(),
                findings: Findings { matched: withheld.matched, ..Findings::default() },
            }
        }
    }
}

/// The client took the call back, or the gate is closing.
fn take_back(machine: &Machine, journey: &Journey) -> Finish {
    journey.whereabouts.take_back();
    Finish {
        answer: machine.unanswered(),
        outcome: Outcome::Cancelled,
        result: Bytes::new(),
        masked: BTreeMap::new(),
        findings: Findings::default(),
    }
}

/// No ending without a record: the row first, then the answer.
async fn record_and_end(
    machine: &Machine,
    journey: &Journey,
    call: Arc<Call>,
    finish: Finish,
    slot: ReplySlot,
) {
    let answer = record(machine, journey, &call, finish).await;
    slot.end(machine.weights.admit(answer).await);
}

/// Writes the row, and gives the answer that may be sent then.
pub(super) async fn record(machine: &Machine, journey: &Journey, call: &Arc<Call>, finish: Finish) -> Answer {
    let Finish { answer, outcome, result, masked, findings } = finish;
    let has_run = matches!(outcome, Outcome::Ok | Outcome::ToolError | Outcome::Failed | Outcome::Withheld);
    let ending = Ending { result, masked, findings, ..journey.ending(call, outcome) };
    match machine.audit.ending(ending).await {
        Err(why) => {
            tracing::error!("an audit row was not written: {why}");
            if has_run { Answer::Error(verdict::no_record(&why.to_string(), true)) } else { answer }
        }
        Ok(()) => answer,
    }
}

fn describe(machine: &Machine, journey: &Journey, params: &CallParams, route: &Route) -> Call {
    Call {
        number: machine.next_number(),
        received_at: journey.received_at,
        backend: route.id.clone(),
        tool: route.own.clone(),
        exposed: route.exposed.clone(),
        arguments: params.arguments.clone(),
        meta: params.meta.clone(),
        hints: route.hints,
    }
}

pub(super) fn nameless(machine: &Machine, journey: &Journey) -> Call {
    Call {
        number: machine.next_number(),
        received_at: journey.received_at,
        backend: Arc::from(""),
        tool: Arc::from(""),
        exposed: Arc::from(""),
        arguments: None,
        meta: None,
        hints: Hints::default(),
    }
}
