//! Reads text as a person would: without characters of no width, with the digits and letters of other scripts' forms
//! as ASCII, every kind of space and hyphen as one, and percent codes, HTML entities and `\\u` codes as what they mean.
//!
//! Text in which nothing of this occurs is not copied; to know that costs one look at each character beyond ASCII.

use super::masks::{self, BLOCK, Block, Half, Lanes};
use super::text::Hit;

/// A text as it reads.
pub(super) struct Folded<'a> {
    /// What is matched.
    pub(super) text: Vec<u8>,
    original: &'a str,
}

impl Folded<'_> {
    /// Turns offsets in the folded text into offsets in the original. Hits are in rising order, so one walk finds all;
    /// no map is kept, which would be larger than the text.
    pub(super) fn lift(&self, hits: &mut [Hit]) {
        let mut pieces = Pieces { text: self.original, at: 0 }.filter(|piece| piece.folded() > 0);
        let (mut piece, mut folded) = (pieces.next(), 0);
        for hit in hits {
            for (bound, is_end) in [(&mut hit.start, false), (&mut hit.end, true)] {
                // What has no width stays outside: the end is that of the last character and not the next one's start.
                let before = |end: usize| if is_end { end < *bound } else { end <= *bound };
                while let Some(passed) =
                    piece.as_ref().map(Piece::folded).filter(|length| before(folded + length))
                {
                    folded += passed;
                    piece = pieces.next();
                }
                *bound = match &piece {
                    None => self.original.len(),
                    Some(piece) if is_end && folded + piece.folded() == *bound => piece.at + piece.length,
                    Some(piece) => piece.at + (*bound - folded),
                };
            }
        }
    }
}

/// A stretch of plain bytes, or one character or code that reads differently.
struct Piece {
    at: usize,
    length: usize,
    read: Option<Reading>,
}

impl Piece {
    /// Bytes that it has in the folded text.
    fn folded(&self) -> usize {
        match self.read {
            None => self.length,
            Some(Reading::Ascii(_)) => 1,
            Some(Reading::Nothing) => 0,
        }
    }
}

/// The pieces of a text.
struct Pieces<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let from = self.at;
        let bytes = self.text.as_bytes();
        let mut at = likely(bytes, from);
        while let Some(&byte) = bytes.get(at) {
            let (read, length) = if byte.is_ascii() {
                code(&bytes[at..]).map_or((None, 1), |(meant, length)| (meant_as(meant), length))
            } else {
                let character = self.text[at..].chars().next();
                character.map_or((None, 1), |character| (reading(character), character.len_utf8()))
            };
            if read.is_some() {
                if at > from {
                    break;
                }
                self.at = at + length;
                return Some(Piece { at, length, read });
            }
            at = likely(bytes, at + length);
        }
        self.at = at;
        (at > from).then_some(Piece { at: from, length: at - from, read: None })
    }
}

/// The first place at or after `from` at which a code or a character that reads differently may start; else the end.
fn likely(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(half) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let offset = Half::new(half).mask(|lanes| may_start_code(lanes) | may_differ(lanes)).trailing_zeros();
        at += offset as usize;
        if offset < 32 {
            return at;
        }
    }
    let may = |byte: &u8| matches!(byte, b'%' | b'&' | b'\\') || LEADS[usize::from(*byte)];
    bytes[at..].iter().position(may).map_or(bytes.len(), |offset| at + offset)
}

/// What a character reads as.
#[derive(Clone, Copy)]
enum Reading {
    /// Nothing: it has no width.
    Nothing,
    /// An ASCII character.
    Ascii(u8),
}

/// Lead bytes of characters that may read differently.
const LEADS: [bool; 256] = {
    let mut table = [false; 256];
    let leads = [0xC2u8, 0xCD, 0xD8, 0xD9, 0xDB, 0xDF, 0xE0, 0xE1, 0xE2, 0xE3, 0xEA, 0xEF, 0xF0, 0xF3];
    let mut index = 0;
    while index < leads.len() {
        table[leads[index] as usize] = true;
        index += 1;
    }
    table
};

/// First code points of the decimal digits of other scripts (Unicode category Nd), ten in a row each.
const ZEROS: [u32; 38] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x11066,
];

fn reading(character: char) -> Option<Reading> {
    let code = u32::from(character);
    let ascii = |byte: u8| Some(Reading::Ascii(byte));
    let offset =
        |zero: u32, first: u8| u8::try_from(code - zero).ok().map(|offset| Reading::Ascii(first + offset));
    match code {
        0xAD
        | 0x34F
        | 0x61C
        | 0x180B..=0x180E
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x2064
        | 0x2066..=0x2069
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xE0000..=0xE007F => Some(Reading::Nothing),
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => ascii(b' '),
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 | 0x2E3A => ascii(b'-'),
        0xFF01..=0xFF5E => offset(0xFF01, b'!'),
        0xFE6B => ascii(b'@'),
        0x2024 | 0xFE52 | 0x3002 => ascii(b'.'),
        0x1D7CE..=0x1D7FF => {
            u8::try_from((code - 0x1D7CE) % 10).ok().map(|digit| Reading::Ascii(b'0' + digit))
        }
        0x2460..=0x2468 => offset(0x2460, b'1'),
        0x24EA => ascii(b'0'),
        0x2070 | 0x2074..=0x2079 => offset(0x2070, b'0'),
        0x2080..=0x2089 => offset(0x2080, b'0'),
        0xB9 => ascii(b'1'),
        0xB2..=0xB3 => offset(0xB2, b'2'),
        // Latin, Greek and Cyrillic letters, signs and symbols, and Chinese characters.
        0..0x660 | 0x2000..0xA620 | 0xAC00..0xFF10 => None,
        _ => {
            let zero = ZEROS.iter().copied().find(|zero| (*zero..*zero + 10).contains(&code))?;
            offset(zero, b'0')
        }
    }
}

/// The text as it reads, when that differs.
pub(super) fn fold(text: &[u8]) -> Option<Folded<'_>> {
    if !differs(text) {
        return None;
    }
    let original = std::str::from_utf8(text).ok()?;
    let pieces = || Pieces { text: original, at: 0 };
    // Counted first: a text that has to be copied needs what memory there is.
    let mut text = Vec::with_capacity(pieces().map(|piece| piece.folded()).sum());
    for piece in pieces() {
        match piece.read {
            None => text.extend_from_slice(&original.as_bytes()[piece.at..piece.at + piece.length]),
            Some(Reading::Ascii(byte)) => text.push(byte),
            Some(Reading::Nothing) => {}
        }
    }
    Some(Folded { text, original })
}

fn meant_as(character: char) -> Option<Reading> {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => Some(Reading::Ascii(byte)),
        _ => Some(reading(character).unwrap_or(Reading::Ascii(b'?'))),
    }
}

/// Whether any character may read differently.
pub(super) fn differs(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let near = |at: usize| is_code(&text[at..]) || differs_at(&text[at..]);
    let in_block = |(index, block): (usize, &[u8; BLOCK])| {
        let block = Block::new(block);
        let likely = block.mask(|lanes| may_start_code(lanes) | may_differ(lanes));
        likely != 0 && masks::ones(likely).any(|offset| near(index * BLOCK + offset))
    };
    blocks.iter().enumerate().any(in_block) || (text.len() - rest.len()..text.len()).any(near)
}

/// Lead bytes of characters that may read differently: those of [`LEADS`].
#[inline(always)]
pub(super) fn may_differ(lanes: Lanes) -> Lanes {
    use masks::{is, within};
    let two =
        is(lanes, 0xC2) | is(lanes, 0xCD) | within(lanes, 0xD8, 0xD9) | is(lanes, 0xDB) | is(lanes, 0xDF);
    let three = within(lanes, 0xE0, 0xE3) | is(lanes, 0xEA) | is(lanes, 0xEF);
    two | three | is(lanes, 0xF0) | is(lanes, 0xF3)
}

#[inline(always)]
fn may_start_code(lanes: Lanes) -> Lanes {
    masks::within(lanes, b'%', b'&') | masks::is(lanes, b'\\')
}

/// Whether the character at the start of the text reads differently.
pub(super) fn differs_at(text: &[u8]) -> bool {
    let Some(&byte) = text.first().filter(|byte| LEADS[usize::from(**byte)]) else { return false };
    // Quotation marks, dashes and dots are in all texts.
    if let [0xE2, 0x80, 0x93 | 0x94 | 0x98..=0x9F | 0xA0..=0xA3 | 0xA5..=0xA7, ..] = text {
        return false;
    }
    let length = if byte < 0xE0 {
        2
    } else if byte < 0xF0 {
        3
    } else {
        4
    };
    let character = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    character.and_then(|text| text.chars().next()).is_some_and(matters)
}

/// Whether a code for a character starts here.
pub(super) fn is_code(text: &[u8]) -> bool {
    code(text).is_some()
}

/// Whether a character is worth a copy of the text: full stops and commas of East Asian text are not.
fn matters(character: char) -> bool {
    let code = u32::from(character);
    !matches!(
        code,
        0x3002 | 0xFF01 | 0xFF0C | 0xFF08 | 0xFF09 | 0xFF1A | 0xFF1B | 0xFF1F | 0x3000 | 0x2013 | 0x2014
    ) && reading(character).is_some()
}

/// The character that a code at the start of `text` means, and its length.
fn code(text: &[u8]) -> Option<(char, usize)> {
    match text.first()? {
        b'%' => percent(text),
        b'&' => entity(text),
        b'\\' => backslash(text),
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// `%40`, and `%2540`, encoded twice.
fn percent(text: &[u8]) -> Option<(char, usize)> {
    let mut length = 3;
    let mut value = hex(text.get(1..3)?)?;
    while value == 0x25 {
        let Some(inner) = text.get(length..length + 2).and_then(hex) else { break };
        value = inner;
        length += 2;
    }
    // Only what can be part of a value: the bytes of other characters stay.
    (0x20..0x7F)
        .contains(&value)
        .then(|| char::from_u32(value))
        .flatten()
        .map(|character| (character, length))
}

/// `&#64;`, `&#x40;`, and the names of signs that stand in values.
fn entity(text: &[u8]) -> Option<(char, usize)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let body = &text[1..end];
    if let Some(rest) = body.strip_prefix(b"amp")
        && rest.is_empty()
    {
        // `&amp;#64;`: encoded twice.
        let inner = [b"&", text.get(end + 1..text.len().min(end + 13))?].concat();
        return entity(&inner).map(|(character, length)| (character, end + length));
    }
    let character = match body {
        [b'#', b'x' | b'X', digits @ ..] if !digits.is_empty() => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] if !digits.is_empty() => {
            let value = digits.iter().try_fold(0u32, |value, digit| {
                Some(value.checked_mul(10)? + char::from(*digit).to_digit(10)?)
            })?;
            char::from_u32(value)?
        }
        b"commat" => '@',
        b"period" => '.',
        b"nbsp" | b"ensp" | b"emsp" | b"thinsp" => ' ',
        b"hyphen" | b"dash" | b"ndash" | b"mdash" | b"minus" => '-',
        b"lowbar" => '_',
        b"plus" => '+',
        b"colon" => ':',
        b"equals" => '=',
        b"sol" => '/',
        b"shy" | b"ZeroWidthSpace" => '\u{AD}',
        b"lpar" => '(',
        b"rpar" => ')',
        _ => return None,
    };
    Some((character, end + 1))
}

/// `\\u0040` and `\\x40`, which are text here and no escapes of JSON.
fn backslash(text: &[u8]) -> Option<(char, usize)> {
    let (digits, length) = match text.get(1)? {
        b'u' => (text.get(2..6)?, 6),
        b'x' => (text.get(2..4)?, 4),
        _ => return None,
    };
    char::from_u32(hex(digits)?)
        .filter(|character| !character.is_control())
        .map(|character| (character, length))
}

#[cfg(test)]
mod tests {
    use super::fold;

    fn reads(text: &str) -> String {
        fold(text.as_bytes())
            .map_or_else(|| text.to_owned(), |folded| String::from_utf8(folded.text).unwrap())
    }

    #[test]
    fn hidden_characters_are_read() {
        assert_eq!(reads("4\u{200b}1\u{ad}1"), "411");
        assert_eq!(reads("\u{ff11}\u{0662}\u{096a}"), "124");
        assert_eq!(reads("a\u{a0}b\u{2011}c"), "a b-c");
        assert_eq!(reads("jane%40acme.com jane%2540acme.com"), "jane@acme.com jane@acme.com");
        assert_eq!(reads("jane&#64;acme&period;com &amp;#64;"), "jane@acme.com @");
        assert_eq!(reads("100 % of &co; \u{e9}\u{4e2d}\u{ff0c}"), "100 % of &co; \u{e9}\u{4e2d}\u{ff0c}");
    }

    #[test]
    fn the_way_back_covers_what_was_read() {
        let text = "x\u{200b}4%31\u{200b}1y";
        let folded = fold(text.as_bytes()).unwrap();
        assert_eq!(folded.text, b"x411y");
        let mut hits = [crate::redact::text::Hit { start: 1, end: 4, row: 0 }];
        folded.lift(&mut hits);
        assert_eq!(&text[hits[0].start..hits[0].end], "4%31\u{200b}1");
    }
}
