//! The embedded authority: everything that decides at one moment ([`PolicySet`]), and the place where the set that
//! holds now is found and replaced ([`Authority`]).
//!
//! Whoever decides takes the set once per decision, so that one decision is made by one set, whatever is reloaded
//! meanwhile.

use super::catalogue::CatalogueError;
use super::model::{Action, Phase, Severity};
use super::posture::Posture;
use super::{Asked, Engine, Match, Texts};
use crate::redact::{CardMatch, Options, Redactor};
use crate::strict::{Strings, read_object};
use arc_swap::ArcSwap;
use callgate_actors::call::Hints;
use callgate_actors::ports::MatchedPolicy;
use std::sync::Arc;
use std::time::SystemTime;

/// What is to be judged, and what is known of the call that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Before the call, or its answer.
    pub phase: Phase,
    /// The arguments, the answer, or a plain text.
    pub content: Content<'a>,
    /// The backend's id; empty when it is not known.
    pub backend: &'a str,
    /// The tool's own name; empty when it is not known.
    pub tool: &'a str,
    /// Who calls (`AXONFLOW_AI_AGENT`, or `x-ai-agent` of a remote caller); empty when it is not known.
    pub agent: &'a str,
    /// What the backend says of the tool.
    pub hints: Hints,
    /// When it is asked.
    pub at: SystemTime,
}

/// What the policies look at.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// A JSON value as the bytes that came; in the request phase an object. Blank and `null` hold nothing.
    Json(&'a [u8]),
    /// A text for itself.
    Text(&'a str),
}

/// What was said of a [`Question`].
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The strongest action of all that spoke; `None` when nobody did.
    pub action: Option<Action>,
    /// Everybody who spoke, the strongest first.
    pub matched: Vec<Matched>,
    /// How many policies and rules were asked.
    pub evaluated: usize,
    /// The content with personal data masked, where there was any.
    pub masked: Option<Vec<u8>>,
}

/// A policy or a rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its id.
    pub policy_id: String,
    /// What it finds, for people.
    pub policy_name: String,
    /// A category of the AxonFlow contract, section 4.1.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is done about it here.
    pub action: Action,
    /// What the model and the person are told; `None` leaves it at the name.
    pub message: Option<String>,
}

impl Matched {
    /// The reason in words: its own message, or its name; always with its id. Quotes nothing of the content.
    pub fn reason(&self) -> String {
        let what = self.message.as_deref().unwrap_or(&self.policy_name);
        format!("{what} ({})", self.policy_id)
    }
}

impl From<&Matched> for MatchedPolicy {
    fn from(spoke: &Matched) -> Self {
        Self {
            policy_id: spoke.policy_id.clone(),
            policy_name: spoke.policy_name.clone(),
            category: spoke.category.clone(),
            severity: spoke.severity.word().to_owned(),
            action: spoke.action.word().to_owned(),
        }
    }
}

impl From<&Match<'_>> for Matched {
    fn from(found: &Match<'_>) -> Self {
        Self {
            policy_id: found.policy.policy_id.clone(),
            policy_name: found.policy.name.clone(),
            category: found.policy.category.clone(),
            severity: found.policy.severity,
            action: found.action,
            message: None,
        }
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

/// Everything that decides at one moment; never changed, only replaced as a whole.
pub struct PolicySet {
    engine: Engine,
    redactor: Redactor,
}

impl PolicySet {
    /// The shipped catalogue under `posture`.
    ///
    /// # Errors
    /// A catalogue that cannot be used, which the tests exclude for the shipped one.
    pub fn shipped(posture: Posture) -> Result<Self, CatalogueError> {
        let precise = Options { card_match: CardMatch::Precise, ..Options::default() };
        Ok(Self { engine: Engine::shipped(posture)?, redactor: Redactor::new(precise) })
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles everything now, on a thread that nobody waits for.
    pub fn warm(&self) {
        self.engine.warm();
    }

    /// Judges one question.
    ///
    /// # Errors
    /// Why the content cannot be judged; then it must not pass.
    pub fn judge(&self, question: &Question<'_>) -> Result<Judgement, String> {
        let mut texts;
        let (masked, counts) = match question.content {
            Content::Json(json) if matches!(json.trim_ascii(), b"" | b"null") => {
                return Ok(Judgement { evaluated: self.engine.policies().count(), ..Judgement::default() });
            }
            Content::Json(json) => {
                texts = Texts::with_capacity(json.len());
                read_object(json, &mut texts).map_err(|error| error.to_string())?;
                let scan = self.redactor.scan(json).map_err(|fault| fault.to_string())?;
                (scan.json, scan.masked)
            }
            Content::Text(text) => {
                texts = Texts::default();
                texts.value(text);
                let scan = self.redactor.scan_text(text);
                (scan.text.map(String::into_bytes), scan.masked)
            }
        };
        let asked = Asked { phase: question.phase, backend: question.backend, tool: question.tool };
        let spoke = self.engine.judge_call(&texts, &counts, &asked);
        Ok(Judgement {
            action: spoke.first().map(|found| found.action),
            matched: spoke.iter().map(Matched::from).collect(),
            evaluated: self.engine.policies().count(),
            masked,
        })
    }
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// Where the set that holds now is found.
#[derive(Debug)]
pub struct Authority {
    current: ArcSwap<PolicySet>,
}

impl Authority {
    /// An authority that begins with `set`.
    pub fn new(set: PolicySet) -> Self {
        Self { current: ArcSwap::from_pointee(set) }
    }

    /// The set that holds now.
    pub fn current(&self) -> Arc<PolicySet> {
        self.current.load_full()
    }

    /// Puts another set in its place; decisions that have begun end with the old one.
    pub fn replace(&self, set: PolicySet) {
        self.current.store(Arc::new(set));
    }
}
