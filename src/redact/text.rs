//! Finds what is to be masked in one decoded text: candidates from left to right, the longest match at a place, no
//! overlaps. All finders together look at every byte a bounded number of times, whatever the text holds.

use super::detect::secrets::{self, Found, Secret};
use super::detect::{
    Address, AddressQuestion, CardMatch, DETECTORS, DigitQuestion, Judge, WordQuestion, email_at,
    in_hexadecimal,
};
use super::glance::Glance;
use super::labels::Labels;
use super::numbers::{self, Place};
use super::window::{Groups, Span, Surroundings};
use super::{dates, encoded, fold, obfuscated};

/// One match in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index in [`DETECTORS`].
    pub(super) row: u8,
}

/// How a text is searched.
#[derive(Clone, Copy)]
struct How {
    /// What may stand in the text.
    glance: Glance,
    /// Encodings inside encodings that are still looked through.
    levels: u8,
    card_match: CardMatch,
}

/// The detectors that are switched on, sorted by where their candidates stand.
pub(super) struct Matcher {
    digit_rows: Vec<u8>,
    word_rows: Vec<u8>,
    at_rows: Vec<u8>,
    secret_rows: Vec<u8>,
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
            digit_rows: rows(|judge| matches!(judge, Judge::Digits(..))),
            word_rows: rows(|judge| matches!(judge, Judge::Word(_))),
            at_rows: rows(|judge| matches!(judge, Judge::AtSign(_))),
            secret_rows: rows(|judge| matches!(judge, Judge::Secret(_))),
            token_lengths: DETECTORS.iter().map(|detector| detector.token.len()).collect(),
            card_match,
        }
    }

    /// The row of a kind of secret, if it is switched on.
    pub(super) fn secret_row(&self, secret: Secret) -> Option<u8> {
        let is =
            |row: &u8| matches!(DETECTORS[usize::from(*row)].judge, Judge::Secret(kind) if kind == secret);
        self.secret_rows.iter().copied().find(is)
    }

    /// Puts the matches in `text` into `hits`, in order. `key` is what the object key says of the text, `glance` what
    /// may stand in it. Hidden characters and encoded parts are looked through.
    pub(super) fn find(&self, text: &[u8], key: Labels, glance: Glance, hits: &mut Vec<Hit>) {
        self.find_through(text, key, glance, encoded::MAX_LEVELS, hits);
    }

    /// The same with a bound for encodings inside encodings.
    pub(super) fn find_through(
        &self,
        text: &[u8],
        key: Labels,
        glance: Glance,
        levels: u8,
        hits: &mut Vec<Hit>,
    ) {
        let folded = if glance.may_fold() { fold::fold(text) } else { None };
        if let Some(folded) = folded {
            let how = How { glance: Glance::ALL, levels, card_match: self.card_match };
            self.find_plain(&folded.text, key, how, hits);
            folded.lift(hits);
        } else {
            self.find_plain(text, key, How { glance, levels, card_match: self.card_match }, hits);
        }
    }

    /// Puts the matches in a text that was joined from pieces into `hits`: without the loose rule for cards.
    pub(super) fn find_joined(&self, text: &[u8], key: Labels, hits: &mut Vec<Hit>) {
        let how = How { glance: Glance::ALL, levels: 1, card_match: CardMatch::Precise };
        self.find_plain(text, key, how, hits);
    }

    fn find_plain(&self, text: &[u8], key: Labels, how: How, hits: &mut Vec<Hit>) {
        hits.clear();
        let How { glance, levels, card_match } = how;
        let mut found = Vec::new();
        let mut spans = Vec::new();
        if glance.may_hold_secret() {
            if !self.secret_rows.is_empty() {
                secrets::find(text, &mut found);
            }
            if levels > 0 {
                encoded::find(self, text, key, levels, &mut spans);
            }
        }
        if let Some(&row) = self.at_rows.first() {
            let addresses = obfuscated::find(text);
            if !addresses.is_empty() {
                spans.extend(addresses.into_iter().map(|span| hit(span, row)));
                spans.sort_by_key(|hit| hit.start);
            }
        }
        let mut settled =
            found.iter().filter_map(|Found { span, secret }| Some(hit(*span, self.secret_row(*secret)?)));
        let mut spans = spans.into_iter();
        let (mut secret, mut span) = (settled.next(), spans.next());
        let mut place = self.next_place(text, 0, 0);
        let mut address = self.next_address(text, 0, 0);
        loop {
            let starts = [
                place.map(|place| place.start()),
                address.map(|address| address.start),
                secret.map(|hit| hit.start),
                span.map(|hit: Hit| hit.start),
            ];
            let Some(start) = starts.into_iter().flatten().min() else { return };
            let around = Surroundings::new(text, start, hits, &self.token_lengths, key);
            let here = place.filter(|place| place.start() == start);
            let by_word = here.filter(|place| place.word.is_some()).and_then(|_| self.judge_word(&around));
            let by_digits = here
                .filter(|place| place.digit == start && place.dense)
                .and_then(|_| self.judge_digits(&around, card_match));
            let by_address = address
                .filter(|address| address.start == start)
                .and_then(|address| self.judge_address(&around, address));
            let by_secret = secret.filter(|hit| hit.start == start);
            let by_encoding = span.filter(|hit| hit.start == start);
            if let Some(hit) = longest([by_secret, by_encoding, by_word, by_digits, by_address]) {
                hits.push(hit);
                place = place.and_then(|old| {
                    if old.start() < hit.end { self.next_place(text, hit.end, hit.end) } else { Some(old) }
                });
                address = address.and_then(|old| {
                    if old.start < hit.end {
                        self.next_address(text, old.at.max(hit.end), hit.end)
                    } else {
                        Some(old)
                    }
                });
                while secret.is_some_and(|secret| secret.start < hit.end) {
                    secret = settled.next();
                }
                while span.is_some_and(|span| span.start < hit.end) {
                    span = spans.next();
                }
                continue;
            }
            let floor = hits.last().map_or(0, |hit| hit.end);
            if let Some(rejected) = here {
                place = if rejected.word.is_some() && rejected.digit > start && rejected.dense {
                    Some(Place { word: None, ..rejected })
                } else {
                    self.next_place(text, numbers::digits_end(text, rejected.digit), floor)
                };
            }
            if let Some(rejected) = address.filter(|address| address.start == start) {
                address = self.next_address(text, rejected.at + 1, floor);
            }
        }
    }

    fn judge_digits(&self, around: &Surroundings<'_>, card_match: CardMatch) -> Option<Hit> {
        let groups = Groups::read(around.text, around.start);
        // Times fill logs and records; only a day of birth starts like one.
        let date = dates::is_iso(&around.text[around.start..]);
        let total = groups.candidates().next_back().map_or(0, |candidate| candidate.total());
        longest(self.digit_rows.iter().map(|&row| {
            let detector = &DETECTORS[usize::from(row)];
            let Judge::Digits(least, judge) = detector.judge else { return None };
            if total < least || date && !detector.context.meets(Labels::BIRTH) {
                return None;
            }
            let question = DigitQuestion { groups: &groups, around, context: detector.context, card_match };
            judge(&question).map(|span| hit(span, row))
        }))
    }

    fn judge_word(&self, around: &Surroundings<'_>) -> Option<Hit> {
        longest(self.word_rows.iter().map(|&row| {
            let detector = &DETECTORS[usize::from(row)];
            let Judge::Word(judge) = detector.judge else { return None };
            judge(&WordQuestion { around, context: detector.context })
                .filter(|span| !in_hexadecimal(around, *span))
                .map(|span| hit(span, row))
        }))
    }

    fn judge_address(&self, around: &Surroundings<'_>, address: Address) -> Option<Hit> {
        longest(self.at_rows.iter().map(|&row| {
            let Judge::AtSign(judge) = DETECTORS[usize::from(row)].judge else { return None };
            judge(&AddressQuestion { address, around }).map(|span| hit(span, row))
        }))
    }

    fn next_place(&self, text: &[u8], from: usize, floor: usize) -> Option<Place> {
        if self.digit_rows.is_empty() && self.word_rows.is_empty() {
            None
        } else {
            numbers::next(text, from, floor)
        }
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
