//! Secrets with a recognisable form.

use super::{Found, Secret};
use crate::redact::masks::{self, BLOCK, Block};
use crate::redact::window::Span;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Prepared searches: preparing one costs more than looking through a short text.
static BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"-----BEGIN "));
static SCHEME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"://"));

/// Shortest run of letters, digits, `_`, `-` and `.` that is looked at.
const SHORTEST_RUN: usize = masks::ROW;
/// Longest user name and password in a URL.
const LONGEST_CREDENTIALS: usize = 256;

/// A form: how it starts, and how many characters follow of which alphabet.
struct Form {
    start: &'static [u8],
    secret: Secret,
    least: usize,
    alphabet: Alphabet,
}

#[derive(Clone, Copy)]
enum Alphabet {
    /// Capitals and digits, exactly `least`.
    Capitals,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
}

const fn form(start: &'static [u8], secret: Secret, least: usize, alphabet: Alphabet) -> Form {
    Form { start, secret, least, alphabet }
}

use Alphabet::{Alphanumeric, Capitals, Dotted, Url};

/// The forms, sorted by their first byte; of two that fit the first counts.
const FORMS: &[Form] = &[
    form(b"AKIA", Secret::Aws, 16, Capitals),
    form(b"ASIA", Secret::Aws, 16, Capitals),
    form(b"ABIA", Secret::Aws, 16, Capitals),
    form(b"ACCA", Secret::Aws, 16, Capitals),
    form(b"AROA", Secret::Aws, 16, Capitals),
    form(b"AIDA", Secret::Aws, 16, Capitals),
    form(b"ABSK", Secret::Aws, 60, Url),
    form(b"AIza", Secret::Google, 35, Url),
    form(b"AGE-SECRET-KEY-1", Secret::Token, 50, Alphanumeric),
    form(b"ATATT3", Secret::Token, 100, Url),
    form(b"ATCTT3", Secret::Token, 100, Url),
    form(b"CLOJARS_", Secret::Token, 60, Alphanumeric),
    form(b"EAAAE", Secret::Token, 50, Url),
    form(b"EAACEdEose0cBA", Secret::Token, 20, Alphanumeric),
    form(b"EZAK", Secret::Token, 54, Alphanumeric),
    form(b"GOCSPX-", Secret::Google, 24, Url),
    form(b"LTAI", Secret::Token, 16, Alphanumeric),
    form(b"NRAK-", Secret::Token, 27, Capitals),
    form(b"NRII-", Secret::Token, 32, Url),
    form(b"PMAK-", Secret::Token, 40, Url),
    form(b"SG.", Secret::Token, 40, Dotted),
    form(b"api_org_", Secret::Token, 30, Alphanumeric),
    form(b"atlasv1", Secret::Token, 40, Url),
    form(b"cio", Secret::Token, 32, Alphanumeric),
    form(b"dop_v1_", Secret::Token, 40, Alphanumeric),
    form(b"doo_v1_", Secret::Token, 40, Alphanumeric),
    form(b"dor_v1_", Secret::Token, 40, Alphanumeric),
    form(b"dckr_pat_", Secret::Token, 20, Url),
    form(b"dapi", Secret::Token, 32, Alphanumeric),
    form(b"duffel_live_", Secret::Token, 40, Url),
    form(b"eyJ", Secret::Jwt, 30, Dotted),
    form(b"figd_", Secret::Token, 30, Url),
    form(b"fio-u-", Secret::Token, 40, Url),
    form(b"fo1_", Secret::Token, 43, Url),
    form(b"ghp_", Secret::GitHub, 30, Alphanumeric),
    form(b"gho_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghu_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghs_", Secret::GitHub, 30, Alphanumeric),
    form(b"ghr_", Secret::GitHub, 30, Alphanumeric),
    form(b"github_pat_", Secret::GitHub, 40, Url),
    form(b"glpat-", Secret::GitLab, 20, Dotted),
    form(b"gldt-", Secret::GitLab, 20, Url),
    form(b"glrt-", Secret::GitLab, 20, Url),
    form(b"glptt-", Secret::GitLab, 20, Url),
    form(b"glcbt-", Secret::GitLab, 20, Url),
    form(b"glsoat-", Secret::GitLab, 20, Url),
    form(b"glft-", Secret::GitLab, 20, Url),
    form(b"glagent-", Secret::GitLab, 20, Url),
    form(b"gloas-", Secret::GitLab, 20, Url),
    form(b"gsk_", Secret::Token, 40, Alphanumeric),
    form(b"glsa_", Secret::Token, 32, Url),
    form(b"glc_", Secret::Token, 32, Alphanumeric),
    form(b"hf_", Secret::Token, 30, Alphanumeric),
    form(b"hvs.", Secret::Token, 24, Url),
    form(b"hvb.", Secret::Token, 24, Url),
    form(b"key-", Secret::Token, 32, Alphanumeric),
    form(b"lin_api_", Secret::Token, 30, Alphanumeric),
    form(b"mfa.", Secret::Token, 60, Url),
    form(b"npm_", Secret::Npm, 30, Alphanumeric),
    form(b"ntn_", Secret::Token, 40, Alphanumeric),
    form(b"nvapi-", Secret::Token, 50, Url),
    form(b"oy2", Secret::Token, 43, Alphanumeric),
    form(b"pk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"pypi-", Secret::PyPi, 40, Url),
    form(b"pplx-", Secret::Token, 40, Alphanumeric),
    form(b"pul-", Secret::Token, 40, Alphanumeric),
    form(b"pat-na1-", Secret::Token, 36, Url),
    form(b"pat-eu1-", Secret::Token, 36, Url),
    form(b"phc_", Secret::Token, 40, Alphanumeric),
    form(b"phx_", Secret::Token, 40, Alphanumeric),
    form(b"p8e-", Secret::Token, 32, Alphanumeric),
    form(b"rk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"rk_test_", Secret::Stripe, 10, Alphanumeric),
    form(b"r8_", Secret::Token, 37, Alphanumeric),
    form(b"rubygems_", Secret::Token, 40, Alphanumeric),
    form(b"re_", Secret::Token, 32, Url),
    form(b"sk_live_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk_test_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk_prod_", Secret::Stripe, 10, Alphanumeric),
    form(b"sk-ant-", Secret::Anthropic, 20, Url),
    form(b"sk-or-v1-", Secret::Token, 32, Alphanumeric),
    form(b"sk-proj-", Secret::OpenAi, 20, Url),
    form(b"sk-svcacct-", Secret::OpenAi, 20, Url),
    form(b"sk-admin-", Secret::OpenAi, 20, Url),
    form(b"sk-", Secret::OpenAi, 32, Url),
    form(b"shpat_", Secret::Token, 32, Alphanumeric),
    form(b"shpca_", Secret::Token, 32, Alphanumeric),
    form(b"shppa_", Secret::Token, 32, Alphanumeric),
    form(b"shpss_", Secret::Token, 32, Alphanumeric),
    form(b"secret_", Secret::Token, 43, Alphanumeric),
    form(b"sntrys_", Secret::Token, 40, Dotted),
    form(b"sntryu_", Secret::Token, 40, Alphanumeric),
    form(b"sq0atp-", Secret::Token, 22, Url),
    form(b"sq0csp-", Secret::Token, 40, Url),
    form(b"sk_", Secret::Token, 40, Alphanumeric),
    form(b"sbp_", Secret::Token, 40, Alphanumeric),
    form(b"tskey-", Secret::Token, 20, Url),
    form(b"tvly-", Secret::Token, 30, Url),
    form(b"whsec_", Secret::Stripe, 24, Alphanumeric),
    form(b"xoxb-", Secret::Slack, 20, Url),
    form(b"xoxp-", Secret::Slack, 20, Url),
    form(b"xoxa-", Secret::Slack, 20, Url),
    form(b"xoxr-", Secret::Slack, 20, Url),
    form(b"xoxs-", Secret::Slack, 20, Url),
    form(b"xoxe-", Secret::Slack, 20, Url),
    form(b"xoxe.", Secret::Slack, 20, Dotted),
    form(b"xoxo-", Secret::Slack, 20, Url),
    form(b"xapp-", Secret::Slack, 20, Url),
    form(b"xai-", Secret::Token, 40, Alphanumeric),
    form(b"ya29.", Secret::Google, 20, Dotted),
];

/// For every byte: the forms that start with it, first and behind the last.
const STARTS: [(u8, u8); 256] = {
    let mut table = [(0, 0); 256];
    let mut row = 0;
    while row < FORMS.len() {
        let byte = FORMS[row].start[0] as usize;
        if table[byte].1 == 0 {
            table[byte].0 = row as u8;
        } else {
            assert!(table[byte].1 as usize == row, "forms are sorted by their first byte");
        }
        table[byte].1 = row as u8 + 1;
        row += 1;
    }
    table
};

/// For every byte: whether it belongs to a run.
const RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || matches!(value, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
};

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
        }
    }
}

/// The runs of at least twelve letters, digits, `_`, `-` and `.` in a text. Long texts are searched by vector code;
/// of short ones one byte of twelve is looked at where they have shorter words.
pub(in crate::redact) fn long_runs(text: &[u8]) -> LongRuns<'_> {
    LongRuns { text, start: 0 }
}

/// See [`long_runs`].
pub(in crate::redact) struct LongRuns<'a> {
    text: &'a [u8],
    start: usize,
}

impl Iterator for LongRuns<'_> {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        let text = self.text;
        let mut start = skip_short_runs(text, self.start);
        loop {
            let first_end = start + SHORTEST_RUN;
            if first_end > text.len() {
                return None;
            }
            let mut at = first_end;
            while at > start && RUN[usize::from(text[at - 1])] {
                at -= 1;
            }
            if at == start {
                let end = run_end(text, first_end);
                self.start = end;
                return Some(Span { start, end });
            }
            start = at;
        }
    }
}

/// Where the next long run starts, or a place before it, up to which there is none. No run goes on at `start`.
fn skip_short_runs(text: &[u8], start: usize) -> usize {
    let rest = &text[start..];
    if rest.len() < 2 * BLOCK {
        return start;
    }
    let blocks = rest.as_chunks::<BLOCK>().0;
    let mut first = Block::new(&blocks[0]).mask(masks::runs);
    for (index, next) in blocks[1..].iter().enumerate() {
        let second = Block::new(next).mask(masks::runs);
        let rows = masks::rows(first, second);
        if rows != 0 {
            return start + index * BLOCK + rows.trailing_zeros() as usize;
        }
        first = second;
    }
    start + (blocks.len() - 1) * BLOCK
}

/// 1 for what belongs to a run, by arithmetic that vector code has.
#[inline]
fn is_run(byte: u8) -> u8 {
    let letter = u8::from((byte | 0x20).wrapping_sub(b'a') < 26);
    let digit = u8::from(byte.wrapping_sub(b'0') < 10);
    letter | digit | u8::from(byte == b'_') | u8::from(byte == b'-') | u8::from(byte == b'.')
}

/// The run at `at`, of whose bytes the first `known` are known.
pub(in crate::redact) fn run_at(text: &[u8], at: usize, known: usize) -> Span {
    Span { start: at, end: run_end(text, at + known) }
}

/// Where a run that `at` lies in ends. Whole blocks are judged by vector code, since media are long.
fn run_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    let (blocks, _) = text[at..].as_chunks::<32>();
    for block in blocks {
        if block.iter().fold(0, |foreign, byte| foreign | (1 - is_run(*byte))) != 0 {
            break;
        }
        at += 32;
    }
    while text.get(at).is_some_and(|byte| RUN[usize::from(*byte)]) {
        at += 1;
    }
    at
}

/// The secret that a run starts with.
fn judge(run: &[u8]) -> Option<(usize, Secret)> {
    let (from, to) = STARTS[usize::from(run[0])];
    if run.len() < 16 || to == 0 {
        return None;
    }
    FORMS[usize::from(from)..usize::from(to)].iter().filter(|form| run.starts_with(form.start)).find_map(
        |form| {
            let rest = &run[form.start.len()..];
            let length = rest.iter().take_while(|byte| form.alphabet.has(**byte)).count();
            let mut end = form.start.len() + length;
            while run[end - 1] == b'.' {
                end -= 1;
            }
            let exact = !matches!(form.alphabet, Capitals) || length == form.least;
            let fits = length >= form.least && exact && is_random(form, &rest[..length]);
            let token = !matches!(form.secret, Secret::Jwt)
                || rest[..length].iter().filter(|byte| **byte == b'.').count() >= 1;
            (fits && token).then_some((end, form.secret))
        },
    )
}

/// Whether the characters look drawn and not written: prefixes of one or two signs are words of other languages too.
fn is_random(form: &Form, rest: &[u8]) -> bool {
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hyphens = rest.iter().filter(|byte| **byte == b'-').count();
    matches!(form.secret, Secret::Aws | Secret::Jwt)
        || form.start.len() > 5
        || digits >= 2 && hyphens * 6 <= rest.len()
}

/// The places in a run at which a secret may begin: its first byte, and behind the `n` of an escaped line break.
fn starts(text: &[u8], run: Span) -> impl Iterator<Item = usize> {
    let escaped = run.start > 0 && text[run.start - 1] == b'\\';
    std::iter::once(run.start).chain(escaped.then_some(run.start + 1))
}

/// Whether a run of a text starts with a secret; also behind the `n` of an escaped line break.
pub(super) fn is_secret(text: &[u8], run: Span) -> bool {
    starts(text, run).any(|start| judge(&text[start..run.end]).is_some())
}

/// Whether a private key may stand in a text.
pub(in crate::redact) fn may_hold_key(text: &[u8]) -> bool {
    text.len() > 64 && BEGIN.find(text).is_some()
}

/// Whether a URL with user and password may stand in a text.
pub(super) fn may_hold_connection(text: &[u8]) -> bool {
    memchr::memchr(b'@', text).is_some() && SCHEME.find(text).is_some()
}

pub(super) fn find(text: &[u8], found: &mut Vec<Found>) {
    for run in long_runs(text) {
        if let Some((length, secret)) = judge(&text[run.start..run.end]) {
            found.push(Found { span: Span { start: run.start, end: run.start + length }, secret });
        }
    }
    private_keys(text, found);
    connections(text, found);
}

fn private_keys(text: &[u8], found: &mut Vec<Found>) {
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| BEGIN.find(rest)) {
        let start = at + offset;
        let head = &text[start..text.len().min(start + 64)];
        at = start + 11;
        if memchr::memmem::find(head, b"PRIVATE KEY").is_none() {
            continue;
        }
        let end = memchr::memmem::find(&text[at..], b"-----END ").map_or(text.len(), |offset| {
            let tail = at + offset + 9;
            let close = memchr::memmem::find(&text[tail..text.len().min(tail + 64)], b"-----");
            close.map_or(text.len().min(tail + 64), |offset| tail + offset + 5)
        });
        let end = floor_of_character(text, end);
        found.push(Found { span: Span { start, end }, secret: Secret::PrivateKey });
        at = end;
    }
}

/// The start of the character that `at` lies in.
fn floor_of_character(text: &[u8], at: usize) -> usize {
    (0..4)
        .find(|back| text.get(at - back).is_none_or(|byte| byte & 0xC0 != 0x80))
        .map_or(at, |back| at - back)
}

/// `scheme://user:password@`: user and password are masked.
fn connections(text: &[u8], found: &mut Vec<Found>) {
    for at in memchr::memchr_iter(b'@', text) {
        let window = &text[at.saturating_sub(LONGEST_CREDENTIALS)..at];
        let from = window
            .iter()
            .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'['));
        let window = &window[from.map_or(0, |from| from + 1)..];
        let Some(scheme) = memchr::memmem::rfind(window, b"://") else { continue };
        let credentials = &window[scheme + 3..];
        let Some(colon) = credentials.iter().position(|byte| *byte == b':') else { continue };
        let password = &credentials[colon + 1..];
        let host = text
            .get(at + 1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'[' | b'$' | b'{'));
        let path = credentials.iter().any(|byte| matches!(byte, b'/' | b'?' | b'#'));
        if password.is_empty() || path || !host || super::name::is_placeholder(password) {
            continue;
        }
        found.push(Found {
            span: Span { start: at - credentials.len(), end: at },
            secret: Secret::Connection,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{SHORTEST_RUN, is_run, long_runs};
    use crate::redact::window::Span;
    use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};

    proptest! {
        #[test]
        fn long_runs_are_those_of_a_plain_search(
            pieces in proptest::collection::vec(
                prop_oneof![4 => (1usize..30).prop_map(Some), 3 => Just(None)], 0..60
            )
        ) {
            let text: Vec<u8> =
                pieces.iter().flat_map(|piece| piece.map_or(vec![b' '], |length| vec![b'a'; length])).collect();
            let mut expected = Vec::new();
            let mut start = 0;
            for part in text.split(|byte| is_run(*byte) == 0) {
                if part.len() >= SHORTEST_RUN {
                    expected.push(Span { start, end: start + part.len() });
                }
                start += part.len() + 1;
            }
            prop_assert_eq!(long_runs(&text).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn arithmetic_and_table_agree() {
        for byte in 0..=255 {
            assert_eq!(is_run(byte) == 1, super::RUN[usize::from(byte)], "{byte}");
        }
    }
}
