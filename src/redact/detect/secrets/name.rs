//! Secrets that are told by the name before them: `password=hunter2`, `api_key: …`, `Authorization: Bearer …`.

use super::{Found, Secret};
use crate::redact::window::Span;

/// Longest name that is read backwards.
const LONGEST_NAME: usize = 40;
/// Longest value behind a name.
const LONGEST_VALUE: usize = 4096;

/// How names end, without signs between words and in lower case. The first that fits counts.
const ENDINGS: &[(&[u8], Secret)] = &[
    (b"password", Secret::Password),
    (b"passwd", Secret::Password),
    (b"passphrase", Secret::Password),
    (b"passcode", Secret::Password),
    (b"passwort", Secret::Password),
    (b"katasandi", Secret::Password),
    (b"pwd", Secret::Password),
    (b"secretaccesskey", Secret::ApiKey),
    (b"apikey", Secret::ApiKey),
    (b"accesskey", Secret::ApiKey),
    (b"secretkey", Secret::ApiKey),
    (b"privatekey", Secret::ApiKey),
    (b"encryptionkey", Secret::ApiKey),
    (b"accountkey", Secret::ApiKey),
    (b"signingkey", Secret::ApiKey),
    (b"authkey", Secret::ApiKey),
    (b"masterkey", Secret::ApiKey),
    (b"subscriptionkey", Secret::ApiKey),
    (b"servicekey", Secret::ApiKey),
    (b"storagekey", Secret::ApiKey),
    (b"apisecret", Secret::Other),
    (b"secret", Secret::Other),
    (b"token", Secret::Token),
    (b"authorization", Secret::Token),
    (b"bearer", Secret::Token),
    (b"credential", Secret::Other),
];

/// Words before "token" that make it a place in a list or a unit of text.
const OPEN_TOKENS: [&[u8]; 14] = [
    b"pagetoken",
    b"nexttoken",
    b"continuationtoken",
    b"synctoken",
    b"progresstoken",
    b"resumetoken",
    b"cursortoken",
    b"starttoken",
    b"stoptoken",
    b"endtoken",
    b"pertoken",
    b"prevtoken",
    b"eostoken",
    b"padtoken",
];

/// Words that stand for a value that is not there.
const STAND_INS: [&[u8]; 34] = [
    b"null",
    b"none",
    b"nil",
    b"true",
    b"false",
    b"undefined",
    b"required",
    b"optional",
    b"string",
    b"redacted",
    b"hidden",
    b"masked",
    b"secret",
    b"password",
    b"token",
    b"changeme",
    b"change_me",
    b"change-me",
    b"todo",
    b"tbd",
    b"example",
    b"placeholder",
    b"value",
    b"empty",
    b"missing",
    b"invalid",
    b"expired",
    b"unset",
    b"default",
    b"text",
    b"unknown",
    b"here",
    b"n/a",
    b"env",
];

/// Text that only stand-ins hold.
const MARKS_OF_STAND_INS: [&[u8]; 12] = [
    b"xxxx",
    b"****",
    b"....",
    b"your_",
    b"your-",
    b"<your",
    b"_here",
    b"-here",
    b"os.environ",
    b"process.env",
    b"getenv",
    b"[redacted:",
];

/// Whether the two bytes end a name of the table.
fn may_end_name(before: &[u8]) -> bool {
    let [.., first, last] = before else { return false };
    matches!(
        [first.to_ascii_lowercase(), last.to_ascii_lowercase()],
        [b'r', b'd']
            | [b'w', b'd']
            | [b's', b'e']
            | [b'd', b'e']
            | [b'r', b't']
            | [b'd', b'i']
            | [b'e', b'y']
            | [b'e', b't']
            | [b'e', b'n']
            | [b'o', b'n']
            | [b'e', b'r']
            | [b'a', b'l']
            | [b's', b's']
    )
}

/// What a name says of its value; the name may hold `_`, `-`, `.` and spaces.
pub(in crate::redact) fn kind_of(name: &[u8]) -> Option<Secret> {
    if !may_end_name(name) {
        return None;
    }
    let mut letters = [0; LONGEST_NAME];
    let mut length = 0;
    for byte in &name[name.len().saturating_sub(LONGEST_NAME)..] {
        if byte.is_ascii_alphanumeric() {
            letters[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    let letters = &letters[..length];
    if OPEN_TOKENS.iter().any(|open| letters.ends_with(open)) {
        return None;
    }
    if let Some((_, secret)) = ENDINGS.iter().find(|(ending, _)| letters.ends_with(ending)) {
        return Some(*secret);
    }
    let pass = name.len().checked_sub(4).filter(|at| name[*at..].eq_ignore_ascii_case(b"pass"))?;
    (pass == 0
        || !name[pass - 1].is_ascii_alphanumeric()
        || name[pass] == b'P' && name[pass - 1].is_ascii_lowercase())
    .then_some(Secret::Password)
}

/// Whether the value stands for another one or for none.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let first = lower.first().copied().unwrap_or(b'<');
    matches!(first, b'<' | b'$' | b'{' | b'%' | b'*' | b'[' | b'(' | b'\\')
        || STAND_INS.contains(&lower.as_slice())
        || MARKS_OF_STAND_INS.iter().any(|mark| memchr::memmem::find(&lower, mark).is_some())
        || lower.iter().all(|byte| *byte == first)
}

/// Whether a value under a name of this kind is a secret: long enough, no stand-in, no code.
pub(in crate::redact) fn is_value(secret: Secret, value: &[u8]) -> bool {
    let shape = |wanted: fn(&u8) -> bool| value.iter().filter(|byte| wanted(byte)).count();
    let spaces = shape(u8::is_ascii_whitespace);
    if value.len() > LONGEST_VALUE || is_placeholder(value) || value.contains(&b'(') {
        return false;
    }
    match secret {
        Secret::Password => (4..=256).contains(&value.len()) && spaces <= 3,
        _ => {
            let drawn = shape(u8::is_ascii_digit) > 0
                || shape(u8::is_ascii_uppercase) > 1 && shape(u8::is_ascii_lowercase) > 1;
            value.len() >= 8 && spaces == 0 && drawn
        }
    }
}

/// Signs that stand between a name and its value.
fn signs(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memchr2_iter(b':', b'=', text)
}

/// The name that ends before `sign`, quotes and a space between left out.
fn name_before(text: &[u8], sign: usize) -> &[u8] {
    let mut end = sign;
    for _ in 0..3 {
        match end.checked_sub(1).map(|at| text[at]) {
            Some(b' ' | b'"' | b'\'' | b'\\' | b'`' | b'*' | b']') => end -= 1,
            _ => break,
        }
    }
    if !may_end_name(&text[..end]) {
        return &[];
    }
    let from = end.saturating_sub(LONGEST_NAME);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let length = text[from..end].iter().rev().take_while(|byte| part(byte)).count();
    // The name in a token of ours is no name.
    if text[..end - length].ends_with(b"[REDACTED:") { &[] } else { &text[end - length..end] }
}

pub(super) fn may_hold(text: &[u8]) -> bool {
    signs(text).any(|sign| is_named(text, sign))
}

/// Whether the name of a secret stands before the `:` or `=` at `sign`.
pub(in crate::redact) fn is_named(text: &[u8], sign: usize) -> bool {
    kind_of(name_before(text, sign)).is_some()
}

pub(super) fn find(text: &[u8], found: &mut Vec<Found>) {
    for sign in signs(text) {
        if let Some(secret) = kind_of(name_before(text, sign))
            && let Some(span) = value_behind(text, sign, secret)
        {
            found.push(Found { span, secret });
        }
    }
    for run in super::long_runs(text).filter(|run| is_bearer(text, *run)) {
        let value = value_at(text, run.start);
        let token = &text[value.start..value.end];
        if token.len() >= 16 && is_value(Secret::Token, token) {
            found.push(Found { span: value, secret: Secret::Token });
        }
    }
}

/// Whether "Bearer" stands before the run.
pub(super) fn is_bearer(text: &[u8], run: Span) -> bool {
    text[..run.start].last_chunk::<7>().is_some_and(|before| before.eq_ignore_ascii_case(b"bearer "))
}

/// A value from `start` on, up to a space, a quote or a sign that ends values in code, URLs and lists.
fn value_at(text: &[u8], start: usize) -> Span {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'"' | b'\'' | b'`' | b',' | b';' | b'&' | b'<' | b'>' | b')' | b'}' | b']' | b'|' | b'\\'
            )
    };
    let length = text[start..]
        .iter()
        .take(LONGEST_VALUE + 1)
        .position(ends)
        .unwrap_or((text.len() - start).min(LONGEST_VALUE + 1));
    let mut end = start + length;
    // A full stop at the end belongs to the sentence.
    while end > start && text[end - 1] == b'.' {
        end -= 1;
    }
    Span { start, end }
}

fn value_behind(text: &[u8], sign: usize, secret: Secret) -> Option<Span> {
    let mut at = sign + 1;
    if matches!(text.get(at), Some(b'=' | b'>')) {
        at += 1;
    }
    let spaced = text.get(at).is_some_and(u8::is_ascii_whitespace);
    while at < sign + 5 && text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'*')) {
        at += 1;
    }
    let quote = text.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    if let Some(quote) = quote {
        at += 1;
        // A quoted value ends at its quote and may hold other signs.
        let rest = &text[at..];
        let end = rest
            .iter()
            .take(LONGEST_VALUE)
            .position(|byte| *byte == quote || matches!(byte, b'\n' | b'\\'))?;
        return is_value(secret, &rest[..end]).then_some(Span { start: at, end: at + end });
    }
    for scheme in [&b"Bearer "[..], b"bearer ", b"Basic ", b"Token ", b"token "] {
        if text[at..].starts_with(scheme) {
            at += scheme.len();
        }
    }
    if text[at..].starts_with(b"//") {
        return None;
    }
    let span = value_at(text, at);
    let value = &text[span.start..span.end];
    let letters = value.iter().all(u8::is_ascii_lowercase)
        || value[1.min(value.len())..].iter().all(u8::is_ascii_lowercase);
    // "password: must be long" explains; "password: hunter" at the end of a line tells.
    let explains =
        spaced && letters && !matches!(text.get(span.end), None | Some(b'\n' | b'\r' | b'"' | b','));
    let whole = span.end > span.start && !explains && value.len() <= LONGEST_VALUE;
    (whole && is_value(secret, value)).then_some(Span { start: span.start, end: floor(text, span.end) })
}

/// The start of the character that `at` lies in.
fn floor(text: &[u8], at: usize) -> usize {
    (0..4)
        .find(|back| text.get(at - back).is_none_or(|byte| byte & 0xC0 != 0x80))
        .map_or(at, |back| at - back)
}
