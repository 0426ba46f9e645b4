//! What a string may hold, learned in one pass over its raw bytes, 64 at a time.
//!
//! The same pass finds the end of the string and checks its escapes. Bytes that need a closer look are rare, and are
//! looked at one by one: signs of addresses, codes and names, the first byte of characters that may read differently,
//! and the starts of long runs of letters and digits.

use super::detect::secrets;
use super::lex::Malformed;
use super::limits::MIN_DIGITS;
use super::masks::{self, BLOCK, Block, Half, Lanes, ROW};
use super::{dates, encoded, escape, fold};

/// What a string may hold. An unset flag is certain, a set one is only a suspicion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Glance(pub(super) u8);

impl Glance {
    /// Enough digits close together for the shortest number that a detector takes.
    pub(super) const DIGITS: u8 = 1;
    pub(super) const AT_SIGN: u8 = 2;
    /// A code for a character, here or in JSON inside: any character may hide behind it.
    pub(super) const UNICODE: u8 = 4;
    pub(super) const BRACKET: u8 = 8;
    /// A secret by form or by name, or text in base64 or hexadecimal.
    pub(super) const SECRET: u8 = 16;
    /// Characters that read differently from what they are.
    pub(super) const FOLDED: u8 = 32;
    /// At least one digit, in a short string.
    pub(super) const ANY_DIGIT: u8 = 64;

    /// What a number may hold.
    pub(super) const NUMBER: Self = Self(Self::DIGITS);

    /// Everything may stand in the text.
    pub(super) const ALL: Self = Self(0xFF);

    /// Whether a digit or an `@` was seen; only told of short strings.
    pub(super) fn telling(self) -> bool {
        self.0 & (Self::ANY_DIGIT | Self::AT_SIGN) != 0
    }

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

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// A string that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Where its closing quote stands.
    pub(super) end: usize,
    /// Holds at least one backslash.
    pub(super) escaped: bool,
    pub(super) glance: Glance,
}

/// Length and glance of a string of less than 32 bytes without escapes that `rest` starts with; `head` are its first
/// bytes. `None` for any other string.
#[inline]
pub(super) fn short(head: &[u8; 32], rest: &[u8]) -> Option<(usize, Glance)> {
    let block = Half::new(head);
    let length = block.mask(stops).trailing_zeros() as usize;
    if head.get(length) != Some(&b'"') {
        return None;
    }
    // Records are full of times, which hold digits and nothing else.
    if head[0].is_ascii_digit() && dates::is_timestamp(&head[..length]) {
        return Some((length, Glance(Glance::DIGITS | Glance::ANY_DIGIT)));
    }
    let inside = (1 << length) - 1;
    let runs = block.mask(masks::runs) & inside;
    let digits = (block.mask(|lanes| masks::within(lanes, b'0', b'9')) & inside).count_ones() as usize;
    let mut glance = Glance(0);
    if digits > 0 {
        glance.0 |= Glance::ANY_DIGIT;
    }
    if digits >= MIN_DIGITS {
        glance.0 |= Glance::DIGITS;
    }
    if length >= ROW && masks::rows(u64::from(runs), 0) != 0 {
        glance.0 |= long_run(&rest[..length]);
    }
    if runs != inside {
        let odd = block.mask(|lanes| signs(lanes) | fold::may_differ(lanes)) & inside;
        for offset in masks::ones(u64::from(odd)) {
            glance.0 |= sign(&rest[..length], offset, glance);
        }
    }
    Some((length, glance))
}

/// What the long runs of a short string tell.
fn long_run(text: &[u8]) -> u8 {
    let found =
        secrets::long_runs(text).any(|run| secrets::may_start(text, run) || encoded::may_start(text, run));
    u8::from(found) * Glance::SECRET
}

/// What a sign at `at` tells, or the first byte of a character.
fn sign(text: &[u8], at: usize, known: Glance) -> u8 {
    match text[at] {
        b'@' => Glance::AT_SIGN,
        b'[' => Glance::BRACKET,
        b':' | b'=' if known.has(Glance::SECRET) => 0,
        b':' | b'=' => u8::from(secrets::is_sign(text, at)) * Glance::SECRET,
        _ if known.has(Glance::FOLDED) => 0,
        b'%' | b'&' => u8::from(fold::is_code(&text[at..])) * Glance::FOLDED,
        _ => u8::from(fold::differs_at(&text[at..])) * Glance::FOLDED,
    }
}

/// Reads a string whose content starts at `start`.
pub(super) fn read(bytes: &[u8], start: usize) -> Result<Read, Malformed> {
    // JSON in a string is decoded and scanned by itself: what it may hold is seen there.
    if starts_like_json(&bytes[start..]) {
        let read = Pass::new(bytes, start, Glance::ALL).run()?;
        if matches!(bytes[..read.end].trim_ascii_end().last(), Some(b'}' | b']' | b'n')) {
            return Ok(read);
        }
    }
    Pass::new(bytes, start, Glance::default()).run()
}

/// Whether a raw string starts like an array or object that a program wrote.
fn starts_like_json(raw: &[u8]) -> bool {
    matches!(raw, [b'{', b'\\' | b' ', ..] | [b'[', b'{' | b'[' | b'\\', ..])
}

const SIMPLE: u8 = 1;
const CODE: u8 = 2;

/// What may stand behind a backslash (RFC 8259, section 7).
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let simple = b"\"\\/bfnrt";
    let mut index = 0;
    while index < simple.len() {
        table[simple[index] as usize] = SIMPLE;
        index += 1;
    }
    table[b'u' as usize] = CODE;
    table
};

/// The quote, the backslash, and what must be escaped.
#[inline(always)]
fn stops(lanes: Lanes) -> Lanes {
    masks::is(lanes, b'"') | masks::is(lanes, b'\\') | masks::within(lanes, 0, 0x1F)
}

/// Signs that are looked at one by one.
#[inline(always)]
fn signs(lanes: Lanes) -> Lanes {
    // `%` and `&` are neighbours.
    let codes = masks::within(lanes, b'%', b'&');
    masks::is(lanes, b'@') | masks::is(lanes, b'[') | masks::is(lanes, b':') | masks::is(lanes, b'=') | codes
}

struct Pass<'a> {
    bytes: &'a [u8],
    start: usize,
    /// Offset of the block.
    at: usize,
    escaped: bool,
    /// The first byte of the block belongs to an escape of the block before.
    carried: u64,
    hyphen: bool,
    /// Digits of the half block before.
    digits_before: u32,
    /// Which bytes of the block before belong to runs, and whether the last one before that did.
    runs_before: u64,
    run_goes_on: bool,
    glance: Glance,
    /// The glance is known beforehand.
    blind: bool,
}

impl<'a> Pass<'a> {
    fn new(bytes: &'a [u8], start: usize, glance: Glance) -> Self {
        Self {
            bytes,
            start,
            at: start,
            escaped: false,
            carried: 0,
            hyphen: false,
            digits_before: 0,
            runs_before: 0,
            run_goes_on: false,
            glance,
            blind: glance != Glance::default(),
        }
    }

    fn run(mut self) -> Result<Read, Malformed> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let end = match rest.first_chunk::<BLOCK>() {
                Some(block) => self.block(&Block::new(block), u64::MAX)?,
                None => {
                    let mut last = [b' '; BLOCK];
                    last[..rest.len()].copy_from_slice(rest);
                    let end = self.block(&Block::new(&last), masks::below(rest.len()))?;
                    Some(end.ok_or(Malformed::new(self.bytes.len(), "a string is not closed"))?)
                }
            };
            if let Some(end) = end {
                return Ok(self.finish(end));
            }
            self.at += BLOCK;
        }
    }

    /// Looks at one block, of which only the bytes in `real` are there. The offset of the closing quote, if it is here.
    #[inline(always)]
    fn block(&mut self, block: &Block, real: u64) -> Result<Option<usize>, Malformed> {
        let mut inside = real;
        let mut end = None;
        if block.mask(stops) & real | self.carried != 0 {
            let quotes = block.mask(|lanes| masks::is(lanes, b'"')) & real;
            let close = quotes & !self.escapes(block.mask(|lanes| masks::is(lanes, b'\\')) & real, quotes)?;
            if close != 0 {
                let length = close.trailing_zeros() as usize;
                inside = masks::below(length);
                end = Some(self.at + length);
            }
            let controls = block.mask(|lanes| masks::within(lanes, 0, 0x1F)) & inside;
            if controls != 0 {
                let at = self.at + controls.trailing_zeros() as usize;
                return Err(Malformed::new(at, "a control character in a string must be escaped"));
            }
        }
        if !self.blind {
            self.look(block, inside);
        }
        Ok(end)
    }

    /// Checks the escapes up to the closing quote; says which bytes of the block stand behind a backslash of their own.
    #[inline(always)]
    fn escapes(&mut self, backslashes: u64, quotes: u64) -> Result<u64, Malformed> {
        let mut escaped = std::mem::take(&mut self.carried);
        let mut rest = backslashes & !escaped;
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            if quotes & !escaped & (bit - 1) != 0 {
                break;
            }
            let next = bit << 1;
            escaped |= next;
            rest &= !(bit | next);
            self.carried = bit >> 63;
            self.escape(self.at + bit.trailing_zeros() as usize)?;
        }
        Ok(escaped)
    }

    /// Checks the escape at `at`.
    #[inline(always)]
    fn escape(&mut self, at: usize) -> Result<(), Malformed> {
        self.escaped = true;
        let byte = self.bytes.get(at + 1).copied().unwrap_or(0);
        let kind = ESCAPES[usize::from(byte)];
        if kind == 0 || kind == CODE && escape::length(&self.bytes[at..]).is_none() {
            return Err(Malformed::new(at, "unknown escape in a string"));
        }
        // `\\u` is an escape in JSON inside this string, and `\\x` one in code.
        if kind == CODE || byte == b'\\' && matches!(self.bytes.get(at + 2), Some(b'u' | b'x')) {
            self.glance.0 |= Glance::UNICODE;
        }
        Ok(())
    }

    /// Looks at the bytes of a block that belong to the string.
    #[inline(always)]
    fn look(&mut self, block: &Block, inside: u64) {
        let runs = block.mask(masks::runs) & inside;
        if !self.glance.has(Glance::SECRET) {
            self.long_runs(runs);
        }
        self.run_goes_on = self.runs_before >> 63 == 1;
        self.runs_before = runs;
        if !self.glance.has(Glance::DIGITS) {
            self.digits(block.mask(|lanes| masks::within(lanes, b'0', b'9')) & inside);
        }
        self.hyphen |= block.mask(|lanes| masks::is(lanes, b'-')) != 0;
        let signs = block.mask(signs) & inside;
        if signs != 0 {
            masks::ones(signs).for_each(|offset| self.sign(self.at + offset));
        }
        if !self.glance.has(Glance::FOLDED)
            && block.mask(|lanes| masks::within(lanes, 0x80, 0xFF)) & inside != 0
        {
            let leads = block.mask(fold::may_differ) & inside;
            if masks::ones(leads).any(|offset| fold::differs_at(&self.bytes[self.at + offset..])) {
                self.glance.0 |= Glance::FOLDED;
            }
        }
    }

    /// Digits with single separators span at most 15 bytes, so they lie in one half block or in two neighbours.
    #[inline(always)]
    fn digits(&mut self, digits: u64) {
        if digits == 0 {
            self.digits_before = 0;
            return;
        }
        for half in [digits as u32, (digits >> 32) as u32] {
            let count = half.count_ones();
            if (self.digits_before + count) as usize >= MIN_DIGITS {
                self.glance.0 |= Glance::DIGITS;
            }
            self.digits_before = count;
        }
    }

    /// Judges the long runs that start in the block before; `runs` are those of this block.
    #[inline(always)]
    fn long_runs(&mut self, runs: u64) {
        let before = self.runs_before;
        let starts = masks::rows(before, runs) & !(before << 1 | u64::from(self.run_goes_on));
        if starts != 0 {
            masks::ones(starts).for_each(|offset| self.long_run(self.at - BLOCK + offset));
        }
    }

    /// Judges the long run at `at`.
    fn long_run(&mut self, at: usize) {
        let text = &self.bytes[self.start..];
        let run = secrets::run_at(text, at - self.start, ROW);
        if secrets::may_start(text, run) || encoded::may_start(text, run) {
            self.glance.0 |= Glance::SECRET;
        }
    }

    fn sign(&mut self, at: usize) {
        self.glance.0 |= sign(&self.bytes[self.start..], at - self.start, self.glance);
    }

    fn finish(mut self, end: usize) -> Read {
        if !self.blind {
            self.at += BLOCK;
            self.long_runs(0);
            let raw = &self.bytes[self.start..end];
            if self.hyphen && !self.glance.has(Glance::SECRET) && secrets::may_hold_key(raw) {
                self.glance.0 |= Glance::SECRET;
            }
        }
        Read { end, escaped: self.escaped, glance: self.glance }
    }
}

#[cfg(test)]
mod tests {
    use super::Glance;
    use crate::redact::CardMatch;
    use crate::redact::escape::unescape;
    use crate::redact::labels::Labels;
    use crate::redact::lex::Lexer;
    use crate::redact::text::Matcher;
    use proptest::prelude::{Strategy, prop, prop_assert_eq, prop_oneof, proptest};

    /// Text of any length with values at any offset of a block, also across the border of two.
    fn text() -> impl Strategy<Value = String> {
        let values = prop::sample::select(vec![
            "jane@acme.com",
            "4111 1111 1111 1111",
            "+62 812-3456-7890",
            "born 5 May 1988",
            "passport A1234567",
            "password=hunter22",
            "AKIAIOSFODNN7EXAMPLE",
            "amFuZUBhY21lLmNvbQ==",
            "6a616e654061636d652e636f6d",
            "jane%40acme.com",
            "jane&#64;acme.com",
            "\u{ff14}\u{ff11}\u{ff11}\u{ff11}111111111111",
            "3174\u{200b}012501990001",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN",
            "{\"a\":\"b\"}",
        ]);
        let filler = prop_oneof!["[a-z ]{0,70}", "[é“。，Ж\n\"\\\\ ]{0,30}", "[0-9 .:=-]{0,9}"];
        let piece = prop_oneof![4 => filler, 1 => values.prop_map(str::to_owned)];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_the_glance_rules_out_is_not_there(text in text()) {
            let matcher = Matcher::new(CardMatch::Loose, |_| true);
            let json = serde_json::Value::from(text).to_string();
            let string = Lexer::new(json.as_bytes()).string().unwrap();
            prop_assert_eq!(string.end, json.len() - 1);
            let mut buffer = Vec::new();
            let decoded = unescape(&json.as_bytes()[string.start..string.end], &mut buffer);
            let (mut seen, mut all) = (Vec::new(), Vec::new());
            matcher.find(decoded, Labels::NONE, Glance::ALL, &mut all);
            if string.glance.suspicious() {
                matcher.find(decoded, Labels::NONE, string.glance, &mut seen);
            }
            prop_assert_eq!(seen, all, "{}", json);
        }
    }
}
