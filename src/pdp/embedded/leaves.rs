//! The strings of the arguments as the rules see them: decoded, and with look-alikes folded.

use crate::pdp::strict::Strings;
use std::ops::Range;

/// Decoded strings in document order.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// String values, one per line.
    values: String,
    keys: String,
    /// Values without their SQL comments, where they have any.
    uncommented: Vec<String>,
    value_spans: Vec<Range<usize>>,
    key_spans: Vec<Range<usize>>,
}

impl Leaves {
    /// `bytes` is the length of the JSON text, which decoded text is rarely longer than.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            values: String::with_capacity(bytes),
            keys: String::with_capacity(bytes.min(256)),
            ..Self::default()
        }
    }

    /// Everything there is to look at, in few pieces.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        [&self.values, &self.keys].into_iter().chain(&self.uncommented).map(String::as_bytes)
    }

    /// All values together, if there is more than one.
    pub(super) fn together(&self) -> Option<&[u8]> {
        (self.value_spans.len() > 1).then_some(self.values.as_bytes())
    }

    /// Every value, value without comments, and key.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let values = self.value_spans.iter().map(|span| &self.values.as_bytes()[span.clone()]);
        let keys = self.key_spans.iter().map(|span| &self.keys.as_bytes()[span.clone()]);
        values.chain(keys).chain(self.uncommented.iter().map(String::as_bytes))
    }
}

impl Strings for Leaves {
    fn key(&mut self, text: &str) {
        push_line(&mut self.keys, &mut self.key_spans, text);
    }

    fn value(&mut self, text: &str) {
        push_line(&mut self.values, &mut self.value_spans, text);
        let folded = self.value_spans.last().map_or("", |span| &self.values[span.clone()]);
        self.uncommented.extend(without_comments(folded));
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
fn fold(c: char) -> Option<char> {
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
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("--")).min() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdp::strict::read_object;

    fn each(json: &str) -> Vec<String> {
        let mut leaves = Leaves::default();
        read_object(json.as_bytes(), &mut leaves).expect("sound");
        leaves.each().map(|leaf| String::from_utf8_lossy(leaf).into_owned()).collect()
    }

    #[test]
    fn w38_strings_are_decoded_and_look_alikes_folded() {
        assert_eq!(each(r#"{"k":["a\nb","\u0044ROP"]}"#), ["a\nb", "DROP", "k"]);
        assert_eq!(each("{\"k\":\"ＤＲＯＰ\u{a0}T\u{200b}ABLE\u{3000}ä\"}"), ["DROP TABLE ä", "k"]);
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
        let mut leaves = Leaves::default();
        leaves.value("rm");
        assert_eq!(leaves.together(), None);
        leaves.value("-rf");
        assert_eq!(leaves.together(), Some(&b"rm\n-rf"[..]));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_folding(text in "(/\\*|\\*/|--|\n|!|[a-zé ]|\u{200b}){0,40}") {
            let mut leaves = Leaves::default();
            leaves.value(&text);
            proptest::prop_assert!(leaves.each().count() >= 1);
        }
    }
}
