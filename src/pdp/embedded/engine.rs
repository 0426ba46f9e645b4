//! Runs the rules: one look for trigger words, then one pass for all patterns, then the few that hit alone.

use super::confirm::Found;
use super::leaves::Leaves;
use super::rule::{Pattern, Rule, Scope};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::sync::OnceLock;

/// Matches of one pattern in one text that are looked at. A text with more of them is not searched to its end but
/// taken as matching: the work stays bounded and the gate shut.
const LOOKED_AT: usize = 1_000;

/// Pieces that the patterns share.
const PIECES: &[(&str, &str)] = &[
    // A name in SQL, qualified or quoted.
    ("{NAME}", r#"[\w$#@.\[\]"`\x80-\xff]+"#),
    // Where a statement may begin.
    ("{START}", r#"(?:\A|[;:\n\r"'`])\s*"#),
    // Where a statement ends.
    ("{END}", r#"(?P<end>\s*(?:\z|;|--|#|/\*|["'`]|[\n\r]|\bcascade\b|\brestrict\b))"#),
    // A disk as a device file.
    ("{DISK}", r"/dev/(?:[shv]d[a-z]|xvd[a-z]|nvme\d|mmcblk\d|disk\d|rdisk\d|mapper/|md\d|dm-\d)"),
];

/// The compiled rules.
pub(super) struct Engine {
    rules: Vec<&'static Rule>,
    triggers: Regex,
    /// All patterns of all rules, in order; `rows` says which rule and pattern each index is. Compiled when first
    /// needed, which takes some milliseconds that a start need not wait for.
    set: OnceLock<Option<RegexSet>>,
    rows: Vec<Row>,
}

struct Row {
    rule: usize,
    pattern: &'static Pattern,
    /// For a pattern whose matches must be confirmed one by one; compiled at its first match.
    alone: OnceLock<Option<Regex>>,
}

impl Engine {
    pub(super) fn new(tables: &[&'static [Rule]]) -> Result<Self, regex::Error> {
        let rules: Vec<&'static Rule> = tables.iter().flat_map(|table| table.iter()).collect();
        let patterns =
            rules.iter().enumerate().flat_map(|(i, rule)| rule.patterns.iter().map(move |p| (i, p)));
        let rows = patterns.map(|(rule, pattern)| Row { rule, pattern, alone: OnceLock::new() }).collect();
        let mut triggers: Vec<String> = rules.iter().map(|rule| expand(rule.trigger)).collect();
        triggers.sort_unstable();
        triggers.dedup();
        Ok(Self { triggers: build(&triggers.join("|"))?, rules, set: OnceLock::new(), rows })
    }

    /// All patterns; `None` if they do not compile, which the tests exclude for the shipped ones.
    pub(super) fn set(&self) -> Option<&RegexSet> {
        let compile = || {
            let texts = self.rows.iter().map(|row| expand(row.pattern.regex));
            RegexSetBuilder::new(texts)
                .case_insensitive(true)
                .dot_matches_new_line(true)
                .unicode(false)
                .build()
                .ok()
        };
        self.set.get_or_init(compile).as_ref()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.rules.iter().copied()
    }

    /// The rules that match, each once, in their order.
    pub(super) fn matched(&self, leaves: &Leaves) -> Vec<&'static Rule> {
        if !leaves.blocks().any(|block| self.triggers.is_match(block)) {
            return Vec::new();
        }
        // Rules that cannot be asked find everything.
        let Some(set) = self.set() else { return self.rules.clone() };
        let mut hits = vec![false; self.rules.len()];
        for leaf in leaves.each() {
            self.search(set, leaf, &mut hits, |_| true);
        }
        if let Some(together) = leaves.together() {
            self.search(set, together, &mut hits, |rule| rule.scope == Scope::Together);
        }
        self.rules.iter().zip(hits).filter_map(|(rule, hit)| hit.then_some(*rule)).collect()
    }

    fn search(&self, set: &RegexSet, text: &[u8], hits: &mut [bool], asked: impl Fn(&Rule) -> bool) {
        for row in set.matches(text).into_iter().map(|i| &self.rows[i]) {
            if !hits[row.rule] && asked(self.rules[row.rule]) {
                hits[row.rule] = row.is_confirmed(text);
            }
        }
    }
}

impl Row {
    fn is_confirmed(&self, text: &[u8]) -> bool {
        let Some(confirm) = self.pattern.confirm else { return true };
        // The set has compiled the same text; should it fail alone, the match stands unconfirmed.
        let Some(alone) = self.alone.get_or_init(|| build(&expand(self.pattern.regex)).ok()) else {
            return true;
        };
        for (n, groups) in alone.captures_iter(text).enumerate() {
            if n == LOOKED_AT || confirm(&Found { text, groups }) {
                return true;
            }
        }
        false
    }
}

fn expand(pattern: &str) -> String {
    PIECES.iter().fold(pattern.to_owned(), |text, (name, piece)| text.replace(name, piece))
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).dot_matches_new_line(true).unicode(false).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdp::embedded::{shell, sql};
    use crate::pdp::strict::Strings as _;

    fn found(engine: &Engine, sample: &str) -> Vec<&'static str> {
        let mut leaves = Leaves::default();
        leaves.value(sample);
        engine.matched(&leaves).iter().map(|rule| rule.policy_id).collect()
    }

    #[test]
    fn every_sample_is_found_by_its_rule() {
        let engine = Engine::new(&[sql::RULES, shell::RULES]).expect("compiles");
        let mut wrong = Vec::new();
        for rule in engine.rules() {
            assert!(!rule.must.is_empty() && !rule.must_not.is_empty(), "{} has no samples", rule.policy_id);
            let missed = rule.must.iter().filter(|sample| !found(&engine, sample).contains(&rule.policy_id));
            wrong.extend(missed.map(|sample| (rule.policy_id, sample)));
        }
        assert!(wrong.is_empty(), "not found: {wrong:#?}");
    }

    #[test]
    fn every_rule_has_the_trigger_it_needs() {
        for rule in Engine::new(&[sql::RULES, shell::RULES]).expect("compiles").rules() {
            let alone = Engine::new(&[std::slice::from_ref(rule)]).expect("compiles");
            for sample in rule.must {
                assert_eq!(found(&alone, sample), [rule.policy_id], "{sample:?}");
            }
        }
    }

    #[test]
    fn no_counter_sample_is_found_by_any_rule() {
        let engine = Engine::new(&[sql::RULES, shell::RULES]).expect("compiles");
        let samples = engine.rules().flat_map(|rule| rule.must_not);
        let wrong: Vec<_> =
            samples.map(|s| (s, found(&engine, s))).filter(|(_, ids)| !ids.is_empty()).collect();
        assert!(wrong.is_empty(), "found: {wrong:#?}");
    }

    #[test]
    fn patterns_that_do_not_compile_find_everything() {
        static BROKEN: &[Rule] =
            &[Rule { trigger: "x", patterns: &[crate::pdp::embedded::rule::any("(")], ..NOTHING }];
        const NOTHING: Rule = Rule {
            policy_id: "broken",
            name: "",
            category: "",
            severity: crate::pdp::embedded::Severity::Low,
            action: crate::pdp::embedded::Action::Block,
            scope: Scope::Each,
            trigger: "",
            patterns: &[],
            must: &[],
            must_not: &[],
        };
        let engine = Engine::new(&[BROKEN]).expect("the triggers compile");
        assert_eq!(found(&engine, "x"), ["broken"]);
        assert!(Engine::new(&[sql::RULES, shell::RULES]).expect("compiles").set().is_some());
    }

    #[test]
    fn ids_are_unique() {
        let engine = Engine::new(&[sql::RULES, shell::RULES]).expect("compiles");
        let mut ids: Vec<&str> = engine.rules().map(|rule| rule.policy_id).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    }

    #[test]
    fn endless_candidates_end_shut() {
        let engine = Engine::new(&[sql::RULES]).expect("compiles");
        let mut leaves = Leaves::default();
        leaves.value(&"or 1=2;".repeat(LOOKED_AT + 1));
        assert!(!engine.matched(&leaves).is_empty());
    }
}
