//! International bank account numbers (ISO 13616): country, length and MOD 97-10; in one piece or in groups, in any case.

use super::{WordQuestion, checksums};
use crate::redact::labels::Labels;
use crate::redact::window::Span;

const LONGEST: usize = 34;

/// Countries with the length of their numbers.
const COUNTRIES: [(&[u8; 2], usize); 84] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
];

/// Countries added to the register later, or outside the alphabet's order above.
const MORE_COUNTRIES: &[(&[u8; 2], usize)] = &[
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
    (b"AX", 18),
    (b"GG", 22),
    (b"IM", 22),
    (b"JE", 22),
    // The territories of France have its form.
    (b"BL", 27),
    (b"GF", 27),
    (b"GP", 27),
    (b"MF", 27),
    (b"MQ", 27),
    (b"NC", 27),
    (b"PF", 27),
    (b"PM", 27),
    (b"RE", 27),
    (b"TF", 27),
    (b"WF", 27),
    (b"YT", 27),
    // Countries that use the form without being in the register.
    (b"AO", 25),
    (b"BF", 28),
    (b"BJ", 28),
    (b"CF", 27),
    (b"CG", 27),
    (b"CI", 28),
    (b"CM", 27),
    (b"CV", 25),
    (b"DZ", 26),
    (b"GA", 27),
    (b"GQ", 27),
    (b"GW", 25),
    (b"IR", 26),
    (b"KM", 27),
    (b"MA", 28),
    (b"MG", 27),
    (b"ML", 28),
    (b"MZ", 25),
    (b"NE", 28),
    (b"SN", 28),
    (b"TD", 27),
    (b"TG", 28),
];

/// Shortest number of a country that is not in the list, and of one that nothing but its sum speaks for.
const SHORTEST: usize = 15;
const SHORTEST_UNLISTED: usize = 16;

/// Characters of a number in one piece or in groups, in upper case; where each group ends.
struct Read {
    characters: [u8; LONGEST],
    /// Offset behind a group, and how many characters stand before it.
    ends: [(usize, usize); LONGEST],
    groups: usize,
}

impl Read {
    fn new(text: &[u8]) -> Self {
        let mut read = Self { characters: [0; LONGEST], ends: [(0, 0); LONGEST], groups: 0 };
        let (mut count, mut at) = (0, 0);
        while let Some(&byte) = text.get(at) {
            if byte.is_ascii_alphanumeric() {
                if count == LONGEST {
                    break;
                }
                read.characters[count] = byte.to_ascii_uppercase();
                count += 1;
            } else if !(matches!(byte, b' ' | b'-' | b'.') && at > 0 && text[at - 1].is_ascii_alphanumeric())
            {
                break;
            }
            at += 1;
            if !text.get(at).is_some_and(u8::is_ascii_alphanumeric) && byte.is_ascii_alphanumeric() {
                read.ends[read.groups] = (at, count);
                read.groups += 1;
            }
        }
        read
    }
}

/// An IBAN: of a country of the register with its length, or of any other with more characters; with the right sum, or
/// beside its label.
pub(super) fn iban(question: &WordQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let text = &around.text[around.start..];
    let [first, second, third, fourth, ..] = text else { return None };
    let headed = first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
        && third.is_ascii_digit()
        && (fourth.is_ascii_digit() || matches!(fourth, b' ' | b'-'));
    if !headed {
        return None;
    }
    let read = Read::new(text);
    let country = &read.characters[..2];
    let listed = COUNTRIES.iter().chain(MORE_COUNTRIES).find(|(code, _)| *code == country);
    let span = |end: usize| Span { start: around.start, end: around.start + end };
    let ends = read.ends[..read.groups].iter();
    let summed = |count: usize| checksums::iban(&read.characters[..count]);
    if let Some((_, length)) = listed
        && let Some((end, count)) = ends.clone().find(|(_, count)| count == length)
        && (summed(*count) || question.labels(around.start + end).meets(Labels::IBAN))
    {
        return Some(span(*end));
    }
    let (end, count) = ends.rev().find(|(_, count)| *count >= SHORTEST && summed(*count))?;
    let digits = read.characters[..*count].iter().filter(|byte| byte.is_ascii_digit()).count();
    let capital = !text[..*end].iter().any(u8::is_ascii_lowercase);
    let sure = *count >= SHORTEST_UNLISTED && capital && digits * 2 > *count;
    (sure || question.labels(around.start + end).meets(Labels::IBAN)).then_some(span(*end))
}
