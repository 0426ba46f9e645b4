//! The operator's own rules.

use super::Texts;
use super::authority::Question;
use super::model::{Action, Severity};

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Unique.
    pub id: String,
    /// For people.
    pub name: String,
    /// A category.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// The higher one is named first among equals.
    pub priority: i32,
    /// What is done.
    pub action: Action,
    /// What the model and the person are told.
    pub message: Option<String>,
}

/// Rules, ready to be asked.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    source: String,
}

impl RuleSet {
    /// All of them, in the order written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many are asked.
    pub fn enabled(&self) -> usize {
        self.rules.len()
    }

    /// The text that they were read from, for a digest.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn keep_counting(&mut self, _: &Self) {}

    pub(super) fn judge(&self, _: &Question<'_>, _: &Texts) -> Vec<&Rule> {
        Vec::new()
    }
}
