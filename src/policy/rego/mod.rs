//! Rules in Rego, the first tier of the cascade: what they say of a call holds, and where they are undefined the other
//! policies are asked.
//!
//! The packages are `aaf.policy` and `firewall`, as in the pages of the Agent Action Firewall. In each of them `decision` is
//! a word or an object, and `deny` and `require_approval` are sets of reasons; all of them are asked and the strictest word
//! wins. Whatever goes wrong denies: an error of evaluation, two rules with different values, a word that is not known,
//! and a rule that takes too long.

mod answer;
mod calls;
mod files;
mod input;
mod load;
mod message;
#[cfg(test)]
mod tests;
pub mod watch;

pub use files::RegoPath;

use super::authority::{Matched, Question};
use super::model::{Action, Severity};
use answer::{Said, Verdict};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Most reasons that one decision gives.
pub const MAX_REASONS: usize = 16;
/// Longest time that the rules may take for one call: a thousand times what ten small rules need, and a hundredth of the
/// time that a decision may take.
pub const EVALUATION: Duration = Duration::from_millis(100);
/// Longest arguments that rules are asked about, in bytes of JSON: as a tree they take up to some thirty times as much
/// memory, which is 240 MiB.
pub const MAX_PARAMS_BYTES: usize = 8 << 20;
/// Rules that ever took longer than this are asked on a thread of their own, where they keep nobody waiting.
const QUICK: Duration = Duration::from_millis(1);
/// Steps of the evaluation between two looks at the clock: a look takes some 25 ns, as long as a step.
const STEPS: NonZeroU32 = NonZeroU32::new(32).unwrap();
/// Category of what the rules say.
const CATEGORY: &str = "rego";

/// Rules that were read and compiled; never changed, only replaced as a whole.
pub struct RegoSet {
    engine: Engine,
    packages: Vec<Package>,
    files: Vec<File>,
    notes: Vec<String>,
    rules: usize,
    digest: String,
    /// Whether they ever took longer than [`QUICK`].
    slow: AtomicBool,
}

/// A package that is asked, and the paths of the rules in it that are.
#[derive(Clone, Debug, Default)]
struct Package {
    /// `aaf.policy`
    name: &'static str,
    decision: Option<String>,
    reason: Option<String>,
    deny: Option<String>,
    require_approval: Option<String>,
}

/// A file of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it lies.
    pub name: String,
    /// The syntax that it is written in.
    pub syntax: Syntax,
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Rego v1, in which rules have `if` and `contains`.
    V1,
    /// Rego v0, as before 2025.
    V0,
    /// JSON, which stands under `data`.
    Data,
}

impl Syntax {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::V1 => "Rego v1",
            Self::V0 => "Rego v0",
            Self::Data => "data",
        }
    }
}

impl RegoSet {
    /// The files that it was made of.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The packages that are asked.
    pub fn packages(&self) -> impl Iterator<Item = &'static str> {
        self.packages.iter().map(|package| package.name)
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules
    }

    /// What is worth telling whoever wrote them, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// SHA-256 of the files, 64 lower-case hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The paths of the rules that are asked, such as `data.aaf.policy.decision`.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().flat_map(Package::entries)
    }

    /// Whether asking has been short so far.
    pub fn is_quick(&self) -> bool {
        !self.slow.load(Ordering::Relaxed)
    }

    /// What the rules say of a call, the reasons one by one; `None` when they abstain. What they cannot decide is blocked.
    ///
    /// # Errors
    /// Why the arguments cannot be read; then the call must not pass.
    pub(super) fn judge(&self, question: &Question<'_>) -> Result<Option<Vec<Matched>>, String> {
        let input = input::build(question)?;
        let begun = Instant::now();
        let said = self.ask(input);
        if begun.elapsed() > QUICK {
            self.slow.store(true, Ordering::Relaxed);
        }
        Ok(match said {
            Ok(None) => None,
            Ok(Some(said)) => Some(matched(said)),
            Err((package, why)) => Some(vec![failure(package, why)]),
        })
    }

    /// Asks all packages; the strictest word wins.
    fn ask(&self, input: Value) -> Result<Option<Said>, (&'static str, String)> {
        let mut evaluation = Evaluation { engine: self.engine.clone(), ends: Instant::now() + EVALUATION };
        evaluation.engine.set_input(input);
        let mut strictest: Option<Said> = None;
        for package in &self.packages {
            let said = package.ask(&mut evaluation).map_err(|why| (package.name, why))?;
            strictest = answer::stricter(strictest, said);
        }
        Ok(strictest)
    }
}

impl Package {
    fn entries(&self) -> impl Iterator<Item = &str> {
        let all = [&self.decision, &self.deny, &self.require_approval];
        all.into_iter().filter_map(Option::as_deref)
    }

    fn ask(&self, evaluation: &mut Evaluation) -> Result<Option<Said>, String> {
        let mut strictest = None;
        for (path, verdict) in
            [(&self.deny, Verdict::Deny), (&self.require_approval, Verdict::RequireApproval)]
        {
            let Some(path) = path else { continue };
            let said = answer::reasons(&evaluation.value(path)?, verdict)
                .map_err(|wrong| format!("{path} {wrong}"))?;
            strictest = answer::stricter(strictest, said);
        }
        if let Some(path) = &self.decision {
            let value = evaluation.value(path)?;
            let mut said = answer::decision(&value).map_err(|wrong| format!("{path} {wrong}"))?;
            if let (Some(said), Some(path)) = (&mut said, &self.reason)
                && said.reasons.is_empty()
            {
                said.reasons = answer::texts(&evaluation.value(path)?);
            }
            strictest = answer::stricter(strictest, said);
        }
        Ok(strictest.map(|said| Said { package: self.name, ..said }))
    }
}

/// One evaluation and the time that is left for it.
struct Evaluation {
    engine: Engine,
    ends: Instant,
}

impl Evaluation {
    /// The value of a rule.
    fn value(&mut self, path: &str) -> Result<Value, String> {
        let left = self.ends.saturating_duration_since(Instant::now());
        self.engine.set_execution_timer_config(ExecutionTimerConfig { limit: left, check_interval: STEPS });
        self.engine.eval_rule(path.to_owned()).map_err(|error| message::of_evaluation(&error))
    }
}

/// What was said, as the other tiers say it: a reason each.
fn matched(said: Said) -> Vec<Matched> {
    let (action, name) = match said.verdict {
        Verdict::Deny => (Action::Block, "the Rego rules deny this call"),
        Verdict::RequireApproval => (Action::RequireApproval, "the Rego rules ask for a person"),
        // It runs, and the record says who let it.
        Verdict::Allow => (Action::Log, "the Rego rules allow this call"),
    };
    let severity = said.severity.unwrap_or(match said.verdict {
        Verdict::Allow => Severity::Low,
        Verdict::Deny | Verdict::RequireApproval => Severity::High,
    });
    let one = |message: Option<String>| Matched {
        policy_id: format!("rego:{}", said.policy_id.as_deref().unwrap_or(said.package)),
        policy_name: name.to_owned(),
        category: CATEGORY.to_owned(),
        severity,
        action,
        message,
    };
    if said.reasons.is_empty() {
        return vec![one(None)];
    }
    said.reasons.into_iter().take(MAX_REASONS).map(|reason| one(Some(reason))).collect()
}

/// The rules could not decide.
fn failure(package: &str, why: String) -> Matched {
    Matched {
        policy_id: format!("rego:{package}"),
        policy_name: "the Rego rules cannot decide".to_owned(),
        category: CATEGORY.to_owned(),
        severity: Severity::High,
        action: Action::Block,
        message: Some(format!("the Rego rules cannot decide, so the call is denied: {why}")),
    }
}

/// A question about nothing in particular, to see what the rules say of a call that they do not know.
fn unknown_call() -> Question<'static> {
    Question {
        phase: super::model::Phase::Request,
        content: super::authority::Content::Json(b"{}"),
        backend: "",
        tool: "",
        agent: "",
        hints: callgate_actors::call::Hints::default(),
        at: SystemTime::UNIX_EPOCH,
    }
}

impl std::fmt::Debug for RegoSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegoSet")
            .field("files", &self.files)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
