//! Looks into base64, base64url and hexadecimal: what decodes to text with something to mask in it is masked as a whole.

use super::detect::secrets::long_runs;
use super::glance::Glance;
use super::labels::{self, Labels};
use super::limits::LABEL_REACH_BYTES;
use super::text::{Hit, Matcher};
use super::window::Span;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Encodings inside encodings that are looked through.
pub(super) const MAX_LEVELS: u8 = 3;
/// Shortest encoded part: eight digits or an address in base64, six characters in hexadecimal.
const SHORTEST: usize = 12;
/// Longest encoded part. Decoding needs three quarters of it, so a result of several parts stays within three times
/// its size.
const LONGEST: usize = 4 << 20;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Whether an encoded part may start with a run of letters and digits, also behind the `n` of an escaped line break.
pub(super) fn may_start(text: &[u8], run: Span) -> bool {
    let escaped = run.start > 0 && text[run.start - 1] == b'\\';
    starts_readable(&text[run.start..run.end]) || escaped && starts_readable(&text[run.start + 1..run.end])
}

/// The encoded parts of a text in which the matcher finds something.
pub(super) fn find(matcher: &Matcher, text: &[u8], key: Labels, levels: u8, found: &mut Vec<Hit>) {
    let mut end = 0;
    for run in long_runs(text) {
        if run.start < end || !starts_readable(&text[run.start..run.end]) {
            continue;
        }
        let span = whole(text, run);
        end = span.end;
        let part = &text[span.start..span.end];
        if part.len() > LONGEST {
            continue;
        }
        let mut hits = Vec::new();
        // What stands before an encoded value speaks for it as for a plain one.
        let before = &text[span.start.saturating_sub(LABEL_REACH_BYTES)..span.start];
        let key = key.or(labels::of_pieces(std::iter::once(before)));
        for decoded in [unhex(part), unbase64(part)].into_iter().flatten() {
            matcher.find_through(&decoded, key, Glance::ALL, levels - 1, &mut hits);
            if let Some(first) = hits.first() {
                found.push(Hit { start: span.start, end: span.end, row: first.row });
                break;
            }
        }
    }
}

/// The run with the signs of base64 that do not belong to words.
fn whole(text: &[u8], run: Span) -> Span {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let length = text[run.start..].iter().take_while(|byte| part(byte)).count();
    let padding = text[run.start + length..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Span { start: run.start, end: run.start + length + padding }
}

/// Whether the first characters decode to readable ones, as base64 or as hexadecimal.
pub(super) fn starts_readable(run: &[u8]) -> bool {
    let Some(head) = run.get(..SHORTEST) else { return false };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut pairs = head.chunks_exact(2);
    // Two hexadecimal digits of a readable character.
    if pairs.all(|pair| {
        matches!((digit(pair[0]), digit(pair[1])), (Some(high @ 2..=7), Some(low)) if (high, low) != (7, 15))
            || matches!(pair, b"0a" | b"0A" | b"0d" | b"0D" | b"09")
    }) {
        return true;
    }
    // Nine bytes by hand: this runs for every long word of a text.
    let mut bytes = [0; 9];
    for (group, out) in head.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let mut bits = 0u32;
        for character in group {
            let value = SIXTY_FOUR[usize::from(*character)];
            if value == 0xFF {
                return false;
            }
            bits = bits << 6 | u32::from(value);
        }
        out.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    is_readable(&bytes)
}

const SIXTY_FOUR: [u8; 256] = {
    let mut table = [0xFF; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

/// Text in ASCII, or the start of text in UTF-8.
fn is_readable(bytes: &[u8]) -> bool {
    let plain = |byte: &u8| (0x20..0x7F).contains(byte) || matches!(byte, b'\n' | b'\r' | b'\t');
    if bytes.iter().all(plain) {
        return true;
    }
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid
        && bytes.iter().all(|byte| plain(byte) || !byte.is_ascii())
        && bytes.iter().filter(|byte| byte.is_ascii()).count() * 2 >= bytes.len()
}

fn unhex(part: &[u8]) -> Option<Vec<u8>> {
    if !part.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    part.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect::<Option<Vec<u8>>>()
        .filter(|bytes| std::str::from_utf8(bytes).is_ok())
}

fn unbase64(part: &[u8]) -> Option<Vec<u8>> {
    let url = part.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if url { &URL } else { &PLAIN };
    // A cut of one character is no encoding of anything; the rest is.
    let text = part.trim_ascii_end();
    let unpadded = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &text[..text.len() - unpadded];
    let body = if body.len() % 4 == 1 { &body[..body.len() - 1] } else { body };
    engine.decode(body).ok().filter(|bytes| std::str::from_utf8(bytes).is_ok())
}
