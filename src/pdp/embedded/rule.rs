//! What a rule is: a row of data with the samples that prove it.

use super::confirm::Found;

/// One rule. Its column names follow the `static_policies` table of the AxonFlow contract, section 4.1.
#[derive(Debug)]
pub struct Rule {
    /// Unique; the id of the contract's catalogue where it has this rule.
    pub policy_id: &'static str,
    /// What it finds, for people.
    pub name: &'static str,
    /// A category of the contract, for example `security-sqli`.
    pub category: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is done about it.
    pub action: Action,
    /// Where it looks.
    pub(super) scope: Scope,
    /// A regular expression of which every match of the patterns contains one: what the prefilter looks for.
    pub(super) trigger: &'static str,
    /// Any of them is a match.
    pub(super) patterns: &'static [Pattern],
    /// Texts that this rule finds.
    #[cfg_attr(not(test), expect(dead_code, reason = "the samples stand beside the rule; tests run them"))]
    pub(super) must: &'static [&'static str],
    /// Texts that no rule finds.
    #[cfg_attr(not(test), expect(dead_code, reason = "the samples stand beside the rule; tests run them"))]
    pub(super) must_not: &'static [&'static str],
}

/// In rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// In the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// `block`
    Block,
    /// `require_approval`
    RequireApproval,
}

/// Which texts a rule is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each string and each key for itself.
    Each,
    /// Those, and all strings together, one per line: for what a list of words can spell.
    Together,
}

/// A regular expression over bytes: no case, `.` is any byte, classes are ASCII. `{NAME}`, `{START}`, `{END}` and
/// `{DISK}` stand for the shared pieces in `engine.rs`.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regex: &'static str,
    /// What an expression cannot say; `None` takes every match.
    pub(super) confirm: Option<fn(&Found<'_>) -> bool>,
}

/// A pattern of which every match counts.
pub(super) const fn any(regex: &'static str) -> Pattern {
    Pattern { regex, confirm: None }
}

/// A pattern of which those matches count that `confirm` confirms.
pub(super) const fn when(confirm: fn(&Found<'_>) -> bool, regex: &'static str) -> Pattern {
    Pattern { regex, confirm: Some(confirm) }
}
