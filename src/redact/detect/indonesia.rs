//! Indonesian identifiers: NIK, NPWP and mobile numbers (the AxonFlow contract, section 5.3).

use super::{DigitQuestion, opaque};
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::window::{Candidate, Span};

/// Provinces of the civil registry, first two digits of a NIK. 95 and 96 are the provinces of 2022.
const PROVINCES: [std::ops::RangeInclusive<u32>; 10] =
    [11..=19, 21..=21, 31..=36, 51..=53, 61..=65, 71..=76, 81..=82, 91..=94, 95..=95, 96..=96];

/// How a NIK is grouped in print besides standing in one piece.
const NIK_GROUPS: [&[u8]; 7] =
    [&[16], &[4, 4, 4, 4], &[6, 6, 4], &[6, 10], &[6, 2, 2, 2, 4], &[2, 2, 2, 6, 4], &[2, 2, 2, 2, 2, 2, 4]];

/// NIK: 16 digits, province, regency, district, birth date (day + 40 for women), serial.
pub(super) fn nik(question: &DigitQuestion<'_>) -> Option<Span> {
    let candidate = question.groups.candidates().find(|candidate| candidate.total() >= 16)?;
    let span = candidate.span();
    let shaped = NIK_GROUPS.contains(&candidate.lengths()) && candidate.is_even(b" -.");
    if !shaped || !is_nik(candidate.digits()) || opaque::in_hexadecimal(question.around, span) {
        return None;
    }
    if question.around.is_fraction() && question.labels(span.end).is_empty() {
        return None;
    }
    Some(span)
}

fn is_nik(digits: &[u8]) -> bool {
    let [province, _, _, day, month, year, serial_high, serial_low] = match pairs(digits) {
        Some(pairs) => pairs,
        None => return false,
    };
    let day = if day > 40 { day - 40 } else { day };
    PROVINCES.iter().any(|range| range.contains(&province))
        && dates::exists(year, month, day)
        && (serial_high, serial_low) != (0, 0)
}

/// Sixteen digits as eight numbers of two.
fn pairs(digits: &[u8]) -> Option<[u32; 8]> {
    let (chunks, []) = digits.as_chunks::<2>() else { return None };
    let chunks: &[[u8; 2]; 8] = chunks.try_into().ok()?;
    Some(chunks.map(|[tens, ones]| u32::from(tens - b'0') * 10 + u32::from(ones - b'0')))
}

/// NPWP: `NN.NNN.NNN.N-NNN.NNN` as it is printed, or 15 or 16 digits that a label calls NPWP.
pub(super) fn npwp(question: &DigitQuestion<'_>) -> Option<Span> {
    let printed = question
        .groups
        .first(6)
        .filter(|candidate| candidate.lengths() == [2, 3, 3, 1, 3, 3] && candidate.separators() == b"...-.");
    if let Some(printed) = printed {
        return Some(printed.span());
    }
    let labelled =
        question.groups.candidates().rev().find(|candidate| matches!(candidate.total(), 15 | 16))?;
    let span = labelled.span();
    let named = question.labels(span.end).meets(Labels::NPWP);
    (named && !question.around.continues_chain() && !opaque::in_hexadecimal(question.around, span))
        .then_some(span)
}

/// Mobile number: +62, 62 or 0, then 8, 1 to 9, and 7 to 11 more digits, in groups or in one piece.
pub(super) fn phone(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let plus = around.before(1) == Some(b'+');
    if around.continues_chain() {
        return None;
    }
    let (mut found, mut found_wide) = (None, None);
    for candidate in question.groups.candidates() {
        if !is_phone_so_far(candidate.digits(), plus) || !is_phone_grouped(&candidate) {
            return finish(question, found_wide.or(found), plus);
        }
        let (total, last) = (candidate.total(), candidate.lengths().last().copied().unwrap_or(0));
        if !is_phone_length(candidate.digits(), total) || opaque::in_identifier(around, candidate.span()) {
            continue;
        }
        found = Some(candidate.span());
        if candidate.lengths()[1..].iter().all(|length| *length >= 3) {
            found_wide = found;
        }
        // A whole number in one piece ends at a space; what follows is the next word.
        if last >= 7 && candidate.next_separator() != Some(b'-') {
            break;
        }
    }
    finish(question, found_wide.or(found), plus)
}

fn finish(question: &DigitQuestion<'_>, found: Option<Span>, plus: bool) -> Option<Span> {
    let span = found.filter(|span| !opaque::in_hexadecimal(question.around, *span))?;
    Some(Span { start: span.start - usize::from(plus), end: span.end })
}

/// Length of the country code or trunk prefix that the digits start with.
fn prefix(digits: &[u8]) -> Option<usize> {
    match digits {
        [b'6', b'2', ..] => Some(2),
        [b'0', ..] => Some(1),
        _ => None,
    }
}

/// Whether the digits may be the beginning of a mobile number.
fn is_phone_so_far(digits: &[u8], plus: bool) -> bool {
    let Some(prefix) = prefix(digits).filter(|prefix| !plus || *prefix == 2) else { return false };
    let rest = &digits[prefix..];
    rest.first().is_none_or(|digit| *digit == b'8') && rest.get(1).is_none_or(|digit| *digit != b'0')
}

fn is_phone_length(digits: &[u8], total: usize) -> bool {
    prefix(digits).is_some_and(|prefix| (9..=13).contains(&(total - prefix)))
}

/// Whether the groups look like those of a phone number and not like a row of small numbers: `62` or at least four
/// digits first, then at least two each, and dots only with dots.
fn is_phone_grouped(candidate: &Candidate<'_>) -> bool {
    let lengths = candidate.lengths();
    let first = candidate.digits().starts_with(b"62") && lengths[0] == 2 || lengths[0] >= 4;
    let dotted = candidate.separators().contains(&b'.');
    first
        && lengths[1..].iter().all(|length| *length >= 2)
        && (!dotted || candidate.separator() == Some(b'.'))
}
