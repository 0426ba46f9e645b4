//! Identifiers of letters and digits: India's PAN, Singapore's NRIC, FIN and UEN, and the national numbers of other
//! countries, each with its check character where it has one.

use super::WordQuestion;
use super::checksums::{luhn, number, value, weighted};
use super::national::china_check;
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::window::Span;

/// Longest identifier here: Mexico's CURP and China's identity number.
const LONGEST: usize = 18;

/// The letters and digits from the candidate on, in upper case.
struct Word {
    bytes: [u8; LONGEST + 1],
    length: usize,
    span: Span,
    /// Whether all letters were upper case.
    capital: bool,
}

impl Word {
    fn read(question: &WordQuestion<'_>) -> Option<Self> {
        let around = question.around;
        let text = &around.text[around.start..];
        let length = text.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let mut bytes = [0; LONGEST + 1];
        bytes[..length].copy_from_slice(&text[..length]);
        let capital = !bytes.iter().any(u8::is_ascii_lowercase);
        bytes.make_ascii_uppercase();
        let span = Span { start: around.start, end: around.start + length };
        (length <= LONGEST).then_some(Self { bytes, length, span, capital })
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Whether the text has the shape: `A` a letter, `9` a digit, `*` either, anything else itself.
fn is_shaped(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, sign)| match sign {
            b'A' => byte.is_ascii_uppercase(),
            b'9' => byte.is_ascii_digit(),
            b'*' => byte.is_ascii_alphanumeric(),
            other => byte == other,
        })
}

/// PAN: three letters, the kind of holder, a letter, four digits, a letter. In small letters or with an unknown kind
/// only beside its label.
pub(super) fn pan(question: &WordQuestion<'_>) -> Option<Span> {
    let word = Word::read(question)?;
    if !is_shaped(word.text(), b"AAAAA9999A") {
        return None;
    }
    let sure = word.capital && b"PCHABGJLFT".contains(&word.bytes[3]);
    (sure || question.labels(word.span.end).meets(Labels::PAN)).then_some(word.span)
}

/// The check letter of an NRIC or FIN.
fn nric_letter(text: &[u8]) -> Option<u8> {
    let sum = weighted(&text[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    let (offset, letters): (u32, &[u8; 11]) = match text[0] {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return None,
    };
    let rest = (sum + offset) % 11;
    letters.get(if text[0] == b'M' { 10 - rest } else { rest } as usize).copied()
}

fn singapore(question: &WordQuestion<'_>, kinds: &[u8]) -> Option<Span> {
    let word = Word::read(question)?;
    let text = word.text();
    if !is_shaped(text, b"A9999999A") || !kinds.contains(&text[0]) {
        return None;
    }
    let checked = nric_letter(text) == Some(text[8]);
    (checked || question.labels(word.span.end).meets(Labels::NRIC)).then_some(word.span)
}

/// NRIC: citizens and permanent residents of Singapore, with its check letter or its label.
pub(super) fn nric(question: &WordQuestion<'_>) -> Option<Span> {
    singapore(question, b"ST")
}

/// FIN: foreigners in Singapore.
pub(super) fn fin(question: &WordQuestion<'_>) -> Option<Span> {
    singapore(question, b"FGM")
}

/// UEN: Singapore's entities; the form of digits only with its label, the other by its structure.
pub(super) fn uen(question: &WordQuestion<'_>) -> Option<Span> {
    let word = Word::read(question)?;
    let text = word.text();
    let structured = is_shaped(text, b"A99AA9999A") && matches!(text[0], b'R' | b'S' | b'T') && word.capital;
    let plain = is_shaped(text, b"99999999A") || is_shaped(text, b"999999999A");
    (structured || plain && question.labels(word.span.end).meets(Labels::UEN)).then_some(word.span)
}

/// A shape with its check; `sure` when it needs no label.
struct Shape {
    shape: &'static [u8],
    check: fn(&[u8]) -> bool,
    sure: bool,
}

const SHAPES: [Shape; 12] = [
    // Spain: DNI and NIE.
    Shape { shape: b"99999999A", check: spain, sure: true },
    Shape { shape: b"A9999999A", check: spain_foreign, sure: true },
    // Italy: codice fiscale.
    Shape { shape: b"AAAAAA**A**A***A", check: italy, sure: true },
    // Ireland: PPS.
    Shape { shape: b"9999999A", check: ireland, sure: false },
    Shape { shape: b"9999999AA", check: ireland, sure: false },
    // United Kingdom: national insurance.
    Shape { shape: b"AA999999A", check: britain, sure: true },
    // Mexico: CURP and RFC.
    Shape { shape: b"AAAA999999AAAAAA*9", check: curp, sure: true },
    Shape { shape: b"AAAA999999***", check: curp, sure: true },
    // China.
    Shape { shape: b"99999999999999999X", check: china, sure: true },
    // Slovakia and others print letters only with a label: passport-like cards.
    Shape { shape: b"AA999999", check: any, sure: false },
    Shape { shape: b"AAA999999", check: any, sure: false },
    Shape { shape: b"A99999999", check: any, sure: false },
];

fn any(_: &[u8]) -> bool {
    true
}

/// The number of a person in another country.
pub(super) fn national(question: &WordQuestion<'_>) -> Option<Span> {
    if let Some(span) = with_signs(question) {
        return Some(span);
    }
    let word = Word::read(question)?;
    let shape =
        SHAPES.iter().find(|shape| is_shaped(word.text(), shape.shape) && (shape.check)(word.text()))?;
    (shape.sure || question.labels(word.span.end).meets(Labels::NATIONAL)).then_some(word.span)
}

const SPAIN: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn spain(text: &[u8]) -> bool {
    SPAIN[(number(&text[..8]) % 23) as usize] == text[8]
}

fn spain_foreign(text: &[u8]) -> bool {
    let first = match text[0] {
        b'X' => 0,
        b'Y' => 10_000_000,
        b'Z' => 20_000_000,
        _ => return false,
    };
    SPAIN[((first + number(&text[1..8])) % 23) as usize] == text[8]
}

/// Letters may stand for digits (omocodia), so only the check character and the month are looked at.
fn italy(text: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let place = |byte: u8| if byte.is_ascii_digit() { value(byte) } else { u32::from(byte - b'A') };
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(index, byte)| if index % 2 == 0 { ODD[place(*byte) as usize] } else { place(*byte) })
        .sum();
    b"ABCDEHLMPRST".contains(&text[8]) && u32::from(text[15] - b'A') == sum % 26
}

fn ireland(text: &[u8]) -> bool {
    let extra = text.get(8).map_or(0, |letter| u32::from(letter - b'@') * 9);
    let rest = (weighted(&text[..7], &[8, 7, 6, 5, 4, 3, 2]) + extra) % 23;
    b"WABCDEFGHIJKLMNOPQRSTUV"[rest as usize] == text[7]
}

fn britain(text: &[u8]) -> bool {
    let bad_pair = [&b"BG"[..], b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&text[..2]);
    !b"DFIQUV".contains(&text[0])
        && !b"DFIOQUV".contains(&text[1])
        && !bad_pair
        && matches!(text[8], b'A'..=b'D')
}

fn curp(text: &[u8]) -> bool {
    dates::exists(two(text, 4), two(text, 6), two(text, 8))
        && (text.len() == 13 || matches!(text[10], b'H' | b'M' | b'X'))
}

fn china(text: &[u8]) -> bool {
    china_check(&text[..17]) == Some(10)
}

/// Britain's `AB 12 34 56 C`.
fn with_signs(question: &WordQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let text = &around.text[around.start..];
    let span = |length: usize| {
        let whole = !text.get(length).is_some_and(u8::is_ascii_alphanumeric);
        whole.then_some(Span { start: around.start, end: around.start + length })
    };
    if let Some(britain_spaced) = text.get(..13).filter(|text| is_shaped(text, b"AA 99 99 99 A")) {
        let joined: Vec<u8> = britain_spaced.iter().copied().filter(|byte| *byte != b' ').collect();
        return span(13).filter(|_| britain(&joined));
    }
    None
}

/// Birth numbers with a sign in them: Czechia's and Slovakia's `736028/5163`, Finland's `131052-308T`.
pub(super) fn birth_number(question: &super::DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let text = around.text.get(around.start..around.start + 11)?;
    let more = around.text.get(around.start + 11).is_some_and(u8::is_ascii_alphanumeric);
    if more || around.before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let taken = is_czech(text) || is_finnish(text);
    taken.then_some(Span { start: around.start, end: around.start + 11 })
}

/// Two digits at a place.
fn two(text: &[u8], at: usize) -> u32 {
    value(text[at]) * 10 + value(text[at + 1])
}

/// `yymmdd/xxxx`, divisible by eleven; women have 50 added to the month, later series 20.
fn is_czech(text: &[u8]) -> bool {
    if !is_shaped(text, b"999999/9999") {
        return false;
    }
    let month = two(text, 2) % 50;
    let joined = number(&text[..6]) * 10_000 + number(&text[7..]);
    dates::exists(two(text, 0), if month > 20 { month - 20 } else { month }, two(text, 4))
        && joined.is_multiple_of(11)
}

/// `ddmmyy`, a sign for the century, three digits, a check character.
fn is_finnish(text: &[u8]) -> bool {
    let century = matches!(text[6], b'-' | b'+' | b'A'..=b'F' | b'U'..=b'Y');
    if !century || !is_shaped(&text[..6], b"999999") || !is_shaped(&text[7..], b"999*") {
        return false;
    }
    let rest = (number(&text[..6]) * 1000 + number(&text[7..10])) % 31;
    dates::exists(two(text, 4), two(text, 2), two(text, 0))
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest as usize] == text[10]
}

/// A value-added tax number of the European Union: country, shape and check digit; beside a label without check.
pub(super) fn vat(question: &WordQuestion<'_>) -> Option<Span> {
    let word = Word::read(question)?;
    let text = word.text();
    let row = VAT.iter().find(|row| is_shaped(text, row.shape))?;
    ((row.check)(&text[2..]) && word.capital || question.labels(word.span.end).meets(Labels::VAT))
        .then_some(word.span)
}

const VAT: [Shape; 34] = [
    Shape { shape: b"ATU99999999", check: austria_vat, sure: true },
    Shape { shape: b"BE0999999999", check: belgium_vat, sure: true },
    Shape { shape: b"BE1999999999", check: belgium_vat, sure: true },
    Shape { shape: b"BG999999999", check: never, sure: false },
    Shape { shape: b"BG9999999999", check: never, sure: false },
    Shape { shape: b"CY99999999A", check: never, sure: false },
    Shape { shape: b"CZ99999999", check: czech_vat, sure: true },
    Shape { shape: b"DE999999999", check: super::checksums::mod_11_10, sure: true },
    Shape { shape: b"DK99999999", check: denmark_vat, sure: true },
    Shape { shape: b"EE999999999", check: estonia_vat, sure: true },
    Shape { shape: b"EL999999999", check: greece_vat, sure: true },
    Shape { shape: b"ES*9999999*", check: spain_vat, sure: true },
    Shape { shape: b"FI99999999", check: finland_vat, sure: true },
    Shape { shape: b"FR**999999999", check: france_vat, sure: true },
    Shape { shape: b"GB999999999", check: britain_vat, sure: true },
    Shape { shape: b"HR99999999999", check: super::checksums::mod_11_10, sure: true },
    Shape { shape: b"HU99999999", check: hungary_vat, sure: true },
    Shape { shape: b"IE9999999A", check: ireland, sure: true },
    Shape { shape: b"IE9999999AA", check: ireland, sure: true },
    Shape { shape: b"IE9A99999A", check: never, sure: false },
    Shape { shape: b"IT99999999999", check: luhn, sure: true },
    Shape { shape: b"LT999999999", check: never, sure: false },
    Shape { shape: b"LT999999999999", check: never, sure: false },
    Shape { shape: b"LU99999999", check: luxembourg_vat, sure: true },
    Shape { shape: b"LV99999999999", check: never, sure: false },
    Shape { shape: b"MT99999999", check: malta_vat, sure: true },
    Shape { shape: b"NL999999999B99", check: netherlands_vat, sure: true },
    Shape { shape: b"PL9999999999", check: poland_vat, sure: true },
    Shape { shape: b"PT999999999", check: portugal_vat, sure: true },
    Shape { shape: b"RO9999999999", check: romania_vat, sure: true },
    Shape { shape: b"RO99999999", check: romania_vat, sure: true },
    Shape { shape: b"SE999999999901", check: sweden_vat, sure: true },
    Shape { shape: b"SI99999999", check: slovenia_vat, sure: true },
    Shape { shape: b"SK9999999999", check: slovakia_vat, sure: true },
];

fn never(_: &[u8]) -> bool {
    false
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
    text[..2].iter().all(u8::is_ascii_digit) && number(&text[..2]) == (12 + 3 * (siren % 97)) % 97
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
