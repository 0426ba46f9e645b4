//! Strings and numbers as Go's `encoding/json` writes them.

use std::io::Write;

/// Appends `text` as Go's encoder writes a string, with the quotes.
pub(crate) fn push_go_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let run = plain_run(rest.as_bytes());
        out.extend_from_slice(&rest.as_bytes()[..run]);
        rest = &rest[run..];
        let Some(special) = rest.chars().next() else { break };
        push_go_char(out, special);
        rest = &rest[special.len_utf8()..];
    }
    out.push(b'"');
}

/// Bytes that stand in a string as they are. 0xE2 starts U+2028 and U+2029 (and harmless others): it is looked at.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut control = 0;
    while control < 0x20 {
        plain[control] = false;
        control += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain[b'<' as usize] = false;
    plain[b'>' as usize] = false;
    plain[b'&' as usize] = false;
    plain[0xE2] = false;
    plain
};

/// How many bytes from the start stand in a string as they are.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !PLAIN[usize::from(byte)]).unwrap_or(bytes.len())
}

/// Appends one character of a string, escaped where Go escapes.
pub(super) fn push_go_char(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\0'..'\u{20}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            return push_formatted(out, format_args!("\\u{:04x}", u32::from(character)));
        }
        _ => return out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Go's `strconv` with the clean-up of `encoding/json`: shortest digits that read back as the same number,
/// positional from 1e-6 up to 1e21, else with a signed exponent without padding.
///
/// The digits are zmij's, not the standard library's: where two shortest texts are equally near, Go takes the even
/// digit, zmij too, while `{}` rounds up (25232180602682.0625 ends in `.062`, not `.063`).
pub(super) fn push_go_float(out: &mut Vec<u8>, number: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number.abs());
    if number.is_sign_negative() {
        out.push(b'-');
    }
    if number == 0.0 {
        return out.push(b'0');
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    // The value is 0.DIGITS times ten to the power of `point`.
    let point = exponent.parse::<isize>().unwrap_or(0) + whole.len() as isize - leading as isize;
    if (1e-6..1e21).contains(&number.abs()) {
        push_positional(out, digits, point);
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        push_formatted(out, format_args!("{first}{dot}{rest}e{:+}", point - 1));
    }
}

fn push_positional(out: &mut Vec<u8>, digits: &str, point: isize) {
    let before = point.max(0) as usize;
    let zeros_after_point = point.min(0).unsigned_abs();
    match digits.split_at_checked(before) {
        Some((whole, "")) => out.extend_from_slice(whole.as_bytes()),
        Some(("", fraction)) => push_formatted(out, format_args!("0.{:0<zeros_after_point$}{fraction}", "")),
        Some((whole, fraction)) => push_formatted(out, format_args!("{whole}.{fraction}")),
        None => push_formatted(out, format_args!("{digits:0<before$}")),
    }
}

fn push_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}
