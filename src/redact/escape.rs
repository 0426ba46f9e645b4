//! JSON string escapes: their length, what they mean, and the way back from decoded text to the raw bytes.

use super::masks::{self, Half};
use super::words;

/// Bytes that are copied at once.
const PIECE: usize = 32;

/// What the escapes of two bytes mean, by their second byte; 0 for all others.
const SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = [
        (b'"', b'"'),
        (b'\\', b'\\'),
        (b'/', b'/'),
        (b'b', 0x8),
        (b'f', 0xC),
        (b'n', b'\n'),
        (b'r', b'\r'),
        (b't', b'\t'),
    ];
    let mut index = 0;
    while index < pairs.len() {
        table[pairs[index].0 as usize] = pairs[index].1;
        index += 1;
    }
    table
};

/// Length of the escape at the start of `raw` (2, 6, or 12 for a surrogate pair), or `None` if it is none.
///
/// A lone surrogate is an escape like any other: the bytes pass through unchanged (RFC 8259, section 8.2).
pub(super) fn length(raw: &[u8]) -> Option<usize> {
    match raw.get(1)? {
        b'u' => {
            let first = unit(raw)?;
            let second = raw.get(6..).filter(|_| is_high(first)).and_then(unit);
            Some(if second.is_some_and(is_low) { 12 } else { 6 })
        }
        byte if SIMPLE[usize::from(*byte)] != 0 => Some(2),
        _ => None,
    }
}

/// The UTF-16 unit of `\uXXXX` at the start of `raw`.
fn unit(raw: &[u8]) -> Option<u16> {
    let hex = raw.get(..6)?.strip_prefix(b"\\u")?;
    hex.iter().try_fold(0u16, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some((unit << 4) | u16::try_from(value).ok()?)
    })
}

fn is_high(unit: u16) -> bool {
    (0xD800..0xDC00).contains(&unit)
}

fn is_low(unit: u16) -> bool {
    (0xDC00..0xE000).contains(&unit)
}

/// The character and the raw length of a valid escape. A lone surrogate reads as U+FFFD, which no detector takes.
fn decode(raw: &[u8]) -> (char, usize) {
    let simple = match raw.get(1) {
        Some(b'u') => {
            let units = [unit(raw).unwrap_or(0xFFFD), raw.get(6..).and_then(unit).unwrap_or(0)];
            let pair = is_high(units[0]) && is_low(units[1]);
            let character = char::decode_utf16(units).next().and_then(Result::ok).unwrap_or('\u{FFFD}');
            return (character, if pair { 12 } else { 6 });
        }
        Some(&other) => char::from(SIMPLE[usize::from(other)]),
        None => '\u{FFFD}',
    };
    (simple, 2)
}

/// Decodes the raw bytes of a string, whose escapes are known to be valid, into UTF-8.
///
/// `buffer` only grows, so that reusing it costs nothing.
pub(super) fn unescape<'t>(raw: &[u8], buffer: &'t mut Vec<u8>) -> &'t [u8] {
    // Decoding only shortens. The room behind lets whole pieces be copied.
    if buffer.len() < raw.len() + PIECE {
        buffer.resize(raw.len() + PIECE, 0);
    }
    let (mut at, mut end) = (0, 0);
    while at < raw.len() {
        if let Some(piece) = raw[at..].first_chunk::<PIECE>() {
            let backslashes = Half::new(piece).mask(|lanes| masks::is(lanes, b'\\'));
            let plain = backslashes.trailing_zeros() as usize;
            buffer[end..end + PIECE].copy_from_slice(piece);
            at += plain;
            end += plain;
            if plain == PIECE {
                continue;
            }
        } else if raw[at] != b'\\' {
            buffer[end] = raw[at];
            at += 1;
            end += 1;
            continue;
        }
        let simple = raw.get(at + 1).map_or(0, |byte| SIMPLE[usize::from(*byte)]);
        if simple != 0 {
            buffer[end] = simple;
            at += 2;
            end += 1;
            continue;
        }
        let (character, length) = decode(&raw[at..]);
        end += character.encode_utf8(&mut buffer[end..]).len();
        at += length;
    }
    &buffer[..end]
}

/// Finds the raw offset of decoded offsets that are asked for in rising order, by walking the raw text once. So a
/// string without a hit needs no map, and one with hits no memory.
pub(super) struct WayBack<'a> {
    raw: &'a [u8],
    raw_at: usize,
    text_at: usize,
}

impl<'a> WayBack<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        Self { raw, raw_at: 0, text_at: 0 }
    }

    /// The raw offset of the character that starts at `text_offset` (or of the end).
    pub(super) fn raw_offset(&mut self, text_offset: usize) -> usize {
        while self.text_at < text_offset {
            if self.raw.get(self.raw_at) == Some(&b'\\') {
                let (character, length) = decode(&self.raw[self.raw_at..]);
                self.raw_at += length;
                self.text_at += character.len_utf8();
                continue;
            }
            // No further than asked for: all calls together walk the text once.
            let limit = self.raw.len().min(self.raw_at + (text_offset - self.text_at));
            let next = words::find(&self.raw[..limit], self.raw_at, b'\\', b'\\').unwrap_or(limit);
            let plain = (next - self.raw_at).max(1);
            self.raw_at += plain;
            self.text_at += plain;
        }
        self.raw_at
    }
}

#[cfg(test)]
mod tests {
    use super::{WayBack, length, unescape};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn escapes_have_the_length_they_have() {
        assert_eq!(length(br"\n"), Some(2));
        assert_eq!(length(br"\u0041"), Some(6));
        assert_eq!(length(br"\ud83d\ude00"), Some(12));
        assert_eq!(length(br"\ud83dx"), Some(6));
        assert_eq!(length(br"\ud83d\ud83d"), Some(6));
        assert_eq!(length(br"\x"), None);
        assert_eq!(length(br"\u12"), None);
        assert_eq!(length(b"\\"), None);
    }

    #[test]
    fn lone_surrogates_read_as_the_replacement_character() {
        let mut buffer = Vec::new();
        let text = unescape(br"a\ud800b\udc00\ud83d\ude00", &mut buffer);
        assert_eq!(std::str::from_utf8(text).unwrap(), "a\u{FFFD}b\u{FFFD}\u{1F600}");
    }

    proptest! {
        #[test]
        fn decoding_agrees_with_serde_and_the_way_back_hits_every_character(plain in "[a-z\"\\\\\n\u{e9}\u{1F600}]{0,40}") {
            let escaped: String = plain.encode_utf16().enumerate().map(|(index, unit)| {
                let ascii = u8::try_from(unit).ok().filter(|unit| unit.is_ascii_lowercase());
                match ascii {
                    Some(letter) if index % 3 != 0 => char::from(letter).to_string(),
                    _ => format!("\\u{unit:04x}"),
                }
            }).collect();
            let mut buffer = Vec::new();
            let text = unescape(escaped.as_bytes(), &mut buffer);
            prop_assert_eq!(std::str::from_utf8(text).unwrap(), &plain);
            let mut way = WayBack::new(escaped.as_bytes());
            for (offset, _) in plain.char_indices().chain([(plain.len(), ' ')]) {
                let raw = way.raw_offset(offset);
                let mut head = Vec::new();
                prop_assert_eq!(unescape(&escaped.as_bytes()[..raw], &mut head).len(), offset);
            }
        }
    }
}
