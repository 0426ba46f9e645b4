//! The JSON tokenizer (RFC 8259): strict, by hand, and with a glance at what a string may hold while it passes.

use super::detect::secrets;
use super::glance::{self, Glance};
use super::limits::MIN_DIGITS;
use super::{encoded, fold};

/// The bytes are not one JSON value. Says what and where, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON at byte {at}: {what}")]
pub struct Malformed {
    /// Offset of the first byte that cannot stand where it stands.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl Malformed {
    pub(super) fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

/// One string as it stands in the bytes, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Holds at least one backslash.
    pub(super) escaped: bool,
    pub(super) glance: Glance,
}

/// One number as it stands in the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Has neither fraction nor exponent.
    pub(super) integer: bool,
}

/// Reads tokens; `at` is the next byte to read.
pub(super) struct Lexer<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// Strings up to this length are answered with one look.
const SHORT: usize = 32;

/// Whether a secret or an encoded part may stand in the text, raw or decoded; `sign` tells of a `:` or `=`.
fn may_hold_secret(text: &[u8], sign: bool) -> bool {
    secrets::may_hold(text, sign)
        || secrets::long_runs(text).any(|run| secrets::may_start(text, run) || encoded::may_start(text, run))
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        if self.at >= self.bytes.len() {
            Malformed::new(self.bytes.len(), "the text ends too early")
        } else {
            Malformed::new(self.at, what)
        }
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &'static [u8]) -> Result<(), Malformed> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.malformed("unknown word"))
        }
    }

    /// A number; `at` is its first byte.
    pub(super) fn number(&mut self) -> Result<Number, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("a number needs a digit here")?;
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            integer = false;
            self.digits("a fraction needs a digit")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            integer = false;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("an exponent needs a digit")?;
        }
        Ok(Number { start, end: self.at, integer })
    }

    fn digits(&mut self, what: &'static str) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed(what)) } else { Ok(()) }
    }

    /// A string; `at` is its opening quote and ends behind the closing one.
    pub(super) fn string(&mut self) -> Result<Text, Malformed> {
        let start = self.at + 1;
        if let Some(text) = self.short_string(start) {
            self.at = text.end + 1;
            return Ok(text);
        }
        let read = glance::read(self.bytes, start)?;
        self.at = read.end + 1;
        Ok(Text { start, end: read.end, escaped: read.escaped, glance: read.glance })
    }

    /// A string of less than [`SHORT`] bytes without escapes, whose content starts at `start`.
    #[inline]
    fn short_string(&self, start: usize) -> Option<Text> {
        let rest = self.bytes.get(start..)?;
        let mut last = [0; SHORT];
        let head = rest.first_chunk().unwrap_or_else(|| {
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        let (length, glance) = glance::short(head, rest)?;
        Some(Text { start, end: start + length, escaped: false, glance })
    }
}

/// The glance at plain text, in which control characters may stand.
pub(super) fn glance_at_text(text: &[u8]) -> Glance {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let dense = if digits >= MIN_DIGITS { Glance::DIGITS } else { 0 };
    let at_sign = if memchr::memchr(b'@', text).is_some() { Glance::AT_SIGN } else { 0 };
    let unicode = if memchr::memmem::find(text, b"\\u").is_some() { Glance::UNICODE } else { 0 };
    let secret = if may_hold_secret(text, true) { Glance::SECRET } else { 0 };
    let folded = if fold::differs(text) { Glance::FOLDED } else { 0 };
    Glance(dense | at_sign | unicode | secret | folded)
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Malformed};

    fn string(json: &str) -> Result<(bool, bool), Malformed> {
        Lexer::new(json.as_bytes()).string().map(|text| (text.escaped, text.glance.suspicious()))
    }

    #[test]
    fn clean_strings_of_any_length_raise_no_suspicion() {
        for length in 0..200 {
            let json = format!("\"{}\"", "a1 é".repeat(length).replace('1', ""));
            assert_eq!(string(&json), Ok((false, false)), "{length}");
        }
    }

    #[test]
    fn digits_are_seen_at_every_offset() {
        for offset in 0..150 {
            let json = format!("\"{}1 2-3 4.5 6 7 8{}\"", "x".repeat(offset), "y".repeat(40));
            assert_eq!(string(&json), Ok((false, true)), "{offset}");
        }
    }

    #[test]
    fn escapes_that_hide_characters_are_suspicious() {
        assert_eq!(string(r#""\u0040""#), Ok((true, true)));
        assert_eq!(string(r#""{\"a\":\"\\u0040\"}""#), Ok((true, true)));
        assert_eq!(string(r#""line\nline \/ \\ \" \t""#), Ok((true, false)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(string("\"abc"), Err(Malformed::new(4, "a string is not closed")));
        assert_eq!(string(r#""ab\x""#), Err(Malformed::new(3, "unknown escape in a string")));
        assert_eq!(string(r#""ab\u00g0""#), Err(Malformed::new(3, "unknown escape in a string")));
        let tab = Err(Malformed::new(2, "a control character in a string must be escaped"));
        assert_eq!(string("\"a\tb\""), tab);
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for good in ["0", "-0", "10", "-1.5", "1e5", "1E+5", "0.1e-2"] {
            let number = Lexer::new(good.as_bytes()).number().map(|number| number.end);
            assert_eq!(number, Ok(good.len()), "{good}");
        }
        for bad in ["-", "+1", ".5", "1.", "1e", "1e+", "--1"] {
            assert!(Lexer::new(bad.as_bytes()).number().is_err(), "{bad}");
        }
    }
}
