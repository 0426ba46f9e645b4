//! The strings of a call as the policies see them: decoded, with look-alikes folded, and what is hidden in them.

use super::understand::decode::{self, Marks, Views};
use std::ops::Range;

/// Decoded strings in document order.
#[derive(Debug, Default)]
pub struct Texts {
    /// String values, one per line.
    values: Block,
    keys: Block,
    /// `key=value` where the key's name makes a secret of its value.
    pairs: Block,
    /// What values say when they are read another way: without their SQL comments, decoded, unpacked.
    views: Views,
    /// The values that stand under a key whose name says that they are SQL, by their place.
    statements: Vec<usize>,
    /// What the last key says of the values behind it.
    under: Under,
}

/// Strings, one per line, and where each stands.
#[derive(Debug, Default)]
struct Block {
    text: String,
    spans: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Under {
    sql: bool,
    secret: bool,
}

/// Keys whose strings are SQL statements, or questions that may be some.
const SQL_KEYS: &[&str] = &[
    "sql",
    "query",
    "statement",
    "statements",
    "queries",
    "stmt",
    "sql_query",
    "sqlquery",
    "query_sql",
    "raw_sql",
    "sql_statement",
    "sqlstatement",
    "sqltext",
    "sql_text",
    "command_text",
];
/// What names of secrets contain; which of them is one with its value, the patterns say.
const SECRET_NAMES: &[&str] =
    &["pass", "pwd", "secret", "token", "api", "auth", "credential", "connection", "private"];
/// Tokens that say where a list goes on, not who asks.
const PLACES: &[&str] = &["page", "next", "continu", "sync", "cursor", "cancel", "progress"];
/// Longest key and longest value that are looked at together.
const PAIR_BYTES: usize = 4_096;

impl Under {
    fn of(key: &str) -> Self {
        if key.len() > 64 {
            return Self::default();
        }
        let sql =
            matches!(key.as_bytes().first(), Some(b's' | b'S' | b'q' | b'Q' | b'r' | b'R' | b'c' | b'C'))
                && SQL_KEYS.iter().any(|name| key.eq_ignore_ascii_case(name));
        Self { sql, secret: contains(key, SECRET_NAMES) && !contains(key, PLACES) }
    }
}

/// Whether one of the words, all in lower case, stands in the key.
fn contains(key: &str, words: &[&str]) -> bool {
    let key = key.as_bytes();
    let stands_at = |at: usize, word: &&str| {
        key.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    (0..key.len()).any(|at| {
        let first = key[at].to_ascii_lowercase();
        words.iter().any(|word| word.as_bytes().first() == Some(&first) && stands_at(at, word))
    })
}

impl Texts {
    /// Takes the key of an object's member.
    pub fn key(&mut self, text: &str) {
        self.keys.push(text);
        self.under = Under::of(text);
    }

    /// Takes a string value.
    pub fn value(&mut self, text: &str) {
        if self.under.sql {
            self.statements.push(self.values.spans.len());
        }
        self.values.push(text);
        if self.under.secret && text.len() <= PAIR_BYTES {
            let pair = format!("{}={text}", self.keys.last());
            self.pairs.push(&pair);
        }
        let marks = Marks::of(text);
        if marks.may_hold_comments()
            && let Some(bare) = without_comments(self.values.last())
        {
            self.views.add(bare);
        }
        decode::views(text, marks, &mut self.views);
    }

    /// `bytes` is the length of the JSON text, which decoded text is rarely longer than.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut texts = Self::default();
        texts.values.text.reserve(bytes);
        texts.keys.text.reserve(bytes.min(256));
        texts
    }

    /// Everything there is to look at, in few pieces; the values first.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Lines<'_>> {
        let values = Lines { statements: &self.statements, ..self.values.lines() };
        [values, self.keys.lines(), self.pairs.lines()].into_iter().chain(self.views.blocks())
    }

    /// The values whose keys say that they are SQL.
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().map(|at| &self.values.text[self.values.spans[*at].clone()])
    }

    /// All values together, if there is more than one.
    pub(super) fn together(&self) -> Option<&str> {
        (self.values.spans.len() > 1).then_some(self.values.text.as_str())
    }

    /// Every key, at any depth; an ASCII one as it stands there.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.each()
    }

    /// Every value, key, pair of both, and other reading of a value; with it whether its key says that it is SQL.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, bool)> {
        self.blocks().flat_map(|block| block.each())
    }
}

/// Texts that stand in one, line by line.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    /// All of them.
    pub(super) text: &'a str,
    /// Where each stands.
    pub(super) spans: &'a [Range<usize>],
    /// Those whose keys say that they are SQL.
    pub(super) statements: &'a [usize],
}

impl<'a> Lines<'a> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Each of them; with it whether its key says that it is SQL.
    pub(super) fn each(self) -> impl Iterator<Item = (&'a str, bool)> {
        let sql = move |at: usize| !self.statements.is_empty() && self.statements.binary_search(&at).is_ok();
        self.spans.iter().enumerate().map(move |(at, span)| (&self.text[span.clone()], sql(at)))
    }
}

impl Block {
    fn push(&mut self, text: &str) {
        if !self.spans.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        if text.is_ascii() {
            self.text.push_str(text);
        } else {
            self.text.extend(text.chars().filter_map(fold));
        }
        self.spans.push(start..self.text.len());
    }

    fn each(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().map(|span| &self.text[span.clone()])
    }

    fn lines(&self) -> Lines<'_> {
        Lines { text: &self.text, spans: &self.spans, statements: &[] }
    }

    fn last(&self) -> &str {
        self.spans.last().map_or("", |span| &self.text[span.clone()])
    }
}

/// White space of every script becomes a space, full-width forms their ASCII letters, and what cannot be seen is
/// dropped: a reader behind us may treat them so.
pub(super) fn fold(c: char) -> Option<char> {
    match c {
        c if c.is_ascii() => Some(c),
        '\u{2028}' | '\u{2029}' | '\u{85}' => Some('\n'),
        c if c.is_whitespace() => Some(' '),
        '\u{3002}' | '\u{ff61}' => Some('.'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xff01 + 0x21),
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}' => None,
        c => Some(c),
    }
}

/// The text with a space in place of each SQL comment, if it has any. MySQL runs what stands in `/*! … */`, so
/// that stays. Line comments count only where a line follows that they hide the connection to.
fn without_comments(text: &str) -> Option<String> {
    let hides = text.contains("/*") || (text.contains("--") && text.contains('\n'));
    if !hides {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = comment_start(rest) {
        out.push_str(&rest[..at]);
        out.push(' ');
        let comment = &rest[at + 2..];
        rest = if !rest[at..].starts_with("/*") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if let Some(run) = comment.strip_prefix('!') {
            run.trim_start_matches(|c: char| c.is_ascii_digit())
        } else {
            // SQL ends at an open comment, too.
            comment.find("*/").map_or("", |end| &comment[end + 2..])
        };
    }
    out.push_str(rest);
    Some(out.replace("*/", " "))
}

/// Where the first `/*` or `--` begins. One pass for both: searching for each on its own would look through the whole
/// rest again and again for the one that is not there.
fn comment_start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'/', b'-', bytes)
        .find(|&at| matches!((bytes[at], bytes.get(at + 1)), (b'/', Some(b'*')) | (b'-', Some(b'-'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(values: &[&str]) -> Vec<String> {
        let mut texts = Texts::default();
        values.iter().for_each(|value| texts.value(value));
        texts.each().map(|(text, _)| text.to_owned()).collect()
    }

    #[test]
    fn look_alikes_are_folded() {
        assert_eq!(each(&["ＤＲＯＰ\u{a0}T\u{200b}ABLE\u{3000}ä"])[0], "DROP TABLE ä");
    }

    #[test]
    fn w38_comments_are_seen_through() {
        let without = |text: &str| without_comments(text).expect("has comments");
        assert_eq!(without("UNION/**/SELECT"), "UNION SELECT");
        assert_eq!(without("a/*x*/b/*y"), "a b ");
        assert_eq!(without("/*!50000UNION*/ SELECT").trim(), "UNION  SELECT");
        assert_eq!(without("DROP -- why\nTABLE x"), "DROP  \nTABLE x");
        assert_eq!(without_comments("a -- b"), None);
        assert_eq!(without_comments("plain"), None);
    }

    #[test]
    fn together_needs_two() {
        let mut texts = Texts::default();
        texts.value("rm");
        assert_eq!(texts.together(), None);
        texts.value("-rf");
        assert_eq!(texts.together(), Some("rm\n-rf"));
    }

    #[test]
    fn what_a_key_says_of_its_value_is_kept() {
        let mut texts = Texts::default();
        for (key, value) in [("query", "SELECT 1"), ("dbPassword", "hunter2"), ("next_page_token", "abc")] {
            texts.key(key);
            texts.value(value);
        }
        let all: Vec<_> = texts.each().collect();
        assert!(all.contains(&("SELECT 1", true)) && all.contains(&("hunter2", false)));
        assert!(all.contains(&("dbPassword=hunter2", false)));
        assert!(!all.iter().any(|(text, _)| text.starts_with("next_page_token=")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_folding(text in "(/\\*|\\*/|--|\n|!|[a-zé ]|\u{200b}){0,40}") {
            proptest::prop_assert!(!each(&[&text]).is_empty());
        }
    }
}
