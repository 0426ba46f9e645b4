//! Keeps what another decision point decides, for explaining it later.

use crate::policy::authority::Authority;
use crate::policy::sources::Sources;
use crate::store::{DecisionLog, DecisionRow, MatchedRow};
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, MatchedPolicy, Verdict};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// Decides as `inner` does and keeps it.
pub struct Recorded<D> {
    /// Who decides.
    pub inner: D,
    /// By what it decides.
    pub authority: Arc<Authority>,
    /// Where it is kept.
    pub log: Arc<DecisionLog>,
    /// What keeps the authority in step with the store; here because it lives as long.
    pub sources: Sources,
    /// For which tenant.
    pub tenant: String,
    /// Who calls.
    pub agent: String,
    /// Whether calls run whatever is decided.
    pub monitor: bool,
}

impl<D: Decide> Decide for Recorded<D> {
    fn is_quick(&self, call: &Call) -> bool {
        self.inner.is_quick(call)
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let decision = self.inner.decide(call, deadline);
        let plain = decision.matched.is_empty() && matches!(decision.verdict, Verdict::Allow { .. });
        if !plain || self.log.has_room_for_plain() {
            self.record(call, &decision);
        }
        decision
    }

    fn warm(&self) {
        self.inner.warm();
    }
}

impl<D> Recorded<D> {
    fn record(&self, call: &Call, decision: &Decision) {
        let verdict = match decision.verdict {
            Verdict::Allow { .. } => "allow",
            Verdict::Deny => "deny",
            Verdict::NeedsApproval => "needs_approval",
            // Nothing was decided.
            Verdict::Unavailable { .. } => return,
        };
        let timestamp = Timestamp::try_from(call.received_at).unwrap_or_else(|_| Timestamp::now());
        let (backend, tool) = (call.backend.clone(), call.tool.clone());
        let (tenant_id, client_id) = (self.tenant.clone(), self.agent.clone());
        let set = self.authority.current();
        let mut context = json!({});
        if self.monitor {
            context["monitor"] = true.into();
        }
        if !decision.tier.is_empty() {
            context["tier"] = decision.tier.into();
        }
        let (decision_id, trace_id) = (decision.decision_id.clone(), decision.trace_id.clone());
        let (reasons, matched) = (decision.reasons.clone(), decision.matched.clone());
        self.log.record(move || DecisionRow {
            decision_id,
            trace_id,
            timestamp,
            verdict: verdict.into(),
            plane: "gate".into(),
            tenant_id,
            tool_signature: format!("{backend}/{tool}"),
            client_id,
            reasons,
            matched: matched.into_iter().map(MatchedRow::from).collect(),
            policy_version: set.version().to_owned(),
            context,
            redactions: json!({}),
        });
    }
}

impl From<MatchedPolicy> for MatchedRow {
    fn from(spoke: MatchedPolicy) -> Self {
        let MatchedPolicy { policy_id, policy_name, category, severity, action } = spoke;
        Self { policy_id, policy_name, category, severity, action }
    }
}
