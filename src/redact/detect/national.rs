//! Identity and tax numbers of persons that are made of digits: a table of lengths, printed forms and checks.

use super::checksums::{luhn, mod_11_10, number, value, verhoeff, weighted};
use super::{DigitQuestion, opaque};
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::window::{Candidate, Span};

/// One country's number.
struct National {
    digits: usize,
    /// Lengths of the groups in print, with the separators that stand between them. Empty if it is printed in one piece.
    printed: &'static [(&'static [u8], &'static [u8])],
    check: fn(&[u8]) -> bool,
    /// Whether the check alone lets about one of a hundred other numbers pass at most, so that no label is needed.
    sure: bool,
    /// Whether the check together with the printed form is as sure.
    sure_in_print: bool,
}

const fn row(
    digits: usize,
    printed: &'static [(&'static [u8], &'static [u8])],
    check: fn(&[u8]) -> bool,
    sure: bool,
    sure_in_print: bool,
) -> National {
    National { digits, printed, check, sure, sure_in_print }
}

const NATIONAL: &[National] = &[
    // Belgium: Rijksregisternummer 85.07.30-033.28.
    row(11, &[(&[2, 2, 2, 3, 2], b"..-.")], belgium, true, true),
    // Germany: Steuer-Identifikationsnummer.
    row(11, &[(&[2, 3, 3, 3], b"   ")], germany, false, true),
    // Poland: PESEL.
    row(11, &[], pesel, true, true),
    // Norway: fødselsnummer.
    row(11, &[(&[6, 5], b" ")], norway, true, true),
    // Croatia: OIB.
    row(11, &[], mod_11_10, false, false),
    // Estonia and Lithuania.
    row(11, &[], baltic, true, true),
    // Greece: AMKA.
    row(11, &[], amka, true, true),
    // Turkey: T.C. kimlik no.
    row(11, &[], turkey, true, true),
    // Brazil: CPF and CNPJ.
    row(11, &[(&[3, 3, 3, 2], b"..-")], cpf, true, true),
    row(14, &[], cnpj, true, true),
    // France: NIR with key.
    row(15, &[(&[1, 2, 2, 2, 3, 3, 2], b"      ")], nir, true, true),
    // Romania: CNP.
    row(13, &[], cnp, true, true),
    // South Africa.
    row(13, &[(&[6, 4, 3], b"  ")], south_africa, true, true),
    // Switzerland: AHV 756.1234.5678.97.
    row(13, &[(&[3, 4, 4, 2], b"...")], ahv, true, true),
    // Thailand.
    row(13, &[(&[1, 4, 5, 2, 1], b"----")], thailand, false, true),
    // China: resident identity card without X.
    row(18, &[], china, true, true),
    // Sweden: personnummer.
    row(10, &[(&[6, 4], b"-")], sweden, false, true),
    row(12, &[(&[8, 4], b"-")], sweden, true, true),
    // Denmark: CPR, no check since 2007.
    row(10, &[(&[6, 4], b"-")], day_first, false, true),
    // Bulgaria: EGN.
    row(10, &[], egn, false, false),
    // Korea: resident registration number.
    row(13, &[(&[6, 7], b"-")], korea, false, true),
    // Malaysia: MyKad.
    row(12, &[(&[6, 2, 4], b"--")], year_first, false, true),
    // United Kingdom: NHS.
    row(10, &[(&[3, 3, 4], b"  "), (&[3, 3, 4], b"--")], nhs, false, false),
    // Canada: SIN.
    row(9, &[(&[3, 3, 3], b"--"), (&[3, 3, 3], b"  ")], luhn, false, false),
    // Netherlands: BSN.
    row(9, &[(&[4, 2, 3], b"..")], bsn, false, true),
    // Portugal: NIF.
    row(9, &[(&[3, 3, 3], b"  ")], nif, false, false),
    // Australia: TFN.
    row(9, &[(&[3, 3, 3], b"  ")], tfn, false, false),
    // Japan: My Number.
    row(12, &[(&[4, 4, 4], b"  ")], japan, false, false),
    // Aadhaar's virtual id.
    row(16, &[(&[4, 4, 4, 4], b"   ")], verhoeff, false, false),
];

/// A number of a person: the check passes, and either that is sure enough or a label speaks for it. A label and a
/// printed length without a passing check is enough for 8 to 15 digits.
pub(super) fn national(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    if around.continues_chain() {
        return None;
    }
    let mut labelled = None;
    let mut best = None;
    for candidate in question.groups.candidates() {
        let span = candidate.span();
        if candidate.lengths().len() > 7 {
            break;
        }
        if candidate.total() < 8 {
            continue;
        }
        for national in NATIONAL.iter().filter(|national| national.digits == candidate.total()) {
            let one = candidate.lengths().len() == 1;
            let printed = national.printed.iter().any(|(lengths, separators)| {
                candidate.lengths() == *lengths && candidate.separators() == *separators
            });
            if !(one || printed || candidate.is_even(b" -.")) || !(national.check)(candidate.digits()) {
                continue;
            }
            let sure = one && national.sure || printed && national.sure_in_print;
            let mut label =
                || *labelled.get_or_insert_with(|| question.labels(span.end).meets(Labels::NATIONAL));
            if (sure || label()) && !is_repeated(candidate.digits()) {
                best = Some(span);
            }
        }
        if best.is_none() && is_plain(&candidate) && question.labels(span.end).meets(Labels::NATIONAL) {
            best = Some(span);
        }
    }
    best.filter(|span| {
        !opaque::in_hexadecimal(around, *span)
            && !opaque::in_identifier(around, *span)
            && !around.is_fraction()
    })
}

/// What a label is enough for: 8 to 15 digits in even groups that are no date.
fn is_plain(candidate: &Candidate<'_>) -> bool {
    (8..=15).contains(&candidate.total())
        && candidate.is_even(b" -.")
        && !matches!(candidate.lengths(), [4, 2, 2] | [2, 2, 4])
        && candidate.lengths().iter().all(|length| *length >= 2)
}

fn is_repeated(digits: &[u8]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

fn two(digits: &[u8]) -> u32 {
    value(digits[0]) * 10 + value(digits[1])
}

/// `yymmdd` at the start.
fn year_first(digits: &[u8]) -> bool {
    dates::exists(two(digits), two(&digits[2..]), two(&digits[4..]))
}

/// `ddmmyy` at the start.
fn day_first(digits: &[u8]) -> bool {
    dates::exists(two(&digits[4..]), two(&digits[2..]), two(digits))
}

fn belgium(digits: &[u8]) -> bool {
    let key = number(&digits[9..]);
    let body = number(&digits[..9]);
    let month = two(&digits[2..]);
    (month <= 12 || matches!(month, 20..=32 | 40..=52))
        && two(&digits[4..]) <= 31
        && (97 - body % 97 == key || 97 - (2_000_000_000 + body) % 97 == key)
}

/// One digit occurs two or three times among the first ten, all others at most once.
fn germany(digits: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    for digit in &digits[..10] {
        counts[value(*digit) as usize] += 1;
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    digits[0] != b'0' && repeated == 1 && most <= 3 && mod_11_10(digits)
}

fn pesel(digits: &[u8]) -> bool {
    let month = two(&digits[2..]) % 20;
    dates::exists(two(digits), month, two(&digits[4..]))
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

fn norway(digits: &[u8]) -> bool {
    let day = two(digits) % 40;
    dates::exists(two(&digits[4..]), two(&digits[2..]) % 40, day)
        && weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn baltic(digits: &[u8]) -> bool {
    if !matches!(digits[0], b'1'..=b'6') || !year_first(&digits[1..]) {
        return false;
    }
    let first = weighted(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = if first == 10 { weighted(digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 } else { first };
    check == value(digits[10])
}

fn amka(digits: &[u8]) -> bool {
    day_first(digits) && luhn(digits)
}

fn turkey(digits: &[u8]) -> bool {
    let odd: u32 = digits[..9].iter().step_by(2).map(|digit| value(*digit)).sum();
    let even: u32 = digits[1..8].iter().step_by(2).map(|digit| value(*digit)).sum();
    let sum: u32 = digits[..10].iter().map(|digit| value(*digit)).sum();
    digits[0] != b'0' && (odd * 7 + 90 - even) % 10 == value(digits[9]) && sum % 10 == value(digits[10])
}

fn brazil(digits: &[u8], weights: &[u32]) -> bool {
    let rest = weighted(digits, weights) % 11;
    let check = if rest < 2 { 0 } else { 11 - rest };
    digits.get(weights.len()).is_some_and(|digit| value(*digit) == check)
}

fn cpf(digits: &[u8]) -> bool {
    brazil(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) && brazil(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn cnpj(digits: &[u8]) -> bool {
    brazil(digits, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && brazil(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn nir(digits: &[u8]) -> bool {
    let month = two(&digits[3..]);
    matches!(digits[0], b'1' | b'2' | b'3' | b'4' | b'7' | b'8')
        && (matches!(month, 1..=12 | 20..=42) || month >= 50)
        && 97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

fn cnp(digits: &[u8]) -> bool {
    let check = weighted(digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    matches!(digits[0], b'1'..=b'8')
        && year_first(&digits[1..])
        && (if check == 10 { 1 } else { check }) == value(digits[12])
}

fn south_africa(digits: &[u8]) -> bool {
    year_first(digits) && matches!(digits[10], b'0' | b'1') && luhn(digits)
}

fn ahv(digits: &[u8]) -> bool {
    digits.starts_with(b"756")
        && weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

fn thailand(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits[0] != b'0' && (11 - rest) % 10 == value(digits[12])
}

const CHINA: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check character of the 17 digits of a Chinese identity card, ISO 7064 MOD 11-2; 10 is written X.
pub(super) fn china_check(digits: &[u8]) -> Option<u32> {
    let year = number(digits.get(6..10)?);
    let dated = (1900..2100).contains(&year)
        && dates::exists(two(&digits[8..]), two(&digits[10..]), two(&digits[12..]));
    (dated && matches!(digits[0], b'1'..=b'9')).then(|| (12 - weighted(digits, &CHINA) % 11) % 11)
}

fn china(digits: &[u8]) -> bool {
    china_check(&digits[..17]) == Some(value(digits[17]))
}

/// Ten digits, or twelve with the century.
fn sweden(digits: &[u8]) -> bool {
    let short = &digits[digits.len() - 10..];
    let century = digits.len() == 10 || matches!(&digits[..2], b"19" | b"20");
    let day = two(&short[4..]);
    century
        && dates::exists(two(short), two(&short[2..]), if day > 60 { day - 60 } else { day })
        && luhn(short)
}

fn egn(digits: &[u8]) -> bool {
    let month = two(&digits[2..]) % 20;
    dates::exists(two(digits), month, two(&digits[4..]))
        && weighted(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == value(digits[9])
}

fn korea(digits: &[u8]) -> bool {
    year_first(digits) && matches!(digits[6], b'1'..=b'8')
}

fn nhs(digits: &[u8]) -> bool {
    let check = 11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check % 11 == value(digits[9]) && check != 10
}

fn bsn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * 11 - value(digits[8]);
    sum.is_multiple_of(11)
}

fn nif(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    (if rest < 2 { 0 } else { 11 - rest }) == value(digits[8])
}

fn tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

fn japan(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    (if rest <= 1 { 0 } else { 11 - rest }) == value(digits[11])
}
