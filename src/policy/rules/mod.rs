//! The operator's own rules: what a rule is, and which rules speak of a call.
//!
//! A rule can only tighten: it blocks, asks for a person, masks, warns or notes. What weakens a shipped policy is an
//! override, with a reason (see [`mod@file`]).

mod argument;
pub mod cases;
mod condition;
pub mod file;
mod glob;
mod host;
mod index;
mod path;
mod pointer;
mod rate;
mod reading;
mod truth;
pub mod watch;
mod when;
mod window;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

pub use file::PolicyFile;

use super::Texts;
use super::authority::Question;
use super::model::{Action, Phase, Severity};
use condition::{Condition, Context};
use index::Index;
use rate::{Counter, Rate};
use std::sync::Arc;
use truth::Truth;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Unique, and no shipped policy's.
    pub id: String,
    /// For people; the id unless it was given.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Whether it is asked.
    pub enabled: bool,
    /// When it is asked.
    pub phase: Phase,
    /// `custom` unless it was given.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// The higher one is named first among equals.
    pub priority: i32,
    /// What is done.
    pub action: Action,
    /// What the model and the person are told.
    pub message: Option<String>,
    /// All of them have to hold.
    when: Vec<Condition>,
    /// And then this has to be exceeded.
    rate: Option<Rate>,
}

/// Rules, ready to be asked. Copies share what they count.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Arc<[Rule]>,
    index: Arc<Index>,
    /// One for each rule with a rate.
    counters: Vec<Option<Arc<Counter>>>,
    source: Arc<str>,
}

impl RuleSet {
    fn new(rules: Vec<Rule>, source: &str) -> Self {
        let mut index = Index::default();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            index.add(at, &rule.when);
        }
        let counters = rules.iter().map(|rule| rule.rate.is_some().then(Arc::default)).collect();
        Self { rules: rules.into(), index: Arc::new(index), counters, source: source.into() }
    }

    /// All of them, in the order written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many are asked.
    pub fn enabled(&self) -> usize {
        self.rules.iter().filter(|rule| rule.enabled).count()
    }

    /// The same rules, which have counted nothing yet.
    #[must_use]
    pub fn from_zero(&self) -> Self {
        let counters = self.counters.iter().map(|counter| counter.is_some().then(Arc::default)).collect();
        Self { counters, ..self.clone() }
    }

    /// A rule as it was written.
    pub fn written(&self, id: &str) -> Option<serde_json::Value> {
        let file: serde_json::Value = serde_json::from_str(&self.source).ok()?;
        file.get("rules")?
            .as_array()?
            .iter()
            .find(|rule| rule.get("id").is_some_and(|own| own == id))
            .cloned()
    }

    /// The text that they were read from, for a digest.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Goes on counting where `earlier` is, for rules with the same id and rate.
    pub(super) fn keep_counting(&mut self, earlier: &Self) {
        for (rule, counter) in
            self.rules.iter().zip(&mut self.counters).filter(|(rule, _)| rule.rate.is_some())
        {
            let before = earlier.rules.iter().position(|old| old.id == rule.id && old.rate == rule.rate);
            if let Some(kept) = before.and_then(|at| earlier.counters[at].clone()) {
                *counter = Some(kept);
            }
        }
    }

    /// The rules that speak, in the order written. Rules with a rate count the call if everything else in them holds.
    pub(super) fn judge(&self, question: &Question<'_>, texts: &Texts) -> Vec<&Rule> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let context = Context::new(question, texts);
        let asked =
            self.index.candidates(&context).into_iter().map(|at| (&self.rules[at], &self.counters[at]));
        asked
            .filter(|(rule, counter)| rule.speaks(&context, counter.as_deref()))
            .map(|(rule, _)| rule)
            .collect()
    }
}

impl Rule {
    fn speaks(&self, context: &Context<'_>, counter: Option<&Counter>) -> bool {
        let question = context.question;
        if !self.phase.covers(question.phase) {
            return false;
        }
        let held = Truth::all(self.when.iter().map(|one| one.holds(context))).holds();
        match (&self.rate, counter) {
            (Some(rate), Some(counter)) if held => {
                rate.exceeded(counter, question.at, question.backend, question.tool, question.agent)
            }
            _ => held,
        }
    }
}
