//! The second phase of enforcement: the policies judge an answer after it was masked and before the client sees it.
//!
//! What they block is withheld. Sentences that speak to the model are taken out where the policy says so. Everything
//! else that they say is told in the report and the audit row.

mod reading;
mod record;
mod removal;
#[cfg(test)]
mod tests;

use crate::policy::authority::{Authority, Content, Judgement, Matched, PolicySet, Question};
use crate::policy::model::{Action, Phase};
use crate::policy::{Match, Texts};
use callgate_actors::call::Hints;
use callgate_actors::ports::{MatchedPolicy, Redaction, Subject, Withheld};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

pub use record::Keeper;

/// Up to this length an answer is judged as the JSON that it is; a longer one as texts of bounded length, so that the
/// memory for judging does not grow with it. Equal to what is redacted without changing the thread.
const WHOLE_BYTES: usize = callgate_actors::limits::REDACT_IN_PLACE_BYTES;
/// Policies that are told of one answer.
const TOLD: usize = 16;

/// Judges answers by the policies of an [`Authority`].
#[derive(Clone, Debug)]
pub struct ResponsePhase {
    authority: Arc<Authority>,
    agent: String,
    keeper: Option<Arc<Keeper>>,
    /// What would be withheld passes, and is told.
    monitors: bool,
}

impl ResponsePhase {
    /// By `authority`, for answers to `agent`.
    pub fn new(authority: Arc<Authority>, agent: String) -> Self {
        Self { authority, agent, keeper: None, monitors: false }
    }

    /// The same with rows for explaining later what became of the answers of calls.
    #[must_use]
    pub fn with_keeper(self, keeper: Keeper) -> Self {
        Self { keeper: Some(Arc::new(keeper)), ..self }
    }

    /// The same in monitor mode: what a policy blocks passes as it was masked, and the findings say so.
    #[must_use]
    pub fn monitoring(self) -> Self {
        Self { monitors: true, ..self }
    }

    /// Judges what `redaction` made of `json`; notes who spoke and takes out what must not pass. `looked` says that
    /// personal data was looked for; otherwise it is looked for here, and only told.
    ///
    /// # Errors
    /// What a policy blocks, and what cannot be judged, must not pass.
    pub fn judge(
        &self,
        subject: &Subject,
        json: &[u8],
        redaction: &mut Redaction,
        looked: bool,
    ) -> Result<(), Withheld> {
        let set = self.authority.last_good();
        let judged = self.judge_by(&set, subject, json, redaction, looked);
        if let Some(keeper) = &self.keeper {
            keeper.note(subject, set.version(), judged.as_ref().map(|()| &*redaction));
        }
        judged
    }

    fn judge_by(
        &self,
        set: &PolicySet,
        subject: &Subject,
        json: &[u8],
        redaction: &mut Redaction,
        looked: bool,
    ) -> Result<(), Withheld> {
        let text = redaction.json.as_deref().unwrap_or(json);
        let mut said = self.ask(set, subject, text, looked)?;
        said.spoke.extend(masked_kinds(set, redaction));
        said.spoke.sort_by_key(|matched| matched.action);
        said.spoke.dedup_by(|one, other| one.policy_id == other.policy_id);
        let findings = &mut redaction.findings;
        findings.evaluated = u32::try_from(said.evaluated).unwrap_or(u32::MAX);
        findings.matched = said.spoke.iter().take(TOLD).map(MatchedPolicy::from).collect();
        // Nobody can be asked about an answer that is there already: what waits for a person does not pass.
        let stops = |matched: &&Matched| matches!(matched.action, Action::Block | Action::RequireApproval);
        let stopper = said.spoke.iter().find(stops);
        if let Some(stopper) = stopper.filter(|_| self.monitors) {
            let (tool, reason) = (subject.tool.as_deref().unwrap_or_default(), stopper.reason());
            tracing::info!(backend = %subject.backend, tool, reason, "monitor mode: this would have been withheld");
            findings.would_withhold = true;
        } else if let Some(stopper) = stopper {
            return Err(Withheld {
                blocked: true,
                reason: format!("blocked by policy: {}", stopper.reason()),
                decision_id: uuid::Uuid::new_v4().to_string(),
                matched: std::mem::take(&mut findings.matched),
            });
        }
        if said.spoke.iter().any(|matched| matched.action == Action::Redact && removal::is_for(matched)) {
            removal::remove(set.engine(), json, redaction)?;
        }
        Ok(())
    }

    fn ask(&self, set: &PolicySet, subject: &Subject, text: &[u8], looked: bool) -> Result<Said, Withheld> {
        let question = Question {
            phase: Phase::Response,
            content: Content::Json(text),
            backend: &subject.backend,
            tool: subject.tool.as_deref().unwrap_or_default(),
            agent: &self.agent,
            hints: Hints::default(),
            at: SystemTime::now(),
        };
        let mut said = Said::default();
        let whole = |question| if looked { set.judge_masked(question) } else { set.judge(question) };
        if text.len() <= WHOLE_BYTES
            && let Ok(judgement) = whole(&question)
        {
            said.add(judgement);
            return Ok(said);
        }
        // Lists and texts at the top, keys that stand twice, lone surrogates: an answer may have them. Rules about the
        // tool and the caller are asked once, the policies about each piece; personal data was looked for already.
        let judgement = set.judge(&Question { content: Content::Text(""), ..question });
        said.add(judgement.map_err(|why| Withheld {
            reason: format!("the answer cannot be judged: {why}"),
            ..Withheld::default()
        })?);
        reading::pieces(text, &mut |piece| {
            let mut texts = Texts::default();
            texts.value(piece);
            let spoke = set.engine().judge(&texts, &BTreeMap::new(), Phase::Response);
            said.add_spoke(spoke.iter().map(Matched::from));
        });
        Ok(said)
    }
}

/// What all pieces of one answer amount to.
#[derive(Default)]
struct Said {
    spoke: Vec<Matched>,
    evaluated: usize,
}

impl Said {
    fn add(&mut self, judgement: Judgement) {
        self.evaluated = judgement.evaluated;
        self.add_spoke(judgement.matched);
    }

    fn add_spoke(&mut self, spoke: impl IntoIterator<Item = Matched>) {
        for matched in spoke {
            if !self.spoke.iter().any(|known| known.policy_id == matched.policy_id) {
                self.spoke.push(matched);
            }
        }
    }
}

/// The policies for what was masked already. A posture that only notes personal data does not unmask it.
fn masked_kinds(set: &PolicySet, redaction: &Redaction) -> Vec<Matched> {
    if redaction.masked.is_empty() {
        return Vec::new();
    }
    let spoke = set.engine().judge(&Texts::default(), &redaction.masked, Phase::Response);
    let told = |found: &Match<'_>| {
        let matched = Matched::from(found);
        let action = if matched.action > Action::Redact { Action::Redact } else { matched.action };
        Matched { action, ..matched }
    };
    spoke.iter().map(told).collect()
}
