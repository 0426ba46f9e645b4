//! Calendar dates as people write them, in figures and with the month in words.

/// First three letters of the months in English, and where they differ in other languages, without accents. Those
/// that other words start with too count only as the start of a longer word.
const MONTHS: [(&[u8; 3], u32, usize); 44] = [
    (b"jan", 1, 3),
    (b"feb", 2, 3),
    (b"mar", 3, 3),
    (b"apr", 4, 3),
    (b"may", 5, 3),
    (b"jun", 6, 3),
    (b"jul", 7, 3),
    (b"aug", 8, 3),
    (b"sep", 9, 3),
    (b"oct", 10, 3),
    (b"nov", 11, 3),
    (b"dec", 12, 3),
    (b"mai", 5, 3),
    (b"okt", 10, 3),
    (b"dez", 12, 3),
    (b"mei", 5, 3),
    (b"agu", 8, 3),
    (b"des", 12, 3),
    (b"ene", 1, 3),
    (b"abr", 4, 3),
    (b"ago", 8, 3),
    (b"dic", 12, 3),
    (b"fev", 2, 3),
    (b"avr", 4, 3),
    (b"jui", 7, 4),
    (b"aou", 8, 4),
    (b"gen", 1, 7),
    (b"mag", 5, 6),
    (b"giu", 6, 6),
    (b"lug", 7, 6),
    (b"set", 9, 8),
    (b"ott", 10, 7),
    (b"out", 10, 7),
    (b"maa", 3, 5),
    (b"peb", 2, 8),
    (b"sty", 1, 7),
    (b"lut", 2, 6),
    (b"kwi", 4, 8),
    (b"cze", 6, 7),
    (b"lip", 7, 5),
    (b"sie", 8, 8),
    (b"wrz", 9, 8),
    (b"paz", 10, 12),
    (b"gru", 12, 7),
];

/// Longest word of a month, in letters.
const LONGEST_MONTH: usize = 12;

/// The month that the text starts with, and the length of its word in bytes.
pub(super) fn month_word(text: &[u8]) -> Option<(u32, usize)> {
    if !text.first()?.is_ascii_alphabetic() {
        return None;
    }
    let (mut head, mut letters, mut at) = ([0; 3], 0, 0);
    while let Some(&byte) = text.get(at) {
        let (letter, length) = match (byte, text.get(at + 1)) {
            (0xC3 | 0xC5, Some(&second)) => (super::labels::without_accent(byte, second), 2),
            _ if byte.is_ascii_alphabetic() => (byte | 0x20, 1),
            _ => break,
        };
        if letters == LONGEST_MONTH {
            return None;
        }
        if let Some(place) = head.get_mut(letters) {
            *place = letter;
        }
        letters += 1;
        at += length;
    }
    let (_, month, least) = MONTHS.iter().find(|(name, ..)| head == **name)?;
    (letters >= *least).then_some((*month, at))
}

/// The month behind a day, also behind a `de` as in `22 de marzo de 1955`; the length with it.
pub(super) fn month_behind(text: &[u8]) -> Option<(u32, usize)> {
    match text.strip_prefix(b"de ") {
        Some(rest) => month_word(rest).map(|(month, length)| (month, length + 3)),
        None => month_word(text),
    }
}

/// A date in the writing of East Asia, `1985\u{5e74}4\u{6708}12\u{65e5}`: its length.
fn east_asian(text: &[u8]) -> Option<usize> {
    let (year, digits) = figure(text, 4).filter(|(_, digits)| *digits == 4)?;
    let mut at = digits;
    let mut parts = [0; 2];
    for (part, sign) in parts.iter_mut().zip(["\u{5e74}", "\u{6708}"]) {
        at += text.get(at..)?.starts_with(sign.as_bytes()).then_some(sign.len())?;
        let (value, digits) = figure(&text[at..], 2)?;
        *part = value;
        at += digits;
    }
    let day = "\u{65e5}".as_bytes();
    at += if text[at..].starts_with(day) { day.len() } else { 0 };
    (is_year(year, 4) && exists(year % 100, parts[0], parts[1])).then_some(at)
}

/// Whether the digits before `text` are a year in the writing of East Asia.
pub(super) fn is_year_sign(text: &[u8]) -> bool {
    text.starts_with("\u{5e74}".as_bytes())
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

/// Whether the text is a date, or a date and a time of RFC 3339, and nothing else.
pub(super) fn is_timestamp(text: &[u8]) -> bool {
    let time = |rest: &[u8]| {
        rest.len() <= 25
            && matches!(rest[0], b'T' | b' ')
            && rest.get(3) == Some(&b':')
            && rest[1..]
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'Z' | b'+' | b'-'))
    };
    is_iso(text) && (text.len() == 10 || time(&text[10..]))
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
    if is_year_sign(&text[width..]) {
        return east_asian(text);
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
    if let Some((month, word)) = month_behind(&text[at..]) {
        at += word;
        while matches!(text.get(at), Some(b' ' | b'-' | b'.' | b',')) && at < width + word + 6 {
            at += 1;
        }
        for of in [&b"de "[..], b"del "] {
            at += if text[at..].starts_with(of) { of.len() } else { 0 };
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
            "22 de marzo de 1955",
            "3 de f\u{e9}vrier 1961",
            "7. M\u{e4}rz 1970",
            "15 setembro 1982",
            "1985\u{5e74}4\u{6708}12\u{65e5}",
        ] {
            assert_eq!(length(date.as_bytes()), Some(date.len()), "{date}");
        }
        for other in ["1988-13-12", "2026", "31/02/1988", "12 boxes 1988", "415-555-2671", "12/04/19881"] {
            assert_eq!(length(other.as_bytes()), None, "{other}");
        }
    }
}
