//! Asks the policies that hold now, where the request is read or, for a large text, on a thread.

use super::limits::{JUDGE_DEADLINE, JUDGE_IN_PLACE_BYTES, NAMED, REASONS};
use super::query::Query;
use super::reply::Refusal;
use super::state::App;
use crate::pdp::embedded::RULE_SET;
use crate::policy::authority::{Content, Judgement, Matched, PolicySet, Question};
use crate::policy::cascade::CascadeTier;
use crate::policy::model::{Action, Phase, Severity};
use crate::policy::rego::MAX_REASONS;
use callgate_actors::call::Hints;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What is put to the policies.
pub(super) struct Asked {
    pub(super) phase: Phase,
    pub(super) content: Text,
    pub(super) backend: String,
    pub(super) tool: String,
    pub(super) agent: String,
    pub(super) hints: Hints,
    /// The call that the content belongs to was decided already: [`PolicySet::judge_decided`].
    pub(super) decided: bool,
}

/// The content of a question.
pub(super) enum Text {
    /// A query of the decision plane.
    Query(String),
    /// One JSON object.
    Object(String),
    /// A text for itself.
    Plain(String),
}

impl Text {
    /// A JSON object where the text is one, else a plain text.
    pub(super) fn of(text: String) -> Self {
        let is_object = text.trim_ascii_start().starts_with('{')
            && crate::strict::read_object(text.as_bytes(), &mut ()).is_ok();
        if is_object { Self::Object(text) } else { Self::Plain(text) }
    }

    fn len(&self) -> usize {
        match self {
            Self::Query(text) | Self::Object(text) | Self::Plain(text) => text.len(),
        }
    }
}

/// What the policies said.
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    pub(super) took: Duration,
}

impl App {
    /// Judges one question by the set that holds now.
    ///
    /// # Errors
    /// A refusal when nothing could be decided: there is too much work, or it took too long. A content that cannot be
    /// judged is a judgement that blocks.
    pub(super) async fn judge(&self, asked: Asked) -> Result<Judged, Refusal> {
        if let Some(reason) = self.authority.shut_reason() {
            return Err(Refusal::unavailable(format!("nothing can be decided now: {reason}")));
        }
        let set = self.authority.current();
        let started = Instant::now();
        let small = asked.content.len() <= JUDGE_IN_PLACE_BYTES;
        let judged = if small {
            catch_unwind(AssertUnwindSafe(|| judge(&set, &asked)))
                .map_err(|_| Refusal::unavailable("the request could not be judged"))?
        } else {
            self.on_thread(JUDGE_DEADLINE, move || judge(&set, &asked)).await?
        };
        let judgement = judged.unwrap_or_else(|why| unreadable(&why));
        Ok(Judged { judgement, took: started.elapsed() })
    }
}

fn judge(set: &Arc<PolicySet>, asked: &Asked) -> Result<Judgement, String> {
    let question = |content| Question {
        phase: asked.phase,
        content,
        backend: &asked.backend,
        tool: &asked.tool,
        agent: &asked.agent,
        hints: asked.hints,
        at: SystemTime::now(),
    };
    let ask = |question: &Question<'_>| match asked.decided {
        true => set.judge_decided(question),
        false => set.judge(question),
    };
    match &asked.content {
        Text::Object(json) => ask(&question(Content::Json(json.as_bytes()))),
        Text::Plain(text) => ask(&question(Content::Text(text))),
        Text::Query(query) => match Query::read(query) {
            Query::Text(text) => ask(&question(Content::Text(text))),
            // The arguments as the tool will see them, which is what a gate of ours would judge by itself. The marks of
            // the JSON text around them would be read as quotes and comments.
            Query::Call { arguments, .. } => ask(&question(Content::Json(arguments.as_bytes()))),
        },
    }
}

/// What cannot be judged must not pass.
fn unreadable(why: &str) -> Judgement {
    let matched = Matched {
        policy_id: RULE_SET.to_owned(),
        policy_name: "Unreadable Content".to_owned(),
        category: "security-dangerous".to_owned(),
        severity: Severity::High,
        action: Action::Block,
        message: Some(format!("the content cannot be decided on: {why}")),
    };
    Judgement { action: Some(Action::Block), matched: vec![matched], ..Judgement::default() }
}

impl Judged {
    /// Blocked before any policy was asked.
    pub(super) fn blocked(by: Matched) -> Self {
        let judgement = Judgement {
            action: Some(Action::Block),
            matched: vec![by],
            evaluated: 1,
            masked: None,
            tier: None,
        };
        Self { judgement, took: Duration::ZERO }
    }

    /// Whether what was found is to be masked: a policy says so, or data was found that no policy spoke of. Where
    /// policies only warn of it or note it, it stays.
    pub(super) fn masks(&self) -> bool {
        let data = |matched: &&Matched| is_data(&matched.category);
        let matched = &self.judgement.matched;
        self.judgement.masked.is_some()
            && (matched.iter().any(|m| m.action == Action::Redact)
                || matched.iter().any(|m| m.action < Action::Redact && is_data(&m.category))
                || matched.iter().find(data).is_none())
    }

    /// The masked content, when it is to be masked.
    pub(super) fn masked(&self) -> Option<String> {
        let masked = self.judgement.masked.as_ref().filter(|_| self.masks())?;
        Some(String::from_utf8_lossy(masked).into_owned())
    }

    /// The reasons, the strongest first; what is only noted gives none.
    pub(super) fn reasons(&self) -> Vec<String> {
        let told = self.judgement.matched.iter().filter(|matched| matched.action != Action::Log);
        let most = if self.tier() == CascadeTier::Rego.word() { MAX_REASONS } else { REASONS };
        told.take(most).map(Matched::reason).collect()
    }

    /// Which tier decided; empty when nobody spoke.
    pub(super) fn tier(&self) -> &'static str {
        self.judgement.tier.map_or("", CascadeTier::word)
    }

    /// The ids of those who spoke; the rule set's own when nobody did.
    pub(super) fn named(&self) -> Vec<String> {
        if self.judgement.matched.is_empty() {
            return vec![RULE_SET.to_owned()];
        }
        let mut ids: Vec<String> =
            self.judgement.matched.iter().map(|found| found.policy_id.clone()).collect();
        ids.dedup();
        ids.truncate(NAMED);
        ids
    }

    /// How bad the worst of them is.
    pub(super) fn risk(&self) -> Option<Severity> {
        self.judgement.matched.iter().map(|matched| matched.severity).max()
    }

    /// `policy_info` (the AxonFlow contract, section 2.4).
    pub(super) fn policy_info(&self, block_reason: Option<&str>, redactions: usize) -> Value {
        let mut info = json!({
            "policies_evaluated": self.judgement.evaluated,
            "blocked": block_reason.is_some(),
            "redactions_applied": redactions,
            "processing_time_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "matched_policies": self.judgement.matched.iter().take(NAMED).map(matched_info).collect::<Vec<_>>(),
        });
        if let Some(reason) = block_reason {
            info["block_reason"] = reason.into();
        }
        info
    }

    /// `policy_matches` (the AxonFlow contract, sections 2.2 and 3.1).
    pub(super) fn policy_matches(&self) -> Value {
        let shown = |matched: &Matched| {
            json!({
                "policy_id": matched.policy_id,
                "policy_name": matched.policy_name,
                "action": matched.action.word(),
                "risk_level": severity(matched.severity),
                "allow_override": may_be_overridden(matched.severity),
            })
        };
        self.judgement.matched.iter().take(NAMED).map(shown).collect()
    }

    /// Whether an override could let the content pass: nothing critical blocks it.
    pub(super) fn override_available(&self) -> bool {
        let mut stopping =
            self.judgement.matched.iter().filter(|m| m.action <= Action::RequireApproval).peekable();
        stopping.peek().is_some() && stopping.all(|m| may_be_overridden(m.severity))
    }
}

fn matched_info(matched: &Matched) -> Value {
    json!({
        "policy_id": matched.policy_id,
        "policy_name": matched.policy_name,
        "category": matched.category,
        "severity": severity(matched.severity),
        "action": matched.action.word(),
    })
}

/// Policies of critical risk can never be overridden (the AxonFlow contract, section 3.3).
pub(super) fn may_be_overridden(severity: Severity) -> bool {
    severity != Severity::Critical
}

/// The word for a severity.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// Whether policies of this category speak of data that can be masked.
fn is_data(category: &str) -> bool {
    category.starts_with("pii-") || category == "sensitive-data"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(action: Action, category: &str) -> Matched {
        Matched {
            policy_id: format!("{category}-{}", action.word()),
            policy_name: "x".into(),
            category: category.into(),
            severity: Severity::High,
            action,
            message: None,
        }
    }

    fn judged(matched: Vec<Matched>) -> Judged {
        let judgement = Judgement {
            action: matched.first().map(|m| m.action),
            matched,
            evaluated: 3,
            masked: Some(b"masked".to_vec()),
            tier: None,
        };
        Judged { judgement, took: Duration::ZERO }
    }

    #[test]
    fn data_stays_only_where_policies_say_so() {
        assert!(judged(vec![]).masks(), "nobody spoke of it");
        assert!(judged(vec![matched(Action::Redact, "pii-us")]).masks());
        assert!(!judged(vec![matched(Action::Warn, "pii-us")]).masks());
        assert!(!judged(vec![matched(Action::Log, "sensitive-data")]).masks());
        assert!(judged(vec![matched(Action::Redact, "pii-us"), matched(Action::Log, "pii-eu")]).masks());
        assert!(judged(vec![matched(Action::Warn, "security-sqli")]).masks(), "not of the data");
    }

    #[test]
    fn critical_findings_are_not_overridden() {
        assert!(!judged(vec![matched(Action::Warn, "x")]).override_available(), "nothing to override");
        let mut held = judged(vec![matched(Action::Block, "x")]);
        assert!(held.override_available());
        held.judgement.matched[0].severity = Severity::Critical;
        assert!(!held.override_available());
    }
}
