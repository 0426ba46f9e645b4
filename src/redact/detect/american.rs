//! Identifiers of the United States and those of every country that only a label or a sum tells from other numbers:
//! social security, routing and account, Aadhaar, passport, licence, date of birth (the AxonFlow contract, 5.1).

use super::checksums::{aba, number, verhoeff};
use super::{DigitQuestion, WordQuestion, opaque};
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::limits::LONGEST_IDENTIFIER;
use crate::redact::window::{Span, Surroundings};

/// Social security number: area, group and serial that are issued; with hyphens, or with a label.
pub(super) fn ssn(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    if around.continues_chain() {
        return None;
    }
    let candidate = question.groups.candidates().find(|candidate| candidate.total() >= 9)?;
    if candidate.total() != 9 || !is_ssn(candidate.digits()) {
        return None;
    }
    let span = candidate.span();
    let hyphens = candidate.lengths() == [3, 2, 4] && candidate.separator() == Some(b'-');
    let spaced = matches!(candidate.lengths(), [3, 2, 4] | [9]) && candidate.is_even(b" -.");
    let continued = matches!(candidate.next_separator(), Some(b'-' | b'.'));
    let taken = !continued && (hyphens || spaced && question.labels(span.end).meets(Labels::SSN));
    (taken && !opaque::in_identifier(around, span) && !opaque::in_hexadecimal(around, span)).then_some(span)
}

fn is_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (number(&digits[..3]), number(&digits[3..5]), number(&digits[5..]));
    !matches!(area, 0 | 666 | 900..=999) && group != 0 && serial != 0
}

/// Routing number with a label, or a routing number and an account behind it (17 to 26 digits in two groups).
pub(super) fn bank(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let first =
        question.groups.first(1).filter(|candidate| candidate.total() == 9 && aba(candidate.digits()))?;
    let span = first.span();
    if around.continues_chain() || opaque::in_identifier(around, span) {
        return None;
    }
    if matches!(around.after(span.end), Some(b'-' | b' ' | b'/')) {
        let behind = &around.text[span.end + 1..];
        let account = behind.iter().take(18).take_while(|byte| byte.is_ascii_digit()).count();
        if (8..=17).contains(&account) {
            return Some(Span { start: span.start, end: span.end + 1 + account });
        }
    }
    question.labels(span.end).meets(Labels::ROUTING.or(Labels::ACCOUNT)).then_some(span)
}

/// Aadhaar: twelve digits, the first 2 to 9, with Verhoeff's check or a label.
pub(super) fn aadhaar(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let candidate = question.groups.candidates().find(|candidate| candidate.total() >= 12)?;
    let digits = candidate.digits();
    let shaped = matches!(candidate.lengths(), [12] | [4, 4, 4]) && candidate.is_even(b" -.");
    let continued = matches!(candidate.next_separator(), Some(b'-' | b'.'))
        || candidate.next_separator() == Some(b' ') && candidate.lengths().len() == 3;
    if candidate.total() != 12
        || !shaped
        || continued
        || around.continues_chain()
        || !matches!(digits[0], b'2'..=b'9')
    {
        return None;
    }
    let span = candidate.span();
    let repeated = digits.iter().all(|digit| *digit == digits[0]);
    let taken = !repeated && (verhoeff(digits) || question.labels(span.end).meets(Labels::AADHAAR));
    let free = !around.is_fraction()
        && !opaque::in_identifier(around, span)
        && !opaque::in_hexadecimal(around, span);
    (taken && free).then_some(span)
}

/// A date that a label calls the day of birth.
pub(super) fn birth(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let start = around.start;
    if around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (start, end) = match dates::length(&around.text[start..]) {
        Some(length) => (start, start + length),
        None => american_date(around)?,
    };
    question.labels(end).meets(Labels::BIRTH).then_some(Span { start, end })
}

/// `March 12, 1988` around the day.
fn american_date(around: &Surroundings<'_>) -> Option<(usize, usize)> {
    let text = around.text;
    let letters_end = around.start.checked_sub(1).filter(|at| text[*at] == b' ' && *at > around.floor())?;
    let letters =
        text[around.floor()..letters_end].iter().rev().take(10).take_while(|byte| byte.is_ascii_alphabetic());
    let month_start = letters_end - letters.count();
    dates::month_word(&text[month_start..letters_end])?;
    let day = text[around.start..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = around.start + day;
    if matches!(text.get(at..at + 2), Some(b"st" | b"nd" | b"rd" | b"th")) {
        at += 2;
    }
    while matches!(text.get(at), Some(b' ' | b',')) && at < around.start + day + 4 {
        at += 1;
    }
    let year = text[at..].iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    (day <= 2 && year == 4).then_some((month_start, at + year))
}

/// An alphanumeric run from `start` on, with single hyphens or spaces between parts if they hold digits; and how many
/// digits it has.
fn identifier(text: &[u8], start: usize, joined: &[u8]) -> (usize, usize, usize) {
    let (mut at, mut digits, mut letters) = (start, 0, 0);
    let limit = text.len().min(start + LONGEST_IDENTIFIER);
    while at < limit {
        let byte = text[at];
        if byte.is_ascii_digit() {
            digits += 1;
        } else if byte.is_ascii_alphabetic() {
            letters += 1;
        } else if !(joined.contains(&byte) && text.get(at + 1).is_some_and(u8::is_ascii_digit)) {
            break;
        }
        at += 1;
    }
    (at, digits, letters)
}

fn passport_from(around: &Surroundings<'_>) -> Option<Span> {
    let (end, digits, letters) = identifier(around.text, around.start, b"");
    let shaped = (6..=9).contains(&(end - around.start)) && digits >= 5 && letters <= 4
        || letters <= 2 && (6..=9).contains(&digits);
    (shaped && !around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()))
        .then_some(Span { start: around.start, end })
}

/// Passport number beside its label: one or two letters and six to nine digits, or the nine characters of newer ones.
pub(super) fn passport_word(question: &WordQuestion<'_>) -> Option<Span> {
    let span = passport_from(question.around)?;
    question.labels(span.end).meets(Labels::PASSPORT).then_some(span)
}

/// A passport number that is all digits.
pub(super) fn passport_digits(question: &DigitQuestion<'_>) -> Option<Span> {
    let span = passport_from(question.around)?;
    let date = dates::length(&question.around.text[span.start..]).is_some();
    (!date && question.labels(span.end).meets(Labels::PASSPORT)).then_some(span)
}

fn licence_from(around: &Surroundings<'_>) -> Option<Span> {
    let (end, digits, letters) = identifier(around.text, around.start, b"-");
    let date = dates::length(&around.text[around.start..]).is_some();
    let shaped = (5..=20).contains(&(end - around.start)) && digits >= 4 && digits + letters >= 6 && !date;
    (shaped && !around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()))
        .then_some(Span { start: around.start, end })
}

/// Driver's licence beside its label.
pub(super) fn licence_word(question: &WordQuestion<'_>) -> Option<Span> {
    let span = licence_from(question.around)?;
    question.labels(span.end).meets(Labels::LICENCE).then_some(span)
}

/// A driver's licence that starts with a digit.
pub(super) fn licence_digits(question: &DigitQuestion<'_>) -> Option<Span> {
    let span = licence_from(question.around)?;
    question.labels(span.end).meets(Labels::LICENCE).then_some(span)
}
