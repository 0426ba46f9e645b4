//! Keeps the keys of one object apart after some of them were masked.
//!
//! Two masked keys may read alike, and a masked key may read like one that was there before. The first keeps its text,
//! the next get ` 2`, ` 3` and so on behind it.

use std::collections::{BTreeMap, BTreeSet};

/// The keys of one object that can collide: the masked ones, and those that hold a token already.
#[derive(Default)]
pub(super) struct KeyBook {
    /// Texts of keys that stay as they are.
    kept: BTreeSet<Vec<u8>>,
    /// Texts of the masked keys in order, with the splice that can carry a suffix.
    masked: Vec<(Vec<u8>, usize)>,
}

impl KeyBook {
    pub(super) fn keep(&mut self, text: Vec<u8>) {
        self.kept.insert(text);
    }

    pub(super) fn mask(&mut self, text: Vec<u8>, suffix_splice: usize) {
        self.masked.push((text, suffix_splice));
    }

    /// The suffix splices that need a number, with the number.
    pub(super) fn suffixes(&self) -> Vec<(usize, u32)> {
        let taken: BTreeSet<&[u8]> =
            self.kept.iter().chain(self.masked.iter().map(|(text, _)| text)).map(Vec::as_slice).collect();
        // The next number to try for a text; 1 stands for no suffix. A text with a suffix can only equal another text
        // of this object, never one with another suffix, because the suffix can be read off its end.
        let mut next: BTreeMap<&[u8], u32> = BTreeMap::new();
        let mut found = Vec::new();
        for (text, splice) in &self.masked {
            let first = if self.kept.contains(text) { 2 } else { 1 };
            let number = next.entry(text).or_insert(first);
            while *number > 1 && taken.contains([text, format!(" {number}").as_bytes()].concat().as_slice()) {
                *number += 1;
            }
            if *number > 1 {
                found.push((*splice, *number));
            }
            *number += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::KeyBook;

    #[test]
    fn suffixes_avoid_every_text_of_the_object() {
        let mut book = KeyBook::default();
        book.mask(b"[E]".to_vec(), 0);
        book.mask(b"[E]".to_vec(), 1);
        book.mask(b"[E] 2".to_vec(), 2);
        book.mask(b"[E]".to_vec(), 3);
        book.keep(b"[E] 4".to_vec());
        book.keep(b"[C]".to_vec());
        book.mask(b"[C]".to_vec(), 4);
        assert_eq!(book.suffixes(), [(1, 3), (3, 5), (4, 2)]);
    }
}
