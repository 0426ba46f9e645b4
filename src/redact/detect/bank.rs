//! Bank accounts, which only a label tells from other numbers (the AxonFlow contract, section 5.3).

use super::{DigitQuestion, opaque};
use crate::redact::labels::Labels;
use crate::redact::window::{Candidate, Span};

/// How many digits the accounts of a bank have.
const LENGTHS: [(Labels, std::ops::RangeInclusive<usize>); 5] = [
    (Labels::BCA, 10..=10),
    (Labels::MANDIRI, 13..=13),
    (Labels::BRI, 15..=15),
    (Labels::BNI, 10..=10),
    (Labels::ACCOUNT, 8..=17),
];

/// An account number: 8 to 17 digits beside a word for account, or as many as the named bank's accounts have.
pub(super) fn account(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    if around.continues_chain() {
        return None;
    }
    let mut found = None;
    for candidate in question.groups.candidates() {
        let span = candidate.span();
        if candidate.total() > 17 || !candidate.is_even(b" -.") || !is_account_grouped(&candidate) {
            break;
        }
        if candidate.total() < 8 {
            continue;
        }
        let fits = !is_amount(&candidate) && !is_date(&candidate) && !opaque::in_identifier(around, span);
        if fits && allows(question.labels(span.end), candidate.total()) {
            found = Some(span);
        }
        // A number in one piece ends at a space; what follows is the next word.
        if candidate.lengths().len() == 1 && candidate.next_separator() != Some(b'-') {
            break;
        }
    }
    found.filter(|span| !opaque::in_hexadecimal(around, *span))
}

fn allows(labels: Labels, total: usize) -> bool {
    LENGTHS.iter().any(|(label, lengths)| labels.meets(*label) && lengths.contains(&total))
}

/// Whether the groups are more than single digits in a row; only the last may be a check digit of its own.
fn is_account_grouped(candidate: &Candidate<'_>) -> bool {
    candidate.lengths().split_last().is_none_or(|(_, before)| before.iter().all(|length| *length >= 2))
}

/// `12.345.678`: thousands, as amounts are written in Indonesia.
fn is_amount(candidate: &Candidate<'_>) -> bool {
    let (first, rest) = (candidate.lengths()[0], &candidate.lengths()[1..]);
    matches!(candidate.separator(), Some(b'.' | b' ')) && first <= 3 && rest.iter().all(|length| *length == 3)
}

/// `2026-11-20` or `20-11-2026`.
fn is_date(candidate: &Candidate<'_>) -> bool {
    matches!(candidate.lengths(), [4, 2, 2] | [2, 2, 4])
}
