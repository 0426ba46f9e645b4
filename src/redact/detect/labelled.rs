//! What only a label tells from other text: identifiers of letters and digits beside words for an identity or tax
//! number, an account, a value-added tax number.

use super::{DigitQuestion, WordQuestion, opaque};
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::window::{Span, Surroundings};

/// Longest identifier, in letters and digits: an account number of the form of an IBAN.
const LONGEST: usize = 34;

/// Letters and digits in one piece, or in parts with one sign between: where they end, how many digits and letters.
struct Identifier {
    end: usize,
    digits: usize,
    letters: usize,
    small: bool,
}

/// Reads the identifier at `start`. Behind a space only what holds a digit, or one capital letter, belongs to it.
fn read(text: &[u8], start: usize) -> Identifier {
    let mut read = Identifier { end: start, digits: 0, letters: 0, small: false };
    let mut at = start;
    loop {
        let part =
            text[at..].iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let part = &text[at..at + part];
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        let capital = part.len() == 1 && part[0].is_ascii_uppercase();
        let joined = at > start && text[at - 1] != b' ' && digits > 0;
        let belongs =
            at == start || joined || digits > 0 && part[0].is_ascii_digit() || digits > 1 || capital;
        if part.is_empty() || !belongs || read.digits + read.letters + part.len() > LONGEST {
            return read;
        }
        read.digits += digits;
        read.letters += part.len() - digits;
        read.small |= part.iter().any(u8::is_ascii_lowercase);
        read.end = at + part.len();
        if !matches!(text.get(read.end), Some(b' ' | b'-' | b'.' | b'/')) {
            return read;
        }
        at = read.end + 1;
    }
}

/// Where the identifier ends, if it is one that a label may speak for.
fn judged(around: &Surroundings<'_>, least: usize, named: impl Fn(usize) -> bool) -> Option<Span> {
    // Asked first: the labels before a candidate are read once for all rows, and hardly ever there.
    if !named(around.start) {
        return None;
    }
    let text = around.text;
    if around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()) || around.continues_chain() {
        return None;
    }
    let read = read(text, around.start);
    let date =
        || dates::length(&text[around.start..]).is_some_and(|length| around.start + length >= read.end);
    let total = read.digits + read.letters;
    let shaped = read.digits >= least.min(5) && (read.letters <= read.digits || !read.small);
    let span = Span { start: around.start, end: read.end };
    (shaped && total >= least && !date() && !opaque::in_hexadecimal(around, span)).then_some(span)
}

/// An identity or tax number.
pub(super) fn national_word(question: &WordQuestion<'_>) -> Option<Span> {
    judged(question.around, 6, |end| question.labels(end).meets(Labels::NATIONAL))
}

/// An identity or tax number that starts with a digit.
pub(super) fn national_digits(question: &DigitQuestion<'_>) -> Option<Span> {
    judged(question.around, 6, |end| question.labels(end).meets(Labels::NATIONAL))
}

/// A bank account with letters in it, or of more digits than any card has.
pub(super) fn account_word(question: &WordQuestion<'_>) -> Option<Span> {
    judged(question.around, 8, |end| question.labels(end).meets(Labels::ACCOUNT))
}

/// A bank account that starts with a digit.
pub(super) fn account_digits(question: &DigitQuestion<'_>) -> Option<Span> {
    let span = judged(question.around, 10, |end| question.labels(end).meets(Labels::ACCOUNT))?;
    let long = question.groups.first(1).is_none_or(|first| first.total() < span.end - span.start);
    let mixed = question.around.text[span.start..span.end].iter().any(u8::is_ascii_alphabetic);
    (long && mixed || question.groups.first(1).is_none()).then_some(span)
}

/// A value-added tax number of any country.
pub(super) fn vat_word(question: &WordQuestion<'_>) -> Option<Span> {
    judged(question.around, 7, |end| question.labels(end).meets(Labels::VAT))
}

/// A value-added tax number that starts with a digit.
pub(super) fn vat_digits(question: &DigitQuestion<'_>) -> Option<Span> {
    judged(question.around, 7, |end| question.labels(end).meets(Labels::VAT))
}

/// Two letters before three or four pairs, `OX 57 98 86 D`, beside a label: the form of British insurance numbers,
/// whatever their first letters.
pub(super) fn pairs(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let letters = around.before(1) == Some(b' ')
        && around.before(2).is_some_and(|byte| byte.is_ascii_uppercase())
        && around.before(3).is_some_and(|byte| byte.is_ascii_uppercase())
        && !around.before(4).is_some_and(|byte| byte.is_ascii_alphanumeric());
    let six = question.groups.candidates().find(|candidate| candidate.total() == 6)?;
    if !letters || !matches!(six.lengths(), [2, 2, 2] | [6]) || !six.is_even(b" ") {
        return None;
    }
    let end = six.span().end;
    let behind = &around.text[end..];
    let suffix = matches!(behind, [b' ', b'A'..=b'Z', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_alphanumeric));
    let span = Span { start: around.start - 3, end: end + if suffix { 2 } else { 0 } };
    question.labels(span.end).meets(Labels::NATIONAL).then_some(span)
}
