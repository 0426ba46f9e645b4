//! Queries and clauses put behind a value: UNION, subqueries, ORDER BY, functions that wait, second statements.

use super::{CONNECTIVES, Piece, TAKES_APART, is_jumbled};
use crate::policy::signal::{Signal, Signals};
use crate::policy::understand::tokens::Kind;

impl Piece<'_> {
    /// Whether the words behind SELECT at `at` are a list of what to select, not language.
    pub(super) fn selects(&self, at: usize) -> bool {
        let mut first = at + 1;
        while self.at(first).is_some_and(|token| {
            token.is_any(&["distinct", "all", "top"]) || (token.kind == Kind::Comment) || token.mark("(")
        }) {
            first += 1;
        }
        let Some(what) = self.at(first) else { return false };
        let next = self.at(first + 1);
        if what.is_constant() || what.mark("*") || what.text.starts_with('@') {
            return true;
        }
        what.kind == Kind::Word
            && next.is_none_or(|next| {
                matches!(next.text, "," | "(" | "." | ")" | "||" | "+" | ";" | "*")
                    || next.is("from")
                        && self
                            .at(first + 2)
                            .is_some_and(|table| !table.is_any(&["the", "a", "an", "your", "this", "our"]))
                    || next.kind == Kind::Comment && !what.is_any(&["the", "a", "one"])
            })
    }

    pub(super) fn union(&self, at: usize, first_has_table: bool, signals: &mut Signals) {
        let mut select = at + 1;
        while self.at(select).is_some_and(|token| {
            token.is_any(&["all", "distinct", "distinctrow"])
                || token.mark("(")
                || token.kind == Kind::Comment
        }) {
            select += 1;
        }
        let values = self.at(select).is_some_and(|token| token.is("values"))
            && self.at(select + 1).is_some_and(|next| next.mark("("));
        // `' union select` and no more, or `uNioN SeLeCt`: nobody but a prober writes so.
        let bare = self.has_left() && at <= 3 && select + 1 >= self.tokens.len();
        let jumbled = self.at(at).is_some_and(is_jumbled) && self.at(select).is_some_and(is_jumbled);
        if self.at(select).is_some_and(|token| token.is("select")) && (bare || jumbled) {
            return signals.add(Signal::SqlUnion);
        }
        if !values && (!self.at(select).is_some_and(|token| token.is("select")) || !self.selects(select)) {
            return;
        }
        if !self.whole {
            // "the Union select committee;": behind words of language a list must be a list.
            let list = self.tokens[select + 1..].iter().take(8);
            let is_list = list.into_iter().any(|token| {
                token.is_constant() || token.is("from") || matches!(token.text, "," | "(" | "*")
            });
            if at <= 1 || is_list || self.has_left() {
                signals.add(Signal::SqlUnion);
            }
            return;
        }
        // An honest UNION selects from tables; a probing one counts columns.
        let rest = &self.tokens[select + 1..];
        let from = self.facts.last_from.is_some_and(|last| last > select);
        let counts =
            rest.iter().take_while(|token| !token.is("from") && token.kind != Kind::Comment).all(|token| {
                token.kind == Kind::Number || token.is("null") || matches!(token.text, "," | "(" | ")" | ";")
            });
        let ends_in_comment = self.tokens.last().is_some_and(|token| {
            token.kind == Kind::Comment && token.text.trim_matches(['-', '#', '+', ' ', '/', '*']).len() <= 4
        });
        if counts && first_has_table && (!from || ends_in_comment) || ends_in_comment && !from {
            signals.add(Signal::SqlInjectedStatement);
        }
    }

    /// SELECT in brackets inside a value.
    pub(super) fn subquery(&self, at: usize, signals: &mut Signals) {
        let before = self.at(at.wrapping_sub(1));
        if before.is_some_and(|token| token.mark(";")) && self.selects(at) {
            let ends = self.tokens.last().is_some_and(|token| {
                token.kind == Kind::Comment && !token.text.bytes().any(|b| b.is_ascii_alphabetic())
            });
            if self.has_left() || ends || at == 2 {
                signals.add(Signal::SqlStacked);
            }
            return;
        }
        if !before.is_some_and(|token| token.mark("(")) || !self.selects(at) {
            return;
        }
        // What stands before the brackets.
        let outer = self.tokens[..at - 1].iter().rev().find(|token| !token.mark("("));
        let joins = outer.is_none_or(|token| {
            token.is_any(CONNECTIVES)
                || token.is_any(&[
                    "exists", "in", "not", "concat", "where", "rlike", "like", "from", "when", "then", "div",
                    "mod",
                ])
                || matches!(token.text, "=" | "<" | ">" | "||" | "," | "+" | "-" | "*" | "/" | "<>" | "!=")
                || token.is_any(TAKES_APART)
                || (self.has_left() && matches!(token.kind, Kind::Quoted { .. }))
        });
        let takes_apart = self.at(at + 1).is_some_and(|token| token.is_any(TAKES_APART))
            || self.at(at + 2).is_some_and(|token| token.is_any(TAKES_APART));
        if joins && (self.facts.compares || takes_apart) {
            signals.add(Signal::SqlProbe);
        }
    }

    /// `1 order by 10 --`, `' group by 2#`.
    pub(super) fn clause(&self, at: usize, signals: &mut Signals) {
        let by = self.at(at + 1).is_some_and(|token| token.is("by"));
        let number = self.at(at + 2).is_some_and(|token| token.kind == Kind::Number);
        if !by || !number {
            return;
        }
        let end = (at + 3..).find(|&at| self.at(at).is_none_or(|t| !(t.mark(",") || t.kind == Kind::Number)));
        let end = end.and_then(|end| self.at(end));
        let ends = end.is_none_or(|token| token.kind == Kind::Comment || token.mark(";"));
        let behind_value = at == 0
            || (1..=3).contains(&at)
                && self.at(0).is_some_and(|first| first.kind == Kind::Number || self.has_left());
        if ends && behind_value {
            signals.add(Signal::SqlClause);
        }
    }

    pub(super) fn sleep(&self, at: usize, signals: &mut Signals) {
        let called = self.at(at + 1).is_some_and(|next| next.mark("("));
        let argument = self.at(self.operand(at + 2));
        let constant = argument
            .is_some_and(|token| token.is_constant() || token.text.starts_with('@') || token.is("select"));
        let before = at.checked_sub(1).and_then(|at| self.at(at));
        let joins = before.is_some_and(|token| {
            token.is_any(CONNECTIVES)
                || token.is_any(&["select", "then", "else", "rlike", "not", "when"])
                || matches!(token.text, "(" | "," | "||" | "&&" | "=" | "-" | "+" | "*" | "<" | ">")
                || (token.mark(";") || matches!(token.kind, Kind::Quoted { .. })) && self.has_left()
        });
        // Programs call sleep too, but no program has SELECT or a connective before it.
        let sql = self.facts.sql
            || self.has_left()
            || (at == 2 && self.at(0).is_some_and(|first| first.kind == Kind::Number))
            || before.is_some_and(|token| matches!(token.text, "||" | "&&"));
        if called && constant && joins && sql {
            signals.add(Signal::SqlDelay);
        }
    }

    pub(super) fn stacked(&self, at: usize, signals: &mut Signals) {
        let behind = at.checked_sub(1).and_then(|at| self.at(at)).is_some_and(|token| token.mark(";"));
        let next = self.at(at + 1);
        let plausible = next.is_none_or(|token| {
            token.text.starts_with('@') || token.kind == Kind::Comment || token.mark(";")
        });
        if behind && plausible {
            signals.add(Signal::SqlStacked);
        }
    }
}
