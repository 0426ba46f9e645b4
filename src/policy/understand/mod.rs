//! Reads texts for what they do: SQL by parsing it, values by their tokens, commands as a shell splits them, paths and
//! addresses in their canonical form, language by what it asks of a model.

mod address;
mod command;
pub(super) mod decode;
mod disguise;
mod fragment;
mod path;
mod persona;
mod prompt;
mod sayings;
mod statement;
mod tokens;

pub(super) use address::is_private;

use super::model::Scope;
use super::signal::{Signal, Signals};
use std::ops::Range;

/// Where a text asks something of a model, in bytes of that text.
pub(super) fn asked_of_a_model(text: &str) -> Vec<(Signal, Range<usize>)> {
    prompt::spans(text)
}

type Judge = fn(&str, &mut Signals);

/// A kind of understanding.
struct Sense {
    wake: &'static str,
    judge: Judge,
    /// It is asked about all strings together, too: a list of words can spell it.
    together: bool,
    /// The first and the last signal that it gives.
    gives: (Signal, Signal),
}

const SQL: (Signal, Signal) = (Signal::SqlDropTable, Signal::SqlSplitWords);
const COMMAND: (Signal, Signal) = (Signal::CommandDestroys, Signal::CommandInjection);
const PATH: (Signal, Signal) = (Signal::PathTraversal, Signal::PathSensitive);
const URL: (Signal, Signal) = (Signal::UrlMetadata, Signal::UrlInternal);
const PROMPT: (Signal, Signal) = (Signal::PromptOverride, Signal::PromptHidden);

const SENSES: [Sense; 7] = [
    Sense { wake: statement::WAKE, judge: statement::judge, together: false, gives: SQL },
    Sense { wake: fragment::WAKE, judge: fragment::judge, together: false, gives: SQL },
    Sense { wake: command::WAKE, judge: command::judge, together: true, gives: COMMAND },
    Sense { wake: path::WAKE, judge: path::judge, together: false, gives: PATH },
    Sense { wake: address::WAKE, judge: address::judge, together: false, gives: URL },
    Sense { wake: prompt::WAKE, judge: prompt::judge, together: true, gives: PROMPT },
    Sense { wake: disguise::WAKE, judge: disguise::judge, together: false, gives: COMMAND },
];

/// For each kind of understanding the expression that wakes it.
pub(super) const WAKE: &[&str] = &{
    let mut wake = [""; SENSES.len()];
    let mut at = 0;
    while at < SENSES.len() {
        wake[at] = SENSES[at].wake;
        at += 1;
    }
    wake
};

/// Whether the kind of understanding with that place in [`WAKE`] can give this signal.
pub(super) fn gives(kind: usize, signal: Signal) -> bool {
    SENSES.get(kind).is_some_and(|sense| (sense.gives.0..=sense.gives.1).contains(&signal))
}

/// Compiles what the understanding needs.
pub(super) fn warm() {
    let mut signals = Signals::default();
    for sense in &SENSES {
        (sense.judge)("ignore rm http://x ../ select 1", &mut signals);
    }
}

/// Where in [`WAKE`] the pieces of SQL stand.
const FRAGMENT: usize = 1;

/// Adds what `text` does, as the kind of understanding with that place in [`WAKE`] sees it. With `sql` the name of its
/// argument says that it is a statement: if it can be parsed as one, it is no value that breaks out of another.
pub(super) fn understand(kind: usize, text: &str, sql: bool, scope: Scope, signals: &mut Signals) {
    let Some(sense) = SENSES.get(kind) else { return };
    if scope == Scope::Together && !sense.together {
        return;
    }
    if !sql || kind != FRAGMENT {
        let mut found = Signals::default();
        (sense.judge)(text, &mut found);
        debug_assert!(
            Signal::ALL.iter().all(|signal| !found.has(*signal) || gives(kind, *signal)),
            "a signal of another kind"
        );
        return signals.merge(found);
    }
    let mut found = Signals::default();
    fragment::judge(text, &mut found);
    if !found.is_empty() && statement::can_be_parsed(text) {
        found = Signals::default();
        fragment::judge_whole(text, &mut found);
    }
    signals.merge(found);
}

/// Adds what a text does whose argument's name says that it is SQL, also where no parser knows its dialect.
pub(super) fn statement_by_name(text: &str, signals: &mut Signals) {
    statement::unknown_dialect(text, signals);
}

/// The signals that one kind of understanding gives, in their order.
#[cfg(test)]
fn found(judge: Judge, text: &str) -> Vec<Signal> {
    let mut signals = Signals::default();
    judge(text, &mut signals);
    Signal::ALL.iter().copied().filter(|signal| signals.has(*signal)).collect()
}
