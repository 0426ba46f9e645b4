//! Finds where numbers and identifiers of letters and digits may stand in a text.

use super::limits::{LONGEST_IDENTIFIER, MIN_DENSE_DIGITS, MIN_WORD_DIGITS};
use super::words;

/// Letters before the first digit of an identifier: an Italian `codice fiscale` has six.
const MOST_LETTERS_BEFORE: usize = 6;

/// A place at which a number or an identifier may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where an identifier of letters and digits starts, if one is here.
    pub(super) word: Option<usize>,
    /// The first digit.
    pub(super) digit: usize,
    /// Whether enough digits for a number follow.
    pub(super) dense: bool,
}

impl Place {
    /// The first byte of what may begin here.
    pub(super) fn start(&self) -> usize {
        self.word.unwrap_or(self.digit)
    }
}

/// The first place at or after `from`; no identifier starts before `floor`. `from` is not inside a number.
pub(super) fn next(text: &[u8], from: usize, floor: usize) -> Option<Place> {
    let mut at = from;
    loop {
        at = words::find_digit(text, at)?;
        if let Some(end) = small_number(text, at).or_else(|| digit_of_row(text, at)) {
            at = end;
            continue;
        }
        let word = word_at(text, at, floor);
        let (dense, end) = dense_at(text, at);
        if word.is_some() || dense {
            return Some(Place { word, digit: at, dense });
        }
        at = end;
    }
}

/// The end of a digit in a row of single digits (`1 2 3 4`) of which it is not the first: what starts in the row starts
/// with the first.
fn digit_of_row(text: &[u8], at: usize) -> Option<usize> {
    let row = at >= 2
        && matches!(text[at - 1], b' ' | b'-' | b'.')
        && text[at - 2].is_ascii_digit()
        && (at == 2 || !text[at - 3].is_ascii_alphanumeric())
        && matches!(text.get(at + 1), Some(b' ' | b'-' | b'.'))
        && text.get(at + 2).is_some_and(u8::is_ascii_digit)
        && !text.get(at + 3).is_some_and(u8::is_ascii_digit);
    row.then_some(at + 1)
}

/// The end of a number of up to five digits that stands alone, as most numbers in prose do: no letter touches it, and
/// neither more digits nor a month follow. A fraction of up to three digits is such a number too.
fn small_number(text: &[u8], at: usize) -> Option<usize> {
    if at > 0 && text[at - 1].is_ascii_alphabetic() {
        return None;
    }
    let end = digits_end(&text[..text.len().min(at + MIN_DENSE_DIGITS)], at);
    if end - at >= MIN_DENSE_DIGITS {
        return None;
    }
    if end - at <= 2 && text.get(end) == Some(&b'.') {
        let fraction_end = digits_end(&text[..text.len().min(at + 4)], end + 1);
        if fraction_end > end + 1 {
            return stands_alone(text, fraction_end, true).then_some(fraction_end);
        }
    }
    stands_alone(text, end, end - at <= 2).then_some(end)
}

/// Whether nothing that may belong to a number follows its end; a `day` has a month behind it.
fn stands_alone(text: &[u8], end: usize, day: bool) -> bool {
    let byte = |offset: usize| text.get(end + offset).copied().unwrap_or(b'\n');
    let separates = |byte: u8| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')');
    match byte(0) {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => false,
        b',' if !day || byte(1) != b' ' => true,
        separator if separator == b',' || separates(separator) => {
            let behind = 1 + usize::from(separates(byte(1)));
            let month =
                || text.get(end + behind..).is_some_and(|rest| super::dates::month_behind(rest).is_some());
            !(byte(behind).is_ascii_digit() || day && month())
        }
        0xE5 => !super::dates::is_year_sign(&text[end..]),
        _ => true,
    }
}

/// Where the digits that start at `start` end.
pub(super) fn digits_end(text: &[u8], start: usize) -> usize {
    let length = text[start..].iter().position(|byte| !byte.is_ascii_digit());
    length.map_or(text.len(), |length| start + length)
}

/// Whether enough digits for any detector begin at `at`, a digit; and where the digits that were looked at end.
fn dense_at(text: &[u8], at: usize) -> (bool, usize) {
    let first_end = digits_end(&text[..text.len().min(at + MIN_DENSE_DIGITS)], at);
    let (mut count, mut end, mut gap) = (first_end - at, first_end, 0);
    while count < MIN_DENSE_DIGITS {
        match text.get(end) {
            Some(b'0'..=b'9') => {
                count += 1;
                gap = 0;
            }
            Some(b' ' | b'-' | b'.' | b'/' | b'(' | b')') if gap < 2 => gap += 1,
            _ => break,
        }
        end += 1;
    }
    let dense = count >= MIN_DENSE_DIGITS
        || names_month(text, at, first_end)
        || first_end == at + 4 && super::dates::is_year_sign(&text[first_end..]);
    (dense, digits_end(text, first_end))
}

/// Whether the digits are the day beside a month in words.
fn names_month(text: &[u8], at: usize, end: usize) -> bool {
    if end - at > 2 {
        return false;
    }
    let behind = text.get(end..).unwrap_or_default();
    let behind = match behind {
        [b's', b't', rest @ ..] | [b'n' | b'r', b'd', rest @ ..] | [b't', b'h', rest @ ..] => rest,
        other => other,
    };
    let behind = match behind {
        [b',' | b'.', b' ', rest @ ..] | [b' ' | b'-' | b'.' | b',', rest @ ..] => rest,
        _ => return false,
    };
    if super::dates::month_behind(behind).is_some() {
        return true;
    }
    at > 3
        && text[at - 1] == b' '
        && behind.first().is_some_and(u8::is_ascii_digit)
        && text[at - 2].is_ascii_alphabetic()
}

/// The start of the identifier around the digit at `at`: letters and digits together, nothing of which stands before
/// `at` but letters; with enough digits, or beginning like an IBAN.
fn word_at(text: &[u8], at: usize, floor: usize) -> Option<usize> {
    let lowest = floor.max(at.saturating_sub(MOST_LETTERS_BEFORE));
    let letters = text[lowest..at].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let start = at - letters;
    if start > floor && text[start - 1].is_ascii_alphanumeric() {
        return None;
    }
    // Digits that go on behind a hyphen or dot are no identifier of their own: the hours of `2026-11-20T10:15`.
    if letters == 0
        && start > floor + 1
        && matches!(text[start - 1], b'-' | b'.' | b':')
        && text[start - 2].is_ascii_digit()
    {
        return None;
    }
    let rest = &text[at..text.len().min(at + LONGEST_IDENTIFIER)];
    let (mut digits, mut mixed) = (0, letters > 0);
    for byte in rest {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'A'..=b'Z' | b'a'..=b'z' => mixed = true,
            _ => break,
        }
        if mixed && digits >= MIN_WORD_DIGITS {
            return Some(start);
        }
    }
    let iban = letters == 2 && digits >= 2;
    // A Finnish identity code has a sign in its middle, a licence often hyphens.
    let signed = rest.get(digits).is_some_and(|byte| matches!(byte, b'-' | b'+' | b' ')) && letters > 0;
    (iban || signed).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::{Place, next};

    #[test]
    fn identifiers_start_with_their_letters() {
        let place = next(b"id S1234567D", 0, 0);
        assert_eq!(place, Some(Place { word: Some(3), digit: 4, dense: true }));
        assert_eq!(next(b"in 2026 and 17", 0, 0), None);
        assert_eq!(next(b"12 boxes, was 3.5 % in 2026. Then 9.99, or 12. It", 0, 0), None);
        for date in
            ["was 3.5.88", "on 3. April", "5 May", "1.1.1.1", "3.5 12345", "on 12, 1988", "in 2026. 12"]
        {
            let text = format!("it is {date}");
            let dense = next(text.as_bytes(), 0, 0).is_some_and(|place| place.dense);
            assert!(dense, "{date}");
        }
        assert_eq!(next(b"DE89 3704", 0, 0).unwrap().word, Some(0));
        assert_eq!(next(b"12345678Z", 0, 0).unwrap().word, Some(0));
        assert_eq!(next(b"born 12 March 1988", 0, 0), Some(Place { word: None, digit: 5, dense: true }));
        assert_eq!(next(b"(415) 555-2671", 0, 0), Some(Place { word: None, digit: 1, dense: true }));
    }
}
