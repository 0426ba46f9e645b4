//! Judges a value as a piece that somebody puts into a SQL statement: read as it stands, and read as if it began
//! inside a quoted string that it ends.

use super::tokens::{Kind, Token, tokens};
use crate::policy::signal::{Signal, Signals};

/// What wakes this kind of understanding: a word of SQL, or a connective or quote with something behind it that
/// everyday language does not have there.
pub(super) const WAKE: &str = r#"\b(?:select|union|waitfor|benchmark|sleep|shutdown|declare|extractvalue|updatexml|having|procedure|pg_sleep\w*|dbms_\w+|utl_\w+|xp_\w+|rlike|randomblob)\b|\b(?:order|group)\s+by\s+\d|(?:\b(?:or|and|xor|not|like|div|between)\b|\|\||&&)[\s(+~!-]*(?:not\s*)?[\s(]*(?:['"\d@(]|true\b|false\b|null\b|\w+\s*(?:[=<>(]|\.\w+\s*[(.]|\b(?:like|is|in|between)\b))|['")][\s);]*(?:--|#|/\*|;|\|\||&&|[+*/=<>^%]|\b(?:or|and|xor|like|is|in|between|order|group|having|limit|div|procedure|into)\b)"#;

const CONNECTIVES: &[&str] = &["or", "and", "xor"];
const VERBS: &[&str] =
    &["select", "with", "insert", "update", "delete", "merge", "explain", "replace", "create", "values"];
/// Words behind which a condition has ended.
const ENDS: &[&str] = &[
    "limit",
    "order",
    "group",
    "union",
    "having",
    "procedure",
    "into",
    "offset",
    "for",
    "as",
    "rlike",
    "like",
];
/// Functions that make the server wait, or call out.
const DELAYS: &[&str] = &["pg_sleep", "pg_sleep_for", "dbms_lock", "dbms_pipe", "randomblob", "dbms_session"];
/// Names that only probing uses.
const PROBES: &[&str] = &[
    "utl_inaddr",
    "utl_http",
    "ctxsys",
    "dbms_xmlgen",
    "dbms_utility",
    "httpuritype",
    "xp_dirtree",
    "xp_cmdshell",
    "xp_regread",
    "xp_fileexist",
    "openrowset",
    "extractvalue",
    "updatexml",
    "gtid_subset",
    "json_keys",
    "load_file",
    "sp_executesql",
    "sp_password",
    "sp_oacreate",
    "xmltype",
    "dbms_ldap",
    "sys_eval",
    "sys_exec",
    "drithsx",
];
/// Functions that take a secret apart, once they stand in a condition.
const TAKES_APART: &[&str] = &[
    "ascii",
    "substring",
    "substr",
    "mid",
    "ord",
    "length",
    "char_length",
    "len",
    "unicode",
    "version",
    "user",
    "database",
    "current_user",
    "schema",
    "hex",
    "unhex",
    "elt",
    "make_set",
    "if",
    "ifnull",
    "exp",
    "floor",
    "rand",
    "sleep",
    "benchmark",
    "count",
    "exists",
    "left",
    "right",
    "cast",
    "convert",
    "concat",
    "char",
    "chr",
    "md5",
    "sha1",
    "iif",
    "row",
    "case",
    "generate_series",
    "regexp_substring",
    "repeat",
    "crypt_key",
    "current_setting",
    "cot",
];

/// Adds what `text` does when it is put into a statement.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    let plain = tokens(text, None);
    let facts = Facts::of(&plain);
    let whole = is_whole(&plain);
    Piece { tokens: &plain, facts, broke_out: false, whole }.judge(signals);
    for quote in *b"'\"" {
        if memchr::memchr(quote, text.as_bytes()).is_some() && !whole {
            let inside = tokens(text, Some(quote));
            Piece { tokens: &inside, facts: Facts::of(&inside), broke_out: true, whole: false }
                .judge(signals);
        }
    }
}

/// Adds what `text` does that is known to be a whole statement.
pub(super) fn judge_whole(text: &str, signals: &mut Signals) {
    let plain = tokens(text, None);
    Piece { tokens: &plain, facts: Facts::of(&plain), broke_out: false, whole: true }.judge(signals);
}

/// The text begins as a statement does.
fn is_whole(tokens: &[Token<'_>]) -> bool {
    let mut code = tokens.iter().filter(|token| token.kind != Kind::Comment);
    code.next().is_some_and(|first| first.is_any(VERBS) || first.mark("("))
        && tokens.iter().take(4).any(|token| token.is_any(VERBS))
}

/// What is asked of all tokens again and again, found once.
#[derive(Clone, Copy)]
struct Facts {
    first_from: Option<usize>,
    last_from: Option<usize>,
    /// There is SELECT or a connective.
    sql: bool,
    /// There is something that a subquery could be compared with, or takes rows from.
    compares: bool,
}

impl Facts {
    fn of(tokens: &[Token<'_>]) -> Self {
        let from = |token: &Token<'_>| token.is("from");
        Self {
            first_from: tokens.iter().position(from),
            last_from: tokens.iter().rposition(from),
            sql: tokens.iter().any(|token| token.is("select") || token.is_any(CONNECTIVES)),
            compares: tokens.iter().any(|token| {
                from(token) || matches!(token.text, "=" | ">" | ",") || token.text.starts_with("@@")
            }),
        }
    }
}

/// Tokens of one function's arguments that are looked through.
const ARGUMENT_TOKENS: usize = 256;

struct Piece<'a> {
    tokens: &'a [Token<'a>],
    facts: Facts,
    /// The first token is the rest of somebody else's quoted string.
    broke_out: bool,
    /// The text begins as a statement of its own.
    whole: bool,
}

impl<'a> Piece<'a> {
    fn at(&self, at: usize) -> Option<&Token<'a>> {
        self.tokens.get(at)
    }

    fn judge(&self, signals: &mut Signals) {
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Word => self.word(at, token, signals),
                Kind::Mark if matches!(token.text, "||" | "&&") => self.condition(at, signals),
                // `WHERE user = 'admin'--' AND …`: the rest of the statement is commented away from its quote on.
                Kind::Comment if self.whole && token.text.starts_with("--'") => {
                    signals.add(Signal::SqlInjectedStatement);
                }
                _ => {}
            }
        }
        if self.broke_out {
            self.leaves_quote(signals);
        } else if !self.whole {
            self.leaves_brackets(signals);
        }
    }

    fn word(&self, at: usize, token: &Token<'_>, signals: &mut Signals) {
        if token.is_any(CONNECTIVES) || (token.is("having") && !self.whole) {
            self.condition(at, signals);
        } else if token.is("union") {
            self.union(at, signals);
        } else if token.is("select") && !self.whole && at > 0 {
            self.subquery(at, signals);
        } else if token.is_any(&["order", "group"]) && !self.whole {
            self.clause(at, signals);
        } else if token.is_any(&["sleep", "benchmark"]) {
            self.sleep(at, signals);
        } else if (token.is("waitfor") && self.at(at + 1).is_some_and(|next| next.is("delay")))
            || (token.is_any(DELAYS) && self.at(at + 1).is_some_and(|next| next.mark("(") || next.mark(".")))
        {
            signals.add(Signal::SqlDelay);
        } else if token.is_any(PROBES) && self.at(at + 1).is_some_and(|next| next.mark("(") || next.mark("."))
        {
            self.probe_name(at, token, signals);
        } else if token.is("procedure") && self.at(at + 1).is_some_and(|next| next.is("analyse")) {
            signals.add(Signal::SqlProbe);
        } else if token.is_any(&["shutdown", "declare"]) {
            self.stacked(at, signals);
        }
    }

    fn probe_name(&self, at: usize, token: &Token<'_>, signals: &mut Signals) {
        // XML functions and files have honest uses in statements and in programs.
        let common = token.is_any(&["extractvalue", "updatexml", "load_file", "json_keys", "xmltype"]);
        if !common || (self.broke_out && !self.first_is_long()) || self.connective_before(at) {
            signals.add(Signal::SqlProbe);
        }
    }

    /// A connective or comparison at most four tokens before.
    fn connective_before(&self, at: usize) -> bool {
        self.tokens[at.saturating_sub(4)..at]
            .iter()
            .any(|token| token.is_any(CONNECTIVES) || token.is("rlike"))
    }

    fn first_is_long(&self) -> bool {
        self.at(0).is_none_or(|first| first.text.len() > 80)
    }

    /// A quote was left: the first token is closed text, and only a little of it.
    fn has_left(&self) -> bool {
        self.broke_out && self.at(0).is_some_and(|first| first.kind == Kind::Quoted { closed: true })
    }

    /// Where an operand begins behind `at`: signs, brackets and NOT are passed over.
    fn operand(&self, mut at: usize) -> usize {
        let passed = |token: &Token<'_>| {
            token.is_any(&["not", "binary", "all", "some", "any"])
                || matches!(token.text, "(" | "!" | "+" | "-" | "~" | "!!")
                || token.kind == Kind::Comment && token.text.starts_with("/*")
        };
        while self.at(at).is_some_and(passed) {
            at += 1;
        }
        at
    }

    /// End of a comparison's operator at `at`, if one stands there.
    fn comparison(&self, at: usize) -> Option<usize> {
        let token = self.at(at)?;
        if matches!(token.text, "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "<=>") {
            return Some(at + 1);
        }
        if token.is("not") {
            return self.comparison(at + 1);
        }
        let words = ["like", "rlike", "regexp", "in", "is", "between", "ilike", "glob", "div", "sounds"];
        token.is_any(&words).then_some(at + 1)
    }

    /// Whether a condition can end at `at`.
    fn ends(&self, at: usize) -> bool {
        self.at(at).is_none_or(|token| {
            token.kind == Kind::Comment
                || matches!(token.text, ")" | ";" | "||" | "&&" | ",")
                || token.is_any(CONNECTIVES)
                || token.is_any(ENDS)
                || matches!(token.kind, Kind::Quoted { closed: false })
        })
    }

    fn behind_brackets(&self, mut at: usize) -> usize {
        while self.at(at).is_some_and(|token| token.mark(")")) {
            at += 1;
        }
        at
    }

    /// What stands behind a connective at `at`.
    fn condition(&self, at: usize, signals: &mut Signals) {
        let left_at = self.operand(at + 1);
        let Some(left) = self.at(left_at) else { return };
        let after = self.behind_brackets(left_at + 1);
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

    fn tautology(&self, at: usize, left: &Token<'_>, right: &Token<'_>, end: usize, signals: &mut Signals) {
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
    fn lone_constant(&self, at: usize, left: &Token<'_>, after: usize, signals: &mut Signals) {
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
    fn taken_apart(&self, at: usize, function: usize, signals: &mut Signals) {
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

    /// Whether the words behind SELECT at `at` are a list of what to select, not language.
    fn selects(&self, at: usize) -> bool {
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

    fn union(&self, at: usize, signals: &mut Signals) {
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
        let first_has_table = self.facts.first_from.is_some_and(|first| first < at);
        let ends_in_comment = self.tokens.last().is_some_and(|token| {
            token.kind == Kind::Comment && token.text.trim_matches(['-', '#', '+', ' ', '/', '*']).len() <= 4
        });
        if counts && first_has_table && (!from || ends_in_comment) || ends_in_comment && !from {
            signals.add(Signal::SqlInjectedStatement);
        }
    }

    /// SELECT in brackets inside a value.
    fn subquery(&self, at: usize, signals: &mut Signals) {
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
                    "exists", "in", "not", "concat", "where", "rlike", "like", "from", "when", "then",
                ])
                || matches!(token.text, "=" | "<" | ">" | "||" | "," | "+" | "-" | "*" | "/" | "<>" | "!=")
                || token.is_any(TAKES_APART)
                || (self.has_left() && matches!(token.kind, Kind::Quoted { .. }))
        });
        if joins && self.facts.compares {
            signals.add(Signal::SqlProbe);
        }
    }

    /// `1 order by 10 --`, `' group by 2#`.
    fn clause(&self, at: usize, signals: &mut Signals) {
        let by = self.at(at + 1).is_some_and(|token| token.is("by"));
        let number = self.at(at + 2).is_some_and(|token| token.kind == Kind::Number);
        if !by || !number {
            return;
        }
        let end = (at + 3..).find(|&at| self.at(at).is_none_or(|t| !(t.mark(",") || t.kind == Kind::Number)));
        let end = end.and_then(|end| self.at(end));
        let ends = end.is_none_or(|token| token.kind == Kind::Comment || token.mark(";"));
        let behind_value = (1..=3).contains(&at)
            && self.at(0).is_some_and(|first| first.kind == Kind::Number || self.has_left());
        if ends && behind_value {
            signals.add(Signal::SqlClause);
        }
    }

    fn sleep(&self, at: usize, signals: &mut Signals) {
        let called = self.at(at + 1).is_some_and(|next| next.mark("("));
        let argument = self.at(self.operand(at + 2));
        let constant = argument
            .is_some_and(|token| token.is_constant() || token.text.starts_with('@') || token.is("select"));
        let before = at.checked_sub(1).and_then(|at| self.at(at));
        let joins = before.is_some_and(|token| {
            token.is_any(CONNECTIVES)
                || token.is_any(&["select", "then", "else", "rlike", "not", "when"])
                || matches!(token.text, "(" | "," | "||" | "=" | "-" | "+" | "*" | "<" | ">")
                || (token.mark(";") || matches!(token.kind, Kind::Quoted { .. })) && self.has_left()
        });
        // Programs call sleep too, but no program has SELECT or a connective before it.
        let sql = self.facts.sql
            || self.has_left()
            || (at == 2 && self.at(0).is_some_and(|first| first.kind == Kind::Number));
        if called && constant && joins && sql {
            signals.add(Signal::SqlDelay);
        }
    }

    fn stacked(&self, at: usize, signals: &mut Signals) {
        let behind = at.checked_sub(1).and_then(|at| self.at(at)).is_some_and(|token| token.mark(";"));
        let next = self.at(at + 1);
        let plausible = next.is_none_or(|token| {
            token.text.starts_with('@') || token.kind == Kind::Comment || token.mark(";")
        });
        if behind && plausible {
            signals.add(Signal::SqlStacked);
        }
    }

    /// The text ends a quote: what follows decides.
    fn leaves_quote(&self, signals: &mut Signals) {
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

    /// `1) --`, `1)) or`: the text ends brackets that it did not open.
    fn leaves_brackets(&self, signals: &mut Signals) {
        let end = self.behind_brackets(1);
        let value = self.at(0).is_some_and(|first| first.kind == Kind::Number);
        let comment = self.at(end).is_some_and(|token| {
            token.kind == Kind::Comment && token.text.trim_matches(['-', '#', '+', ' ', '/', '*']).is_empty()
        });
        if value && end > 1 && comment {
            signals.add(Signal::SqlCommentEnd);
        }
    }
}

/// Three words in a row that SQL never has so.
fn is_language(tokens: &[Token<'_>]) -> bool {
    let plain = |token: &Token<'_>| {
        token.kind == Kind::Word
            && !token.is_any(CONNECTIVES)
            && !token.is_any(ENDS)
            && !token.is_any(&[
                "select", "from", "where", "not", "is", "null", "in", "between", "exists", "by", "case",
                "when", "then", "end", "else", "all", "distinct",
            ])
    };
    tokens.windows(3).any(|three| three.iter().all(plain))
}
