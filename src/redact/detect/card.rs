//! Payment card numbers: by the documented loose rule, or by sum and issuer.

use super::{CardMatch, DigitQuestion, checksums, opaque};
use crate::redact::labels::Labels;
use crate::redact::limits::MAX_DIGITS;
use crate::redact::window::{Candidate, Span};

/// Fewest digits of a card number.
const MIN_CARD_DIGITS: usize = 13;
/// Fewest digits beside a label: Maestro's numbers may have twelve.
const SHORTEST_LABELLED: usize = 12;

/// Bounds of number types that programs and schemas are full of: 2^53 - 1, 2^53, 2^63 - 1, 2^63.
const TYPE_BOUNDS: [&[u8]; 4] =
    [b"9007199254740991", b"9007199254740992", b"9223372036854775807", b"9223372036854775808"];

/// How cards are printed in groups.
const PRINTED: [&[u8]; 11] = [
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 1],
    &[4, 4, 4, 2],
    &[4, 4, 4, 3],
    &[4, 4, 5],
    &[6, 13],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 3],
];

/// Issuer networks: first and last prefix, digits of the prefix, fewest and most digits of the number.
const ISSUERS: &[(u32, u32, usize, usize, usize)] = &[
    (4, 4, 1, 13, 19),
    (51, 55, 2, 16, 16),
    (2221, 2720, 4, 16, 16),
    (34, 34, 2, 15, 15),
    (37, 37, 2, 15, 15),
    (6011, 6011, 4, 16, 19),
    (644, 649, 3, 16, 19),
    (65, 65, 2, 16, 19),
    (300, 305, 3, 14, 19),
    (36, 36, 2, 14, 19),
    (38, 39, 2, 14, 19),
    (35, 35, 2, 16, 16),
    (2131, 2131, 4, 15, 15),
    (1800, 1800, 4, 15, 15),
    (506, 509, 3, 16, 16),
    (637, 639, 3, 16, 16),
    (9792, 9792, 4, 16, 16),
    (62, 62, 2, 16, 19),
    (81, 82, 2, 16, 16),
    (508, 508, 3, 16, 16),
    (60, 60, 2, 16, 16),
    (2200, 2204, 4, 16, 19),
    (50, 50, 2, 16, 16),
    (56, 58, 2, 16, 16),
    (5018, 5020, 4, 13, 19),
    (5038, 5038, 4, 13, 19),
    (5893, 5893, 4, 13, 19),
    (6304, 6304, 4, 13, 19),
    (6390, 6390, 4, 13, 19),
    (6759, 6763, 4, 13, 19),
];

/// A card number. With the loose rule any 13 to 19 digits in one piece or in the groups of a printed card; in other
/// groups, as with the precise rule, only what passes the sum and starts like a card.
pub(super) fn card(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let mut longest = None;
    let mut sure = None;
    for candidate in question.groups.candidates() {
        let total = candidate.total();
        if !(MIN_CARD_DIGITS..=MAX_DIGITS).contains(&total) {
            continue;
        }
        let one_piece = candidate.lengths().len() == 1;
        let printed = one_piece || is_printed(&candidate);
        let loose = printed && !is_years(&candidate);
        let checked = (printed || is_groupable(&candidate))
            && is_issued(candidate.digits())
            && checksums::luhn(candidate.digits());
        if !(loose || checked)
            || one_piece && (around.is_fraction() || TYPE_BOUNDS.contains(&candidate.digits()))
            || opaque::in_hexadecimal(around, candidate.span())
        {
            continue;
        }
        sure = if checked { Some(candidate.span()) } else { sure };
        longest = if loose { Some(candidate.span()) } else { longest };
    }
    match question.card_match {
        CardMatch::Loose => sure.or(longest),
        CardMatch::Precise => sure,
    }
}

/// What a label calls a card: 12 to 19 digits with a valid sum, of whatever issuer.
pub(super) fn labelled(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    if !question.labels(around.start).meets(Labels::CARD) {
        return None;
    }
    let fits = |candidate: &Candidate<'_>| {
        (SHORTEST_LABELLED..=MAX_DIGITS).contains(&candidate.total())
            && (candidate.lengths().len() == 1 || is_printed(candidate) || is_groupable(candidate))
            && checksums::luhn(candidate.digits())
            && !candidate.digits().iter().all(|digit| *digit == b'0')
    };
    let span = question.groups.candidates().rev().find(fits)?.span();
    (!around.is_fraction() && !opaque::in_hexadecimal(around, span)).then_some(span)
}

/// Whether groups that no card is printed in may still belong to one number: several of at least two digits, none of
/// which is a whole number of its own.
fn is_groupable(candidate: &Candidate<'_>) -> bool {
    let parts = |length: &u8| (2..MIN_CARD_DIGITS).contains(&usize::from(*length));
    candidate.lengths().iter().all(parts) && !candidate.separators().contains(&b'.')
}

fn is_printed(candidate: &Candidate<'_>) -> bool {
    let lengths = candidate.lengths();
    matches!(lengths[0], 4 | 6) && candidate.is_even(b" -") && PRINTED.contains(&lengths)
}

/// A row of years, as `2021 2022 2023 2024`.
fn is_years(candidate: &Candidate<'_>) -> bool {
    let (years, rest) = candidate.digits().as_chunks::<4>();
    candidate.lengths().iter().all(|length| *length == 4)
        && rest.is_empty()
        && years.iter().all(|year| year.starts_with(b"19") || year.starts_with(b"20"))
}

fn is_issued(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|&(first, last, width, fewest, most)| {
        let prefix = digits[..width].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        (first..=last).contains(&prefix) && (fewest..=most).contains(&digits.len())
    })
}
