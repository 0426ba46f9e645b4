//! Finds what is to be masked in one decoded text: candidates from left to right, the longest match at a place, no
//! overlaps. All finders together look at every byte a bounded number of times, whatever the text holds.

use super::detect::{Address, AddressQuestion, CardMatch, DETECTORS, DigitQuestion, Judge, email_at};
use super::labels::Labels;
use super::limits::MIN_DIGITS;
use super::window::{Groups, Span, Surroundings};

/// One match in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index in [`DETECTORS`].
    pub(super) row: u8,
}

/// The detectors that are switched on, sorted by where their candidates stand.
pub(super) struct Matcher {
    digit_rows: Vec<u8>,
    at_rows: Vec<u8>,
    token_lengths: Vec<usize>,
    card_match: CardMatch,
}

impl Matcher {
    pub(super) fn new(card_match: CardMatch, is_on: impl Fn(usize) -> bool) -> Self {
        let rows = |wanted: fn(&Judge) -> bool| {
            let rows = (0u8..).zip(DETECTORS);
            let on = rows.filter(|(row, detector)| is_on(usize::from(*row)) && wanted(&detector.judge));
            on.map(|(row, _)| row).collect()
        };
        Self {
            digit_rows: rows(|judge| matches!(judge, Judge::Digits(_))),
            at_rows: rows(|judge| matches!(judge, Judge::AtSign(_))),
            token_lengths: DETECTORS.iter().map(|detector| detector.token.len()).collect(),
            card_match,
        }
    }

    /// Puts the matches in `text` into `hits`, in order. `key` is what the object key says of the text.
    pub(super) fn find(&self, text: &[u8], key: Labels, hits: &mut Vec<Hit>) {
        hits.clear();
        let mut digits = self.next_digits(text, 0);
        let mut address = self.next_address(text, 0, 0);
        loop {
            let address_start = address.map(|address| address.start);
            let Some(start) = digits.into_iter().chain(address_start).min() else { return };
            let around = Surroundings::new(text, start, hits, &self.token_lengths, key);
            let by_digits = digits.filter(|at| *at == start).and_then(|_| self.judge_digits(&around));
            let by_address = address
                .filter(|address| address.start == start)
                .and_then(|address| self.judge_address(&around, address));
            if let Some(hit) = longest([by_digits, by_address]) {
                hits.push(hit);
                digits = digits
                    .and_then(|at| if at < hit.end { self.next_digits(text, hit.end) } else { Some(at) });
                address = address.and_then(|old| {
                    if old.start < hit.end {
                        self.next_address(text, old.at.max(hit.end), hit.end)
                    } else {
                        Some(old)
                    }
                });
                continue;
            }
            if digits == Some(start) {
                digits = self.next_digits(text, digits_end(text, start));
            }
            if let Some(rejected) = address.filter(|address| address.start == start) {
                let floor = hits.last().map_or(0, |hit| hit.end);
                address = self.next_address(text, rejected.at + 1, floor);
            }
        }
    }

    fn judge_digits(&self, around: &Surroundings<'_>) -> Option<Hit> {
        let groups = Groups::read(around.text, around.start);
        longest(self.digit_rows.iter().map(|&row| {
            let detector = &DETECTORS[usize::from(row)];
            let Judge::Digits(judge) = detector.judge else { return None };
            let question = DigitQuestion {
                groups: &groups,
                around,
                context: detector.context,
                card_match: self.card_match,
            };
            judge(&question).map(|span| hit(span, row))
        }))
    }

    fn judge_address(&self, around: &Surroundings<'_>, address: Address) -> Option<Hit> {
        longest(self.at_rows.iter().map(|&row| {
            let Judge::AtSign(judge) = DETECTORS[usize::from(row)].judge else { return None };
            judge(&AddressQuestion { address, around }).map(|span| hit(span, row))
        }))
    }

    fn next_digits(&self, text: &[u8], from: usize) -> Option<usize> {
        if self.digit_rows.is_empty() { None } else { next_dense_digits(text, from) }
    }

    fn next_address(&self, text: &[u8], from: usize, floor: usize) -> Option<Address> {
        if self.at_rows.is_empty() { None } else { email_at(text, from, floor) }
    }
}

fn hit(span: Span, row: u8) -> Hit {
    Hit { start: span.start, end: span.end, row }
}

/// The longest of the hits, the first row of equally long ones. A `+` before a number makes it start earlier, which
/// counts as length.
fn longest(hits: impl IntoIterator<Item = Option<Hit>>) -> Option<Hit> {
    hits.into_iter().flatten().min_by_key(|hit| (usize::MAX - (hit.end - hit.start), hit.row))
}

/// The first digit at or after `from` with which enough digits for any detector begin. `from` is not inside a number.
fn next_dense_digits(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += text[at..].iter().position(u8::is_ascii_digit)?;
        let mut count = 0;
        let mut end = at;
        while count < MIN_DIGITS {
            match text.get(end) {
                Some(b'0'..=b'9') => count += 1,
                Some(b' ' | b'-' | b'.') if text[end - 1].is_ascii_digit() => {}
                _ => break,
            }
            end += 1;
        }
        if count == MIN_DIGITS {
            return Some(at);
        }
        at = end;
    }
}

/// Where the digits that start at `start` end.
fn digits_end(text: &[u8], start: usize) -> usize {
    let length = text[start..].iter().position(|byte| !byte.is_ascii_digit());
    length.map_or(text.len(), |length| start + length)
}
