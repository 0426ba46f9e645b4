//! Quotes and brackets that a value ends although it did not open them.

use super::{CONNECTIVES, CONSTANTS, Piece, is_language};
use crate::policy::signal::{Signal, Signals};
use crate::policy::understand::tokens::{Kind, Token};

impl Piece<'_> {
    /// The text ends a quote: what follows decides.
    pub(super) fn leaves_quote(&self, signals: &mut Signals) {
        if !self.has_left() || self.first_is_long() {
            return;
        }
        let next_at = self.behind_brackets(1);
        let next_at =
            if self.at(next_at).is_some_and(|token| token.mark(";")) { next_at + 1 } else { next_at };
        let Some(next) = self.at(next_at) else { return };
        let last = &self.tokens[self.tokens.len() - 1];
        if next.kind == Kind::Comment {
            let short = self.at(0).is_some_and(|first| first.text.split_whitespace().count() <= 2);
            let empty =
                next.text.trim_matches(['-', '#', '+', ' ', '/', '*', '\'', '"', '\t', '\n']).len() <= 3;
            if short && empty && next_at + 1 >= self.tokens.len() {
                signals.add(Signal::SqlCommentEnd);
            }
            return;
        }
        self.goes_on_with_constants(next_at, signals);
        let goes_on = next.is_any(CONNECTIVES)
            || next.is_any(&[
                "like",
                "in",
                "between",
                "is",
                "having",
                "rlike",
                "regexp",
                "div",
                "procedure",
                "union",
            ])
            || matches!(
                next.text,
                "||" | "&&" | "=" | "<" | ">" | "<>" | "<=>" | "+" | "-" | "^" | "*" | "%" | "/"
            );
        if !goes_on {
            return;
        }
        let rest = &self.tokens[next_at + 1..];
        let closes = last.kind == Kind::Comment && !last.text.starts_with("# ")
            || matches!(last.kind, Kind::Quoted { closed: false });
        let condition = (next_at + 1..self.tokens.len()).any(|at| self.comparison(at).is_some());
        let subquery = rest.iter().any(|token| token.is("select") || token.is("exists"));
        let connective = next.is_any(CONNECTIVES) || matches!(next.text, "||" | "&&");
        let compact = rest.len() <= 40;
        if closes && compact && connective && (condition || subquery) && !is_language(rest) {
            signals.add(Signal::SqlBreakOut);
        }
    }

    /// `X' = 'X' = 0 = '1`, `a'+'b`, `1')>('0`: constants and marks up to a quote that the other statement ends.
    pub(super) fn goes_on_with_constants(&self, next_at: usize, signals: &mut Signals) {
        let rest = self.tokens.get(next_at..).unwrap_or_default();
        let Some((last, before)) = rest.split_last() else { return };
        if last.kind != (Kind::Quoted { closed: false }) || before.len() > CONSTANTS {
            return;
        }
        let is_mark = |token: &Token<'_>| {
            token.kind == Kind::Mark && token.text.bytes().all(|b| b"=<>!+-*/|&^%".contains(&b))
        };
        let code = before.iter().filter(|token| !matches!(token.text, "(" | ")"));
        let (mut marks, mut compares, mut alternate, mut joined) = (0_usize, false, true, false);
        for (at, token) in code.enumerate() {
            joined |= at == 0 && token.is_any(CONNECTIVES);
            alternate &= if at % 2 == 0 { is_mark(token) || at == 0 && joined } else { token.is_constant() };
            marks += usize::from(at % 2 == 0);
            compares |= at % 2 == 0 && token.text.contains(['=', '<', '>']);
        }
        let one_word = |token: &Token<'_>| !token.text.contains(char::is_whitespace);
        // A mark between two quotes and no blank anywhere: people write one.
        let tight = self.facts.tight
            && self.at(0).is_some_and(|first| one_word(first) && first.text.len() > 1)
            && one_word(last);
        if alternate && (marks == 1 && tight || marks >= 2 && compares || joined && before.len() > 1) {
            signals.add(Signal::SqlBreakOut);
        }
    }

    /// `1) --`, `1)) or`: the text ends brackets that it did not open. `1--`: it ends the statement. `(SELECT … )`
    /// and nothing else: it stands in place of a value.
    pub(super) fn leaves_brackets(&self, signals: &mut Signals) {
        self.only_ends(signals);
        self.stands_for_a_value(signals);
        let end = self.behind_brackets(1);
        let value = self.at(0).is_some_and(|first| first.kind == Kind::Number);
        let comment = self.at(end).is_some_and(|token| {
            token.kind == Kind::Comment && token.text.trim_matches(['-', '#', '+', ' ', '/', '*']).is_empty()
        });
        if value && end > 1 && comment {
            signals.add(Signal::SqlCommentEnd);
        }
        let is = |at: usize, word: &str| self.at(at).is_some_and(|token| token.is(word));
        if value && end > 1 && is(end, "from") && is(end + 2, "where") {
            signals.add(Signal::SqlBreakOut);
        }
    }

    /// `1--`, `1 * 1 /*`, `@@version --`.
    pub(super) fn only_ends(&self, signals: &mut Signals) {
        let Some((last, before)) = self.tokens.split_last() else { return };
        let ends = last.kind == Kind::Comment && matches!(last.text.trim_end(), "--" | "/*" | "-- -" | "--+");
        let value = |token: &Token<'_>| token.kind == Kind::Number || token.text.starts_with('@');
        let all = before.iter().enumerate().all(|(at, token)| {
            if at % 2 == 0 { value(token) } else { matches!(token.text, "+" | "-" | "*" | "/") }
        });
        if ends && all && before.len() % 2 == 1 && before.len() <= 7 {
            signals.add(Signal::SqlCommentEnd);
        }
    }

    /// A query in brackets and nothing else, as a value.
    pub(super) fn stands_for_a_value(&self, signals: &mut Signals) {
        if self.facts.query_in_brackets {
            signals.add(Signal::SqlProbe);
        }
    }
}
