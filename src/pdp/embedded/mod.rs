//! The authority without a network: reads the arguments and asks the policies that come with the program.

#[cfg(test)]
mod tests;

use super::strict::{Strings, read_object};
use super::trace::Trace;
use crate::policy::catalogue::CatalogueError;
use crate::policy::model::{Action, Phase};
use crate::policy::posture::Posture;
use crate::policy::{Engine, Match, Texts};
use crate::redact::{CardMatch, Options, Redactor};
use bytes::Bytes;
use callgate_actors::call::Call;
use callgate_actors::limits::DECIDE_IN_PLACE_BYTES;
use callgate_actors::ports::{Decide, Decision, Verdict};
use std::time::Instant;

/// Stands in `evaluated_policies` when no policy spoke.
pub const RULE_SET: &str = "callgate_builtin";
/// Policies named in one decision.
const NAMED: usize = 8;
/// Reasons given.
const REASONS: usize = 3;

/// Decides by the policies that come with the program.
pub struct EmbeddedPdp {
    engine: Engine,
    redactor: Redactor,
}

/// What the arguments are and what was said of them.
struct Judged<'a> {
    matched: Vec<Match<'a>>,
    /// The arguments with personal data masked, where there was any.
    masked: Option<Vec<u8>>,
}

impl EmbeddedPdp {
    /// The shipped catalogue, every policy with its own action. Expressions are compiled when a call first needs
    /// them, or with [`Decide::warm`].
    ///
    /// # Errors
    /// A catalogue that cannot be used, which the tests exclude for the shipped one.
    pub fn new() -> Result<Self, CatalogueError> {
        Self::with_posture(Posture::default())
    }

    /// The shipped catalogue under `posture`.
    ///
    /// # Errors
    /// As [`EmbeddedPdp::new`].
    pub fn with_posture(posture: Posture) -> Result<Self, CatalogueError> {
        let precise = Options { card_match: CardMatch::Precise, ..Options::default() };
        Ok(Self { engine: Engine::shipped(posture)?, redactor: Redactor::new(precise) })
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// An error says why nothing can be decided; then the call is denied.
    fn judged(&self, arguments: Option<&[u8]>) -> Result<Judged<'_>, String> {
        let Some(arguments) = arguments.filter(|json| json.trim_ascii() != b"null") else {
            return Ok(Judged { matched: Vec::new(), masked: None });
        };
        let mut texts = Texts::with_capacity(arguments.len());
        read_object(arguments, &mut texts).map_err(|error| error.to_string())?;
        let scan = self.redactor.scan(arguments).map_err(|fault| fault.to_string())?;
        let matched = self.engine.judge(&texts, &scan.masked, Phase::Request);
        Ok(Judged { matched, masked: scan.json })
    }
}

impl Strings for Texts {
    fn key(&mut self, text: &str) {
        Texts::key(self, text);
    }

    fn value(&mut self, text: &str) {
        Texts::value(self, text);
    }
}

impl Decide for EmbeddedPdp {
    /// Compiles the policies: some milliseconds.
    fn warm(&self) {
        self.engine.warm();
    }

    fn is_quick(&self, call: &Call) -> bool {
        call.arguments.as_ref().is_none_or(|arguments| arguments.len() <= DECIDE_IN_PLACE_BYTES)
    }

    fn decide(&self, call: &Call, _: Instant) -> Decision {
        let mut decision = Decision {
            verdict: Verdict::Allow { arguments: None, redact: false },
            decision_id: uuid::Uuid::new_v4().to_string(),
            trace_id: Trace::of(call.meta.as_deref()).id,
            reasons: Vec::new(),
            evaluated_policies: vec![RULE_SET.to_owned()],
        };
        match self.judged(call.arguments.as_deref()) {
            Ok(judged) if judged.matched.is_empty() => {}
            Ok(judged) => {
                let told = judged.matched.iter().filter(|m| m.action != Action::Log);
                decision.reasons = told.take(REASONS).map(reason).collect();
                let ids = judged.matched.iter().take(NAMED).map(|m| m.policy.policy_id.clone());
                decision.evaluated_policies = ids.collect();
                decision.verdict = verdict(&judged.matched, judged.masked);
            }
            Err(malformed) => {
                decision.verdict = Verdict::Deny;
                decision.reasons = vec![format!("the arguments cannot be decided on: {malformed}")];
            }
        }
        decision
    }
}

/// Deny wins over approval, approval over redact, redact over warn.
fn verdict(matched: &[Match<'_>], masked: Option<Vec<u8>>) -> Verdict {
    match matched.first().map(|m| m.action) {
        None | Some(Action::Warn | Action::Log) => Verdict::Allow { arguments: None, redact: false },
        Some(Action::Block) => Verdict::Deny,
        Some(Action::RequireApproval) => Verdict::NeedsApproval,
        Some(Action::Redact) => match masked {
            Some(json) => Verdict::Allow { arguments: Some(Bytes::from(json)), redact: true },
            // What should be masked and cannot be must not pass.
            None => Verdict::Deny,
        },
    }
}

/// Names the policy and quotes nothing of the arguments.
fn reason(matched: &Match<'_>) -> String {
    format!("{} ({})", matched.policy.name, matched.policy.policy_id)
}
