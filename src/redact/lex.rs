//! The JSON tokenizer (RFC 8259): strict, by hand, and with a glance at what a string may hold while it passes.

use super::detect::secrets;
use super::limits::MIN_DIGITS;
use super::{encoded, escape, fold, words};

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

/// What a string may hold, learned while it passed. An unset flag is certain, a set one is only a suspicion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Glance(u8);

impl Glance {
    /// Enough digits close together for the shortest number that a detector takes.
    const DIGITS: u8 = 1;
    const AT_SIGN: u8 = 2;
    /// `\u`, here or in JSON inside: any character may hide behind it.
    const UNICODE: u8 = 4;
    const BRACKET: u8 = 8;
    /// A secret by form or by name, or text in base64 or hexadecimal.
    const SECRET: u8 = 16;
    /// Characters that read differently from what they are.
    const FOLDED: u8 = 32;

    /// At least one digit, in a short string.
    const ANY_DIGIT: u8 = 64;

    /// Whether a digit or an `@` was seen; only told of short strings.
    pub(super) fn telling(self) -> bool {
        self.0 & (Self::ANY_DIGIT | Self::AT_SIGN) != 0
    }

    /// What a number may hold.
    pub(super) const NUMBER: Self = Self(Self::DIGITS);

    /// Everything may stand in the text.
    pub(super) const ALL: Self = Self(0xFF);

    /// Whether enough digits or an `@` may stand in the text.
    pub(super) fn may_hold_values(self) -> bool {
        self.0 & (Self::DIGITS | Self::AT_SIGN | Self::UNICODE) != 0
    }

    /// Whether a secret or an encoded part may stand in the text.
    pub(super) fn may_hold_secret(self) -> bool {
        self.0 & (Self::SECRET | Self::AT_SIGN | Self::UNICODE) != 0
    }

    /// Whether characters that read differently may stand in the text.
    pub(super) fn may_fold(self) -> bool {
        self.0 & (Self::FOLDED | Self::UNICODE) != 0
    }

    /// Whether any detector might find something.
    pub(super) fn suspicious(self) -> bool {
        self.may_hold_values() || self.may_hold_secret() || self.may_fold()
    }

    /// Whether the text might hold a token of ours already, all of which start with `[`.
    pub(super) fn may_hold_token(self) -> bool {
        self.0 & (Self::BRACKET | Self::UNICODE) != 0
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

const DIGIT: u8 = 1;
const AT: u8 = 2;
const OPEN: u8 = 4;
const STOP: u8 = 8;
/// `:` and `=`, behind which the value of a name stands.
const SIGN: u8 = 16;
/// Bytes of characters beyond ASCII, and signs that start codes.
const ODD: u8 = 32;
/// What ends a run of letters and digits.
const GAP: u8 = 64;

const CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = STOP;
        byte += 1;
    }
    byte = b'0' as usize;
    while byte <= b'9' as usize {
        table[byte] = DIGIT;
        byte += 1;
    }
    table[b'"' as usize] = STOP;
    table[b'\\' as usize] = STOP;
    byte = 0x20;
    while byte < 256 {
        let value = byte as u8;
        if byte >= 0x80 {
            table[byte] |= ODD | GAP;
        } else if !value.is_ascii_alphanumeric() && !matches!(value, b'_' | b'-' | b'.') {
            table[byte] |= GAP;
        }
        byte += 1;
    }
    table[b'@' as usize] |= AT;
    table[b'[' as usize] |= OPEN;
    table[b':' as usize] |= SIGN;
    table[b'=' as usize] |= SIGN;
    table[b'%' as usize] |= ODD;
    table[b'&' as usize] |= ODD;
    table
};

/// Strings up to this length are read byte by byte; searching by vector pays for longer ones only.
const SHORT: usize = 32;
const BLOCK: usize = 32;
const WIDE: usize = 4 * BLOCK;
const _: () = assert!(WIDE <= u8::MAX as usize);
/// Fewest letters and digits of a string in which a secret by form or an encoded part may stand.
const SHORTEST_HINT: usize = 12;

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
        let head = &self.bytes[start..self.bytes.len().min(start + SHORT)];
        let mut seen = 0;
        let mut digits = 0usize;
        let mut gaps = 0usize;
        for (offset, &byte) in head.iter().enumerate() {
            let class = CLASS[usize::from(byte)];
            if class & STOP != 0 {
                if byte != b'"' {
                    break;
                }
                let end = start + offset;
                self.at = end + 1;
                let raw = &self.bytes[start..end];
                let secret = offset >= gaps + SHORTEST_HINT || seen & SIGN != 0;
                let glance = Glance(
                    if digits >= MIN_DIGITS { Glance::DIGITS } else { 0 }
                        | if digits > 0 { Glance::ANY_DIGIT } else { 0 }
                        | if seen & AT != 0 { Glance::AT_SIGN } else { 0 }
                        | if seen & OPEN != 0 { Glance::BRACKET } else { 0 }
                        | if secret && may_hold_secret(raw, seen & SIGN != 0) { Glance::SECRET } else { 0 }
                        | if seen & ODD != 0 && fold::differs(raw) { Glance::FOLDED } else { 0 },
                );
                return Ok(Text { start, end, escaped: false, glance });
            }
            seen |= class;
            digits += usize::from(class & DIGIT);
            gaps += usize::from(class / GAP);
        }
        self.long_string(start)
    }

    fn long_string(&mut self, start: usize) -> Result<Text, Malformed> {
        let mut at = start;
        let mut escaped = false;
        let mut unicode = false;
        loop {
            let Some(found) = words::find(self.bytes, at, b'"', b'\\') else {
                return Err(Malformed::new(self.bytes.len(), "a string is not closed"));
            };
            at = found;
            if self.bytes[at] == b'"' {
                break;
            }
            escaped = true;
            while self.bytes.get(at) == Some(&b'\\') {
                let length = escape::length(&self.bytes[at..])
                    .ok_or_else(|| Malformed::new(at, "unknown escape in a string"))?;
                at += length;
                // `\\u` is an escape in JSON inside this string.
                unicode |= length > 2 || (self.bytes[at - 1] == b'\\' && self.bytes.get(at) == Some(&b'u'));
            }
        }
        self.at = at + 1;
        let raw = &self.bytes[start..at];
        let LongGlance { mut glance, sign, odd } = glance(raw, start)?;
        if unicode {
            glance.0 |= Glance::UNICODE;
        }
        if may_hold_secret(raw, sign) {
            glance.0 |= Glance::SECRET;
        }
        if (odd || escaped) && fold::differs(raw) {
            glance.0 |= Glance::FOLDED;
        }
        Ok(Text { start, end: at, escaped, glance })
    }
}

/// What a look at a long string tells.
struct LongGlance {
    glance: Glance,
    /// Holds `:` or `=`.
    sign: bool,
    /// Holds characters beyond ASCII, or signs that start codes.
    odd: bool,
}

/// Looks at the raw bytes of a string, one question after the other and [`WIDE`] bytes at a time: each of these loops
/// becomes vector code whose sum is taken once at its end.
///
/// Eight digits with single separators span at most 15 bytes, so they lie in one block or in two neighbours. Where a
/// whole stretch and the one before it have fewer digits than that together, no block needs a look of its own.
fn glance(raw: &[u8], offset: usize) -> Result<LongGlance, Malformed> {
    let (stretches, tail) = raw.as_chunks::<WIDE>();
    let mut last = [b' '; WIDE];
    last[..tail.len()].copy_from_slice(tail);
    let mut before: &[u8] = &[];
    let mut digits_before = 0;
    let mut dense = false;
    let mut lowest = u8::MAX;
    let mut at_sign = 0u8;
    let mut bracket = 0u8;
    let mut sign = 0u8;
    let mut odd = 0u8;
    for stretch in stretches.iter().chain(std::iter::once(&last)) {
        lowest = lowest.min(stretch.iter().copied().min().unwrap_or(lowest));
        at_sign |= stretch.iter().fold(0, |seen, byte| seen | u8::from(*byte == b'@'));
        bracket |= stretch.iter().fold(0, |seen, byte| seen | u8::from(*byte == b'['));
        sign |= stretch.iter().fold(0, |seen, byte| seen | u8::from(*byte == b':') | u8::from(*byte == b'='));
        odd |= stretch
            .iter()
            .fold(0, |seen, byte| seen | byte >> 7 | u8::from(*byte == b'%') | u8::from(*byte == b'&'));
        let digits = count_digits(stretch);
        if !dense && digits_before + digits >= MIN_DIGITS {
            dense = is_dense(before, stretch);
        }
        digits_before = digits;
        before = &stretch[WIDE - BLOCK..];
    }
    if lowest < 0x20 {
        let at = raw.iter().position(|&byte| byte < 0x20).unwrap_or(0);
        return Err(Malformed::new(offset + at, "a control character in a string must be escaped"));
    }
    let found = u8::from(dense) * Glance::DIGITS + at_sign * Glance::AT_SIGN + bracket * Glance::BRACKET;
    Ok(LongGlance { glance: Glance(found), sign: sign != 0, odd: odd != 0 })
}

/// At most [`WIDE`] bytes, so the sum fits.
fn count_digits(bytes: &[u8]) -> usize {
    usize::from(bytes.iter().map(|byte| u8::from(byte.wrapping_sub(b'0') < 10)).sum::<u8>())
}

/// Whether a block of the stretch, together with the one before it, has enough digits.
fn is_dense(before: &[u8], stretch: &[u8; WIDE]) -> bool {
    let mut previous = count_digits(before);
    stretch.as_chunks::<BLOCK>().0.iter().any(|block| {
        let digits = count_digits(block);
        std::mem::replace(&mut previous, digits) + digits >= MIN_DIGITS
    })
}

/// The same glance for plain text, in which control characters may stand.
pub(super) fn glance_at_text(text: &[u8]) -> Glance {
    let mut digits = 0;
    let mut seen = 0;
    for &byte in text {
        let class = CLASS[usize::from(byte)];
        digits += usize::from(class & DIGIT);
        seen |= class;
    }
    let dense = if digits >= MIN_DIGITS { Glance::DIGITS } else { 0 };
    let at_sign = if seen & AT != 0 { Glance::AT_SIGN } else { 0 };
    let unicode = if memchr::memmem::find(text, b"\\u").is_some() { Glance::UNICODE } else { 0 };
    let secret = if may_hold_secret(text, true) { Glance::SECRET } else { 0 };
    let folded = if fold::differs(text) { Glance::FOLDED } else { 0 };
    Glance(dense | at_sign | unicode | secret | folded)
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Glance, Lexer, MIN_DIGITS, Malformed, glance};
    use proptest::prelude::{Just, prop_assert_eq, prop_oneof, proptest};

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

    proptest! {
        #[test]
        fn the_glance_is_the_one_over_blocks(
            raw in proptest::collection::vec(
                prop_oneof![20 => Just(b'a'), 2 => Just(b'7'), 1 => Just(b'@'), 1 => Just(b'[')], 0..600
            )
        ) {
            let digits: Vec<usize> =
                raw.chunks(BLOCK).map(|block| block.iter().filter(|byte| byte.is_ascii_digit()).count()).collect();
            let alone = digits.iter().any(|count| *count >= MIN_DIGITS);
            let dense = alone || digits.windows(2).any(|pair| pair[0] + pair[1] >= MIN_DIGITS);
            let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
            let expected = flag(dense, Glance::DIGITS)
                | flag(raw.contains(&b'@'), Glance::AT_SIGN)
                | flag(raw.contains(&b'['), Glance::BRACKET);
            prop_assert_eq!(glance(&raw, 0).map(|long| long.glance), Ok(Glance(expected)));
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
