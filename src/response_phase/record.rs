//! What is kept of an answer for explaining it later: one decision row for what was masked, spoken of or withheld.

use crate::store::{DecisionRow, MatchedRow};
use callgate_actors::ports::{MatchedPolicy, Redaction, Subject, Withheld, Would};
use jiff::Timestamp;
use serde_json::json;

/// For whom rows are kept, and where they go. Neither waits nor fails: it is called between an answer and the client.
pub struct Keeper {
    /// Tenant.
    pub tenant: String,
    /// Who calls.
    pub agent: String,
    /// Takes a row.
    pub keep: Box<dyn Fn(DecisionRow) + Send + Sync>,
}

impl Keeper {
    /// Keeps what became of the answer of a call. An answer in which nothing was found leaves no row, and neither does
    /// one that could not be redacted: nothing was decided then.
    pub fn note(&self, subject: &Subject, version: &str, outcome: Result<&Redaction, &Withheld>) {
        let Some(tool) = &subject.tool else { return };
        let (verdict, id, reasons, matched, redactions) = match outcome {
            Ok(redaction) if redaction.masked.is_empty() && redaction.findings.matched.is_empty() => return,
            Ok(redaction) => {
                let own = uuid::Uuid::new_v4().to_string();
                ("allow", own, Vec::new(), &redaction.findings.matched, json!(redaction.masked))
            }
            Err(withheld) if withheld.blocked && !withheld.decision_id.is_empty() => {
                let reasons = vec![withheld.reason.clone()];
                ("deny", withheld.decision_id.clone(), reasons, &withheld.matched, json!({}))
            }
            Err(_) => return,
        };
        let call = subject.decision.as_ref();
        let mut context = json!({"call_decision_id": call.map(|decision| decision.decision_id.as_str())});
        if outcome.is_ok_and(|redaction| redaction.findings.would_withhold) {
            context["would"] = json!(Would::Withhold.word());
        }
        (self.keep)(DecisionRow {
            decision_id: id,
            trace_id: call.map(|decision| decision.trace_id.clone()).unwrap_or_default(),
            timestamp: Timestamp::now(),
            verdict: verdict.into(),
            plane: "check_output".into(),
            tenant_id: self.tenant.clone(),
            tool_signature: format!("{}/{tool}", subject.backend),
            client_id: self.agent.clone(),
            reasons,
            matched: matched.iter().map(row).collect(),
            policy_version: version.to_owned(),
            context,
            redactions,
        });
    }
}

fn row(spoke: &MatchedPolicy) -> MatchedRow {
    MatchedRow {
        policy_id: spoke.policy_id.clone(),
        policy_name: spoke.policy_name.clone(),
        category: spoke.category.clone(),
        severity: spoke.severity.clone(),
        action: spoke.action.clone(),
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("tenant", &self.tenant)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}
