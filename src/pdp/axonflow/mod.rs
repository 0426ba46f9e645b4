//! The AxonFlow policy service: asks `POST /api/v1/decide` before a call, and check-output after it.
//!
//! What is absent: no verdict is remembered, no request is repeated but over a connection that broke before the
//! answer, and nothing but an outage may open a gate whose fail mode is open.

mod answer;
mod approvals;
mod headers;
mod held;
mod obligation;
mod options;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod wire;

pub use options::{AxonflowOptions, OptionsError};
pub use response::CheckOutput;

use super::remote::breaker::{Breaker, Permission};
use super::remote::http::{NoReply, PolicyClient, Post, Reply};
use super::remote::refusal::{self, Refusal, Words};
use super::trace::Trace;
use crate::approvals::digest::{CallDigest, digest};
use answer::{Answer, no_decision};
use approvals::{APPROVAL_HEADER, Approvals};
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, Verdict};
use obligation::NotRedacted;
use options::Credential;
use request::NotAsked;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use ureq::http::header::{HeaderName, HeaderValue};

const DECIDE: &str = "/api/v1/decide";
/// What the service knows this kind of caller by on its request and response planes.
const CONNECTOR_TYPE: &str = "claude-desktop-proxy";
/// Longest body to and from the decision plane and check-input (the AxonFlow contract, section 1.1).
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Longest time of one request, whatever is set.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// How the settings of this dialect are called.
const WORDS: Words = Words {
    credentials: "AXONFLOW_CLIENT_ID, AXONFLOW_CLIENT_SECRET and AXONFLOW_USER_TOKEN",
    forbidden: "tenant or organization do not belong to the credentials (403); check AXONFLOW_TENANT_ID and \
                AXONFLOW_ORG_ID",
    address: "AXONFLOW_ENDPOINT",
};

/// What both planes need to talk to one service.
struct Shared {
    http: PolicyClient,
    client_id: String,
    tenant_id: String,
    user_token: Option<Credential>,
    timeout: Duration,
}

impl Shared {
    fn user_token(&self) -> &str {
        self.user_token.as_ref().map_or("", Credential::reveal)
    }
}

/// Decides by asking an AxonFlow policy service.
pub struct AxonflowPdp {
    shared: Arc<Shared>,
    identity: request::Identity,
    breaker: Mutex<Breaker>,
    approvals: Mutex<Approvals>,
    approval_poll: Duration,
}

impl AxonflowPdp {
    /// Makes the client; nothing is connected yet.
    pub fn new(options: &AxonflowOptions) -> Result<Self, OptionsError> {
        let shared = Shared {
            http: PolicyClient::new(
                &options.endpoint,
                &options.client_version,
                headers::common_headers(options)?,
            )
            .map_err(|_| OptionsError::Endpoint)?,
            client_id: options.client_id.clone(),
            tenant_id: options.tenant_id.clone(),
            user_token: Credential::new(options.user_token.as_deref()),
            timeout: options.decide_timeout.min(LONGEST_TIMEOUT),
        };
        Ok(Self {
            shared: Arc::new(shared),
            identity: request::Identity::new(options),
            breaker: Mutex::new(Breaker::new()),
            approvals: Mutex::default(),
            approval_poll: options.approval_poll,
        })
    }

    /// The response plane of the same service, over the same connections.
    pub fn check_output(&self) -> CheckOutput {
        CheckOutput::new(Arc::clone(&self.shared))
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn approvals(&self) -> MutexGuard<'_, Approvals> {
        self.approvals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decide for AxonflowPdp {
    /// Never: every decision waits for the network.
    fn is_quick(&self, _: &Call) -> bool {
        false
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let trace = Trace::of(call.meta.as_deref());
        let request = match self.identity.decide_body(self.shared.user_token(), call) {
            Ok(request) => request,
            Err(NotAsked::Malformed(reason)) => {
                return Decision { verdict: Verdict::Deny, ..no_decision(false, reason, &trace.id) };
            }
            Err(NotAsked::TooLarge(reason)) => return no_decision(false, reason, &trace.id),
        };
        let held = self.open_approval(call);
        let approval = held.as_ref().map(|(_, id)| id.as_str());
        let mut answer = self.ask(&request, &trace, approval, deadline);
        answer.decision.approval_id = waited_for(&answer, approval);
        self.keep_approval(call, held.map(|(digest, _)| digest), &answer);
        self.fulfil(call, answer, deadline)
    }
}

impl AxonflowPdp {
    /// One round trip with the breaker before and behind it.
    fn ask(&self, body: &[u8], trace: &Trace, approval: Option<&str>, deadline: Instant) -> Answer {
        let none =
            |outage, reason, after| Answer::bare(retry_in(no_decision(outage, reason, &trace.id), after));
        let now = Instant::now();
        let deadline = deadline.min(now + self.shared.timeout);
        if deadline <= now {
            return none(true, unavailable("no time was left to ask it"), None);
        }
        let probe = match self.breaker().ask(now, deadline) {
            Permission::Ask { probe } => probe,
            Permission::FailFast { retry_after } => {
                return none(true, unavailable("it has not answered lately"), Some(retry_after));
            }
            Permission::Wait { retry_after, status } => {
                return none(false, refusal::still_waiting(status, retry_after, &WORDS), Some(retry_after));
            }
        };
        let headers = decide_headers(trace, approval);
        let post = Post { path: DECIDE, headers: &headers, body, max_reply_bytes: MAX_BODY_BYTES, deadline };
        let heard = Heard::from(self.shared.http.post(&post));
        self.report(&heard, probe);
        match heard {
            Heard::Body(body) => answer::read(&body, &trace.id),
            Heard::Nothing(no_reply) => none(no_reply.outage, unavailable(no_reply.text), None),
            Heard::Refused { refusal, retry_after, .. } => {
                let mut answer = none(refusal.outage, refusal.text, retry_after);
                answer.decision.decision_id = answer::decision_id(&refusal.decision_id);
                answer.decision.trace_id = answer::trace_id(Some(&refusal.trace_id), &trace.id);
                answer
            }
        }
    }

    fn report(&self, heard: &Heard, probe: bool) {
        let now = Instant::now();
        let mut breaker = self.breaker();
        match heard {
            Heard::Nothing(NoReply { outage: true, .. }) => breaker.failed(now, probe),
            Heard::Refused { refusal: Refusal { outage: true, .. }, .. } => breaker.failed(now, probe),
            Heard::Refused { status: status @ (429 | 503), retry_after: Some(after), .. } => {
                breaker.answered();
                breaker.told_to_wait(now, *after, *status);
            }
            Heard::Body(_) | Heard::Refused { .. } | Heard::Nothing(_) => breaker.answered(),
        }
    }

    /// The approval this very call waits for, with the digest it is kept under.
    fn open_approval(&self, call: &Call) -> Option<(CallDigest, String)> {
        if self.approvals().is_empty() {
            return None;
        }
        let call = digest(call);
        self.approvals().find(&call, SystemTime::now()).map(|id| (call, id))
    }

    /// Keeps what a person was asked, and forgets what was settled.
    fn keep_approval(&self, call: &Call, sent: Option<CallDigest>, answer: &Answer) {
        match (&answer.decision.verdict, &answer.pending) {
            (Verdict::NeedsApproval, Some(pending)) => {
                let call = sent.unwrap_or_else(|| digest(call));
                self.approvals().remember(call, pending, SystemTime::now());
            }
            (Verdict::NeedsApproval, None) if is_still_open(&answer.decision.reasons) => {}
            (Verdict::Unavailable { .. }, _) => {}
            // Redeemed, rejected, expired, used up, or denied by a policy in the meantime.
            (Verdict::Allow { .. } | Verdict::Deny | Verdict::NeedsApproval, _) => {
                if let Some(digest) = sent {
                    self.approvals().forget(&digest);
                }
            }
        }
    }

    /// Does what an allow obliges to, or denies.
    fn fulfil(&self, call: &Call, answer: Answer, deadline: Instant) -> Decision {
        let mut decision = answer.decision;
        if !matches!(decision.verdict, Verdict::Allow { .. }) || answer.obligations.is_empty() {
            return decision;
        }
        let duty = match obligation::duty(&answer.obligations) {
            Ok(duty) => duty,
            Err(reason) => return blocked(decision, format!("obligation could not be fulfilled: {reason}")),
        };
        let deadline = deadline.min(Instant::now() + self.shared.timeout);
        let arguments = call.arguments.as_ref().filter(|_| duty.redact_arguments && !request::is_empty(call));
        match arguments.map(|arguments| self.redact_arguments(arguments, deadline)).transpose() {
            Ok(masked) => {
                decision.verdict = Verdict::Allow { arguments: masked.flatten(), redact: duty.redact_answer };
                decision
            }
            Err(NotRedacted::Blocked(reason)) if reason.is_empty() => {
                blocked(decision, "request blocked by policy".to_owned())
            }
            Err(NotRedacted::Blocked(reason)) => blocked(decision, reason),
            Err(NotRedacted::Failed(why)) => {
                let reason = format!(
                    "obligation could not be fulfilled: personal data in the arguments was not masked, {why}"
                );
                blocked(decision, reason)
            }
        }
    }
}

/// What came of a request to the decision plane.
enum Heard {
    /// The body of a 200.
    Body(Vec<u8>),
    Refused {
        refusal: Refusal,
        status: u16,
        retry_after: Option<Duration>,
    },
    Nothing(NoReply),
}

impl From<Result<Reply, NoReply>> for Heard {
    fn from(reply: Result<Reply, NoReply>) -> Self {
        match reply {
            Ok(Reply { status: 200, body, .. }) => body.map_or_else(Self::Nothing, Self::Body),
            Ok(Reply { status, retry_after, body }) => {
                let refusal = refusal::read(status, body.as_deref().ok(), retry_after, &WORDS);
                Self::Refused { refusal, status, retry_after }
            }
            Err(no_reply) => Self::Nothing(no_reply),
        }
    }
}

fn unavailable(text: &str) -> String {
    format!("policy service unavailable: {text}")
}

fn retry_in(mut decision: Decision, after: Option<Duration>) -> Decision {
    if let Verdict::Unavailable { retry_after, .. } = &mut decision.verdict {
        *retry_after = after;
    }
    decision
}

fn blocked(mut decision: Decision, reason: String) -> Decision {
    decision.verdict = Verdict::Deny;
    decision.reasons.insert(0, reason);
    decision
}

/// The approval that a held call waits for, where it can be redeemed: the one that the service names, or the one that
/// was sent and is still open.
fn waited_for(answer: &Answer, sent: Option<&str>) -> String {
    match (&answer.decision.verdict, &answer.pending) {
        (Verdict::NeedsApproval, Some(pending)) => approvals::redeemable_id(pending),
        (Verdict::NeedsApproval, None) if is_still_open(&answer.decision.reasons) => {
            sent.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

/// Whether a hold that names no approval says that the one we sent is still waiting (the AxonFlow contract, hold
/// reasons in section 1.5).
fn is_still_open(reasons: &[String]) -> bool {
    reasons.first().is_some_and(|r| r.starts_with("approval_pending") || r.starts_with("approval_required"))
}

fn decide_headers(trace: &Trace, approval: Option<&str>) -> Vec<(HeaderName, HeaderValue)> {
    let traceparent = trace.traceparent();
    let named = [("traceparent", Some(traceparent.as_str())), (APPROVAL_HEADER, approval)];
    let set = named.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value?).ok()?)));
    set.map(|(name, value)| (HeaderName::from_static(name), value)).collect()
}
