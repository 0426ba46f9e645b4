//! What came of asking about one call, and how the call ends.

use super::engine::Engine;
use bytes::Bytes;
use callgate_actors::flow::outside::{Asked, Blocked, Errand};
use callgate_actors::ports::{AuditVerdict, Decision, Outcome, Ticket, Would};
use callgate_actors::reply::Answer;
use callgate_actors::wire::codes::{ErrorObject, INTERNAL_ERROR, UNAVAILABLE, code_of, message_of};
use callgate_actors::wire::envelope::Body;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// What came of asking about one call.
///
/// An allowed call is under way from here on: its intent is on record, so end it with [`Self::answer`], [`Self::fail`] or
/// [`Self::finish`]. Dropping it leaves a row that says `unknown`: nobody knows whether it has run. A call that is not
/// allowed has its row already.
#[must_use = "dropping an allowed call leaves a row that says nobody knows what became of it"]
#[non_exhaustive]
pub struct Interception {
    /// Whether the call may run, now and once. In monitor mode always, unless nothing can be recorded.
    pub allowed: bool,
    /// Why, for the person and the model. Of an allowed call it may be empty.
    pub reason: String,
    /// The verdict as the audit row has it.
    pub verdict: AuditVerdict,
    /// The id of the decision; empty when there is none.
    pub decision_id: String,
    /// The trace it belongs to, 32 hex digits; may be empty.
    pub trace_id: String,
    /// The policies that were looked at; the first one of a denied call denied it.
    pub evaluated_policies: Vec<String>,
    /// Which tier of a cascade decided: `rego`, `stored`, `heuristics`; empty when none spoke.
    pub tier: &'static str,
    /// What would have become of the call if it were not merely monitored.
    pub would: Option<Would>,
    /// The arguments to run the call with, where a policy changed them (masked a value). Else run it with your own.
    pub arguments: Option<Value>,
    /// What a person has to decide before the call may run.
    pub approval: Option<Approval>,
    error: Option<Bytes>,
    errand: Option<Errand>,
    engine: Arc<Engine>,
}

/// A call that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approval {
    /// The ticket's id.
    pub ticket: String,
    /// Where a person decides and what to do then, in words.
    pub how_to_decide: String,
    /// An address where a person decides; empty when there is none.
    pub url: String,
    /// Until when, RFC 3339; empty when nobody knows.
    pub expires_at: String,
}

impl From<Ticket> for Approval {
    fn from(ticket: Ticket) -> Self {
        let how_to_decide = ticket.how_to_decide();
        Self { ticket: ticket.id, how_to_decide, url: ticket.url, expires_at: ticket.expires_at }
    }
}

/// Why a call did not run, or why its answer must not be used: a JSON-RPC error object.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The code: -32001 denied, -32002 needs approval, -32003 no decision, no record or no masking; other decision
    /// services have other codes.
    pub code: i64,
    /// What a person and a model must know, ids included.
    pub message: String,
    /// The same for programs.
    pub data: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn read(error: &[u8]) -> Self {
        let object: Value = serde_json::from_slice(error).unwrap_or_default();
        Self { code: code_of(error), message: message_of(error), data: object["data"].clone() }
    }

    /// The error object as JSON.
    pub fn to_json(&self) -> Value {
        let mut object = json!({"code": self.code, "message": self.message});
        if !self.data.is_null() {
            object["data"] = self.data.clone();
        }
        object
    }
}

impl fmt::Debug for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Interception");
        shown.field("allowed", &self.allowed).field("reason", &self.reason).field("verdict", &self.verdict);
        shown.field("decision_id", &self.decision_id).field("approval", &self.approval);
        shown.finish_non_exhaustive()
    }
}

impl Interception {
    pub(super) fn of(asked: Option<Asked>, engine: &Arc<Engine>) -> Self {
        match asked {
            Some(Asked::Runs(errand)) => Self::runs(errand, engine),
            Some(Asked::Blocked(blocked)) => Self::blocked(blocked, engine),
            None => Self::shut("nobody decided, so the call must not run", engine),
        }
    }

    fn runs(mut errand: Errand, engine: &Arc<Engine>) -> Self {
        let changed = errand.arguments().map(|raw| serde_json::from_slice::<Value>(raw));
        let arguments = match changed.transpose() {
            Ok(arguments) => arguments,
            // Dropping the errand takes the call back.
            Err(_) => return Self::shut("the arguments that a policy asks for cannot be read", engine),
        };
        errand.claim();
        let mut this = Self { allowed: true, arguments, ..Self::empty(engine) };
        this.verdict = errand.verdict();
        if let Some(decision) = errand.decision().cloned() {
            this.tell(&decision);
            this.reason = decision.reasons.first().cloned().unwrap_or_default();
        }
        this.errand = Some(errand);
        this
    }

    fn blocked(blocked: Blocked, engine: &Arc<Engine>) -> Self {
        let Blocked { error, verdict, decision, ticket } = blocked;
        let mut this = Self { verdict, reason: message_of(&error), ..Self::empty(engine) };
        if let Some(decision) = decision {
            this.tell(&decision);
        }
        // A ticket that was refused or has expired waits for nobody.
        let waits = verdict == AuditVerdict::NeedsApproval;
        this.approval = ticket.filter(|_| waits).map(Approval::from);
        this.error = Some(error);
        this
    }

    fn shut(why: &str, engine: &Arc<Engine>) -> Self {
        let error = ErrorObject::new(UNAVAILABLE, why).text("outcome", "not_forwarded").into_bytes();
        Self { reason: why.into(), error: Some(error), ..Self::empty(engine) }
    }

    fn empty(engine: &Arc<Engine>) -> Self {
        Self {
            allowed: false,
            reason: String::new(),
            verdict: AuditVerdict::Deny,
            decision_id: String::new(),
            trace_id: String::new(),
            evaluated_policies: Vec::new(),
            tier: "",
            would: None,
            arguments: None,
            approval: None,
            error: None,
            errand: None,
            engine: engine.clone(),
        }
    }

    fn tell(&mut self, decision: &Decision) {
        self.decision_id.clone_from(&decision.decision_id);
        self.trace_id.clone_from(&decision.trace_id);
        self.evaluated_policies.clone_from(&decision.evaluated_policies);
        self.tier = decision.tier;
        self.would = decision.would;
    }

    /// The error that the caller should be told; `None` of an allowed call.
    pub fn refusal(&self) -> Option<Refusal> {
        self.error.as_deref().map(Refusal::read)
    }

    /// What the call brought, as it may be passed on: personal data and secrets are masked, the policies' second phase has
    /// judged it, and the row is written. An object gets a report in `_meta` unless `CALLGATE_RESULT_META` is `off`; one
    /// with `isError: true` is recorded as a failure of the tool. Blocks the thread.
    ///
    /// # Errors
    /// The call has run and what it brought must not be used: a policy blocks it, or it could not be masked or recorded.
    /// Also when the call was not allowed.
    pub fn answer(mut self, result: &Value) -> Result<Value, Refusal> {
        let errand = self.take()?;
        let body = Body::Result(result.to_string().into());
        passed(self.engine.wait_for_end(errand.answer(body)))
    }

    /// As [`Self::answer`], without blocking; on any runtime.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub async fn answer_async(mut self, result: &Value) -> Result<Value, Refusal> {
        let errand = self.take()?;
        let body = Body::Result(result.to_string().into());
        passed(Some(errand.answer(body).await))
    }

    /// The call failed with this error: the message as it may be passed on, cut at 4 KiB. Blocks the thread.
    pub fn fail(mut self, message: &str) -> String {
        let Ok(errand) = self.take() else { return self.reason };
        failed(self.engine.wait_for_end(errand.answer(failure(message))))
    }

    /// As [`Self::fail`], without blocking; on any runtime.
    pub async fn fail_async(mut self, message: &str) -> String {
        let Ok(errand) = self.take() else { return self.reason };
        failed(Some(errand.answer(failure(message)).await))
    }

    /// Ends the call without showing what it brought, which nobody masks then. Blocks the thread.
    ///
    /// # Errors
    /// The row could not be written, or the call was not allowed.
    pub fn finish(mut self, outcome: Outcome) -> Result<(), Refusal> {
        let errand = self.take()?;
        ended(self.engine.wait_for_end(errand.end(outcome)))
    }

    /// As [`Self::finish`], without blocking; on any runtime.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub async fn finish_async(mut self, outcome: Outcome) -> Result<(), Refusal> {
        let errand = self.take()?;
        ended(Some(errand.end(outcome).await))
    }

    fn take(&mut self) -> Result<Errand, Refusal> {
        self.errand.take().ok_or_else(|| self.refusal().unwrap_or_else(lost))
    }
}

fn lost() -> Refusal {
    let message = "the tool was executed, but nobody masked or recorded it, so its answer is withheld";
    Refusal { code: UNAVAILABLE, message: message.into(), data: json!({"outcome": "withheld"}) }
}

fn passed(answer: Option<Answer>) -> Result<Value, Refusal> {
    match answer {
        Some(Answer::Result(json)) => serde_json::from_slice(&json).map_err(|_| lost()),
        Some(Answer::Error(error)) => Err(Refusal::read(&error)),
        Some(Answer::Silence) | None => Err(lost()),
    }
}

fn failure(message: &str) -> Body {
    Body::Error(ErrorObject::new(INTERNAL_ERROR, message).into_bytes())
}

fn failed(answer: Option<Answer>) -> String {
    match answer {
        Some(Answer::Error(error)) => message_of(&error),
        _ => lost().message,
    }
}

fn ended(written: Option<Result<(), Bytes>>) -> Result<(), Refusal> {
    written.map_or_else(|| Err(lost()), |written| written.map_err(|error| Refusal::read(&error)))
}
