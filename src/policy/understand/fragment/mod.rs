//! Judges a value as a piece that somebody puts into a SQL statement: read as it stands, and read as if it began
//! inside a quoted string that it ends.

mod conditions;
mod queries;
mod quotes;

use super::tokens::{Kind, Token, tokens};
use crate::policy::signal::{Signal, Signals};

/// What wakes this kind of understanding: a word of SQL, or a connective or quote with something behind it that
/// everyday language does not have there.
pub(super) const WAKE: &str = r#"\b(?:select|union|waitfor|benchmark|sleep|shutdown|declare|extractvalue|updatexml|having|procedure|pg_sleep\w*|dbms_\w+|utl_\w+|xp_\w+|rlike|randomblob)\b|\b(?:order|group)\s+by\s+\d|\bi?if\s*\(+\s*\d|\bcase\s+(?:\S+\s+)?when\b|\d\)*\s*from\b|\A\s*[\d@][\w@.*+\s]*(?:--|/\*)|(?:\b(?:or|and|xor|not|like|div|between)\b|\|\||&&)[\s(+~!-]*(?:not\s*)?[\s(]*(?:['"\d@(]|true\b|false\b|null\b|\w+\s*(?:[=<>(]|\.\w+\s*[(.]|\b(?:like|is|in|between)\b))|['")][\s);]*(?:--|#|/\*|;|\|\||&&|[+*/=<>^%]|\b(?:or|and|xor|like|is|in|between|order|group|having|limit|div|procedure|into)\b)"#;

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
    let facts = Facts::of(&plain, text);
    let whole = is_whole(&plain);
    Piece { tokens: &plain, facts, broke_out: false, whole, named: false }.judge(signals);
    for quote in *b"'\"" {
        if memchr::memchr(quote, text.as_bytes()).is_some() && !whole {
            let inside = tokens(text, Some(quote));
            Piece {
                tokens: &inside,
                facts: Facts::of(&inside, text),
                broke_out: true,
                whole: false,
                named: false,
            }
            .judge(signals);
        }
    }
}

/// Adds what `text` does that is known to be a whole statement.
pub(super) fn judge_whole(text: &str, signals: &mut Signals) {
    let plain = tokens(text, None);
    Piece { tokens: &plain, facts: Facts::of(&plain, text), broke_out: false, whole: true, named: true }
        .judge(signals);
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
    last_from: Option<usize>,
    /// There is SELECT or a connective.
    sql: bool,
    /// The text is short and has no blank.
    tight: bool,
    /// All of it is one query in brackets.
    query_in_brackets: bool,
    /// There is something that a subquery could be compared with, or takes rows from.
    compares: bool,
}

impl Facts {
    fn of(tokens: &[Token<'_>], text: &str) -> Self {
        let from = |token: &Token<'_>| token.is("from");
        Self {
            last_from: tokens.iter().rposition(from),
            tight: text.len() <= TIGHT && !text.contains(char::is_whitespace),
            query_in_brackets: query_in_brackets(tokens),
            sql: tokens.iter().any(|token| token.is("select") || token.is_any(CONNECTIVES)),
            compares: tokens.iter().any(|token| {
                from(token) || matches!(token.text, "=" | ">" | ",") || token.text.starts_with("@@")
            }),
        }
    }
}

/// Most tokens between a quote that is left and the one that is not closed.
const CONSTANTS: usize = 24;
/// Longest such text whose only sign is that it has no blank.
const TIGHT: usize = 24;

/// CASE further inside a value is somebody's expression.
const CASE_AT: usize = 3;

/// Tokens of one function's arguments that are looked through.
const ARGUMENT_TOKENS: usize = 256;

struct Piece<'a> {
    tokens: &'a [Token<'a>],
    facts: Facts,
    /// The first token is the rest of somebody else's quoted string.
    broke_out: bool,
    /// The text begins as a statement of its own.
    whole: bool,
    /// It is known to be one.
    named: bool,
}

impl<'a> Piece<'a> {
    fn at(&self, at: usize) -> Option<&Token<'a>> {
        self.tokens.get(at)
    }

    fn judge(&self, signals: &mut Signals) {
        let mut from_since_select = false;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Word if token.is("union") => self.union(at, from_since_select, signals),
                Kind::Word => {
                    from_since_select = token.is("from") || from_since_select && !token.is("select");
                    self.word(at, token, signals);
                }
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
        } else if !self.named {
            self.stands_for_a_value(signals);
        }
    }

    fn word(&self, at: usize, token: &Token<'_>, signals: &mut Signals) {
        if token.is_any(CONNECTIVES) || (token.is("having") && !self.whole) {
            self.condition(at, signals);
        } else if token.is_any(&["if", "iif"]) && !self.whole {
            self.constant_choice(at, at + 1, signals);
        } else if token.is("case") && !self.whole && at <= CASE_AT {
            self.constant_case(at, signals);
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
                || matches!(token.text, "-" | "+") && at + 1 == self.tokens.len()
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
}

/// A word in neither lower nor upper case, and not with a capital alone.
fn is_jumbled(token: &Token<'_>) -> bool {
    let inner = &token.text.as_bytes()[1..];
    inner.iter().any(u8::is_ascii_uppercase) && token.text.bytes().any(|b| b.is_ascii_lowercase())
}

/// The first bracket holds a query and ends with the text.
fn query_in_brackets(tokens: &[Token<'_>]) -> bool {
    let opens = tokens.iter().take_while(|token| token.mark("(")).count();
    if opens == 0 || !tokens.get(opens).is_some_and(|token| token.is("select")) {
        return false;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1 == tokens.len();
        }
    }
    false
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
