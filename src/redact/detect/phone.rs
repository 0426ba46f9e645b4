//! Telephone numbers of every country: with a `+`, in the groups of the North American plan, in a few national
//! writings, or beside a label.

use super::{DigitQuestion, opaque};
use crate::redact::dates;
use crate::redact::labels::Labels;
use crate::redact::window::{Span, Surroundings};

/// Fewest digits of a number beside a label: five on islands such as Saint Helena and in Vanuatu.
const FEWEST_LABELLED: usize = 5;
/// Most digits (ITU-T E.164).
const MAX_PHONE_DIGITS: usize = 15;

/// Country codes with the fewest and most digits behind them, where they are narrower than 6 to 12.
const COUNTRIES: [(&[u8], usize, usize); 48] = [
    (b"1", 10, 10),
    (b"7", 10, 10),
    (b"20", 8, 10),
    (b"27", 9, 9),
    (b"30", 10, 10),
    (b"31", 9, 9),
    (b"32", 8, 9),
    (b"33", 9, 9),
    (b"34", 9, 9),
    (b"36", 8, 9),
    (b"39", 8, 11),
    (b"40", 9, 9),
    (b"41", 9, 9),
    (b"43", 7, 12),
    (b"44", 9, 10),
    (b"45", 8, 8),
    (b"46", 7, 10),
    (b"47", 8, 8),
    (b"48", 9, 9),
    (b"49", 7, 11),
    (b"51", 8, 9),
    (b"52", 10, 11),
    (b"54", 10, 11),
    (b"55", 10, 11),
    (b"56", 9, 9),
    (b"57", 8, 10),
    (b"60", 8, 10),
    (b"61", 9, 9),
    (b"62", 8, 12),
    (b"63", 8, 10),
    (b"64", 8, 10),
    (b"65", 8, 8),
    (b"66", 8, 9),
    (b"81", 9, 10),
    (b"82", 8, 10),
    (b"84", 9, 10),
    (b"86", 10, 11),
    (b"90", 10, 10),
    (b"91", 10, 10),
    (b"92", 9, 10),
    (b"94", 9, 9),
    (b"351", 9, 9),
    (b"353", 7, 9),
    (b"358", 6, 11),
    (b"380", 9, 9),
    (b"420", 9, 9),
    (b"852", 8, 8),
    (b"971", 8, 9),
];

/// Digits in groups, with where each group ends.
struct Digits {
    digits: [u8; MAX_PHONE_DIGITS],
    total: usize,
    groups: [(usize, usize); MAX_PHONE_DIGITS],
    count: usize,
    /// A space, hyphen, dot or bracket stands between all groups.
    separators: [u8; MAX_PHONE_DIGITS],
}

impl Digits {
    /// Reads groups with up to two signs between them; stops before a group that is too long.
    fn read(text: &[u8], start: usize) -> Self {
        let mut read =
            Self { digits: [0; 15], total: 0, groups: [(0, 0); 15], count: 0, separators: [0; 15] };
        let mut at = start;
        while read.count < MAX_PHONE_DIGITS {
            let group =
                text[at..].iter().take(MAX_PHONE_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
            if group == 0 || read.total + group > MAX_PHONE_DIGITS {
                break;
            }
            read.digits[read.total..read.total + group].copy_from_slice(&text[at..at + group]);
            read.total += group;
            at += group;
            read.groups[read.count] = (group, at);
            let gap = text[at..]
                .iter()
                .take(3)
                .take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/'))
                .count();
            read.separators[read.count] = text.get(at).copied().unwrap_or(0);
            read.count += 1;
            if gap == 0 || gap > 2 {
                break;
            }
            at += gap;
        }
        read
    }

    /// The end and the length in digits of the first `count` groups.
    fn prefix(&self, count: usize) -> (usize, usize) {
        (self.groups[count - 1].1, self.groups[..count].iter().map(|group| group.0).sum())
    }

    fn lengths(&self, count: usize) -> [usize; 6] {
        let mut lengths = [0; 6];
        for (length, group) in lengths.iter_mut().zip(&self.groups[..count]) {
            *length = group.0;
        }
        lengths
    }
}

/// A telephone number.
pub(super) fn phone(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let plus = around.before(1) == Some(b'+');
    if around.continues_chain() || around.before(1).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let read = Digits::read(around.text, around.start);
    if read.count == 0 {
        return None;
    }
    let end = if plus {
        international(&read, &read.digits[..read.total])
    } else if read.digits.starts_with(b"00") && read.total > 9 {
        international(&read, &read.digits[2..read.total])
    } else {
        structured(around, &read)
    };
    let end = end.or_else(|| if plus { whole(&read) } else { labelled(question, &read) })?;
    let end = with_extension(around.text, end);
    let bracket = around.before(1) == Some(b'(') && around.text[around.start..end].contains(&b')');
    let span = Span { start: around.start, end };
    let free = !opaque::in_identifier(around, span) && !opaque::in_hexadecimal(around, span);
    free.then_some(Span { start: span.start - usize::from(plus || bracket), end })
}

/// The end of an international number whose digits are given without `00`.
fn international(read: &Digits, digits: &[u8]) -> Option<usize> {
    let skipped = read.total - digits.len();
    if digits.first().is_none_or(|digit| *digit == b'0') {
        return None;
    }
    let known = COUNTRIES.iter().find(|(code, ..)| digits.starts_with(code));
    let (least, most) = known
        .map_or((7, MAX_PHONE_DIGITS), |(code, least, most)| (code.len() + least, code.len() + most + 1));
    // One digit more: the trunk prefix, as in +44 (0)20.
    let most = if known.is_some_and(|(code, ..)| *code == b"1") { most - 1 } else { most };
    let fits = |count: &usize| {
        let total = read.prefix(*count).1;
        (skipped + least..=skipped + most).contains(&total)
    };
    (1..=read.count).rev().find(fits).map(|count| read.prefix(count).0)
}

/// The end of a number with a `+` that fits no plan: all of its groups, if they have the digits of a number.
fn whole(read: &Digits) -> Option<usize> {
    let (end, total) = read.prefix(read.count);
    (8..=MAX_PHONE_DIGITS).contains(&total).then_some(end)
}

/// The end with an extension behind it: `x232`, ` ext. 12`.
fn with_extension(text: &[u8], end: usize) -> usize {
    let rest = &text[end..];
    let spaces = usize::from(rest.first() == Some(&b' '));
    let word = [&b"extension "[..], b"ext. ", b"ext.", b"ext ", b"ext", b"x"].into_iter().find(|word| {
        rest.get(spaces..spaces + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
    });
    let Some(word) = word else { return end };
    let at = spaces + word.len();
    let digits = rest[at..].iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    let ends = !rest.get(at + digits).is_some_and(u8::is_ascii_alphanumeric);
    if (1..=6).contains(&digits) && ends { end + at + digits } else { end }
}

/// Whether the groups are those of a number with the trunk prefix: `056 590 36 33`, `0171-234 56 78`. Dates and rows
/// of small numbers have less digits, or a zero behind the first.
fn has_trunk_prefix(digits: &[u8], lengths: &[usize]) -> bool {
    digits.len() >= 10
        && digits.len() <= 11
        && digits[0] == b'0'
        && digits[1] != b'0'
        && lengths.len() >= 3
        && lengths[0] >= 3
        && lengths.iter().all(|length| (2..=5).contains(length))
}

/// The end of a number in the groups of a national plan.
fn structured(around: &Surroundings<'_>, read: &Digits) -> Option<usize> {
    let bracket = around.before(1) == Some(b'(');
    for count in (2..=read.count.min(5)).rev() {
        let (end, total) = read.prefix(count);
        let digits = &read.digits[..total];
        let lengths = read.lengths(count);
        let signs = &read.separators[..count - 1];
        let even = signs.iter().all(|sign| *sign == signs[0])
            || bracket
            || signs[0] == b' ' && signs[1..].iter().all(|sign| *sign == b'-');
        if around.after(end).is_some_and(|byte| byte.is_ascii_digit())
            || matches!(around.after(end), Some(b'-' | b'.'))
                && around.after(end + 1).is_some_and(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        let national = match lengths {
            [3, 3, 4, ..] if count == 3 => is_north_american(digits) && (even || signs.contains(&b')')),
            [1, 3, 3, 4, ..] if count == 4 => digits[0] == b'1' && is_north_american(&digits[1..]),
            [3, 7, ..] if count == 2 && bracket => is_north_american(digits),
            [2, 2, 2, 2, 2, ..] if count == 5 => digits[0] == b'0' && digits[1] != b'0' && even,
            [5, 6, ..] if count == 2 => digits.starts_with(b"07") && signs[0] == b' ',
            [3, 4, 4, ..] if count == 3 => digits.starts_with(b"02") && even,
            [4, 3, 4, ..] if count == 3 => digits.starts_with(b"01") && even && signs[0] == b' ',
            _ => even && has_trunk_prefix(digits, &lengths[..count]),
        };
        if national && (bracket || signs.iter().all(|sign| matches!(sign, b' ' | b'-' | b'.' | b')'))) {
            return Some(end);
        }
    }
    None
}

/// Area code and exchange of the North American plan start with 2 to 9.
fn is_north_american(digits: &[u8]) -> bool {
    digits.len() == 10
        && digits[0] >= b'2'
        && digits[3] >= b'2'
        && !digits.iter().all(|digit| *digit == digits[0])
}

/// The end of six to fifteen digits that a label calls a telephone number. A date is none, unless more digits follow.
fn labelled(question: &DigitQuestion<'_>, read: &Digits) -> Option<usize> {
    let text = question.around.text;
    let mut found = None;
    for count in 1..=read.count {
        let (end, total) = read.prefix(count);
        let dangling = text.get(end).is_some_and(u8::is_ascii_digit);
        if (FEWEST_LABELLED..=MAX_PHONE_DIGITS).contains(&total) && !dangling {
            found = Some((end, total));
            // Ten digits or a long group are a whole number; what follows a space is the next word.
            if total >= 10 && read.separators[count - 1] == b' ' && read.groups[count - 1].0 > 2 {
                break;
            }
        }
    }
    let (end, _) = found?;
    let start = question.around.start;
    let date = dates::length(&text[start..]).filter(|length| start + length >= end);
    // Two digits and two digits and two digits are a number in many a small country.
    let spaced = date.is_some_and(|length| length == 8 && matches!(text[start + 2], b' ' | b'.'));
    (date.is_none() || spaced).then_some(())?;
    question.labels(end).meets(Labels::PHONE).then_some(end)
}
