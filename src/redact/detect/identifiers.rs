//! Identifiers of letters and digits: India's PAN, Singapore's NRIC, FIN and UEN, and the national numbers of other
//! countries, each with its check character where it has one.

use super::WordQuestion;
use super::checksums::{number, value, weighted};
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
pub(super) fn is_shaped(text: &[u8], shape: &[u8]) -> bool {
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
pub(super) struct Shape {
    pub(super) shape: &'static [u8],
    pub(super) check: fn(&[u8]) -> bool,
    pub(super) sure: bool,
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

pub(super) fn spain(text: &[u8]) -> bool {
    SPAIN[(number(&text[..8]) % 23) as usize] == text[8]
}

pub(super) fn spain_foreign(text: &[u8]) -> bool {
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

pub(super) fn ireland(text: &[u8]) -> bool {
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
