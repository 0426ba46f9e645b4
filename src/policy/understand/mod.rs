//! Reads texts for what they do: SQL by parsing it, values by their tokens, commands as a shell splits them, paths and
//! addresses in their canonical form, language by what it asks of a model.

mod address;
mod command;
pub(super) mod decode;
mod fragment;
mod path;
mod prompt;
mod statement;
mod tokens;

use super::model::Scope;
use super::signal::Signals;

type Judge = fn(&str, &mut Signals);

/// A kind of understanding.
struct Sense {
    wake: &'static str,
    judge: Judge,
    /// It is asked about all strings together, too: a list of words can spell it.
    together: bool,
}

const SENSES: [Sense; 6] = [
    Sense { wake: statement::WAKE, judge: statement::judge, together: false },
    Sense { wake: fragment::WAKE, judge: fragment::judge, together: false },
    Sense { wake: command::WAKE, judge: command::judge, together: true },
    Sense { wake: path::WAKE, judge: path::judge, together: false },
    Sense { wake: address::WAKE, judge: address::judge, together: false },
    Sense { wake: prompt::WAKE, judge: prompt::judge, together: false },
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

/// Compiles what the understanding needs.
pub(super) fn warm() {
    let mut signals = Signals::default();
    for sense in &SENSES {
        (sense.judge)("ignore rm http://x ../ select 1", &mut signals);
    }
}

/// Adds what `text` does, as the kind of understanding with that place in [`WAKE`] sees it.
pub(super) fn understand(kind: usize, text: &str, scope: Scope, signals: &mut Signals) {
    if let Some(sense) = SENSES.get(kind)
        && (scope == Scope::Each || sense.together)
    {
        (sense.judge)(text, signals);
    }
}
