//! The second phase of enforcement: the policies judge an answer after it was masked and before the client sees it.
//!
//! What they block is withheld. Sentences that speak to the model are taken out where the policy says so. Everything
//! else that they say is told in the report and the audit row.

mod reading;
mod removal;

use crate::policy::authority::{Authority, Content, Judgement, Matched, PolicySet, Question};
use crate::policy::model::{Action, Phase};
use crate::policy::{Match, Texts};
use callgate_actors::call::Hints;
use callgate_actors::ports::{Carrier, MatchedPolicy, Redaction, Subject, Withheld};
use std::sync::Arc;
use std::time::SystemTime;

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
}

impl ResponsePhase {
    /// By `authority`, for answers to `agent`.
    pub fn new(authority: Arc<Authority>, agent: String) -> Self {
        Self { authority, agent }
    }

    /// Judges what `redaction` made of `json`; notes who spoke and takes out what must not pass.
    ///
    /// # Errors
    /// What a policy blocks, and what cannot be judged, must not pass.
    pub fn judge(&self, subject: &Subject, json: &[u8], redaction: &mut Redaction) -> Result<(), Withheld> {
        let set = self.authority.current();
        let text = redaction.json.as_deref().unwrap_or(json);
        let mut said = self.ask(&set, subject, text)?;
        said.spoke.extend(masked_kinds(&set, redaction));
        said.spoke.sort_by_key(|matched| matched.action);
        said.spoke.dedup_by(|one, other| one.policy_id == other.policy_id);
        let findings = &mut redaction.findings;
        findings.evaluated = u32::try_from(said.evaluated).unwrap_or(u32::MAX);
        findings.matched = said.spoke.iter().take(TOLD).map(MatchedPolicy::from).collect();
        // Nobody can be asked about an answer that is there already: what waits for a person does not pass.
        let stops = |matched: &&Matched| matches!(matched.action, Action::Block | Action::RequireApproval);
        if let Some(stopper) = said.spoke.iter().find(stops) {
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

    fn ask(&self, set: &PolicySet, subject: &Subject, text: &[u8]) -> Result<Said, Withheld> {
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
        if text.len() <= WHOLE_BYTES
            && let Ok(judgement) = set.judge(&question)
        {
            said.add(judgement);
            return Ok(said);
        }
        // Lists and texts at the top, keys that stand twice, lone surrogates: an answer may have them.
        reading::pieces(text, &mut |piece| {
            let judgement = set.judge(&Question { content: Content::Text(piece), ..question });
            said.add(judgement.map_err(|why| Withheld {
                reason: format!("the answer cannot be judged: {why}"),
                ..Withheld::default()
            })?);
            Ok(())
        })?;
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
        for matched in judgement.matched {
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

/// Whether what a carrier holds is judged: everything that reaches the model.
pub fn judges(carrier: Carrier) -> bool {
    match carrier {
        Carrier::ToolResult
        | Carrier::Error
        | Carrier::Content
        | Carrier::Notice
        | Carrier::ClientRequest
        | Carrier::Catalogue => true,
    }
}
