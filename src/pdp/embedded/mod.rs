//! The authority without a network: asks the policies that hold now about the arguments of a call.

#[cfg(test)]
mod tests;

use super::trace::Trace;
use crate::policy::authority::{Authority, Content, Judgement, Matched, PolicySet, Question};
use crate::policy::cascade::CascadeTier;
use crate::policy::catalogue::CatalogueError;
use crate::policy::model::{Action, Phase};
use crate::policy::posture::Posture;
use crate::store::limits::POSTGRES_WORK;
use bytes::Bytes;
use callgate_actors::call::Call;
use callgate_actors::limits::DECIDE_IN_PLACE_BYTES;
use callgate_actors::ports::{Decide, Decision, MatchedPolicy, Verdict};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stands in `evaluated_policies` when no policy spoke.
pub const RULE_SET: &str = "callgate_builtin";
/// Policies named in one decision.
const NAMED: usize = 8;
/// How long a decision waits for stored policies that are read for the first time; a store that is there answers in
/// milliseconds, and one that is away is given up after that time.
const FIRST_READING: Duration = POSTGRES_WORK;
/// Reasons given.
const REASONS: usize = 3;
/// Reasons given where Rego rules decided: whoever writes a set of them wants to see all.
const REGO_REASONS: usize = crate::policy::rego::MAX_REASONS;

/// Decides by the policies of an [`Authority`].
pub struct EmbeddedPdp {
    authority: Arc<Authority>,
    agent: String,
}

impl EmbeddedPdp {
    /// The shipped catalogue, every policy with its own action. Expressions are compiled when a call first needs
    /// them, or with [`Decide::warm`].
    ///
    /// # Errors
    /// A catalogue that cannot be used, which the tests exclude for the shipped one.
    pub fn shipped() -> Result<Self, CatalogueError> {
        let set = PolicySet::shipped(Posture::default())?;
        Ok(Self::new(Arc::new(Authority::new(set)), String::new()))
    }

    /// Decides by `authority` for calls of `agent`.
    pub fn new(authority: Arc<Authority>, agent: String) -> Self {
        Self { authority, agent }
    }

    /// An error says why nothing can be decided; then the call is denied.
    fn judged(&self, set: &PolicySet, call: &Call) -> Result<Judgement, String> {
        set.judge(&Question {
            phase: Phase::Request,
            content: Content::Json(call.arguments.as_deref().unwrap_or_default()),
            backend: &call.backend,
            tool: &call.tool,
            agent: &self.agent,
            hints: call.hints,
            at: call.received_at,
        })
    }
}

impl Decide for EmbeddedPdp {
    /// Compiles the policies: some milliseconds.
    fn warm(&self) {
        self.authority.current().warm();
    }

    fn is_quick(&self, call: &Call) -> bool {
        // While stored policies are read for the first time a decision waits for them.
        self.authority.is_settled()
            && self.authority.current().parts().rego().is_none_or(|rego| rego.is_quick())
            && call.arguments.as_ref().is_none_or(|arguments| arguments.len() <= DECIDE_IN_PLACE_BYTES)
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        self.authority.wait_settled(deadline.min(Instant::now() + FIRST_READING));
        let mut decision = Decision {
            decision_id: uuid::Uuid::new_v4().to_string(),
            trace_id: Trace::of(call.meta.as_deref()).id,
            evaluated_policies: vec![RULE_SET.to_owned()],
            ..Decision::of(Verdict::Allow { arguments: None, redact: false })
        };
        let set = self.authority.current();
        match self.judged(&set, call) {
            Ok(judgement) if judgement.matched.is_empty() => decision.evaluated = asked(&judgement),
            Ok(judgement) => {
                decision.evaluated = asked(&judgement);
                decision.tier = judgement.tier.map_or("", CascadeTier::word);
                decision.matched = judgement.matched.iter().map(MatchedPolicy::from).collect();
                let told = judgement.matched.iter().filter(|m| m.action != Action::Log);
                let most = if judgement.tier == Some(CascadeTier::Rego) { REGO_REASONS } else { REASONS };
                decision.reasons = told.take(most).map(Matched::reason).collect();
                decision.evaluated_policies = named(&judgement);
                if judgement.action == Some(Action::RequireApproval) {
                    set.version().clone_into(&mut decision.policy_version);
                    decision.approved_arguments = masked_when_asked(&judgement);
                }
                decision.verdict = verdict(judgement);
            }
            Err(malformed) => {
                decision.verdict = Verdict::Deny;
                decision.reasons = vec![match self.authority.shut_reason() {
                    Some(reason) => format!("nothing can be decided now: {reason}"),
                    None => format!("the arguments cannot be decided on: {malformed}"),
                }];
            }
        }
        decision
    }
}

/// The ids of those who spoke, each once: Rego rules give several reasons under one.
fn named(judgement: &Judgement) -> Vec<String> {
    let mut ids: Vec<String> = judgement.matched.iter().map(|matched| matched.policy_id.clone()).collect();
    ids.dedup();
    ids.truncate(NAMED);
    ids
}

fn asked(judgement: &Judgement) -> u32 {
    u32::try_from(judgement.evaluated).unwrap_or(u32::MAX)
}

/// What a policy wants masked stays masked when a person lets the call run.
fn masked_when_asked(judgement: &Judgement) -> Option<Bytes> {
    let wanted = judgement.matched.iter().any(|matched| matched.action == Action::Redact);
    judgement.masked.as_ref().filter(|_| wanted).map(|json| Bytes::copy_from_slice(json))
}

/// Deny wins over approval, approval over redact, redact over warn.
fn verdict(judgement: Judgement) -> Verdict {
    match judgement.action {
        None | Some(Action::Warn | Action::Log) => Verdict::Allow { arguments: None, redact: false },
        Some(Action::Block) => Verdict::Deny,
        Some(Action::RequireApproval) => Verdict::NeedsApproval,
        Some(Action::Redact) => match judgement.masked {
            Some(json) => Verdict::Allow { arguments: Some(Bytes::from(json)), redact: true },
            // What should be masked and cannot be must not pass.
            None => Verdict::Deny,
        },
    }
}
