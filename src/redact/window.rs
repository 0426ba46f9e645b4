//! What a detector is shown: the groups of digits that start at one place, or the place of an `@`, and what stands
//! around them.

use super::labels::{self, Labels};
use super::limits::{LABEL_REACH_BYTES, MAX_DIGITS, MAX_GROUPS};
use super::text::Hit;
use std::cell::Cell;

/// Pieces of text between masked spans within the reach of a label: the shortest token has 14 bytes.
const MOST_PIECES: usize = LABEL_REACH_BYTES / 14 + 2;

/// A part of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// The text around a candidate. Everything to its left is settled: what was masked there reads as a token.
pub struct Surroundings<'a> {
    /// The whole decoded text.
    pub text: &'a [u8],
    /// Where the candidate starts.
    pub start: usize,
    hits: &'a [Hit],
    token_lengths: &'a [usize],
    /// What the object key says.
    key: Labels,
    /// The labels to the left, once somebody asked.
    left: Cell<Option<Labels>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(
        text: &'a [u8],
        start: usize,
        hits: &'a [Hit],
        token_lengths: &'a [usize],
        key: Labels,
    ) -> Self {
        Self { text, start, hits, token_lengths, key, left: Cell::new(None) }
    }

    /// First byte that is not masked already.
    pub fn floor(&self) -> usize {
        self.hits.last().map_or(0, |hit| hit.end)
    }

    /// The byte at `back` places before the candidate; a masked span reads as its closing `]`.
    pub fn before(&self, back: usize) -> Option<u8> {
        let at = self.start.checked_sub(back)?;
        if at < self.floor() { Some(b']') } else { self.text.get(at).copied() }
    }

    /// The byte at `end`.
    pub fn after(&self, end: usize) -> Option<u8> {
        self.text.get(end).copied()
    }

    /// Whether the candidate continues digits: `123-` or `123.` stands right before it.
    pub fn continues_chain(&self) -> bool {
        matches!(self.before(1), Some(b'-' | b'.'))
            && self.before(2).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// Whether the candidate is the fraction of a decimal number: `3.` stands right before it.
    pub fn is_fraction(&self) -> bool {
        self.before(1) == Some(b'.') && self.before(2).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// The labels of `wanted` that speak for a candidate ending at `end`: in the object key, before it, or behind it.
    pub fn labels(&self, wanted: Labels, end: usize) -> Labels {
        let left = self.left.get().unwrap_or_else(|| {
            let found = self.left_labels();
            self.left.set(Some(found));
            found
        });
        let found = left.and(wanted);
        if !found.is_empty() || !wanted.meets(Labels::BANKS) {
            return found;
        }
        labels::behind(&self.text[end..]).and(wanted)
    }

    fn left_labels(&self) -> Labels {
        let mut pieces = [&self.text[..0]; MOST_PIECES];
        let mut count = 0;
        let mut budget = LABEL_REACH_BYTES;
        let mut end = self.start;
        let mut hits = self.hits.iter().rev();
        let mut reaches_key = false;
        while count < pieces.len() {
            let hit = hits.next();
            let floor = hit.map_or(0, |hit| hit.end);
            if end - floor > budget {
                pieces[count] = &self.text[self.cut(floor, end - budget, end)..end];
                count += 1;
                break;
            }
            pieces[count] = &self.text[floor..end];
            count += 1;
            budget -= end - floor;
            let Some(hit) = hit else {
                reaches_key = true;
                break;
            };
            let token = self.token_lengths[usize::from(hit.row)];
            if token > budget {
                break;
            }
            budget -= token;
            end = hit.start;
        }
        let found = labels::of_pieces(pieces[..count].iter().rev().copied());
        if reaches_key { found.or(self.key) } else { found }
    }

    /// Moves a cut at `at` behind the word or the token that it goes through, at most to `end`.
    fn cut(&self, floor: usize, at: usize, end: usize) -> usize {
        let mut at = labels::skip_cut_token(self.text, floor, at).min(end);
        if at > floor && self.text[at - 1].is_ascii_alphanumeric() {
            while at < end && self.text[at].is_ascii_alphanumeric() {
                at += 1;
            }
        }
        at
    }
}

/// Up to [`MAX_GROUPS`] groups of digits with one separator (space, `-` or `.`) between each two, together at most
/// [`MAX_DIGITS`] digits.
pub struct Groups {
    /// Where a group ends, from `start`. Everything here fits a byte: at most 19 digits and 18 separators.
    ends: [u8; MAX_GROUPS],
    lengths: [u8; MAX_GROUPS],
    /// Digits up to and with a group.
    totals: [u8; MAX_GROUPS],
    separators: [u8; MAX_GROUPS],
    count: usize,
    /// How many groups from the first on have the same separator between them.
    even: usize,
    start: usize,
    digits: [u8; MAX_DIGITS],
}

impl Groups {
    /// Reads the groups that start at `start`, a digit. No group at all when the first one is longer than any
    /// detector takes.
    pub(super) fn read(text: &[u8], start: usize) -> Self {
        let mut groups = Self {
            ends: [0; MAX_GROUPS],
            lengths: [0; MAX_GROUPS],
            totals: [0; MAX_GROUPS],
            separators: [0; MAX_GROUPS],
            count: 0,
            even: 1,
            start,
            digits: [0; MAX_DIGITS],
        };
        let mut total = 0;
        let mut at = start;
        while groups.count < MAX_GROUPS {
            let before = total;
            while text.get(at).is_some_and(u8::is_ascii_digit) {
                if usize::from(total) == MAX_DIGITS {
                    return groups;
                }
                groups.digits[usize::from(total)] = text[at];
                total += 1;
                at += 1;
            }
            groups.ends[groups.count] = total + groups.count as u8;
            groups.lengths[groups.count] = total - before;
            groups.totals[groups.count] = total;
            if groups.count == groups.even && groups.separators[groups.count - 1] == groups.separators[0] {
                groups.even += 1;
            }
            groups.count += 1;
            match text.get(at) {
                Some(&separator @ (b' ' | b'-' | b'.'))
                    if text.get(at + 1).is_some_and(u8::is_ascii_digit) && groups.count < MAX_GROUPS =>
                {
                    groups.separators[groups.count - 1] = separator;
                    at += 1;
                }
                _ => break,
            }
        }
        groups
    }

    /// The candidates that start here, from one group to all.
    pub fn candidates(&self) -> impl DoubleEndedIterator<Item = Candidate<'_>> {
        (1..=self.count).map(|count| Candidate { groups: self, count })
    }

    /// The candidate made of the first `count` groups.
    pub fn first(&self, count: usize) -> Option<Candidate<'_>> {
        (1..=self.count).contains(&count).then_some(Candidate { groups: self, count })
    }
}

/// The first groups of a [`Groups`].
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    groups: &'a Groups,
    count: usize,
}

impl<'a> Candidate<'a> {
    /// Lengths of the groups in digits.
    pub fn lengths(&self) -> &'a [u8] {
        &self.groups.lengths[..self.count]
    }

    /// What stands between the groups: one byte less than groups.
    pub fn separators(&self) -> &'a [u8] {
        &self.groups.separators[..self.count - 1]
    }

    /// The one separator that stands between all groups; `None` when there are several or none.
    pub fn separator(&self) -> Option<u8> {
        (2..=self.groups.even).contains(&self.count).then_some(self.groups.separators[0])
    }

    /// Whether it is one group, or several with the same separator out of `allowed` between them.
    pub fn is_even(&self, allowed: &[u8]) -> bool {
        self.count == 1 || self.separator().is_some_and(|separator| allowed.contains(&separator))
    }

    /// What stands behind the last group, if it is a separator before more digits.
    pub fn next_separator(&self) -> Option<u8> {
        (self.count < self.groups.count).then(|| self.groups.separators[self.count - 1])
    }

    /// How many digits there are.
    pub fn total(&self) -> usize {
        usize::from(self.groups.totals[self.count - 1])
    }

    /// The digits in ASCII, without separators.
    pub fn digits(&self) -> &'a [u8] {
        &self.groups.digits[..self.total()]
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        Span {
            start: self.groups.start,
            end: self.groups.start + usize::from(self.groups.ends[self.count - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

    #[test]
    fn groups_are_read_up_to_the_most_digits() {
        let groups = Groups::read(b"12-345 6.7 890123456789 1", 0);
        let lengths: Vec<_> = groups.candidates().map(|candidate| candidate.total()).collect();
        assert_eq!(lengths, [2, 5, 6, 7, 19]);
        let last = groups.candidates().next_back().unwrap();
        assert_eq!((last.digits(), last.separators()), (&b"1234567890123456789"[..], &b"- . "[..]));
        assert_eq!(last.span().end, 23);
    }

    #[test]
    fn a_longer_run_is_no_candidate() {
        assert_eq!(Groups::read(b"12345678901234567890", 0).candidates().count(), 0);
        assert_eq!(Groups::read(b"1 12345678901234567890", 0).candidates().count(), 1);
        assert_eq!(Groups::read(b"1234567890123456789", 0).candidates().count(), 1);
    }

    #[test]
    fn two_separators_end_the_groups() {
        assert_eq!(Groups::read(b"1234--5678", 0).candidates().count(), 1);
        assert_eq!(Groups::read(b"1234-", 0).candidates().count(), 1);
    }
}
