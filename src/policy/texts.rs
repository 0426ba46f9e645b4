//! The strings of a call as the policies see them: decoded, with look-alikes folded, and what is hidden in them.

use super::understand::decode;
use std::ops::Range;

/// Decoded strings in document order.
#[derive(Debug, Default)]
pub struct Texts {
    /// String values, one per line.
    values: String,
    keys: String,
    /// What values say when they are read another way: without their SQL comments, decoded, unpacked.
    views: Vec<String>,
    value_spans: Vec<Range<usize>>,
    key_spans: Vec<Range<usize>>,
}

impl Texts {
    /// Takes the key of an object's member.
    pub fn key(&mut self, text: &str) {
        push_line(&mut self.keys, &mut self.key_spans, text);
    }

    /// Takes a string value.
    pub fn value(&mut self, text: &str) {
        push_line(&mut self.values, &mut self.value_spans, text);
        let folded = self.value_spans.last().map_or("", |span| &self.values[span.clone()]);
        self.views.extend(without_comments(folded));
        decode::views(text, &mut self.views);
    }

    /// `bytes` is the length of the JSON text, which decoded text is rarely longer than.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            values: String::with_capacity(bytes),
            keys: String::with_capacity(bytes.min(256)),
            ..Self::default()
        }
    }

    /// Everything there is to look at, in few pieces.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        [&self.values, &self.keys].into_iter().chain(&self.views).map(String::as_bytes)
    }

    /// All values together, if there is more than one.
    pub(super) fn together(&self) -> Option<&str> {
        (self.value_spans.len() > 1).then_some(self.values.as_str())
    }

    /// Every value, key, and other reading of a value.
    pub(super) fn each(&self) -> impl Iterator<Item = &str> {
        let values = self.value_spans.iter().map(|span| &self.values[span.clone()]);
        let keys = self.key_spans.iter().map(|span| &self.keys[span.clone()]);
        values.chain(keys).chain(self.views.iter().map(String::as_str))
    }
}

fn push_line(block: &mut String, spans: &mut Vec<Range<usize>>, text: &str) {
    if !spans.is_empty() {
        block.push('\n');
    }
    let start = block.len();
    if text.is_ascii() {
        block.push_str(text);
    } else {
        block.extend(text.chars().filter_map(fold));
    }
    spans.push(start..block.len());
}

/// White space of every script becomes a space, full-width forms their ASCII letters, and what cannot be seen is
/// dropped: a reader behind us may treat them so.
pub(super) fn fold(c: char) -> Option<char> {
    match c {
        c if c.is_ascii() => Some(c),
        '\u{2028}' | '\u{2029}' | '\u{85}' => Some('\n'),
        c if c.is_whitespace() => Some(' '),
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
        texts.each().map(str::to_owned).collect()
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

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_folding(text in "(/\\*|\\*/|--|\n|!|[a-zé ]|\u{200b}){0,40}") {
            proptest::prop_assert!(!each(&[&text]).is_empty());
        }
    }
}
