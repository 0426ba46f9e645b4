//! Values that are cut by the border of content blocks: the end of one text and the start of the next.
//!
//! Blocks are objects in one array with a `text` each. Their texts are read as one, and only a hit that goes over a
//! border is masked here, in each of them; all else was seen in the texts themselves.

use super::labels::Labels;
use super::splice::{Fill, Splice};
use super::text::{Hit, Matcher};

/// Bytes before and behind a border that are looked at: a label and half a value.
const REACH: usize = 96;
/// Longest text that lies between two borders of one value.
const LONGEST_BETWEEN: usize = 24;
/// Most texts that are read as one.
const MOST: usize = 8;

/// The texts of the blocks read so far, up to [`MOST`], as ranges of bytes.
#[derive(Default)]
pub(super) struct Blocks {
    texts: Vec<(usize, usize)>,
    /// The array that they stand in, by its depth.
    depth: usize,
    /// How many splices there were when the first was read.
    splices: usize,
}

impl Blocks {
    /// Forgets all texts.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
    }

    /// Whether nothing is to be judged.
    pub(super) fn is_idle(&self) -> bool {
        self.texts.len() < 2
    }

    /// Whether the texts stand in an array of this depth.
    pub(super) fn is_at(&self, depth: usize) -> bool {
        self.depth == depth
    }

    /// Adds the text of a block; `splices` is their number. Tells whether the row is to be judged first.
    pub(super) fn push(&mut self, text: (usize, usize), depth: usize, splices: usize) {
        if self.texts.is_empty() || self.depth != depth || self.splices != splices {
            self.texts.clear();
            (self.depth, self.splices) = (depth, splices);
        }
        self.texts.push(text);
    }

    /// Whether the last text is too long to lie between two borders, or there are enough texts.
    pub(super) fn is_full(&self) -> bool {
        self.texts.last().is_some_and(|(start, end)| end - start > LONGEST_BETWEEN)
            || self.texts.len() >= MOST
    }

    /// Judges the borders and forgets all texts but the last.
    pub(super) fn judge(&mut self, bytes: &[u8], matcher: &Matcher, splices: &mut Vec<Splice>) {
        let last = self.texts.last().copied();
        if !self.is_idle() && splices.len() == self.splices {
            masks(bytes, matcher, &self.texts, splices);
        }
        self.texts.clear();
        if splices.len() == self.splices {
            self.texts.extend(last);
        }
    }
}

/// The parts of the texts that are read as one: the end of the first, all between, the start of the last.
fn parts(bytes: &[u8], texts: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let mut parts = texts.to_vec();
    if let Some((start, end)) = parts.first_mut() {
        *start = (*start).max(end.saturating_sub(REACH));
        while inside(*start) {
            *start += 1;
        }
    }
    if let Some((start, end)) = parts.last_mut() {
        *end = (*end).min(*start + REACH);
        while inside(*end) {
            *end -= 1;
        }
    }
    parts
}

fn masks(bytes: &[u8], matcher: &Matcher, texts: &[(usize, usize)], splices: &mut Vec<Splice>) {
    let parts = parts(bytes, texts);
    let mut joined = Vec::new();
    let mut borders = Vec::new();
    for (start, end) in &parts {
        joined.extend_from_slice(&bytes[*start..*end]);
        borders.push(joined.len());
    }
    let telling = |border: &usize| {
        let around =
            &joined[border.saturating_sub(LONGEST_BETWEEN)..joined.len().min(border + LONGEST_BETWEEN)];
        around.iter().any(|byte| byte.is_ascii_digit() || *byte == b'@')
    };
    if !borders.iter().take(borders.len() - 1).any(telling) {
        return;
    }
    let mut hits: Vec<Hit> = Vec::new();
    matcher.find_joined(&joined, Labels::NONE, &mut hits);
    for hit in hits {
        if !borders.iter().any(|border| hit.start < *border && *border < hit.end) {
            continue;
        }
        let mut from = 0;
        for ((start, _), border) in parts.iter().zip(&borders) {
            let (first, last) = (hit.start.max(from), hit.end.min(*border));
            if first < last {
                splices.push(Splice {
                    start: start + first - from,
                    end: start + last - from,
                    fill: Fill::Token(hit.row),
                });
            }
            from = *border;
        }
    }
}
