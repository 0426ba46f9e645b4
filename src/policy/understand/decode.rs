//! Finds text that is packed in text: percent, hexadecimal and base64 forms, escapes, JSON, look-alike letters.

use crate::policy::texts::Lines;
use crate::strict::Key;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;

/// Readings of one call together: what is packed deeper or beyond this many is not unpacked. Every reading is at most
/// as long as what it was read from; their bytes together are bounded by [`GROWTH`].
const READINGS: usize = 64;
/// Bytes that all readings of one string may have together, for each of its own.
const GROWTH: usize = 4;
/// And besides: short strings may hold several forms.
const FREE_BYTES: usize = 64 * 1024;
/// Longest text that is read as a form's field or as a command line.
const SHORT: usize = 4 * 1024;
/// JSON in strings in JSON, and text packed in text.
const DEPTH: u8 = 4;
/// Shortest run of base64 that is unpacked: 16 characters carry 12 bytes.
const BASE64_RUN: usize = 16;
/// Longest text whose letters are compared with look-alikes.
const FOLDED_BYTES: usize = 256 * 1024;

/// Which marks a text holds, of those without which it has no other reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Marks(u16);

impl Marks {
    const PERCENT: u16 = 1;
    const BACKSLASH: u16 = 1 << 1;
    const AMPERSAND: u16 = 1 << 2;
    const PLUS: u16 = 1 << 3;
    const DOLLAR: u16 = 1 << 4;
    const SLASH: u16 = 1 << 5;
    const STAR: u16 = 1 << 6;
    const HYPHEN: u16 = 1 << 7;
    const LINE: u16 = 1 << 8;
    const HIGH: u16 = 1 << 9;
    const OPENS_JSON: u16 = 1 << 10;

    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        table[b'%' as usize] = Self::PERCENT;
        table[b'\\' as usize] = Self::BACKSLASH;
        table[b'&' as usize] = Self::AMPERSAND;
        table[b'+' as usize] = Self::PLUS;
        table[b'$' as usize] = Self::DOLLAR;
        table[b'/' as usize] = Self::SLASH;
        table[b'*' as usize] = Self::STAR;
        table[b'-' as usize] = Self::HYPHEN;
        table[b'\n' as usize] = Self::LINE;
        table[b'{' as usize] = Self::OPENS_JSON;
        table[b'[' as usize] = Self::OPENS_JSON;
        table[b'"' as usize] = Self::OPENS_JSON;
        let mut byte = 0x80;
        while byte < 256 {
            table[byte] = Self::HIGH;
            byte += 1;
        }
        table
    };

    /// One look at every byte.
    pub(in crate::policy) fn of(text: &str) -> Self {
        let mark = |byte: &u8| Self::TABLE[usize::from(*byte)];
        Self(text.as_bytes().iter().fold(0, |marks, byte| marks | mark(byte)))
    }

    fn has(self, mark: u16) -> bool {
        self.0 & mark != 0
    }

    /// Whether there may be a comment of SQL.
    pub(in crate::policy) fn may_hold_comments(self) -> bool {
        self.has(Self::SLASH) && self.has(Self::STAR) || self.has(Self::HYPHEN) && self.has(Self::LINE)
    }
}

/// Readings of texts. Those that come out of one text together stand in one string, line by line.
#[derive(Debug, Default)]
pub(in crate::policy) struct Views {
    blocks: Vec<(String, Vec<Range<usize>>)>,
    /// How many of all readings were read further; they are numbered in their order.
    count: usize,
}

impl Views {
    /// Adds a reading.
    pub(in crate::policy) fn add(&mut self, reading: String) {
        let whole = 0..reading.len();
        self.blocks.push((reading, vec![whole]));
        self.count += 1;
    }

    /// All of them.
    pub(in crate::policy) fn blocks(&self) -> impl Iterator<Item = Lines<'_>> {
        self.blocks.iter().map(|(text, spans)| Lines { text, spans, statements: &[] })
    }
}

/// Adds the readings of `text` that differ from it; `marks` are those of the text.
pub(in crate::policy) fn views(text: &str, marks: Marks, views: &mut Views) {
    let mut budget = text.len().saturating_mul(GROWTH).saturating_add(FREE_BYTES);
    read(text, marks, views, DEPTH, &mut budget);
}

fn read(text: &str, marks: Marks, views: &mut Views, depth: u8, budget: &mut usize) {
    if depth == 0 || views.count >= READINGS {
        return;
    }
    let from = views.blocks.len();
    let mut found = Vec::new();
    if marks.has(Marks::PERCENT) {
        found.extend(percent(text));
    }
    if marks.has(Marks::BACKSLASH) {
        found.extend(escapes(text));
    }
    if marks.has(Marks::AMPERSAND) {
        found.extend(entities(text));
    }
    if marks.has(Marks::STAR) {
        found.extend(split_words(text));
    }
    if marks.has(Marks::PLUS) {
        found.extend(plus(text));
    }
    if marks.has(Marks::DOLLAR | Marks::BACKSLASH) {
        found.extend(shell(text));
    }
    if marks.has(Marks::HIGH) && text.len() <= FOLDED_BYTES {
        found.extend(look_alikes(text));
    }
    packed(text, &mut found);
    for reading in found {
        if views.count >= READINGS || reading.len() > *budget {
            break;
        }
        *budget -= reading.len();
        views.add(reading);
    }
    if marks.has(Marks::OPENS_JSON) {
        json(text, views, budget);
    }
    // Everything of this level comes before anything deeper.
    for block in from..views.blocks.len() {
        for at in 0..views.blocks[block].1.len() {
            let (all, spans) = &views.blocks[block];
            let reading = &all[spans[at].clone()];
            let marks = Marks::of(reading);
            if marks != Marks::default() || reading.len() >= BASE64_RUN {
                let reading = reading.to_owned();
                read(&reading, marks, views, depth - 1, budget);
            }
        }
    }
}

/// Percent forms decoded, if there are any; `+` stays.
pub(super) fn percent(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    // Most signs of per cent stand for themselves.
    memchr::memchr_iter(b'%', bytes).find(
        |at| matches!(bytes.get(at + 1), Some(b'u' | b'U') | Some(b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')),
    )?;
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut changed) = (0, false);
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(hex_pair);
        match pair {
            // A two-byte form of an ASCII character (overlong) is what old decoders accept.
            Some(0xc0 | 0xc1) if bytes.get(at + 3) == Some(&b'%') => {
                let low = bytes.get(at + 4..at + 6).and_then(hex_pair).unwrap_or(b'?');
                out.push(low & 0x7f);
                at += 6;
                changed = true;
            }
            Some(byte) => {
                out.push(byte);
                at += 3;
                changed = true;
            }
            // `%u2215`, as some servers take it.
            None if bytes[at] == b'%' && matches!(bytes.get(at + 1), Some(b'u' | b'U')) => {
                let code = text.get(at + 2..at + 6).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                if let Some(c) = code.and_then(char::from_u32) {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    at += 6;
                    changed = true;
                } else {
                    out.push(b'%');
                    at += 1;
                }
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    changed.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// A form's `+` as the space that it stands for, where the text has no other.
fn plus(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let any = memchr::memchr(b'+', bytes).is_some();
    (any && text.len() <= SHORT && !bytes.iter().any(u8::is_ascii_whitespace)).then(|| text.replace('+', " "))
}

/// Shell text without what only hides its words: `${IFS}`, `${HOME:0:1}`, `$@`, a backslash before a line's end.
fn shell(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let dollar = memchr::memchr(b'$', bytes).is_some();
    if text.len() > SHORT || !dollar && memchr::memmem::find(bytes, b"\\\n").is_none() {
        return None;
    }
    let mut out = text.replace("\\\n", "");
    if dollar {
        for name in ["HOME", "PATH", "PWD", "SHELL"] {
            out = out.replace(&format!("${{{name}:0:1}}"), "/");
        }
        out = out.replace("${IFS}", " ").replace("$IFS$9", " ").replace("$IFS", " ").replace("$@", "");
    }
    (out != text).then_some(out)
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let value = digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?;
    u8::try_from(value).ok()
}

/// Escapes as programs and JSON write them, read: `\x41`, `\u0041`, `\n`, `\"`.
fn escapes(text: &str) -> Option<String> {
    memchr::memchr(b'\\', text.as_bytes())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (c, length) = escaped(&rest[at..]).unwrap_or(('\\', 1));
        changed |= length > 1;
        out.push(c);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// The character that `text` begins with in an escaped form, and the bytes of that form.
pub(in crate::policy) fn escaped(text: &str) -> Option<(char, usize)> {
    let [b'\\', letter, ..] = text.as_bytes() else { return None };
    let code = |digits: usize| {
        let hex = text.get(2..2 + digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        Some((u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)?, 2 + digits))
    };
    match letter {
        b'x' => code(2),
        b'u' => code(4),
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'"' => Some(('"', 2)),
        b'\\' => Some(('\\', 2)),
        _ => None,
    }
}

/// `&#39;`, `&#x27;` and the common named ones.
fn entities(text: &str) -> Option<String> {
    memchr::memmem::find(text.as_bytes(), b"&#")
        .or_else(|| memchr::memmem::find(text.as_bytes(), b"&lt;"))
        .or_else(|| memchr::memmem::find(text.as_bytes(), b"&quot;"))?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(10).position(|b| b == b';');
        let Some((name, end)) = end.map(|end| (&rest[1..end], end)) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let code = match name.strip_prefix('#') {
            Some(hex) if hex.starts_with(['x', 'X']) => u32::from_str_radix(&hex[1..], 16).ok(),
            Some(decimal) => decimal.parse().ok(),
            None => match name {
                "lt" => Some(60),
                "gt" => Some(62),
                "amp" => Some(38),
                "quot" => Some(34),
                "apos" => Some(39),
                _ => None,
            },
        };
        if let Some(c) = code.and_then(char::from_u32) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    (out != text).then_some(out)
}

/// Words that a comment splits (`UN/**/ION`), joined.
fn split_words(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    memchr::memmem::find(bytes, b"/**/")?;
    let inside = |at: usize| {
        at > 0
            && bytes[at - 1].is_ascii_alphabetic()
            && bytes.get(at + 4).is_some_and(u8::is_ascii_alphabetic)
    };
    let any = memchr::memmem::find_iter(bytes, b"/**/").any(inside);
    any.then(|| text.replace("/**/", ""))
}

/// Letters of other scripts that look like Latin ones, and letters with marks, as plain Latin ones.
fn look_alikes(text: &str) -> Option<String> {
    let mut folded = String::with_capacity(text.len());
    text.chars().for_each(|c| plain_letters(c, |plain| folded.push(plain)));
    (folded != text).then_some(folded)
}

/// The plain letters that `c` can be taken for; nothing for marks and for what cannot be seen.
pub(in crate::policy) fn plain_letters(c: char, mut take: impl FnMut(char)) {
    if c.is_ascii() {
        return take(c);
    }
    let seen = |c: &char| !matches!(*c, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{202a}'..='\u{202e}');
    // Tags are invisible letters: U+E0020 to U+E007E.
    std::iter::once(c).nfkd().filter(seen).map(look_alike).for_each(&mut take);
}

fn look_alike(c: char) -> char {
    match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(u32::from(c) - 0xe0000).unwrap_or(c),
        'а' | 'α' => 'a',
        'в' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' => 'e',
        'ɡ' => 'g',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'п' | 'η' => 'n',
        'о' | 'ο' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ѵ' | 'ν' => 'v',
        'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ᴢ' => 'z',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        'У' | 'Υ' => 'Y',
        'Ζ' => 'Z',
        '‘' | '’' | '′' | 'ʼ' | '＇' => '\'',
        '“' | '”' => '"',
        '⁄' | '∕' => '/',
        '。' | '．' | '｡' => '.',
        'ᴀ' => 'a',
        'ʙ' => 'b',
        'ᴄ' => 'c',
        'ᴅ' => 'd',
        'ᴇ' | '℮' => 'e',
        'ɢ' | 'ց' => 'g',
        'ʜ' | 'հ' => 'h',
        'ɪ' | 'ı' => 'i',
        'ᴊ' | 'յ' => 'j',
        'ᴋ' => 'k',
        'ʟ' | 'ł' => 'l',
        'ᴍ' => 'm',
        'ɴ' | 'ո' => 'n',
        'ᴏ' | 'օ' | 'ø' => 'o',
        'Օ' => 'O',
        'ᴘ' => 'p',
        'ʀ' => 'r',
        'ꜱ' => 's',
        'ᴛ' => 't',
        'ᴜ' | 'ս' => 'u',
        'ᴠ' | 'ⱴ' => 'v',
        'ᴡ' => 'w',
        'ʏ' => 'y',
        '‐' | '‑' | '‒' | '–' | '−' => '-',
        other => other,
    }
}

/// Runs of base64 and hexadecimal that carry text.
fn packed(text: &str, found: &mut Vec<String>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    // A run of that length goes over one of these places.
    let mut at = BASE64_RUN - 1;
    while at < bytes.len() && found.len() < READINGS {
        if !is_base64(bytes[at]) {
            at += BASE64_RUN;
            continue;
        }
        let before = bytes[from..at].iter().rev().take_while(|b| is_base64(**b)).count();
        let behind = bytes[at..].iter().take_while(|b| is_base64(**b)).count();
        let run = at - before..at + behind;
        if run.len() >= BASE64_RUN {
            let run_text = &text[run.clone()];
            found.extend(hexadecimal(run_text).or_else(|| base64(run_text)));
        }
        from = run.end;
        at = run.end + BASE64_RUN;
    }
}

fn is_base64(b: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
            byte += 1;
        }
        table
    };
    TABLE[usize::from(b)]
}

fn hexadecimal(run: &str) -> Option<String> {
    let digits = run.strip_prefix("0x").or_else(|| run.strip_prefix("0X")).unwrap_or(run).as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    readable(digits.chunks_exact(2).map(hex_pair).collect::<Option<_>>()?)
}

fn base64(run: &str) -> Option<String> {
    // A word of prose or a path is no base64: that has both cases, or digits, and no word of lower case alone.
    let upper = run.bytes().filter(u8::is_ascii_uppercase).count();
    if upper * 16 < run.len() {
        return None;
    }
    let whole = &run[..run.len() - usize::from(run.len() % 4 == 1)];
    let bytes = STANDARD_NO_PAD.decode(whole).or_else(|_| URL_SAFE_NO_PAD.decode(whole)).ok()?;
    readable(bytes)
}

/// The bytes as text, if it is text that could say something: printable, with a space or a mark.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let printable = text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    let says =
        text.bytes().any(|b| matches!(b, b' ' | b'/' | b'\'' | b'(' | b';' | b'=' | b'"' | b'.' | b'\n'));
    (printable && says && text.len() >= 5).then_some(text)
}

/// The strings and keys of JSON in text, one reading each, and together when they are several.
fn json(text: &str, views: &mut Views, budget: &mut usize) {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[', '"']) || trimmed.len() < 4 {
        return;
    }
    let mut strings = Strings::default();
    let mut reader = serde_json::Deserializer::from_str(trimmed);
    let whole = Walk(&mut strings).deserialize(&mut reader).and_then(|()| reader.end());
    let Strings { text, mut spans } = strings;
    if whole.is_err() || spans.is_empty() {
        return;
    }
    let all = if spans.len() > 1 { text.len() } else { 0 };
    if all > *budget {
        return;
    }
    *budget -= all;
    // The ones behind the last that there is room for are only seen together.
    let room = READINGS.saturating_sub(views.count + usize::from(all > 0));
    let fit = spans.iter().take(room).take_while(|span| {
        let fits = span.len() <= *budget;
        *budget = budget.saturating_sub(if fits { span.len() } else { 0 });
        fits
    });
    let fit = fit.count();
    spans.truncate(fit);
    if all > 0 {
        spans.insert(0, 0..all);
    }
    views.count += spans.len();
    views.blocks.push((text, spans));
}

/// Strings, one per line.
#[derive(Default)]
struct Strings {
    text: String,
    spans: Vec<Range<usize>>,
}

impl Strings {
    fn push(&mut self, text: &str) {
        if !self.spans.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.spans.push(start..self.text.len());
    }
}

/// Takes the strings of JSON, each key behind its value.
struct Walk<'a>(&'a mut Strings);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            map.next_value_seed(Walk(&mut *self.0))?;
            self.0.push(&key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut all = Views::default();
        views(text, Marks::of(text), &mut all);
        all.blocks().flat_map(Lines::each).map(|(view, _)| view.to_owned()).collect()
    }

    #[test]
    fn packed_text_is_found() {
        for (text, wanted) in [
            ("%27%20OR%201%3D1", "' OR 1=1"),
            ("%2527", "'"),
            ("..%c0%afx", "../x"),
            ("RFJPUCBUQUJMRSB1c2Vycw==", "DROP TABLE users"),
            ("0x44524f50205441424c4520743b", "DROP TABLE t;"),
            ("\\x27 OR 1", "' OR 1"),
            ("&#x27; OR 1", "' OR 1"),
            ("UN/**/ION", "UNION"),
            ("DRОP ТABLE", "DROP TABLE"),
            (r#"{"sql":"DROP TABLE t"}"#, "DROP TABLE t"),
            (r#"["{\"a\":\"DROP TABLE t\"}"]"#, "DROP TABLE t"),
        ] {
            assert!(of(text).iter().any(|view| view == wanted), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn plain_text_has_one_reading() {
        for text in [
            "a plain sentence, 100 % sure",
            "deadbeefdeadbeefdeadbeef",
            "a/path/to/some/file/in/a/folder",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(of(text).is_empty(), "{text}: {:?}", of(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "(\\PC|%|%c0|\\\\x|&#|;|[0-9a-f]{2}){0,60}") {
            proptest::prop_assert!(of(&text).len() <= READINGS);
        }
    }
}
