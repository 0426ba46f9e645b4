//! Calendar dates as people write them, in figures and with the month in words.

/// First three letters of the months in English, and where they differ in German, Indonesian and Spanish.
const MONTHS: [(&[u8; 3], u32); 22] = [
    (b"jan", 1),
    (b"feb", 2),
    (b"mar", 3),
    (b"apr", 4),
    (b"may", 5),
    (b"jun", 6),
    (b"jul", 7),
    (b"aug", 8),
    (b"sep", 9),
    (b"oct", 10),
    (b"nov", 11),
    (b"dec", 12),
    (b"mai", 5),
    (b"okt", 10),
    (b"dez", 12),
    (b"mei", 5),
    (b"agu", 8),
    (b"des", 12),
    (b"ene", 1),
    (b"abr", 4),
    (b"ago", 8),
    (b"dic", 12),
];

/// The month that the text starts with, and the length of its word.
pub(super) fn month_word(text: &[u8]) -> Option<(u32, usize)> {
    let head: [u8; 3] = text.first_chunk::<3>()?.map(|byte| byte | 0x20);
    let (_, month) = MONTHS.iter().find(|(name, _)| head == **name)?;
    let length = text.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    (length <= 10).then_some((*month, length))
}

/// Whether the day exists in a year with these last two digits, of this century or the last: 1900 was no leap year,
/// but 2000 was one, so only the two digits matter.
pub(super) fn exists(year: u32, month: u32, day: u32) -> bool {
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// A run of one to `most` digits at the start of the text: value and length.
fn figure(text: &[u8], most: usize) -> Option<(u32, usize)> {
    let length = text.iter().take(most + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text.get(..length)?.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (1..=most).contains(&length).then_some((value, length))
}

/// A full year: four digits of this century or the last, or two.
fn is_year(value: u32, length: usize) -> bool {
    length == 2 || length == 4 && (1890..2100).contains(&value)
}

/// Whether the text starts with a date as `2026-11-20`.
pub(super) fn is_iso(text: &[u8]) -> bool {
    let Some(head) = text.first_chunk::<10>() else { return false };
    head.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    }) && matches!(&head[..2], b"19" | b"20")
        && text.get(10).is_none_or(|byte| !byte.is_ascii_digit() && *byte != b'-')
}

/// The length of a date at the start of the text: `1988-04-12`, `12/04/1988`, `04.12.88`, `12 March 1988`, `19880412`.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let (first, width) = figure(text, 8)?;
    let end = |length: usize| (!text.get(length).is_some_and(u8::is_ascii_digit)).then_some(length);
    if width == 8 {
        let (year, month, day) = (first / 10_000, first / 100 % 100, first % 100);
        let turned = (first % 10_000, first / 10_000 % 100, first / 1_000_000);
        let good = |year: u32, month, day| is_year(year, 4) && exists(year % 100, month, day);
        return if good(year, month, day)
            || good(turned.0, turned.1, turned.2)
            || good(turned.0, turned.2, turned.1)
        {
            end(8)
        } else {
            None
        };
    }
    if width > 4 || width == 3 {
        return None;
    }
    let mut at = width;
    if width <= 2 && matches!(text.get(at..at + 2), Some(b"st" | b"nd" | b"rd" | b"th")) {
        at += 2;
    }
    let separator = *text.get(at)?;
    if !matches!(separator, b'-' | b'/' | b'.' | b' ') {
        return None;
    }
    at += 1;
    if separator != b' ' && text.get(at) == Some(&b' ') {
        at += 1;
    }
    if let Some((month, word)) = month_word(&text[at..]) {
        at += word;
        while matches!(text.get(at), Some(b' ' | b'-' | b'.' | b',')) && at < width + word + 6 {
            at += 1;
        }
        let (year, digits) = figure(&text[at..], 4)?;
        return if width <= 2 && is_year(year, digits) && exists(year % 100, month, first) {
            end(at + digits)
        } else {
            None
        };
    }
    let (second, digits) = figure(&text[at..], 2)?;
    at += digits;
    if text.get(at) != Some(&separator) {
        return None;
    }
    at += 1;
    if separator != b' ' && text.get(at) == Some(&b' ') {
        at += 1;
    }
    let (third, digits) = figure(&text[at..], 4)?;
    at += digits;
    let good = if width == 4 {
        is_year(first, 4) && digits <= 2 && exists(first % 100, second, third)
    } else {
        is_year(third, digits) && (exists(third % 100, second, first) || exists(third % 100, first, second))
    };
    if good { end(at) } else { None }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn dates_in_usual_writings() {
        for date in [
            "1988-04-12",
            "12/04/1988",
            "4/12/1988",
            "12.4.88",
            "12 March 1988",
            "12th Mar 1988",
            "19880412",
            "12. April 1988",
            "12-Apr-1988",
        ] {
            assert_eq!(length(date.as_bytes()), Some(date.len()), "{date}");
        }
        for other in ["1988-13-12", "2026", "31/02/1988", "12 boxes 1988", "415-555-2671", "12/04/19881"] {
            assert_eq!(length(other.as_bytes()), None, "{other}");
        }
    }
}
