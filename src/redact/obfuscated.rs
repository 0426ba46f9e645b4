//! Mail addresses that are written for people and not for programs: `jane [at] acme.com`, `jane at acme dot com`.
//!
//! An `at` in brackets needs a domain behind it. A bare `at` is a word of English, so it counts only where a `dot`
//! stands in the domain as a word or in brackets.

use super::window::Span;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Shortest address in this writing: `a at b dot co`.
const SHORTEST: usize = 11;
/// Up to this length a text is looked at without prepared searches.
const SHORT: usize = 192;
/// Longest local part, and longest label of a domain (RFC 5321, RFC 1035).
const LONGEST_PART: usize = 64;

static DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" dot "));
static ROUND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"(at)"));
static SQUARE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"[at]"));

/// Whether an address in this writing may stand in the text. No for almost all text, at little cost.
#[inline]
pub(super) fn may_hold(text: &[u8]) -> bool {
    if text.len() < SHORTEST {
        return false;
    }
    if text.len() > SHORT {
        return DOT.find(text).is_some() || ROUND.find(text).is_some() || SQUARE.find(text).is_some();
    }
    // Every byte with the two behind it, without a branch: the loop becomes vector code.
    let threes = text.iter().zip(&text[1..]).zip(&text[2..]);
    let seen = threes.fold(0u8, |seen, ((first, second), third)| {
        let dot =
            u8::from(first | 0x20 == b'd') & u8::from(second | 0x20 == b'o') & u8::from(third | 0x20 == b't');
        let at = u8::from(second | 0x20 == b't') & (u8::from(*third == b')') | u8::from(*third == b']'));
        seen | dot | at
    });
    seen != 0
}

/// The addresses in the text, in order and apart from each other.
pub(super) fn find(text: &[u8]) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    if !may_hold(text) {
        return found;
    }
    for at in memchr::memchr2_iter(b'a', b'A', text) {
        let floor = found.last().map_or(0, |span| span.end);
        if let Some(span) = address(text, at, floor) {
            found.push(span);
        }
    }
    found
}

/// A word in brackets or between spaces around `at`: where it starts, where it ends, and whether it has brackets.
fn word(text: &[u8], at: usize, word: &[u8]) -> Option<(usize, usize, bool)> {
    let end = at + word.len();
    if !text.get(at..end)?.eq_ignore_ascii_case(word) {
        return None;
    }
    let before = at.checked_sub(1).map(|before| text[before])?;
    let behind = *text.get(end)?;
    let spaces = |from: &[u8]| usize::from(from.first() == Some(&b' '));
    match (before, behind) {
        (b'(', b')') | (b'[', b']') | (b'{', b'}') | (b'<', b'>') => {
            let start = at - 1 - usize::from(at > 1 && text[at - 2] == b' ');
            Some((start, end + 1 + spaces(&text[end + 1..]), true))
        }
        (b' ', b' ') => Some((at - 1, end + 1, false)),
        _ => None,
    }
}

fn is_local(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

fn address(text: &[u8], at: usize, floor: usize) -> Option<Span> {
    let (local_end, domain_start, bracketed) = word(text, at, b"at")?;
    let local = text[floor.min(local_end)..local_end]
        .iter()
        .rev()
        .take(LONGEST_PART)
        .take_while(|byte| is_local(byte))
        .count();
    if local == 0 {
        return None;
    }
    let (mut end, mut labels, mut spelled) = (domain_start, 0, false);
    loop {
        let length = text[end..]
            .iter()
            .take(LONGEST_PART)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
            .count();
        if length == 0 {
            break;
        }
        labels += 1;
        let label_end = end + length;
        let letters = text[end..label_end].iter().all(u8::is_ascii_alphabetic);
        let next = next_label(text, label_end);
        match next {
            Some((start, word)) => {
                spelled |= word;
                end = start;
            }
            None => {
                let whole = labels >= 2 && length >= 2 && letters && (bracketed || spelled);
                return whole.then_some(Span { start: local_end - local, end: label_end });
            }
        }
    }
    None
}

/// Where the label behind a dot starts, and whether the dot is a word.
fn next_label(text: &[u8], end: usize) -> Option<(usize, bool)> {
    let starts = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    if text.get(end) == Some(&b'.') && starts(end + 1) {
        return Some((end + 1, false));
    }
    (end..(end + 3).min(text.len()))
        .find_map(|at| word(text, at, b"dot"))
        .filter(|(start, next, _)| *start == end && starts(*next))
        .map(|(_, next, _)| (next, true))
}

#[cfg(test)]
mod tests {
    use super::find;

    fn found(text: &str) -> Vec<&str> {
        find(text.as_bytes()).into_iter().map(|span| &text[span.start..span.end]).collect()
    }

    #[test]
    fn addresses_for_people_are_read() {
        for address in [
            "jane [at] acme.com",
            "jane(at)acme.com",
            "jane at acme dot com",
            "jane.doe AT mail dot acme DOT co",
            "jane [at] acme [dot] com",
            "jane (at) acme (dot) co (dot) uk",
            "jane[at]acme[dot]com",
        ] {
            assert_eq!(found(address), [address]);
            let around =
                format!("write to {address}, or call us at the office of our shop in the dot com era");
            assert_eq!(found(&around), [address], "{around}");
        }
    }

    #[test]
    fn words_are_no_addresses() {
        for text in [
            "look at example.com and the dot com",
            "meet me at noon",
            "function f(at) { return at.x }",
            "values[at] = list",
            "the dot product at run time",
            "[at] (at) at",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
