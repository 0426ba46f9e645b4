//! Internet addresses, off by default: four octets, or the groups of RFC 4291. No versions, no masks of zeros.

use super::DigitQuestion;
use crate::redact::labels::Labels;
use crate::redact::window::Span;
use std::net::Ipv6Addr;

/// An IPv4 address, unless the text calls it a version.
pub(super) fn ipv4(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let text = &around.text[around.start..];
    if around.continues_chain() || matches!(around.before(1), Some(b'v' | b'V')) {
        return None;
    }
    let mut at = 0;
    for octet in 0..4 {
        let length = text[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let value =
            text[at..at + length].iter().fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0'));
        if length == 0 || value > 255 || length > 1 && text[at] == b'0' {
            return None;
        }
        at += length;
        if octet < 3 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    let continued = text.get(at) == Some(&b'.') && text.get(at + 1).is_some_and(u8::is_ascii_digit);
    let end = around.start + at;
    let version = question.labels(end).meets(Labels::VERSION);
    (!continued && !version).then_some(Span { start: around.start, end })
}

/// An IPv6 address around a group of hexadecimal digits.
pub(super) fn ipv6(question: &DigitQuestion<'_>) -> Option<Span> {
    let around = question.around;
    let part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let before =
        around.text[around.floor()..around.start].iter().rev().take(6).take_while(|byte| part(byte)).count();
    let start = around.start - before;
    let length = around.text[start..].iter().take(46).take_while(|byte| part(byte)).count();
    let text = std::str::from_utf8(&around.text[start..start + length]).ok()?;
    let text = text.trim_end_matches(['.', ':']);
    let colons = text.bytes().filter(|byte| *byte == b':').count();
    (colons >= 2 && text.len() > 6 && text.parse::<Ipv6Addr>().is_ok())
        .then_some(Span { start, end: start + text.len() })
}
