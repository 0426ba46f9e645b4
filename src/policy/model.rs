//! What a policy is: a row with the columns of the AxonFlow contract, section 4.1, how it finds what it looks for, and
//! the samples that prove it.

use super::posture::Class;
use super::signal::Signal;
use serde::{Deserialize, Serialize};

/// One policy of the catalogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Unique; the id of the contract's catalogue where it has this policy.
    pub policy_id: String,
    /// What it finds, for people; stands in reasons.
    pub name: String,
    /// A category of the contract, for example `security-sqli`.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who may change it.
    #[serde(default)]
    pub tier: Tier,
    /// The higher one is named first among equals.
    #[serde(default = "default_priority")]
    pub priority: i32,
    /// When it is asked.
    pub phase: Phase,
    /// What is done before the call, unless a profile, a setting or an override says otherwise.
    pub action_request: Action,
    /// What is done with the answer, unless a profile, a setting or an override says otherwise.
    pub action_response: Action,
    /// It is noted, and no profile or setting makes more of it: what it finds is ordinary work, too. Only an override
    /// does.
    #[serde(default)]
    pub observe_only: bool,
    /// How it finds.
    pub detect: Detect,
    /// Texts that it finds.
    pub must_match: Vec<String>,
    /// Texts that it does not find.
    pub must_not_match: Vec<String>,
}

impl Policy {
    /// It finds what a tool would run or reach: SQL, commands, paths and addresses, not what a text asks of a model.
    pub fn is_about_running(&self) -> bool {
        match Class::of(&self.category) {
            Class::Sqli => true,
            Class::Dangerous => !self.detect.signals.iter().any(|signal| signal.asks_a_model()),
            _ => false,
        }
    }
}

const fn default_priority() -> i32 {
    50
}

/// How a policy finds what it looks for; any of the ways is enough.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detect {
    /// Which texts the patterns are asked about.
    pub scope: Scope,
    /// A regular expression of which every match of the patterns contains one: what the prefilter looks for. Needed
    /// when there are patterns.
    pub trigger: String,
    /// Any of them is a match.
    pub patterns: Vec<Pattern>,
    /// What the text was understood to do.
    pub signals: Vec<Signal>,
    /// Kinds of personal data, as the redactor names them.
    pub personal_data: Vec<String>,
}

/// A regular expression over bytes: no case, `.` is any byte, classes are ASCII. `{NAME}`, `{START}`, `{END}` and
/// `{DISK}` stand for the shared pieces in `compile.rs`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression.
    pub regex: String,
    /// Name of a check in `confirm.rs` for what an expression cannot say; `None` takes every match.
    #[serde(default)]
    pub confirm: Option<String>,
}

/// Which texts the patterns are asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Each string and each key for itself.
    #[default]
    Each,
    /// Those, and all strings together, one per line: for what a list of words can spell.
    Together,
}

/// In rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl Severity {
    /// The word that is written in rows and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What is done, in the order of precedence: deny wins over approval, approval over redact, redact over warn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The call does not run, the answer is withheld.
    Block,
    /// The call waits for a person.
    RequireApproval,
    /// What was found is masked.
    Redact,
    /// It runs; the reason is told.
    Warn,
    /// It runs; the policy is named in the record.
    Log,
}

impl Action {
    /// The word that is written in settings and rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::RequireApproval => "require_approval",
            Self::Redact => "redact",
            Self::Warn => "warn",
            Self::Log => "log",
        }
    }
}

/// Who may change a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Shipped: its action may be overridden, the policy itself not edited.
    #[default]
    System,
    /// The organisation's own.
    Organization,
    /// The tenant's own.
    Tenant,
}

/// When a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the call.
    Request,
    /// Before the answer is passed on.
    Response,
    /// Both times.
    Both,
}

impl Phase {
    /// Whether a policy of this phase is asked in `phase`.
    pub fn covers(self, phase: Self) -> bool {
        self == Self::Both || self == phase
    }
}
