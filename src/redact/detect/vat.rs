//! Value-added tax numbers of Europe: country, shape and check digit; in one piece or in groups.

use super::checksums::{luhn, number, value, weighted};
use super::identifiers::{Shape, ireland, is_shaped, spain, spain_foreign};
use super::{DigitQuestion, WordQuestion};
use crate::redact::labels::Labels;
use crate::redact::window::{Span, Surroundings};

/// Longest number: `GB` with a branch, `NL` with its suffix, `SE`.
const LONGEST: usize = 14;

/// The longest number that starts at `start`, with or without signs between its parts.
fn from(around: &Surroundings<'_>, start: usize, labelled: impl Fn(usize) -> bool) -> Option<Span> {
    let text = &around.text[start..];
    let (mut bytes, mut count, mut at, mut gap) = ([0; LONGEST], 0, 0, 0);
    let mut found = None;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte.is_ascii_alphanumeric() {
            if count == LONGEST {
                break;
            }
            bytes[count] = byte;
            (count, gap) = (count + 1, 0);
        } else if matches!(byte, b' ' | b'.' | b'-' | b'/' | b'(' | b')' | b',') && gap < 3 {
            gap += 1;
            continue;
        } else {
            break;
        }
        if text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let compact = &bytes[..count];
        let shaped = |row: &&Shape| is_shaped(compact, row.shape);
        if let Some(row) = VAT.iter().find(shaped)
            && ((row.check)(&compact[2..]) || labelled(start + at))
        {
            found = Some(Span { start, end: start + at });
        }
    }
    found
}

/// Where the country before a part starts, with up to three signs between: `BE 0202.239.951`, `ES B64240914`.
fn country(around: &Surroundings<'_>) -> Option<usize> {
    let signs = (1..=3)
        .take_while(|back| around.before(*back).is_some_and(|byte| matches!(byte, b' ' | b'-' | b'(' | b'.')))
        .count();
    let letters = (1..=4)
        .take_while(|back| around.before(signs + back).is_some_and(|byte| byte.is_ascii_uppercase()))
        .count();
    let alone = !around.before(signs + letters + 1).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (signs > 0 && matches!(letters, 2 | 3) && alone).then(|| around.start - signs - letters)
}

/// A number whose letters and digits stand together at first.
pub(super) fn word(question: &WordQuestion<'_>) -> Option<Span> {
    let around = question.around;
    if around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let labelled = |end| question.labels(end).meets(Labels::VAT);
    from(around, around.start, labelled).or_else(|| from(around, country(around)?, labelled))
}

/// A number whose country stands before its digits.
pub(super) fn spaced(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    from(around, country(around)?, |end| question.labels(end).meets(Labels::VAT))
}

const VAT: &[Shape] = &[
    Shape { shape: b"ATU99999999", check: austria_vat, sure: true },
    Shape { shape: b"BE0999999999", check: belgium_vat, sure: true },
    Shape { shape: b"BE1999999999", check: belgium_vat, sure: true },
    Shape { shape: b"BE999999999", check: belgium_old, sure: true },
    Shape { shape: b"BG999999999", check: bulgaria_vat, sure: true },
    Shape { shape: b"BG9999999999", check: bulgaria_person, sure: true },
    Shape { shape: b"CY99999999A", check: cyprus_vat, sure: true },
    Shape { shape: b"CZ99999999", check: czech_vat, sure: true },
    Shape { shape: b"CZ999999999", check: czech_person, sure: true },
    Shape { shape: b"CZ9999999999", check: czech_person, sure: true },
    Shape { shape: b"DE999999999", check: super::checksums::mod_11_10, sure: true },
    Shape { shape: b"DK99999999", check: denmark_vat, sure: true },
    Shape { shape: b"EE999999999", check: estonia_vat, sure: true },
    Shape { shape: b"EL999999999", check: greece_vat, sure: true },
    Shape { shape: b"ES*9999999*", check: spain_vat, sure: true },
    Shape { shape: b"FI99999999", check: finland_vat, sure: true },
    Shape { shape: b"FR**999999999", check: france_vat, sure: true },
    Shape { shape: b"GB999999999", check: britain_vat, sure: true },
    Shape { shape: b"GB999999999999", check: britain_vat, sure: true },
    Shape { shape: b"XI999999999", check: britain_vat, sure: true },
    Shape { shape: b"EU999999999", check: luhn, sure: true },
    Shape { shape: b"GR999999999", check: greece_vat, sure: true },
    Shape { shape: b"CHE999999999", check: swiss_vat, sure: true },
    Shape { shape: b"HR99999999999", check: super::checksums::mod_11_10, sure: true },
    Shape { shape: b"HU99999999", check: hungary_vat, sure: true },
    Shape { shape: b"IE9999999A", check: ireland, sure: true },
    Shape { shape: b"IE9999999AA", check: ireland, sure: true },
    Shape { shape: b"IE9A99999A", check: ireland_old, sure: true },
    Shape { shape: b"IT99999999999", check: luhn, sure: true },
    Shape { shape: b"LT999999999", check: lithuania_vat, sure: true },
    Shape { shape: b"LT999999999999", check: lithuania_vat, sure: true },
    Shape { shape: b"LU99999999", check: luxembourg_vat, sure: true },
    Shape { shape: b"LV99999999999", check: latvia_vat, sure: true },
    Shape { shape: b"MT99999999", check: malta_vat, sure: true },
    Shape { shape: b"NL999999999B99", check: netherlands_vat, sure: true },
    Shape { shape: b"PL9999999999", check: poland_vat, sure: true },
    Shape { shape: b"PT999999999", check: portugal_vat, sure: true },
    Shape { shape: b"RO9999999999", check: romania_vat, sure: true },
    Shape { shape: b"RO99999999", check: romania_vat, sure: true },
    Shape { shape: b"RO9999999", check: romania_vat, sure: true },
    Shape { shape: b"RO999999999", check: romania_vat, sure: true },
    Shape { shape: b"SE999999999901", check: sweden_vat, sure: true },
    Shape { shape: b"SI99999999", check: slovenia_vat, sure: true },
    Shape { shape: b"SK9999999999", check: slovakia_vat, sure: true },
];

/// The letters of the shape's country are no part of the check.
fn belgium_old(text: &[u8]) -> bool {
    97 - number(&text[..7]) % 97 == number(&text[7..])
}

fn bulgaria_vat(text: &[u8]) -> bool {
    let first = weighted(text, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11;
    let check = if first == 10 { weighted(text, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10 } else { first };
    check == value(text[8])
}

/// Ten digits: a citizen, a foreigner, or another.
fn bulgaria_person(text: &[u8]) -> bool {
    let check = value(text[9]);
    let other = 11 - weighted(text, &[4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    weighted(text, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == check
        || weighted(text, &[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10 == check
        || other % 11 == check
}

fn cyprus_vat(text: &[u8]) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let sum: u32 = text[..8]
        .iter()
        .enumerate()
        .map(|(index, digit)| if index % 2 == 0 { ODD[value(*digit) as usize] } else { value(*digit) })
        .sum();
    u32::from(text[8] - b'A') == sum % 26
}

/// Nine digits of an organisation, or twelve of a person.
fn lithuania_vat(text: &[u8]) -> bool {
    let (last, body) = text.split_last().unwrap_or((&b'0', &[]));
    let sum = |from: u32| -> u32 {
        (0u32..).zip(body).map(|(index, digit)| (1 + (index + from) % 9) * value(*digit)).sum::<u32>() % 11
    };
    let check = if sum(0) == 10 { sum(2) % 10 } else { sum(0) };
    check == value(*last)
}

fn latvia_vat(text: &[u8]) -> bool {
    if text[0] > b'3' {
        return weighted(text, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3;
    }
    (1 + weighted(text, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10 == value(text[10])
}

/// The form before 2013, with a letter in the second place.
fn ireland_old(text: &[u8]) -> bool {
    let digits = [&b"0"[..], &text[2..7], &text[..1], &text[7..]].concat();
    ireland(&digits)
}

fn czech_person(text: &[u8]) -> bool {
    let month = value(text[2]) * 10 + value(text[3]);
    let month = if month > 50 { month - 50 } else { month };
    let month = if month > 20 { month - 20 } else { month };
    let day = value(text[4]) * 10 + value(text[5]);
    let special = text.len() == 9 && text[0] == b'6' && {
        let check = 11 - weighted(&text[1..8], &[8, 7, 6, 5, 4, 3, 2]) % 11;
        (8 + 10 - check) % 10 == value(text[8])
    };
    special
        || (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (text.len() == 9 || number(text).is_multiple_of(11))
}

/// `CHE` and nine digits; the shape takes the third letter with the text.
fn swiss_vat(text: &[u8]) -> bool {
    mod_11(&text[1..], &[5, 4, 3, 2, 7, 6, 5, 4])
}

/// 11 less the weighted sum's rest; 10 and 11 read as 0.
fn mod_11(digits: &[u8], weights: &[u32]) -> bool {
    let check = 11 - weighted(digits, weights) % 11;
    digits.get(weights.len()).is_some_and(|digit| value(*digit) == if check > 9 { 0 } else { check })
}

fn austria_vat(text: &[u8]) -> bool {
    let sum: u32 = text[1..8]
        .iter()
        .enumerate()
        .map(|(index, digit)| {
            let doubled = value(*digit) * if index % 2 == 1 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    (10 - (sum + 4) % 10) % 10 == value(text[8])
}

fn belgium_vat(text: &[u8]) -> bool {
    97 - number(&text[..8]) % 97 == number(&text[8..])
}

fn czech_vat(text: &[u8]) -> bool {
    let check = 11 - weighted(text, &[8, 7, 6, 5, 4, 3, 2]) % 11;
    value(text[7]) == check % 10
}

fn denmark_vat(text: &[u8]) -> bool {
    weighted(text, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn estonia_vat(text: &[u8]) -> bool {
    weighted(text, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

fn greece_vat(text: &[u8]) -> bool {
    weighted(text, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == value(text[8])
}

fn spain_vat(text: &[u8]) -> bool {
    if text[0].is_ascii_digit() {
        return text[8].is_ascii_uppercase() && spain(text);
    }
    if spain_foreign(text) {
        return true;
    }
    let odd: u32 =
        text[1..8].iter().step_by(2).map(|digit| value(*digit) * 2 / 10 + value(*digit) * 2 % 10).sum();
    let even: u32 = text[2..8].iter().step_by(2).map(|digit| value(*digit)).sum();
    let check = (10 - (odd + even) % 10) % 10;
    value(text[8]) == check || b"JABCDEFGHI"[check as usize] == text[8]
}

fn finland_vat(text: &[u8]) -> bool {
    weighted(text, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11)
}

fn france_vat(text: &[u8]) -> bool {
    let siren = number(&text[2..]);
    if text[..2].iter().all(u8::is_ascii_digit) {
        return number(&text[..2]) == (12 + 3 * (siren % 97)) % 97;
    }
    // The newer keys have a letter; I and O are none.
    let place = |byte: u8| {
        b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ".iter().position(|letter| *letter == byte).unwrap_or(0) as u64
    };
    let (first, second) = (place(text[0]), place(text[1]));
    let key = if text[0].is_ascii_digit() { first * 24 + second } else { first * 34 + second }
        .checked_sub(if text[0].is_ascii_digit() { 10 } else { 100 });
    key.is_some_and(|key| (siren + 1 + key / 11) % 11 == key % 11)
}

fn britain_vat(text: &[u8]) -> bool {
    let sum = u64::from(weighted(text, &[8, 7, 6, 5, 4, 3, 2])) + number(&text[7..]);
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}

fn hungary_vat(text: &[u8]) -> bool {
    weighted(text, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10)
}

fn luxembourg_vat(text: &[u8]) -> bool {
    number(&text[..6]) % 89 == number(&text[6..])
}

fn malta_vat(text: &[u8]) -> bool {
    let check = 37 - u64::from(weighted(text, &[3, 4, 6, 7, 8, 9])) % 37;
    check == number(&text[6..])
}

fn netherlands_vat(text: &[u8]) -> bool {
    weighted(text, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == value(text[8]) || {
        let joined = [b"2321", &text[..9], b"11", &text[10..]].concat();
        joined.iter().fold(0, |rest, digit| (rest * 10 + value(*digit)) % 97) == 1
    }
}

fn poland_vat(text: &[u8]) -> bool {
    weighted(text, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == value(text[9])
}

fn portugal_vat(text: &[u8]) -> bool {
    mod_11(text, &[9, 8, 7, 6, 5, 4, 3, 2])
}

fn romania_vat(text: &[u8]) -> bool {
    let weights = [7, 5, 3, 2, 1, 7, 5, 3, 2];
    let body = &text[..text.len() - 1];
    weighted(body, &weights[weights.len() - body.len()..]) * 10 % 11 % 10 == value(text[text.len() - 1])
}

fn sweden_vat(text: &[u8]) -> bool {
    luhn(&text[..10])
}

fn slovenia_vat(text: &[u8]) -> bool {
    mod_11(text, &[8, 7, 6, 5, 4, 3, 2])
}

fn slovakia_vat(text: &[u8]) -> bool {
    number(text).is_multiple_of(11)
}
