//! Turns the policies' expressions into something that can be searched.

use super::confirm::{self, Confirm, Found};
use super::model::{Pattern, Phase, Policy};
use super::signal::{Signal, Signals};
use super::understand;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::sync::OnceLock;

/// Matches of one pattern in one text that are looked at. A text with more of them is not searched to its end but
/// taken as matching: the work stays bounded and the gate shut.
pub(super) const LOOKED_AT: usize = 1_000;

/// Bytes before matches that checks may look at in one text, four times the longest argument that is tested.
const LOOKED_AT_BYTES: usize = 32 * 1024 * 1024;

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

/// Expressions that are not policies' but wake the understanding; see [`Triggers`].
pub(super) const WAKE: &[&str] = understand::WAKE;

/// The first look at a text: which policies and which kinds of understanding are worth asking.
pub(super) struct Triggers {
    any: Regex,
    set: RegexSet,
    /// For each member of the set: the policy, or beyond them the kind of understanding.
    pub(super) owners: Vec<usize>,
}

impl Triggers {
    /// Of what is asked in `phase`, with [`Phase::Both`] of everything: the policies of that phase, and the kinds of understanding whose signals one of
    /// them waits for.
    pub(super) fn new(policies: &[&Policy], phase: Phase) -> Result<Self, regex::Error> {
        let mut owners = Vec::new();
        let mut texts = Vec::new();
        let asked = || {
            let speaks = |policy: &Policy| phase == Phase::Both || policy.phase.covers(phase);
            policies.iter().enumerate().filter(move |(_, policy)| speaks(policy))
        };
        for (at, policy) in asked() {
            if !policy.detect.patterns.is_empty() {
                owners.push(at);
                texts.push(trigger(policy));
            }
        }
        let mut wanted = Signals::default();
        asked().flat_map(|(_, policy)| &policy.detect.signals).for_each(|signal| wanted.add(*signal));
        for (kind, wake) in WAKE.iter().enumerate() {
            let waits =
                Signal::ALL.iter().any(|signal| wanted.has(*signal) && understand::gives(kind, *signal));
            if waits {
                owners.push(policies.len() + kind);
                texts.push(expand(wake));
            }
        }
        // Several texts are looked at as lines of one: where a text begins or ends, a line does.
        let line = |text: &String| text.replace(r"\A", r"(?:\A|\n)").replace(r"\z", r"(?:\z|\n)");
        let mut distinct: Vec<String> = texts.iter().map(line).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let set = RegexSetBuilder::new(&texts)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .unicode(false)
            .build()?;
        Ok(Self { any: build(&distinct.join("|"))?, set, owners })
    }

    pub(super) fn wakes_anything(&self, text: &[u8]) -> bool {
        self.any.is_match(text)
    }

    /// Indices of what is worth asking: policies first, kinds of understanding behind them.
    pub(super) fn woken(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        self.set.matches(text).into_iter().map(|at| self.owners[at])
    }
}

/// A pattern, compiled when first needed.
pub(super) struct Compiled {
    text: String,
    confirm: Option<Confirm>,
    regex: OnceLock<Option<Regex>>,
}

impl Compiled {
    /// `Err` is the name of a check that there is not.
    pub(super) fn new(pattern: &Pattern) -> Result<Self, String> {
        let confirm = match &pattern.confirm {
            None => None,
            Some(name) => Some(confirm::by_name(name).ok_or_else(|| name.clone())?),
        };
        Ok(Self { text: expand(&pattern.regex), confirm, regex: OnceLock::new() })
    }

    /// `None` if it does not compile, which the tests exclude for the shipped ones.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| build(&self.text).ok()).as_ref()
    }

    /// Whether the text holds it. A pattern that cannot be asked finds everything.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let Some(regex) = self.regex() else { return true };
        let Some(confirm) = self.confirm else { return regex.is_match(text) };
        let mut looked_at = 0;
        for (n, groups) in regex.captures_iter(text).enumerate() {
            // A check may look at everything before its match.
            looked_at += groups.get(0).map_or(0, |all| all.end());
            if n == LOOKED_AT || looked_at > LOOKED_AT_BYTES || confirm(&Found { text, groups }) {
                return true;
            }
        }
        false
    }
}

/// What wakes a policy: its trigger, or its patterns themselves when it has none, as rows of a database do.
fn trigger(policy: &Policy) -> String {
    if !policy.detect.trigger.is_empty() {
        return expand(&policy.detect.trigger);
    }
    let patterns = policy.detect.patterns.iter().map(|pattern| format!("(?:{})", expand(&pattern.regex)));
    patterns.collect::<Vec<_>>().join("|")
}

/// Why an expression cannot be a policy's, as the `regex` crate says it.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    compiled(pattern).map(|_| ())
}

/// An expression as the engine compiles it.
pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    build(&expand(pattern)).map_err(|error| error.to_string())
}

fn expand(pattern: &str) -> String {
    PIECES.iter().fold(pattern.to_owned(), |text, (name, piece)| text.replace(name, piece))
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).dot_matches_new_line(true).unicode(false).build()
}
