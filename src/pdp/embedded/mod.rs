//! The authority without a network: judges the decoded strings of the arguments by the rules that come with the
//! program.
//!
//! Text is judged as the tool will see it, not as JSON writes it, so that no escape hides anything: every decoded
//! string and key for itself, and the strings together in their order, because a command line often comes as a
//! list of words.

mod confirm;
mod engine;
mod leaves;
mod rule;
mod shell;
mod sql;
#[cfg(test)]
mod tests;

pub use rule::{Action, Rule, Severity};

use super::strict::read_object;
use super::trace::Trace;
use callgate_actors::call::Call;
use callgate_actors::limits::DECIDE_IN_PLACE_BYTES;
use callgate_actors::ports::{Decide, Decision, Verdict};
use engine::Engine;
use leaves::Leaves;
use std::time::Instant;

/// Stands in `evaluated_policies` when no rule of it matched.
pub const RULE_SET: &str = "callgate_builtin";
/// Rules named in one decision.
const NAMED: usize = 8;
/// Reasons given.
const REASONS: usize = 3;

/// Decides by the rules that come with the program.
pub struct EmbeddedPdp {
    engine: Engine,
}

impl EmbeddedPdp {
    /// Compiles the prefilter; the rules themselves follow with the first call that needs them, or with
    /// [`Decide::warm`].
    ///
    /// # Errors
    /// A prefilter that does not compile, which the tests exclude for the shipped rules.
    pub fn new() -> Result<Self, regex::Error> {
        Ok(Self { engine: Engine::new(&[sql::RULES, shell::RULES])? })
    }

    /// All rules, in the order in which they are asked.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.engine.rules()
    }
}

impl Decide for EmbeddedPdp {
    /// Compiles the rules: about 5 ms.
    fn warm(&self) {
        self.engine.set();
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
        match self.matched(call.arguments.as_deref()) {
            Ok(matched) if matched.is_empty() => {}
            Ok(matched) => {
                decision.verdict = verdict(&matched);
                decision.reasons = matched.iter().take(REASONS).map(|rule| reason(rule)).collect();
                let ids = matched.iter().take(NAMED).map(|rule| rule.policy_id.to_owned());
                decision.evaluated_policies = ids.collect();
            }
            Err(malformed) => {
                decision.verdict = Verdict::Deny;
                decision.reasons = vec![format!("the arguments cannot be decided on: {malformed}")];
            }
        }
        decision
    }
}

impl EmbeddedPdp {
    /// The rules that match, those that block first, the most severe of them first.
    fn matched(&self, arguments: Option<&[u8]>) -> Result<Vec<&'static Rule>, super::strict::StrictError> {
        let Some(arguments) = arguments.filter(|json| json.trim_ascii() != b"null") else {
            return Ok(Vec::new());
        };
        let mut leaves = Leaves::with_capacity(arguments.len());
        read_object(arguments, &mut leaves)?;
        let mut matched = self.engine.matched(&leaves);
        matched.sort_by_key(|rule| (rule.action, std::cmp::Reverse(rule.severity)));
        Ok(matched)
    }
}

fn verdict(matched: &[&Rule]) -> Verdict {
    match matched.first().map(|rule| rule.action) {
        None => Verdict::Allow { arguments: None, redact: false },
        Some(Action::Block) => Verdict::Deny,
        Some(Action::RequireApproval) => Verdict::NeedsApproval,
    }
}

/// Names the rule and quotes nothing of the arguments.
fn reason(rule: &Rule) -> String {
    format!("{} ({})", rule.name, rule.policy_id)
}
