//! Tokens whose digits mean nothing: digests and UUIDs in hexadecimal, and numbers inside longer identifiers.

use crate::redact::window::{Span, Surroundings};

/// Lengths of digests in hexadecimal: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const DIGESTS: [usize; 6] = [32, 40, 56, 64, 96, 128];
const LONGEST_DIGEST: usize = 128;
const UUID_LENGTH: usize = 36;

/// Whether either end of `span` lies in a hexadecimal digest or a UUID (RFC 9562). Only these exact shapes are
/// spared: a card number inside any other text is still a card number.
pub(in crate::redact) fn in_hexadecimal(around: &Surroundings<'_>, span: Span) -> bool {
    let last = span.end - 1;
    [span.start, last].into_iter().any(|at| in_digest(around, at) || in_uuid(around, at))
}

/// The run of bytes around `at` that pass `part`; empty when it is longer than `longest`.
fn run(around: &Surroundings<'_>, at: usize, longest: usize, part: fn(u8) -> bool) -> Span {
    let floor = around.floor().max(at.saturating_sub(longest));
    let ceiling = around.text.len().min(at + longest + 1);
    let before = around.text[floor..at].iter().rev().take_while(|byte| part(**byte)).count();
    let behind = around.text[at..ceiling].iter().take_while(|byte| part(**byte)).count();
    let span = Span { start: at - before, end: at + behind };
    if span.end - span.start > longest { Span { start: at, end: at } } else { span }
}

fn in_digest(around: &Surroundings<'_>, at: usize) -> bool {
    let token = run(around, at, LONGEST_DIGEST, |byte| byte.is_ascii_alphanumeric());
    let bytes = &around.text[token.start..token.end];
    DIGESTS.contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_hexdigit)
}

fn in_uuid(around: &Surroundings<'_>, at: usize) -> bool {
    let token = run(around, at, UUID_LENGTH, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let bytes = &around.text[token.start..token.end];
    bytes.len() == UUID_LENGTH
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether the span stands inside an identifier of letters and digits: a letter follows, or letters that themselves
/// follow a digit stand before. A plain word before is none (`WA0812…`).
pub(super) fn in_identifier(around: &Surroundings<'_>, span: Span) -> bool {
    const LONGEST_WORD: usize = 16;
    if around.after(span.end).is_some_and(|byte| byte.is_ascii_alphabetic()) {
        return true;
    }
    let letters = (1..=LONGEST_WORD)
        .take_while(|back| around.before(*back).is_some_and(|byte| byte.is_ascii_alphabetic()))
        .count();
    letters == LONGEST_WORD
        || (letters > 0 && around.before(letters + 1).is_some_and(|byte| byte.is_ascii_digit()))
}
