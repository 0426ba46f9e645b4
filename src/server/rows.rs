//! A decision as it is kept: who asked for what, what was said and why, and no value of the call.

use super::judge::{Judged, severity};
use super::limits::NAMED;
use super::state::App;
use crate::policy::model::Action;
use crate::store::{DecisionRow, MatchedRow};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a plane knows of its decision.
pub(super) struct Row<'a> {
    pub(super) decision_id: &'a str,
    pub(super) trace_id: &'a str,
    /// `allow`, `deny`, `needs_approval`
    pub(super) verdict: &'a str,
    pub(super) plane: &'a str,
    pub(super) client: &'a str,
    pub(super) backend: &'a str,
    pub(super) tool: &'a str,
    pub(super) reasons: &'a [String],
    pub(super) context: Value,
    /// Whether anything was masked, or has to be.
    pub(super) masked: bool,
}

impl Row<'_> {
    /// The row for the store.
    pub(super) fn of(self, app: &App, judged: &Judged, now: Timestamp) -> DecisionRow {
        let matched = judged.judgement.matched.iter().take(NAMED).map(|matched| MatchedRow {
            policy_id: matched.policy_id.clone(),
            policy_name: matched.policy_name.clone(),
            category: matched.category.clone(),
            severity: severity(matched.severity).to_owned(),
            action: matched.action.word().to_owned(),
        });
        let mut redactions = Map::new();
        if self.masked {
            let masking = judged.judgement.matched.iter().filter(|matched| matched.action == Action::Redact);
            redactions.extend(masking.map(|matched| (matched.policy_id.clone(), Value::from(1))));
            if redactions.is_empty() {
                redactions.insert("personal_data".to_owned(), Value::from(1));
            }
        }
        let mut context = self.context;
        if let Value::Object(members) = &mut context
            && !judged.tier().is_empty()
        {
            members.insert("tier".to_owned(), judged.tier().into());
        }
        DecisionRow {
            decision_id: self.decision_id.to_owned(),
            trace_id: self.trace_id.to_owned(),
            timestamp: now,
            verdict: self.verdict.to_owned(),
            plane: self.plane.to_owned(),
            tenant_id: app.tenant.clone(),
            tool_signature: signature(self.backend, self.tool),
            client_id: self.client.to_owned(),
            reasons: self.reasons.to_vec(),
            matched: matched.collect(),
            policy_version: app.authority.current().version().to_owned(),
            context,
            redactions: Value::Object(redactions),
        }
    }
}

/// `backend/tool`, as far as they are known; at most 256 characters of each.
pub(super) fn signature(backend: &str, tool: &str) -> String {
    let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(256).collect::<String>();
    match (backend.is_empty(), tool.is_empty()) {
        (_, true) => cut(backend),
        (true, false) => cut(tool),
        (false, false) => format!("{}/{}", cut(backend), cut(tool)),
    }
}
