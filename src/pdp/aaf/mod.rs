//! The Agent Action Firewall (AAF): submits every call as an action, `POST /v1/actions`, and asks how its approval stands,
//! `GET /v1/approvals/{id}`.
//!
//! What is absent: no verdict is remembered but that a call waits or was refused, no approval is given here, nothing but an
//! outage may open a gate whose fail mode is open, and answers of tools are not sent anywhere: AAF masks none.
//!
//! The tool is named as the client names it: by its own name with one backend, as AAF's own proxy does, and with the
//! backend's id before it with several, so that policies can tell them apart. `metadata.server` always is the backend.

mod answer;
mod approval;
mod held;
mod in_flight;
mod options;
mod reading;
mod request;
mod service;
#[cfg(test)]
mod tests;
mod tickets;

pub use options::{AafOptions, OptionsError, ParamsMember};

use super::trace::Trace;
use crate::approvals::digest::digest_text;
use crate::store::{LazyStore, Ticket as Row};
use answer::{Answer, no_decision};
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, MatchedPolicy, Verdict};
use in_flight::InFlight;
use request::{Envelope, NotAsked};
use service::{NoAnswer, Service};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tickets::{Tickets, key, pending_of};

/// Decides by asking the API of the Agent Action Firewall.
pub struct AafPdp {
    service: Service,
    envelope: Envelope,
    tickets: Tickets,
    in_flight: InFlight,
    request_timeout: Duration,
    agent_id: String,
    approval_poll: Duration,
}

impl AafPdp {
    /// Makes the client; nothing is connected yet. `store` keeps which calls wait; it is touched when the first one does,
    /// or when its file is there.
    pub fn new(options: &AafOptions, store: Arc<LazyStore>) -> Result<Self, OptionsError> {
        Ok(Self {
            service: Service::new(options)?,
            envelope: Envelope::new(options),
            tickets: Tickets::new(options, store),
            in_flight: InFlight::default(),
            request_timeout: options.request_timeout,
            agent_id: options.agent_id.clone(),
            approval_poll: options.approval_poll,
        })
    }

    /// Whether the API answers this key and agent, without making an action. `Err` says why not.
    pub fn reach(&self, deadline: Instant) -> Result<&'static str, String> {
        match self.service.get("/v1/actions?limit=1", deadline) {
            Ok(_) => Ok("answers"),
            Err(NoAnswer { status: Some(404 | 405), .. }) => {
                Ok("answers, but shows no actions; whether it takes the key is seen at the first call")
            }
            Err(no_answer) => Err(no_answer.text),
        }
    }

    /// The decision on a call that was held before.
    fn waits(row: &Row, trace: &Trace) -> Decision {
        let pending = pending_of(row);
        let mut decision = Decision {
            decision_id: pending.action_id.clone(),
            trace_id: trace.id.clone(),
            reasons: vec![row.trigger_reason.clone()],
            approval_id: pending.shown_id().to_owned(),
            ..Decision::of(Verdict::NeedsApproval)
        };
        if !row.triggered_policy_id.is_empty() {
            decision.evaluated_policies.push(row.triggered_policy_id.clone());
            decision.matched.push(MatchedPolicy {
                policy_id: row.triggered_policy_id.clone(),
                severity: row.severity.clone(),
                action: "require_approval".into(),
                ..MatchedPolicy::default()
            });
        }
        decision
    }

    /// Keeps that the call waits, and gives the decision on whichever action waits for it now.
    fn keep(&self, call: &Call, digest: String, answer: Answer, trace: &Trace) -> Decision {
        let Answer { decision, pending: Some(pending) } = answer else { return answer.decision };
        match self.tickets.keep(call, digest, &decision, &pending) {
            // Another process has asked for the same call in the meantime.
            Ok(row) if row.request_id != key(&pending.action_id, &pending.approval_id) => {
                Self::waits(&row, trace)
            }
            Ok(_) => decision,
            Err(error) => {
                // Then no person can be asked either: opening finds no ticket.
                tracing::warn!("the approval {} cannot be kept: {error}", pending.shown_id());
                decision
            }
        }
    }
}

impl Decide for AafPdp {
    /// Never: every decision waits for the network.
    fn is_quick(&self, _: &Call) -> bool {
        false
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let trace = Trace::of(call.meta.as_deref());
        let idempotency_key = uuid::Uuid::new_v4().to_string();
        let body = match self.envelope.action(call, &idempotency_key) {
            Ok(body) => body,
            Err(NotAsked::Malformed(reason)) => {
                return Decision { verdict: Verdict::Deny, ..no_decision(false, reason, &trace.id) };
            }
            Err(NotAsked::TooLarge(reason)) => return no_decision(false, reason, &trace.id),
        };
        let digest = digest_text(call);
        // Whoever waits for the first call of its kind must have time left to ask by itself.
        let patience = deadline.checked_sub(self.request_timeout).unwrap_or_else(Instant::now);
        let _first = self.in_flight.enter(&digest, patience);
        match self.tickets.find(&digest) {
            Ok(Some(row)) => return Self::waits(&row, &trace),
            Ok(None) => {}
            // A second action is opened at worst; the first one's approval pays for nothing then.
            Err(error) => tracing::warn!("which calls wait for approval cannot be read: {error}"),
        }
        match self.service.submit(&body, &trace.traceparent(), deadline) {
            Ok(body) => self.keep(call, digest, answer::read(&body, &trace.id), &trace),
            Err(NoAnswer { outage, text, retry_after, .. }) => Decision {
                verdict: Verdict::Unavailable { outage, retry_after },
                ..no_decision(outage, text, &trace.id)
            },
        }
    }
}
