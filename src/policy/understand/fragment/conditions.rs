//! What stands behind a connective: conditions that always or never hold, and functions that take a secret apart.

use super::{ARGUMENT_TOKENS, Piece, TAKES_APART};
use crate::policy::signal::{Signal, Signals};
use crate::policy::understand::tokens::{Kind, Token};

impl Piece<'_> {
    /// What stands behind a connective at `at`.
    pub(super) fn condition(&self, at: usize, signals: &mut Signals) {
        let left_at = self.operand(at + 1);
        let Some(left) = self.at(left_at) else { return };
        if left.is("select") && left_at == at + 1 && !self.whole && self.selects(left_at) {
            signals.add(Signal::SqlProbe);
        }
        let after = self.behind_brackets(left_at + 1);
        self.names_compared(at, left_at, signals);
        if let Some(right_at) = self.comparison(after) {
            let right_at = self.operand(right_at);
            let Some(right) = self.at(right_at) else { return };
            let same = left.text.eq_ignore_ascii_case(right.text) && left.kind == Kind::Word;
            if (left.is_constant() && right.is_constant()) || (same && self.has_left()) {
                let end = self.behind_brackets(right_at + 1);
                if self.ends(end) || self.has_left() {
                    self.tautology(at, left, right, end, signals);
                }
            }
        } else if left.is_constant() && self.whole {
            let is_or = self.at(at).is_some_and(|token| token.is("or"));
            let ends = self.at(after).is_none_or(|token| token.kind == Kind::Comment);
            if is_or && ends && !matches!(left.kind, Kind::Quoted { .. }) {
                signals.add(Signal::SqlInjectedStatement);
            }
        } else if left.is_constant() {
            self.lone_constant(at, left, after, signals);
        }
        if !self.whole && left.is_any(TAKES_APART) && self.at(left_at + 1).is_some_and(|next| next.mark("("))
        {
            self.taken_apart(at, left_at, signals);
        }
    }

    /// `OR x=x`, `1 AND current_user=…`: a condition that begins the text, or stands right behind a first number.
    pub(super) fn names_compared(&self, at: usize, left_at: usize, signals: &mut Signals) {
        let begins = at == 0 || at == 1 && self.at(0).is_some_and(|first| first.kind == Kind::Number);
        let (Some(left), Some(operator), Some(right)) =
            (self.at(left_at), self.at(left_at + 1), self.at(left_at + 2))
        else {
            return;
        };
        if self.whole || !begins || left.kind != Kind::Word || !operator.mark("=") {
            return;
        }
        let server = [
            "current_user",
            "session_user",
            "system_user",
            "user",
            "database",
            "version",
            "sysdate",
            "rownum",
        ];
        let names = right.kind == Kind::Word && self.ends(left_at + 3);
        let comment = self.at(left_at + 3).is_some_and(|token| token.kind == Kind::Comment);
        let short = left.text.len() == 1 && right.text.len() == 1;
        if left.is_any(&server) || names && (comment || short || left.text.eq_ignore_ascii_case(right.text)) {
            signals.add(Signal::SqlTautology);
        }
    }

    pub(super) fn tautology(
        &self,
        at: usize,
        left: &Token<'_>,
        right: &Token<'_>,
        end: usize,
        signals: &mut Signals,
    ) {
        if !self.whole {
            signals.add(Signal::SqlTautology);
            if self.at(at).is_some_and(|token| token.is("having")) {
                signals.add(Signal::SqlClause);
            }
            return;
        }
        // Builders write `1=1 AND`; an OR, or long numbers that compare alike, nobody writes.
        let comment_follows = self.at(end).is_some_and(|token| token.kind == Kind::Comment);
        let is_or = self.at(at).is_some_and(|token| token.is("or") || token.is("xor"));
        let long =
            left.text.len() > 2 && left.kind == right.kind && left.text.eq_ignore_ascii_case(right.text);
        if is_or || long || comment_follows {
            signals.add(Signal::SqlInjectedStatement);
        }
    }

    /// `' or 1 --`, `' or true#`.
    pub(super) fn lone_constant(&self, at: usize, left: &Token<'_>, after: usize, signals: &mut Signals) {
        let ends = match self.at(after) {
            None => true,
            Some(token) => token.kind == Kind::Comment || token.mark(";"),
        };
        let is_or = self.at(at).is_some_and(|token| token.is("or") || token.mark("||") || token.is("xor"));
        let sql_comment =
            self.at(after).is_some_and(|token| token.kind == Kind::Comment && !token.text.starts_with('#'));
        let open_text = left.kind == (Kind::Quoted { closed: false })
            && left.text.len() <= 12
            && self.behind_brackets(1) == at;
        if is_or
            && ends
            && ((self.has_left() && at <= 3 && (sql_comment || open_text || left.kind == Kind::Number))
                || (at <= 2 && sql_comment && !matches!(left.kind, Kind::Quoted { .. })))
        {
            signals.add(Signal::SqlTautology);
        }
    }

    /// A function that takes a secret apart, behind a connective at `at`, and compared or at the end.
    pub(super) fn taken_apart(&self, at: usize, function: usize, signals: &mut Signals) {
        let mut depth = 0_u32;
        for (offset, token) in self.tokens[function + 1..].iter().take(ARGUMENT_TOKENS).enumerate() {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                let next = self.behind_brackets(function + offset + 2);
                let code = self.at(at).is_some_and(|token| token.kind == Kind::Mark) && !self.has_left();
                if !code && (self.comparison(next).is_some() || (self.has_left() && self.ends(next))) {
                    signals.add(Signal::SqlProbe);
                }
                return;
            }
        }
    }

    /// `IF(7423=7424)`, `WHEN (1=1)`: a choice between constants, which only asks whether it is asked.
    pub(super) fn constant_choice(&self, at: usize, left: usize, signals: &mut Signals) {
        let opens = self.at(at).is_some_and(|token| token.is("when"))
            || self.at(at + 1).is_some_and(|token| token.mark("("));
        let left = self.operand(left);
        let right = self.operand(left + 2);
        let number = |at: usize| self.at(at).is_some_and(|token| token.kind == Kind::Number);
        if opens
            && number(left)
            && number(right)
            && self.at(left + 1).is_some_and(|token| matches!(token.text, "=" | "<" | ">" | "<>" | "!="))
        {
            signals.add(Signal::SqlProbe);
        }
    }

    /// `CASE 1 WHEN 2 THEN …`, `CASE WHEN 's' THEN …`, `CASE WHEN (1=1) THEN …` at the start of a value.
    pub(super) fn constant_case(&self, at: usize, signals: &mut Signals) {
        let Some(when) = (at + 1..at + 8).find(|&at| self.at(at).is_some_and(|token| token.is("when")))
        else {
            return;
        };
        let constant = self.at(self.operand(when + 1));
        let call = self.at(when + 2).is_some_and(|token| token.mark("("));
        let then = (when + 2..when + 8).find(|&at| self.at(at).is_some_and(|token| token.is("then")));
        if then == Some(when + 2) && constant.is_some_and(|token| token.is_constant())
            || then.is_some() && call && self.tokens.len() <= 24
        {
            signals.add(Signal::SqlProbe);
        }
        self.constant_choice(when, when + 1, signals);
    }
}
