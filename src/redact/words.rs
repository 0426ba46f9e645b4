//! Searching bytes eight at a time in a machine word: for gaps so short that a call of a vector search costs more
//! than it finds, as between the backslashes of JSON in a string.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Words to look at before the vector search takes over.
const WORDS: usize = 4;

/// Eight bytes.
type Word = [u8; 8];

/// Where in the word the first `a` or `b` is; 8 if nowhere.
fn first_of(word: Word, a: u8, b: u8) -> usize {
    let word = u64::from_le_bytes(word);
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    // The lowest marked byte of each is exact; higher ones may be marked by a borrow.
    let found = zero_bytes(word ^ (ONES * u64::from(a))) | zero_bytes(word ^ (ONES * u64::from(b)));
    (found.trailing_zeros() / 8) as usize
}

/// Where in the word the first digit is; 8 if nowhere.
fn first_digit_of(word: Word) -> usize {
    let distance = u64::from_le_bytes(word) ^ (ONES * u64::from(b'0'));
    // The lowest marked byte is exact here too.
    let found = distance.wrapping_sub(ONES * 10) & !distance & HIGHS;
    (found.trailing_zeros() / 8) as usize
}

/// The eight bytes at `at`, if there are as many.
fn word_at(bytes: &[u8], at: usize) -> Option<Word> {
    bytes.get(at..at + 8)?.first_chunk().copied()
}

/// Where the first `a` or `b` at or after `from` is.
pub(super) fn find(bytes: &[u8], from: usize, a: u8, b: u8) -> Option<usize> {
    let mut at = from;
    for _ in 0..WORDS {
        let Some(word) = word_at(bytes, at) else { break };
        let offset = first_of(word, a, b);
        if offset < 8 {
            return Some(at + offset);
        }
        at += 8;
    }
    memchr::memchr2(a, b, &bytes[at..]).map(|offset| at + offset)
}

/// Where the first digit at or after `from` is.
pub(super) fn find_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = word_at(bytes, at) {
        let offset = first_digit_of(word);
        if offset < 8 {
            return Some(at + offset);
        }
        at += 8;
    }
    bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::{find, find_digit};
    use proptest::prelude::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn the_first_one_is_found(bytes in proptest::collection::vec(0u8..=255, 0..80), from in 0usize..80) {
            let from = from.min(bytes.len());
            let expected = bytes[from..].iter().position(|byte| matches!(byte, 3 | 200)).map(|offset| from + offset);
            prop_assert_eq!(find(&bytes, from, 3, 200), expected);
        }

        #[test]
        fn the_first_digit_is_found(
            bytes in proptest::collection::vec(proptest::prelude::prop_oneof![b'-'..=b'@', 0u8..=255], 0..80),
            from in 0usize..80
        ) {
            let from = from.min(bytes.len());
            let expected = bytes[from..].iter().position(u8::is_ascii_digit).map(|offset| from + offset);
            prop_assert_eq!(find_digit(&bytes, from), expected);
        }

        #[test]
        fn neighbours_in_value_are_not_confused(bytes in proptest::collection::vec(b'['..=b']', 0..40)) {
            let expected = bytes.iter().position(|byte| *byte == b'\\');
            prop_assert_eq!(find(&bytes, 0, b'\\', b'\\'), expected);
        }
    }
}
