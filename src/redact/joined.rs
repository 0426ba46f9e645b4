//! Values that are cut into pieces: `["4111", "1111", "1111", "1111"]`, digit by digit, or over neighbouring fields.
//!
//! Pieces are short strings and whole numbers that stand beside each other in one array or object. They are joined
//! only in the mind of the matcher, and only what a check digit, a strong form or a label proves is masked, each piece
//! for itself. Times in the loose sense of cards never join.

use super::detect::DETECTORS;
use super::detect::secrets::{Secret, is_value, kind_of_name};
use super::encoded;
use super::labels::{self, Labels};
use super::splice::{Fill, Splice};
use super::text::{Hit, Matcher};

/// Longest piece: a first part of a mail address.
pub(super) const LONGEST_PIECE: usize = 24;
/// Pieces that are looked at together: an IBAN, character by character, has 34.
const MOST_PIECES: usize = 40;
/// Longest piece of an encoded text.
pub(super) const LONGEST_ENCODED: usize = 512;
/// Longest encoded text that is joined.
const LONGEST_ENCODED_VALUE: usize = 4096;
/// Longest value that is joined.
const LONGEST_VALUE: usize = 96;
/// Shortest value that is joined.
const SHORTEST_VALUE: usize = 7;

/// A string or a number that may be part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where its content starts, and ends.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Stands without quotes.
    pub(super) number: bool,
    /// Holds a digit or an `@`.
    pub(super) telling: bool,
}

/// What is known of pieces from around them.
#[derive(Clone, Copy)]
pub(super) struct Around {
    /// What their key says.
    pub(super) labels: Labels,
    /// The secret that the key calls them, and its row.
    pub(super) secret: Option<(Secret, u8)>,
    /// Whether they stand in an array; fields beside each other have names of their own.
    pub(super) array: bool,
}

/// The pieces beside each other that were read last.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    /// More pieces came than are looked at.
    too_many: bool,
    telling: bool,
}

impl Pieces {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: Piece) {
        // Of a long piece nobody looked whether it holds a digit.
        self.telling |= piece.telling || piece.end - piece.start > LONGEST_PIECE;
        if self.pieces.len() < MOST_PIECES {
            self.pieces.push(piece);
        } else {
            self.too_many = true;
        }
    }

    /// Whether nothing is to be judged when the row of pieces ends.
    pub(super) fn is_idle(&self) -> bool {
        self.pieces.len() < 2 || !self.telling || self.too_many
    }

    /// Forgets all pieces.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.too_many = false;
        self.telling = false;
    }

    /// Judges the pieces and forgets them.
    pub(super) fn judge(
        &mut self,
        bytes: &[u8],
        matcher: &Matcher,
        around: Around,
        splices: &mut Vec<Splice>,
    ) {
        if !self.is_idle() {
            let around = if around.array { around } else { named(bytes, matcher, &self.pieces, around) };
            let mut judged = Judged { bytes, matcher, around, text: Vec::new(), hits: Vec::new() };
            if let Some(row) = judged.row(&self.pieces) {
                splices.extend(self.pieces.iter().map(|piece| fill(piece, row)));
            } else {
                judged.windows(&self.pieces, splices);
            }
        }
        self.clear();
    }
}

/// What the names of neighbouring fields say together: `card_part1` and `card_part2` are parts of a card.
fn named(bytes: &[u8], matcher: &Matcher, pieces: &[Piece], around: Around) -> Around {
    let mut stems = pieces.iter().map(|piece| stem(bytes, piece));
    let Some(Some(first)) = stems.next() else { return around };
    if first.is_empty() || !stems.all(|stem| stem == Some(first)) {
        return around;
    }
    let secret = kind_of_name(first).and_then(|secret| Some((secret, matcher.secret_row(secret)?)));
    Around { labels: labels::of_key(first).unwrap_or_default(), secret, array: false }
}

/// The key of a field up to the word for a part and the number that end it.
fn stem<'b>(bytes: &'b [u8], piece: &Piece) -> Option<&'b [u8]> {
    let quote = |text: &'b [u8]| text.strip_suffix(b"\"");
    let before = &bytes[piece.start.saturating_sub(LONGEST_KEY)..piece.start];
    let before = if piece.number { before } else { quote(before)? };
    let key = quote(before.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end())?;
    let key = &key[memchr::memrchr(b'"', key)? + 1..];
    let digits = key.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = |byte: &u8| matches!(byte, b'_' | b'-' | b'.' | b' ');
    let trim = |text: &'b [u8]| &text[..text.len() - text.iter().rev().take_while(|byte| sign(byte)).count()];
    let stem = trim(&key[..key.len() - digits]);
    let part = PARTS.iter().find_map(|part| {
        let at = stem.len().checked_sub(part.len())?;
        stem[at..].eq_ignore_ascii_case(part).then(|| trim(&stem[..at]))
    });
    (digits > 0).then_some(part.unwrap_or(stem))
}

/// Longest key that is read.
const LONGEST_KEY: usize = 64;
/// Words for a part of a value.
const PARTS: [&[u8]; 8] = [b"part", b"piece", b"chunk", b"segment", b"seg", b"block", b"group", b"section"];

fn fill(piece: &Piece, row: u8) -> Splice {
    let fill = if piece.number { Fill::Quoted { row, level: 0 } } else { Fill::Token(row) };
    Splice { start: piece.start, end: piece.end, fill }
}

struct Judged<'a> {
    bytes: &'a [u8],
    matcher: &'a Matcher,
    around: Around,
    text: Vec<u8>,
    hits: Vec<Hit>,
}

impl Judged<'_> {
    /// The row that takes all pieces together as one value.
    fn row(&mut self, pieces: &[Piece]) -> Option<u8> {
        let length: usize = pieces.iter().map(|piece| piece.end - piece.start).sum();
        let head = &self.bytes[pieces[0].start..pieces[0].end];
        let longest = if encoded::starts_readable(head) { LONGEST_ENCODED_VALUE } else { LONGEST_VALUE };
        if !(SHORTEST_VALUE..=longest).contains(&length) {
            return None;
        }
        self.text.clear();
        for piece in pieces {
            self.text.extend_from_slice(&self.bytes[piece.start..piece.end]);
        }
        if let Some((secret, row)) = self.around.secret
            && is_value(secret, &self.text)
        {
            return Some(row);
        }
        let plain = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'@' | b'.' | b'_' | b'-' | b'+' | b'/' | b'=' | b' ' | b'(' | b')')
        };
        if !self.text.iter().all(plain) {
            return None;
        }
        self.matcher.find_joined(&self.text, self.around.labels, &mut self.hits);
        let edge = |byte: &&u8| **byte == b' ';
        let first = self.text.iter().take_while(edge).count();
        let last = self.text.len() - self.text.iter().rev().take_while(edge).count();
        match self.hits[..] {
            [hit] if (hit.start, hit.end) == (first, last) => {
                Some(hit.row).filter(|_| self.is_sure(pieces, hit.row))
            }
            _ => None,
        }
    }

    /// Whether the type is sure enough for these pieces. Numbers in fields with names of their own are quantities of
    /// their own, and one digit that fits says little: only cards, accounts and what has a birthday in it may be
    /// spread over them.
    fn is_sure(&self, pieces: &[Piece], row: u8) -> bool {
        let numbers = pieces.iter().any(|piece| piece.number);
        self.around.array
            || !self.around.labels.is_empty()
            || !numbers
            || matches!(DETECTORS[usize::from(row)].kind, "card" | "iban" | "nik")
    }

    /// Rows of strings of equal length among the pieces, such as four times four digits before an expiry date.
    fn windows(&mut self, pieces: &[Piece], splices: &mut Vec<Splice>) {
        let mut from = 0;
        while from < pieces.len() {
            let width = pieces[from].end - pieces[from].start;
            let equal = pieces[from..]
                .iter()
                .take_while(|piece| !piece.number && piece.telling && piece.end - piece.start == width)
                .count();
            // The last part may be shorter, as in 4-6-5 or 4-4-4-3; cards and Aadhaar have at least 12 digits.
            let least = 12usize.div_ceil(width.max(1));
            let found = (least..=equal.min(19 / width.max(1)))
                .filter(|_| (2..=8).contains(&width) || equal < pieces.len())
                .rev()
                .find_map(|count| Some((count, self.row(&pieces[from..from + count])?)));
            if let Some((count, row)) = found {
                splices.extend(pieces[from..from + count].iter().map(|piece| fill(piece, row)));
                from += count;
            } else {
                from += 1;
            }
        }
    }
}
